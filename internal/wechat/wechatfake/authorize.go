package wechatfake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// The orders in which the pushed event and the browser's redirect may come.
const (
	OrderBoth          = "both"           // both at once
	OrderEventFirst    = "event_first"    // the event was answered before the browser goes on
	OrderRedirectFirst = "redirect_first" // the event comes ConsentDelay after the redirect
	OrderEvent         = "event"          // the browser was closed
	OrderRedirect      = "redirect"       // the event is lost
)

// Authorize says how a merchant authorizes without a browser.
type Authorize struct {
	Scopes      []int    `json:"scopes"`        // permission sets ticked; empty = those of the merchant
	PreAuthCode string   `json:"pre_auth_code"` // of the link; empty = one the platform never saw
	RedirectURI string   `json:"redirect_uri"`  // visited with auth_code and expires_in unless Order is "event"
	Order       string   `json:"order"`         // empty = "event" without RedirectURI, else "both"
	Delay       Duration `json:"delay"`         // time between the two
}

// Authorization is what came of it.
type Authorization struct {
	Code        string `json:"auth_code"`
	PreAuthCode string `json:"pre_auth_code"`
	ExpiresIn   int    `json:"expires_in"`
	RedirectURL string `json:"redirect_url,omitempty"` // where the browser goes
	Event       string `json:"event"`                  // authorized, updateauthorized, or empty: nothing new, nothing pushed
}

// AuthorizeMerchant plays a merchant's administrator saying yes. Push and redirect go out in the background.
func (s *Server) AuthorizeMerchant(appid string, how Authorize) (Authorization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return Authorization{}, err
	}
	if how.PreAuthCode != "" {
		if expires, known := s.st.PreAuth[how.PreAuthCode]; !known || !s.now().Before(expires) {
			return Authorization{}, errors.New("wechatfake: pre_auth_code is unknown or expired")
		}
	} else {
		how.PreAuthCode, _ = s.newPreAuthCode()
	}
	if how.Order == "" {
		how.Order = OrderEvent
		if how.RedirectURI != "" {
			how.Order = OrderBoth
		}
	}
	if !validOrder(how.Order) {
		return Authorization{}, fmt.Errorf("wechatfake: unknown order %q", how.Order)
	}
	scopes := how.Scopes
	if len(scopes) == 0 {
		scopes = s.usualScopes(a)
	}
	given := s.grantLocked(a, scopes, how.PreAuthCode)
	if how.RedirectURI != "" {
		given.RedirectURL, err = withCode(how.RedirectURI, given)
		if err != nil {
			return Authorization{}, err
		}
	}
	s.announce(a, given, how.Order, time.Duration(how.Delay), func() {
		if given.RedirectURL != "" {
			s.visit(given.RedirectURL)
		}
	})
	return given, nil
}

func validOrder(order string) bool {
	return slices.Contains([]string{OrderBoth, OrderEventFirst, OrderRedirectFirst, OrderEvent, OrderRedirect}, order)
}

// usualScopes are the sets a merchant ticks by itself.
func (s *Server) usualScopes(a *account) []int {
	offered := s.offered(a.Kind)
	if len(a.Scopes) == 0 {
		return offered
	}
	return slices.DeleteFunc(slices.Clone(a.Scopes), func(id int) bool { return !slices.Contains(offered, id) })
}

// grantLocked records consent and issues a code. A merchant that comes back after cancelling gets a new refresh token;
// one whose sets did not change gets a code but no event.
func (s *Server) grantLocked(a *account, scopes []int, preAuth string) Authorization {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	event := ""
	switch {
	case !a.Authorized:
		event = "authorized"
		a.Authorized, a.Exchanged, a.RefreshToken, a.AuthTime = true, false, "", s.now().Unix()
	case !slices.Equal(scopes, a.Granted):
		event = "updateauthorized"
	}
	a.Granted = slices.Compact(scopes)
	now := s.now()
	for old, code := range s.st.Codes {
		if now.Sub(code.Expires) > 24*time.Hour {
			delete(s.st.Codes, old)
		}
	}
	life := time.Duration(s.st.Settings.AuthCodeExpires)
	value := s.secret("queryauthcode@@@")
	s.st.Codes[value] = &authCode{AppID: a.AppID, Expires: now.Add(life), PreAuth: preAuth}
	s.changed()
	return Authorization{Code: value, PreAuthCode: preAuth, ExpiresIn: int(life / time.Second), Event: event}
}

func (s *Server) authorizedEvent(a *account, given Authorization) Message {
	now := s.now()
	return Message{
		{"AppId", s.cfg.ComponentAppID},
		{"CreateTime", now.Unix()},
		{"InfoType", given.Event},
		{"AuthorizerAppid", a.AppID},
		{"AuthorizationCode", given.Code},
		{"AuthorizationCodeExpiredTime", now.Add(time.Duration(given.ExpiresIn) * time.Second).Unix()},
		{"PreAuthCode", given.PreAuthCode},
	}
}

