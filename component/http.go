package component

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const (
	// maxPushBytes is the size of a push's raw body.
	maxPushBytes = 1 << 20
	// answerTimeout leaves WeChat, which waits five seconds, time to hear our answer.
	answerTimeout = 4500 * time.Millisecond
	// success is the only answer that WeChat takes for "got it".
	success = "success"
)

// RegisterRoutes adds the addresses WeChat pushes to. What may call them is WeChat (proven by its encryption), in
// cloudrun mode the platform's gateway, and a forwarder of ours.
func (s *Service) RegisterRoutes(e *echo.Echo) {
	component := func(echo.Context) (channel, appid string) { return ChannelComponent, "" }
	biz := func(c echo.Context) (channel, appid string) { return ChannelBiz, pathText(c.Param("appid")) }
	e.POST("/wxcallback/component", s.pushed(component))
	e.POST("/wxcallback/biz/:appid", s.pushed(biz), oneSegment)
	e.GET("/wxcallback/component", s.echoed)
	e.GET("/wxcallback/biz/:appid", s.echoed, oneSegment)
	e.Use(s.confirmed) // also in front of what is passed through
}

// confirmed answers for the file with which WeChat looks who owns the domain of PUBLIC_URL.
func (s *Service) confirmed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if content, ok := s.confirmFileAt(c.Request()); ok {
			return c.String(http.StatusOK, content)
		}
		return next(c)
	}
}

// oneSegment keeps Echo from taking the rest of a longer path as the appid.
func oneSegment(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.Contains(c.Param("appid"), "/") {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

func pathText(param string) string {
	if text, err := url.PathUnescape(param); err == nil {
		return text
	}
	return param
}

func (s *Service) pushed(address func(echo.Context) (channel, appid string)) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		began := time.Now()
		channel, appid := address(c)
		body, err := readPush(r)
		if errors.Is(err, errTooLarge) {
			s.countPush(channel, pushTooLarge, began)
			return c.String(http.StatusRequestEntityTooLarge, "too large")
		}
		if err != nil {
			s.countPush(channel, pushMalformed, began)
			return c.String(http.StatusBadRequest, "body cut short")
		}
		// WeChat may hang up and push again; what it has sent is stored all the same, and the copy is recognised.
		answer, err := s.receive(context.WithoutCancel(r.Context()), newPush(r, channel, appid, body, began))
		s.countPush(channel, pushResult(answer, err), began)
		if err == nil {
			httpserver.Routine(r.Context()) // the message list and the metrics have it
		}
		if err == nil && answer.passive {
			return c.Blob(http.StatusOK, notation(answer.reply), answer.reply)
		}
		status, text := pushAnswer(err)
		if err != nil {
			s.log.WarnContext(r.Context(), "push refused", "channel", channel, "appid", short(appid), "status", status, "bytes", len(body), "error", err)
		}
		return c.String(status, text)
	}
}

// notation is the content type of a passive reply.
func notation(reply []byte) string {
	switch text := bytes.TrimSpace(reply); {
	case bytes.HasPrefix(text, []byte("<")):
		return "text/xml; charset=utf-8"
	case bytes.HasPrefix(text, []byte("{")):
		return "application/json"
	default:
		return "text/plain; charset=utf-8"
	}
}

func pushAnswer(err error) (status int, text string) {
	switch {
	case err == nil:
		return http.StatusOK, success
	case errors.Is(err, ErrNotAuthentic):
		return http.StatusUnauthorized, "not authentic"
	case errors.Is(err, ErrNotAMessage):
		return http.StatusBadRequest, "not a message"
	default:
		return http.StatusServiceUnavailable, "try again"
	}
}

var errTooLarge = errors.New("component: body too large")

func readPush(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxPushBytes {
		return nil, errTooLarge
	}
	if r.ContentLength >= 0 { // as WeChat sends them
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPushBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxPushBytes {
		return nil, errTooLarge
	}
	return body, nil
}

func newPush(r *http.Request, channel, appid string, body []byte, began time.Time) push {
	p := push{
		channel: channel, appid: appid, body: body, answerBy: began.Add(answerTimeout),
		source: len(r.Header["X-Wx-Source"]) > 0 || len(r.Header["X-Wx-Sources"]) > 0,
	}
	if r.URL.RawQuery != "" {
		query := r.URL.Query()
		p.timestamp, p.nonce, p.msgSignature = query.Get("timestamp"), query.Get("nonce"), query.Get("msg_signature")
		p.proofs = query["key"]
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		p.proofs = append(p.proofs, strings.TrimSpace(token))
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.peer = peer.Addr()
	}
	return p
}

// echoed answers the handshake of an address: the text of echostr, if WeChat signed the request.
func (s *Service) echoed(c echo.Context) error {
	query := c.QueryParams()
	err := s.verifyEcho(c.Request().Context(), query.Get("timestamp"), query.Get("nonce"), query.Get("signature"))
	if err != nil {
		status, text := pushAnswer(err)
		return c.String(status, text)
	}
	if !query.Has("echostr") {
		return c.String(http.StatusBadRequest, "echostr is missing")
	}
	return c.String(http.StatusOK, query.Get("echostr"))
}
