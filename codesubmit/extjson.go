package codesubmit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// placeholderPattern finds {{…}}, well written or not.
var placeholderPattern = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

func placeholders() []string { return []string{"appid", "biz_id", "label", "nick_name"} }

// wrongExtJSON says to the operator what is wrong with an ext_json.
func wrongExtJSON(format string, args ...any) error {
	return fault.New(fault.Validation, format, args...)
}

// checkExtJSON tells whether text is an object whose placeholders are known.
func checkExtJSON(text json.RawMessage) error {
	tree, err := decodeObject(text)
	if err != nil {
		return err
	}
	if ext, ok := tree["ext"]; ok {
		if _, isObject := ext.(map[string]any); !isObject {
			return wrongExtJSON("ext_json.ext must be an object")
		}
	}
	_, err = expand(tree, func(string) (string, error) { return "", nil })
	return err
}

// renderExtJSON makes one merchant's ext_json: placeholders expanded once, then the merchant's own ext laid over ext.
func renderExtJSON(text json.RawMessage, m authorize.Target) (string, error) {
	tree, err := decodeObject(text)
	if err != nil {
		return "", err
	}
	expanded, err := expand(tree, func(name string) (string, error) { return placeholderValue(name, m) })
	if err != nil {
		return "", err
	}
	result, ok := expanded.(map[string]any)
	if !ok {
		return "", wrongExtJSON("ext_json must be a JSON object")
	}
	if len(m.Ext) > 0 {
		own, err := decodeObject(m.Ext)
		if err != nil {
			return "", wrongExtJSON("the merchant's own ext is no JSON object")
		}
		if len(own) > 0 {
			base, _ := result["ext"].(map[string]any)
			result["ext"] = merge(base, own)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func placeholderValue(name string, m authorize.Target) (string, error) {
	switch name {
	case "appid":
		return m.AppID, nil
	case "nick_name":
		return m.NickName, nil
	case "biz_id":
		if len(m.BizIDs) == 0 {
			return "", wrongExtJSON("ext_json uses {{biz_id}}, but this merchant has no business id")
		}
		return m.BizIDs[0], nil
	default:
		if len(m.Labels) == 0 {
			return "", wrongExtJSON("ext_json uses {{label}}, but this merchant has no label")
		}
		return m.Labels[0], nil
	}
}

func decodeObject(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // 64-bit ids stay what they are
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil || tree == nil {
		return nil, wrongExtJSON("ext_json must be a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrongExtJSON("something follows the object of ext_json")
	}
	return tree, nil
}

// expand replaces placeholders in every string value, never in what it put in.
func expand(node any, value func(name string) (string, error)) (any, error) {
	switch n := node.(type) {
	case string:
		return expandText(n, value)
	case []any:
		out := make([]any, len(n))
		for i, child := range n {
			var err error
			if out[i], err = expand(child, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(n))
		for _, key := range slices.Sorted(maps.Keys(n)) {
			var err error
			if out[key], err = expand(n[key], value); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return node, nil
	}
}

func expandText(text string, value func(name string) (string, error)) (string, error) {
	var firstErr error
	out := placeholderPattern.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.TrimSpace(found[2 : len(found)-2])
		if !slices.Contains(placeholders(), name) {
			if firstErr == nil {
				firstErr = wrongExtJSON("ext_json uses the unknown placeholder %s; known are {{%s}}", found, strings.Join(placeholders(), "}}, {{"))
			}
			return found
		}
		v, err := value(name)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return v
	})
	if firstErr == nil && strings.Contains(placeholderPattern.ReplaceAllString(text, ""), "{{") {
		firstErr = wrongExtJSON("ext_json has a placeholder that is not closed: %q", text)
	}
	return out, firstErr
}

// merge lays over onto base: objects member by member, anything else replaced.
func merge(base, over map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(over))
	maps.Copy(out, base)
	for key, o := range over {
		oldObject, isObject := out[key].(map[string]any)
		if newObject, both := o.(map[string]any); both && isObject {
			out[key] = merge(oldObject, newObject)
		} else {
			out[key] = o
		}
	}
	return out
}
