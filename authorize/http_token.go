package authorize

import (
	"context"
	"net/http"
	"time"

	"github.com/wxsteward/wxsteward/internal/httpserver"
)

type accessTokenInput struct {
	AppID         string `path:"appid" maxLength:"100"`
	IfNoneMatch   string `header:"If-None-Match" doc:"The ETag of the token at hand: 304 while it is the one to use."`
	Authorization string `header:"Authorization" hidden:"true"`
}

type accessTokenBody struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

type accessTokenOutput struct {
	Status int
	httpserver.Caching
	Body *accessTokenBody
}

func (s *Service) getAccessToken(ctx context.Context, in *accessTokenInput) (*accessTokenOutput, error) {
	if !storable(in.AppID) {
		return nil, noSuchAuthorizer()
	}
	t, err := s.Token(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	out := accessTokenOutput{
		Status: http.StatusOK, Caching: httpserver.CacheToken(t.Access.Fingerprint(), s.Now(), t.ExpiresAt),
		Body: &accessTokenBody{t.Access.Reveal(), t.ExpiresAt.UTC()},
	}
	if in.Authorization == "" { // a person's browser, which would keep it on the disk
		out.CacheControl, out.Expires = "no-store", ""
	}
	if out.Matches(in.IfNoneMatch) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return &out, nil
}
