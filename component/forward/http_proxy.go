package forward

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// RegisterRoutes makes the proxy answer at every address that is not registered and not reserved. pages are ours at
// addresses that belong to the business system while the proxy is on, such as "/". Anybody may call: who may do what is
// the business system's affair.
func (p *Proxy) RegisterRoutes(e *echo.Echo, pages map[string]echo.HandlerFunc) {
	e.RouteNotFound("/*", func(c echo.Context) error { return p.serve(c, nil) })
	for address, own := range pages {
		e.Any(address, func(c echo.Context) error { return p.serve(c, own) })
	}
}

// serve passes the request on, or while the proxy is off answers with own, or that there is nothing.
func (p *Proxy) serve(c echo.Context, own echo.HandlerFunc) error {
	r := c.Request()
	if reserved(r.URL.Path) {
		return echo.ErrNotFound
	}
	state, err := p.current(r.Context())
	switch {
	case err != nil:
		return err
	case state.Enabled:
		return p.forward(c, state)
	case own == nil:
		return echo.ErrNotFound
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		c.Response().Header().Set("Allow", "GET, HEAD")
		return echo.ErrMethodNotAllowed
	}
	return own(c)
}

func (p *Proxy) forward(c echo.Context, state *proxyState) error {
	r, w := c.Request(), c.Response()
	if r.Method == http.MethodConnect {
		return echo.ErrMethodNotAllowed
	}
	if r.Header.Get(hopHeader) != "" {
		return p.refuse(c, http.StatusLoopDetected, errors.New("the upstream sends requests back to this program"))
	}
	v := &passage{client: httpserver.ClientIP(r.Context()), requestID: httpserver.RequestID(r.Context()), began: time.Now()}
	ctx := context.WithValue(r.Context(), passageKey{}, v)
	if r.Header.Get("Upgrade") != "" { // the server does not know of it any more once it is upgraded
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(p.ended, cancel)()
	}
	out := r.WithContext(ctx)
	control := http.NewResponseController(w)
	if r.Body == nil || r.Body == http.NoBody {
		_ = control.SetReadDeadline(time.Time{}) // else the server takes its end for the client hanging up
	} else {
		out.Body = &patientBody{r.Body, control}
	}
	own := w.Header().Clone() // for an answer of our own, if it comes to that
	httpserver.ClearPageHeaders(w.Header())
	w.Header().Del("X-Request-Id") // the answer's, which has ours if it has none
	pw := &patientWriter{w, w.Writer, control}
	state.pass.ServeHTTP(pw, out)
	if v.err != nil {
		maps.Copy(w.Header(), own)
		return p.refuse(c, http.StatusBadGateway, v.err)
	}
	if v.status == http.StatusSwitchingProtocols {
		w.Status, w.Committed = v.status, true // for the log: Echo has not seen it
	} else {
		pw.extend() // for what is still to be flushed
	}
	p.metered(v.status, v.took)
	return nil
}

// refuse answers in place of the upstream.
func (p *Proxy) refuse(c echo.Context, status int, cause error) error {
	p.metered(status, 0)
	problem := httpserver.Problem(c.Request().Context(), fault.Wrap(cause, fault.Unavailable, "The business system behind this address cannot be reached. Try again shortly."))
	problem.Status = status
	return httpserver.WriteProblem(c.Response(), c.Request(), problem)
}

func (p *Proxy) metered(status int, took time.Duration) {
	if p.cfg.Meter != nil {
		p.cfg.Meter.Proxied(status, took)
	}
}

type proxyBody struct {
	Enabled  bool   `json:"enabled"`
	Upstream string `json:"upstream" doc:"Scheme, host and perhaps a path prefix of the business system; empty: none."`
	Source   string `json:"source" enum:"stored,environment,unset" doc:"Who decided: an operator, BUSINESS_UPSTREAM or nobody."`
}

type proxyOutput struct{ Body proxyBody }

type proxyInput struct {
	Body struct {
		Enabled  bool   `json:"enabled"`
		Upstream string `json:"upstream,omitempty" maxLength:"2048" doc:"Such as http://127.0.0.1:8090; empty: BUSINESS_UPSTREAM."`
		// Source is what GET says; it may be sent back, and is not looked at.
		Source string `json:"source,omitempty" doc:"Ignored."`
	}
}

// RegisterAPI adds the proxy's setting to the admin API.
func (p *Proxy) RegisterAPI(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/proxy", "get-proxy", "The pass-through proxy", adminauth.Viewer, "proxy"),
		func(ctx context.Context, _ *struct{}) (*proxyOutput, error) { return proxyAnswer(p.Setting(ctx)) })
	huma.Register(api, adminauth.Op(http.MethodPut, "/proxy", "put-proxy", "Set the pass-through proxy", adminauth.Operator, "proxy"),
		func(ctx context.Context, in *proxyInput) (*proxyOutput, error) {
			return proxyAnswer(p.Change(ctx, in.Body.Enabled, in.Body.Upstream, adminauth.UserFrom(ctx).Username))
		})
	huma.Register(api, adminauth.Op(http.MethodPost, "/proxy/check", "check-proxy", "See whether the upstream answers", adminauth.Operator, "proxy"),
		func(ctx context.Context, in *proxyCheckInput) (*struct{ Body proxyCheckBody }, error) {
			reach, err := p.Check(ctx, in.Body.Upstream)
			if err != nil {
				return nil, err
			}
			return &struct{ Body proxyCheckBody }{proxyCheckBody{
				OK: reach.Failure == "", Status: reach.Status, DurationMS: reach.Duration.Milliseconds(), Error: reach.Failure.In(fault.LangFrom(ctx)),
			}}, nil
		})
}

type proxyCheckInput struct {
	Body struct {
		Upstream string `json:"upstream,omitempty" maxLength:"2048" doc:"Empty: the one in force."`
	}
}

type proxyCheckBody struct {
	OK         bool   `json:"ok" doc:"It answered, whatever its status."`
	Status     int    `json:"status" doc:"HTTP status of its answer to GET; 0: none."`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error" doc:"Why there was no answer."`
}

func proxyAnswer(s ProxySetting, err error) (*proxyOutput, error) {
	if err != nil {
		return nil, err
	}
	return &proxyOutput{proxyBody(s)}, nil
}
