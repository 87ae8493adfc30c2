package httpserver

import (
	"encoding/json"
	"reflect"
	"strings"
)

// fillLists returns v with every nil list in it as an empty one, since the API's description promises lists, not null.
// It copies what it changes: the value may be shared with a cache.
func fillLists(v any) any {
	if v == nil {
		return nil
	}
	filled, changed := fill(reflect.ValueOf(v))
	if !changed {
		return v
	}
	return filled.Interface()
}

func fill(v reflect.Value) (filled reflect.Value, changed bool) {
	t := v.Type()
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return v, false
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		return fillInside(v)
	case reflect.Struct:
		return fillStruct(v)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return v, false
		}
		if v.IsNil() {
			return reflect.MakeSlice(t, 0, 0), true
		}
		return fillSlice(v)
	case reflect.Map:
		return fillMap(v)
	default:
		return v, false
	}
}

func fillInside(v reflect.Value) (reflect.Value, bool) {
	if v.IsNil() {
		return v, false
	}
	inner, changed := fill(v.Elem())
	if !changed {
		return v, false
	}
	if v.Kind() == reflect.Interface {
		return inner, true
	}
	p := reflect.New(v.Type().Elem())
	p.Elem().Set(inner)
	return p, true
}

func fillStruct(v reflect.Value) (reflect.Value, bool) {
	t := v.Type()
	out := v
	changed := false
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("json")
		if !field.IsExported() || tag == "-" || strings.Contains(tag, ",omit") && v.Field(i).IsZero() {
			continue
		}
		value, dirty := fill(v.Field(i))
		if !dirty {
			continue
		}
		if !changed {
			out = reflect.New(t).Elem()
			out.Set(v)
			changed = true
		}
		out.Field(i).Set(value)
	}
	return out, changed
}

func fillSlice(v reflect.Value) (reflect.Value, bool) {
	out := v
	changed := false
	for i := range v.Len() {
		value, dirty := fill(v.Index(i))
		if !dirty {
			continue
		}
		if !changed {
			out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(out, v)
			changed = true
		}
		out.Index(i).Set(value)
	}
	return out, changed
}

func fillMap(v reflect.Value) (reflect.Value, bool) {
	out := v
	changed := false
	for _, key := range v.MapKeys() {
		value, dirty := fill(v.MapIndex(key))
		if !dirty {
			continue
		}
		if !changed {
			out = reflect.MakeMapWithSize(v.Type(), v.Len())
			for it := v.MapRange(); it.Next(); {
				out.SetMapIndex(it.Key(), it.Value())
			}
			changed = true
		}
		out.SetMapIndex(key, value)
	}
	return out, changed
}