// announce sends the event and makes the browser go on, in the given order, without waiting.
func (s *Server) announce(a *account, given Authorization, order string, delay time.Duration, redirect func()) {
	push := func() *delivery { return s.pushComponent(a.AppID, s.authorizedEvent(a, given)) }
	if given.Event == "" {
		push = func() *delivery { return nil }
	}
	later := func(fn func()) {
		s.spawnLocked(func() {
			if s.pause(delay) {
				fn()
			}
		})
	}
	switch order {
	case OrderEvent:
		push()
	case OrderRedirect:
		s.spawnLocked(redirect)
	case OrderEventFirst:
		d := push()
		s.spawnLocked(func() {
			if d != nil {
				<-d.finished
			}
			if s.pause(delay) {
				redirect()
			}
		})
	case OrderRedirectFirst:
		s.spawnLocked(func() {
			redirect()
			s.mu.Lock()
			defer s.mu.Unlock()
			later(func() { s.locked(push) })
		})
	default:
		push()
		s.spawnLocked(redirect)
	}
}

func (s *Server) locked(push func() *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	push()
}

// visit plays the merchant's browser following the redirect.
func (s *Server) visit(address string) {
	const patience = 30 * time.Second // the platform's own page may wait for the exchange
	ctx, cancel := s.lifetime(patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	browser := &http.Client{Transport: s.client.Transport, CheckRedirect: s.client.CheckRedirect}
	resp, err := browser.Do(req)
	if err != nil {
		s.log.Warn("redirect not reached", "host", req.URL.Host)
		return
	}
	_ = resp.Body.Close()
}

// withCode adds auth_code and expires_in to the query redirect_uri has already.
func withCode(redirect string, given Authorization) (string, error) {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" {
		return "", errors.New("wechatfake: redirect_uri is no absolute URL")
	}
	added := url.Values{"auth_code": {given.Code}, "expires_in": {strconv.Itoa(given.ExpiresIn)}}.Encode()
	if u.RawQuery != "" {
		added = u.RawQuery + "&" + added
	}
	u.RawQuery = added
	return u.String(), nil
}

// Revoke plays a merchant cancelling in its console: tokens die at once, unauthorized is pushed.
func (s *Server) Revoke(appid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	if !a.Authorized {
		return errNotAuthorized
	}
	a.Authorized, a.Exchanged, a.Granted, a.RefreshToken = false, false, nil, ""
	for _, t := range s.st.Tokens {
		if t.AppID == appid {
			t.Refused = true
		}
	}
	for _, code := range s.st.Codes {
		if code.AppID == appid {
			code.Used = true
		}
	}
	s.pushComponent(appid, Message{
		{"AppId", s.cfg.ComponentAppID},
		{"CreateTime", s.now().Unix()},
		{"InfoType", "unauthorized"},
		{"AuthorizerAppid", appid},
	})
	return nil
}

// UpdateScopes plays a merchant changing what it granted; updateauthorized is pushed with a new code.
func (s *Server) UpdateScopes(appid string, scopes []int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	if !a.Authorized {
		return errNotAuthorized
	}
	preAuth, _ := s.newPreAuthCode()
	given := s.grantLocked(a, scopes, preAuth)
	s.announce(a, given, OrderEvent, 0, nil)
	return nil
}

// AnnounceAuthorized pushes `authorized` with a code for every merchant marked Announced that this platform does not
// hold tokens for yet, and returns how many. Calling it again, also after a restart, repeats nothing that still has a
// good code under way.
func (s *Server) AnnounceAuthorized(ctx context.Context) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, appid := range s.st.Order {
		a := s.st.Merchants[appid]
		if ctx.Err() != nil || !a.Announced || a.Exchanged || s.codeUnderWay(appid) {
			continue
		}
		if a.Authorized {
			a.Authorized = false // said yes before, but the code was lost: it says yes again
		} else if a.AuthTime != 0 {
			continue // cancelled since then, by the user of the demo
		}
		preAuth, _ := s.newPreAuthCode()
		s.announce(a, s.grantLocked(a, s.usualScopes(a), preAuth), OrderEvent, 0, nil)
		n++
	}
	return n
}

// codeUnderWay reports whether an unused code was pushed and taken by the platform.
func (s *Server) codeUnderWay(appid string) bool {
	good := false
	for _, code := range s.st.Codes {
		good = good || code.AppID == appid && !code.Used && s.now().Before(code.Expires)
	}
	delivered := false
	for _, push := range s.st.Pushes {
		if push.AppID == appid && push.Type == "authorized" {
			delivered = push.State != PushFailed && (push.State == PushDelivered || push.At.After(s.now().Add(-time.Minute)))
		}
	}
	return good && delivered
}

// ExpireTokens makes tokens expire now: appid empty for the component's, "*" for every merchant's. refused answers 40001
// instead of 42001.
func (s *Server) ExpireTokens(appid string, refused bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	n := 0
	for _, t := range s.st.Tokens {
		if t.AppID == appid || (appid == "*" && !t.Component) {
			t.Expires, t.Refused = s.now(), refused
			n++
		}
	}
	return n
}
