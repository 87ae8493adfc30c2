package wechat_test

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// TestPathsAreAllThatIsCalled calls every exported method and compares what leaves with the lists that operators paste
// into WeChat's console: a path that is missing there would be refused.
func TestPathsAreAllThatIsCalled(t *testing.T) {
	t.Parallel()
	type face struct {
		name string
		of   func(*wechat.Client) any
	}
	called := map[string][]string{}
	for _, f := range []face{
		{"client", func(c *wechat.Client) any { return c }},
		{"component", func(c *wechat.Client) any { return c.Component(twoTokens()) }},
		{"authorizer", func(c *wechat.Client) any { return c.Authorizer(merchantAppID, twoTokens()) }},
	} {
		methods := reflect.TypeOf(f.of(wechat.New(wechat.Config{})))
		for method := range methods.Methods() {
			var paths []string
			rt := roundTripper(func(r *http.Request) (*http.Response, error) {
				paths = append(paths, r.URL.Path)
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"errcode":0}`))}, nil
			})
			if method.Type.NumIn() < 2 || method.Type.In(1) != reflect.TypeFor[context.Context]() {
				continue // calls nobody
			}
			if method.Name == "CloudToken" {
				continue // reads a file
			}
			client := wechat.New(wechat.Config{
				AppID: componentAppID, HTTP: &http.Client{Transport: rt}, Rate: 1e6, Transport: wechat.TransportOpenAPI, // with which everything can be called
			})
			in := []reflect.Value{reflect.ValueOf(f.of(client)), reflect.ValueOf(t.Context())}
			for n := 2; n < method.Type.NumIn(); n++ {
				argument := reflect.Zero(method.Type.In(n))
				if argument.Type() == reflect.TypeFor[wechat.DomainAction]() {
					argument = reflect.ValueOf(wechat.DomainGet)
				}
				in = append(in, argument)
			}
			method.Func.Call(in)
			require.NotEmpty(t, paths, "%s.%s called nobody: give it arguments with which it does", f.name, method.Name)
			if paths[0] == "/" { // a registration, whose path is an argument: package register holds those of the lists
				continue
			}
			called[f.name] = append(called[f.name], paths...)
		}
	}
	sorted := func(paths ...string) []string {
		slices.Sort(paths)
		return slices.Compact(paths)
	}
	registration := func(path string) bool {
		return strings.Contains(path, "/component/fast") || path == "/wxa/verifybetaweapp"
	}
	assert.Equal(t, sorted(append(called["client"], called["component"]...)...), slices.DeleteFunc(wechat.PlatformPaths(), registration))
	assert.Equal(t, sorted(called["authorizer"]...), slices.DeleteFunc(wechat.MerchantPaths(), registration))
}
