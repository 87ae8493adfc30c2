package adminauth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const (
	metaRole   = "role"
	metaAudit  = "audit"
	metaAtomic = "atomic"
	metaOnce   = "once"
	metaBefore = "before-totp"
)

// Anyone is the role of operations that need no sign-in.
const Anyone Role = "anyone"

// Op describes an operation of the admin API that needs at least role. path is below /api/v1 and id is unique; the
// first tag groups it in the description. An operation made without Op is refused.
func Op(method, path, id, summary string, role Role, tags ...string) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: tags,
		Metadata:   map[string]any{metaRole: role},
		Extensions: map[string]any{"x-role": string(role)},
		// Huma's own five seconds are too short for a slow line.
		BodyReadTimeout: 30 * time.Second,
	}
	if method == http.MethodPost {
		op.Parameters = []*huma.Param{{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Any text up to 200 characters: a call repeated with it within a day gets the first answer.",
		}}
	}
	return op
}

// Audited has a reading operation written to the audit log too: for those that show a token or another secret.
func Audited(op huma.Operation) huma.Operation {
	op.Metadata[metaAudit] = true
	return op
}

// Reading keeps an operation out of the audit log that changes nothing though it is not a GET.
func Reading(op huma.Operation) huma.Operation {
	op.Metadata[metaAudit] = false
	return op
}

// Atomic marks an operation that calls SaveAnswer in the one transaction that does all its work. If such a call dies
// with its process before that, it may be repeated with the same Idempotency-Key.
func Atomic(op huma.Operation) huma.Operation {
	op.Metadata[metaAtomic] = true
	return op
}

// beforeTOTP marks what may be called by somebody who must set up a second factor first.
func beforeTOTP(op huma.Operation) huma.Operation {
	op.Metadata[metaBefore] = true
	return op
}

// notKept marks a POST whose answer is not stored for an Idempotency-Key.
func notKept(op huma.Operation) huma.Operation {
	op.Parameters, op.Metadata[metaOnce] = nil, false
	return op
}

// Install puts the guard before every operation of the API and adds the operations for sessions, users, API keys,
// the audit log and what is required of everybody.
func (s *Service) Install(srv *httpserver.Server) {
	srv.Guard(s.guard)
	api := srv.API()
	s.routeSession(api)
	s.routeTOTP(api)
	s.routeSessions(api)
	s.routeUsers(api)
	s.routeKeys(api)
	s.routeAudit(api)
	s.routeSecurity(api)
}

// StillSignedIn reports whether the session or API key of ctx's call is still good. It is for streams, which outlive
// the check at their beginning.
func (s *Service) StillSignedIn(ctx context.Context) bool {
	c := callFrom(ctx)
	if c == nil {
		return false
	}
	if c.who.keyID != 0 {
		_, ok, err := s.keyStillValid(ctx, c.who.keyID)
		return ok && err == nil
	}
	who, _, err := s.sessionIdentity(ctx, c.who.sessionID)
	if err != nil {
		return false
	}
	bound, err := s.mustSetUp(ctx, who.totp)
	return err == nil && !bound
}

func clientOf(ctx context.Context, userAgent string) client {
	if len(userAgent) > 200 {
		userAgent = strings.ToValidUTF8(userAgent[:200], "")
	}
	return client{ip: httpserver.ClientIP(ctx), userAgent: userAgent}
}

// guard decides about every call of the API and sees to its audit entry.
func (s *Service) guard(ctx huma.Context, next func(huma.Context)) {
	c := &call{}
	ctx = huma.WithValue(ctx, callKey{}, c)
	always, told := ctx.Operation().Metadata[metaAudit].(bool)
	if !told {
		always = changes(ctx.Method())
	}
	finished := false
	defer func() {
		status := ctx.Status()
		if !finished { // it panicked
			status = http.StatusInternalServerError
		}
		if always || status == http.StatusForbidden {
			s.record(ctx, c, status)
		}
	}()
	s.admit(ctx, c, next)
	finished = true
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

func (s *Service) admit(ctx huma.Context, c *call, next func(huma.Context)) {
	role, known := ctx.Operation().Metadata[metaRole].(Role)
	if !known {
		httpserver.RefuseOperation(ctx, fault.New(fault.Forbidden, ""))
		return
	}
	if role == Anyone {
		if err := s.checkOrigin(humaecho.Unwrap(ctx).Request()); err != nil {
			httpserver.RefuseOperation(ctx, err)
			return
		}
		next(ctx)
		return
	}
	who, err := s.identify(ctx)
	if err != nil {
		httpserver.RefuseOperation(ctx, err)
		return
	}
	c.who, c.name = who, who.Username
	if !who.Role.Includes(role) {
		httpserver.RefuseOperation(ctx, fault.New(fault.Forbidden, "This needs the role %s; %s is %s.", role, who.Username, who.Role))
		return
	}
	if who.sessionID != "" && ctx.Operation().Metadata[metaBefore] == nil {
		if err := s.checkTOTP(ctx.Context(), who); err != nil {
			httpserver.RefuseOperation(ctx, err)
			return
		}
	}
	if who.sessionID != "" && changes(ctx.Method()) {
		cookie, _ := huma.ReadCookie(ctx, CSRFCookie)
		if cookie == nil {
			cookie = &http.Cookie{}
		}
		if err := s.checkCSRF(ctx.Context(), who.sessionID, cookie.Value, ctx.Header("X-CSRF-Token")); err != nil {
			httpserver.RefuseOperation(ctx, err)
			return
		}
	}
	s.once(ctx, c, next)
}

// checkTOTP refuses who must set up a second factor first.
func (s *Service) checkTOTP(ctx context.Context, who identity) error {
	bound, err := s.mustSetUp(ctx, who.totp)
	if err == nil && bound {
		err = fault.New(fault.TOTPSetupRequired, "")
	}
	return err
}

// identify prefers the Authorization header: who sends one means it.
func (s *Service) identify(ctx huma.Context) (identity, error) {
	if header := ctx.Header("Authorization"); header != "" {
		return s.bearer(ctx.Context(), header)
	}
	cookie, err := huma.ReadCookie(ctx, s.sessionCookie())
	if err != nil || cookie.Value == "" {
		return identity{}, fault.New(fault.Unauthenticated, "")
	}
	return s.resume(ctx.Context(), cookie.Value)
}

// checkOrigin keeps other sites from signing a browser in under their own user.
func (s *Service) checkOrigin(r *http.Request) error {
	protection := http.NewCrossOriginProtection()
	if s.origin != "" {
		if err := protection.AddTrustedOrigin(s.origin); err != nil {
			return err
		}
	}
	if err := protection.Check(r); err != nil {
		return fault.Wrap(err, fault.Forbidden, "Signing in from another site is not allowed.")
	}
	return nil
}
