package adminauth

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// TOTPInfo is the state of one's second factor.
type TOTPInfo struct {
	Enabled           bool       `json:"enabled"`
	EnabledAt         *time.Time `json:"enabled_at" doc:"Null: it is off."`
	RecoveryCodesLeft int        `json:"recovery_codes_left"`
}

// NewTOTP is what an authenticator app needs to know; it is shown once.
type NewTOTP struct {
	Secret     string `json:"secret" doc:"To be typed in where no picture can be taken."`
	OTPAuthURL string `json:"otpauth_url"`
	QR         string `json:"qr" doc:"The URL as a picture, in a data URL."`
}

// RecoveryCodes are shown once. Each opens one session when the app is out of reach.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes" doc:"Shown only now. Each counts once, in place of a code."`
}

type codeInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      struct {
		Code string `json:"code" minLength:"1" maxLength:"64"`
	}
}

type removeTOTPInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      struct {
		Password string `json:"password" minLength:"1" maxLength:"256" format:"password"`
		Code     string `json:"code" minLength:"1" maxLength:"64" doc:"Of the app, or a recovery code."`
	}
}

func (s *Service) routeTOTP(api huma.API) {
	const tag = "session"
	huma.Register(api, beforeTOTP(Op(http.MethodGet, "/session/totp", "get-totp", "One's own second factor", Viewer, tag)), s.getTOTP)

	begin := beforeTOTP(notKept(Op(http.MethodPost, "/session/totp", "set-up-totp", "Begin to set up a second factor", Viewer, tag)))
	begin.Description = "Makes a secret for an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds). It counts when confirm has seen a code; " +
		"until then another call makes another one."
	huma.Register(api, begin, s.postTOTP)

	confirm := beforeTOTP(notKept(Op(http.MethodPost, "/session/totp/confirm", "confirm-totp", "Turn the second factor on", Viewer, tag)))
	confirm.Description = "Takes a code of the app and ends one's other sessions. From then on a code is asked for at each sign-in."
	huma.Register(api, confirm, s.confirmTOTPCall)

	remove := Op(http.MethodDelete, "/session/totp", "remove-totp", "Remove one's own second factor", Viewer, tag)
	remove.Description = "Takes the password and a code, and ends one's other sessions. Wrong ones count as wrong tries to sign in."
	huma.Register(api, remove, s.deleteTOTP)

	renew := notKept(Op(http.MethodPost, "/session/recovery-codes", "renew-recovery-codes", "Make new recovery codes", Viewer, tag))
	renew.Description = "Takes a code; the recovery codes from before count no more. A wrong code counts as a wrong try to sign in."
	huma.Register(api, renew, s.postRecoveryCodes)
}

// self is the user who calls; API keys have no second factor.
func self(ctx context.Context) (identity, error) {
	who := callFrom(ctx).who
	if who.userID == 0 {
		return identity{}, fault.New(fault.Forbidden, "An API key has no second factor.")
	}
	return who, nil
}

func (s *Service) getTOTP(ctx context.Context, _ *struct{}) (*struct{ Body TOTPInfo }, error) {
	who, err := self(ctx)
	if err != nil {
		return nil, err
	}
	u, err := s.userByID(ctx, s.db, who.userID)
	if err != nil {
		return nil, err
	}
	left, err := s.countRecoveryCodes(ctx, who.userID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body TOTPInfo }{TOTPInfo{u.hasTOTP(), u.totpAt, left}}, nil
}

func (s *Service) postTOTP(ctx context.Context, _ *struct{}) (*struct{ Body NewTOTP }, error) {
	who, err := self(ctx)
	if err != nil {
		return nil, err
	}
	e, err := s.newTOTP(ctx, who.userID)
	if err != nil {
		return nil, err
	}
	picture, err := e.qr()
	if err != nil {
		return nil, err
	}
	return &struct{ Body NewTOTP }{NewTOTP{e.key.Secret(), e.key.URL(), picture}}, nil
}

func (s *Service) confirmTOTPCall(ctx context.Context, in *codeInput) (*struct{ Body RecoveryCodes }, error) {
	who, err := self(ctx)
	if err != nil {
		return nil, err
	}
	codes, err := s.confirmTOTP(ctx, who.userID, in.Body.Code, who.sessionID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body RecoveryCodes }{RecoveryCodes{codes}}, nil
}

func (s *Service) deleteTOTP(ctx context.Context, in *removeTOTPInput) (*struct{}, error) {
	who, err := self(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.removeTOTP(ctx, who.userID, in.Body.Password, in.Body.Code, who.sessionID, clientOf(ctx, in.UserAgent))
}

func (s *Service) postRecoveryCodes(ctx context.Context, in *codeInput) (*struct{ Body RecoveryCodes }, error) {
	who, err := self(ctx)
	if err != nil {
		return nil, err
	}
	codes, err := s.renewRecoveryCodes(ctx, who.userID, in.Body.Code, clientOf(ctx, in.UserAgent))
	if err != nil {
		return nil, err
	}
	return &struct{ Body RecoveryCodes }{RecoveryCodes{codes}}, nil
}
