package adminauth

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// SessionInfo says who is signed in and until when. ExpiresAt is null for an API key that does not expire.
type SessionInfo struct {
	User      User       `json:"user"`
	ExpiresAt *time.Time `json:"expires_at"`
	TOTP      bool       `json:"totp" doc:"The user signs in with a second factor."`
	// TOTPSetupRequired: everything but setting up a second factor, changing the password and signing out is refused.
	TOTPSetupRequired bool `json:"totp_setup_required" doc:"A second factor must be set up before anything else."`
}

type signInInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      struct {
		Username string `json:"username" minLength:"1" maxLength:"64"`
		Password string `json:"password" minLength:"1" maxLength:"256" format:"password"`
		Code     string `json:"code,omitempty" maxLength:"64" doc:"Of the authenticator app, or a recovery code; for users with a second factor."`
	}
}

type changePasswordInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      struct {
		CurrentPassword string `json:"current_password" minLength:"1" maxLength:"256" format:"password"`
		NewPassword     string `json:"new_password" minLength:"10" maxLength:"128" format:"password"`
	}
}

type sessionOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      SessionInfo
}

type signOutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (s *Service) routeSession(api huma.API) {
	const tag = "session"
	signIn := Op(http.MethodPost, "/session", "sign-in", "Sign in", Anyone, tag)
	signIn.Description = "Sets the session cookie and the csrf cookie, whose value goes into X-CSRF-Token. " +
		"Of users with a second factor, the right password without a code is answered 401 totp_required: ask for the code and call again with it. " +
		"Ten wrong tries for a user name or from an address within 15 minutes: 429 with Retry-After."
	signIn.Parameters, signIn.Security = nil, []map[string][]string{}
	huma.Register(api, signIn, func(ctx context.Context, in *signInInput) (*sessionOutput, error) {
		if c := callFrom(ctx); c != nil {
			c.name = in.Body.Username
		}
		opened, err := s.signIn(ctx, in.Body.Username, in.Body.Password, in.Body.Code, clientOf(ctx, in.UserAgent))
		if err != nil {
			return nil, err
		}
		return s.answerSession(opened), nil
	})

	huma.Register(api, beforeTOTP(Op(http.MethodGet, "/session", "get-session", "Who is signed in", Viewer, tag)),
		func(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
			expires, err := s.expiry(ctx)
			if err != nil {
				return nil, err
			}
			who := callFrom(ctx).who
			info := SessionInfo{User: who.User, ExpiresAt: expires, TOTP: who.totp}
			if who.userID != 0 {
				info.TOTPSetupRequired, err = s.mustSetUp(ctx, who.totp)
			}
			return &sessionOutput{Body: info}, err
		})

	huma.Register(api, beforeTOTP(Op(http.MethodDelete, "/session", "sign-out", "Sign out", Viewer, tag)),
		func(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
			c := callFrom(ctx)
			if c.who.sessionID == "" {
				return nil, fault.New(fault.Forbidden, "An API key has no session. Delete the key to end its use.")
			}
			if _, err := s.deleteSession(ctx, c.who.sessionID, c.who.userID); err != nil {
				return nil, err
			}
			return &signOutOutput{SetCookie: s.cookies("", "", time.Unix(1, 0))}, nil
		})

	change := beforeTOTP(Op(http.MethodPost, "/session/password", "change-password", "Change one's own password", Viewer, tag))
	change.Description = "Ends all sessions of the user; the answer sets the cookies of a new one."
	change = notKept(change) // its answer is cookies
	huma.Register(api, change, func(ctx context.Context, in *changePasswordInput) (*sessionOutput, error) {
		c := callFrom(ctx)
		if c.who.userID == 0 {
			return nil, fault.New(fault.Forbidden, "An API key has no password.")
		}
		opened, err := s.changePassword(ctx, c.who.userID, in.Body.CurrentPassword, in.Body.NewPassword, clientOf(ctx, in.UserAgent))
		if err != nil {
			return nil, err
		}
		return s.answerSession(opened), nil
	})
}

func (s *Service) expiry(ctx context.Context) (*time.Time, error) {
	who := callFrom(ctx).who
	if who.keyID != 0 {
		k, _, err := s.keyStillValid(ctx, who.keyID)
		return k.expiresAt, err
	}
	at, err := s.sessionExpiry(ctx, who.sessionID)
	return &at, err
}

func (s *Service) answerSession(opened session) *sessionOutput {
	expires := opened.expiresAt.UTC()
	return &sessionOutput{
		SetCookie: s.cookies(opened.token.Reveal(), opened.csrf, expires),
		Body:      SessionInfo{User: opened.user, ExpiresAt: &expires, TOTP: opened.totp, TOTPSetupRequired: opened.mustSetUp},
	}
}

func (s *Service) sessionCookie() string {
	if s.secure {
		return HostSessionCookie
	}
	return SessionCookie
}

// cookies come in a pair; empty ones with a time in the past remove them.
func (s *Service) cookies(token, csrf string, expires time.Time) []http.Cookie {
	//nolint:gosec // Secure follows PUBLIC_URL, and the csrf cookie is there to be read
	return []http.Cookie{
		{
			Name: s.sessionCookie(), Value: token, Path: "/", Expires: expires,
			HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
		},
		{ // read by the page's script, which repeats it in a header
			Name: CSRFCookie, Value: csrf, Path: "/", Expires: expires,
			Secure: s.secure, SameSite: http.SameSiteStrictMode,
		},
	}
}
