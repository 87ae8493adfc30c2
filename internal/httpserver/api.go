package httpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
)

const (
	apiPrefix  = "/api/v1"
	unknownAPI = "/api/*"
)

// unknown answers for addresses of the API that are none, or not for this method; whatever takes all other addresses
// never sees them.
func (s *Server) unknown(c echo.Context) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := s.echo.NewContext(nil, nil)
		s.echo.Router().Find(method, c.Request().URL.Path, probe)
		if probe.Path() != unknownAPI {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return fault.New(fault.NotFound, "")
	}
	c.Response().Header().Set("Allow", strings.Join(allowed, ", "))
	return fault.New(fault.MethodNotAllowed, "")
}

func (s *Server) newAPI() huma.API {
	s.echo.RouteNotFound(unknownAPI, s.unknown)
	api := humaecho.NewWithGroup(s.echo, s.echo.Group(apiPrefix), huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "wxsteward",
				Version:     s.cfg.Version,
				Description: "Admin API of wxsteward, a steward for WeChat third-party platforms.",
			},
			Servers: []*huma.Server{{URL: apiPrefix}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaNamer()),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: "wxsteward_session", Description: "Set by POST /session; over https its name begins with __Host-."},
					"key":     {Type: "http", Scheme: "bearer", Description: "An API key, wxs_…"},
				},
			},
			Security: []map[string][]string{{"session": {}}, {"key": {}}},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers: []huma.Transformer{func(ctx huma.Context, _ string, v any) (any, error) {
			if p, ok := v.(*fault.Problem); ok {
				return named(ctx.Context(), p), nil
			}
			return fillLists(v), nil
		}},
	})
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		if s.guard == nil {
			RefuseOperation(ctx, fault.New(fault.Forbidden, ""))
			return
		}
		s.guard(ctx, next)
	})
	return api
}

// SpecJSON is the API's description (OpenAPI 3.1) with every operation registered so far.
func (s *Server) SpecJSON() ([]byte, error) {
	spec, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return append(spec, '\n'), nil
}

func (s *Server) routeSpec() {
	s.echo.GET("/api/openapi.json", func(c echo.Context) error {
		spec, err := s.SpecJSON()
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "application/openapi+json", spec)
	})
	s.echo.GET("/api/docs", func(c echo.Context) error {
		page, err := renderDocs(s.api.OpenAPI())
		if err != nil {
			return err
		}
		c.Response().Header().Set("Content-Security-Policy", docsPolicy())
		return c.HTMLBlob(http.StatusOK, page)
	})
}

// schemaNamer names a type's schema after the type; the second type of that name gets its package in front.
func schemaNamer() func(reflect.Type, string) string {
	owner := map[string]reflect.Type{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if t.Kind() != reflect.Struct {
			return name
		}
		for try := range 100 {
			candidate := name
			switch {
			case try == 1 && t.PkgPath() != "":
				pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
				candidate = strings.ToUpper(pkg[:1]) + pkg[1:] + name
			case try >= 1:
				candidate = fmt.Sprintf("%s%d", name, try+1)
			}
			if held, taken := owner[candidate]; !taken || held == t {
				owner[candidate] = t
				return candidate
			}
		}
		return name
	}
}
