// Package wechat is a typed client of the WeChat API for third-party platforms (第三方平台): the platform's own calls
// (Component) and the calls it makes for a merchant (Authorizer). It also explains WeChat's error codes to operators.
//
// Every call obeys one rate limit and one limit of concurrent calls, has its own time-out, refreshes a refused token
// once, and fails with *APIError (WeChat said no), *TransportError (no usable answer) or *TokenError (no token to call
// with). No error text holds a secret or a URL.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/
package wechat

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	defaultBaseURL     = "https://api.weixin.qq.com"
	defaultRate        = 50
	defaultConcurrency = 16

	defaultTimeout = 10 * time.Second
	commitTimeout  = 60 * time.Second // WeChat compiles the package meanwhile
	slowTimeout    = 30 * time.Second // submissions, releases, uploads and downloads

	// fastRegisterTimeout is long because an answer that comes late is worth more than none.
	fastRegisterTimeout = 60 * time.Second
)

// Config says how to reach WeChat. Only AppID is required.
type Config struct {
	// AppID is the component appid.
	AppID string
	// BaseURL is scheme and host, "" means https://api.weixin.qq.com; of calls that the open-API service is to add a token to,
	// http://api.weixin.qq.com.
	BaseURL string
	// Transport is how the platform's own calls prove who makes them; "" means TransportToken.
	Transport Transport
	// CloudTokenFile is read by TransportCloudToken; "" means the constant of that name.
	CloudTokenFile string
	// RootsFile names certificates (PEM) to trust beside the system's; "", or no such file: none. It is read once, by New, and
	// not used with HTTP.
	RootsFile string
	// HTTP sends the requests; nil means a client of its own with a connection pool fit for Concurrency. Redirects are
	// never followed, since they would carry the token elsewhere.
	HTTP *http.Client
	// Rate is the number of calls a second, over all calls; bursts are at most one second's worth. 0 means 50.
	Rate float64
	// Concurrency is the number of calls at once; 0 means 16.
	Concurrency int
	// Observe, if set, hears of every exchange, also of those repeated with a fresh token. It must be fast and safe for
	// concurrent use.
	Observe func(ctx context.Context, c Call)
}

// Call tells Config.Observe of one exchange with WeChat.
type Call struct {
	Op       string        // path, e.g. "wxa/commit"
	AppID    string        // whose token was used: a merchant's or the component's appid
	Via      Transport     // how the call proved itself
	ErrCode  int           // 0 when WeChat was content or was not reached
	Err      error         // what the caller sees; nil on success
	Duration time.Duration // of the exchange, without waiting for the rate limit
}

// Client calls WeChat. It is safe for concurrent use; make one for the whole process, since the limits live in it.
type Client struct {
	appid      string
	transport  Transport
	base       string // of the platform's own calls, with a slash at the end
	secureBase string // of calls that carry a token of their own, or the app secret
	cloud      cloudFile
	http       *http.Client
	rate       float64
	limiter    *rate.Limiter
	gate       chan struct{}
	observe    func(context.Context, Call)

	throughOpenAPI atomic.Bool
}

// New makes a Client.
func New(cfg Config) *Client {
	if cfg.Transport == "" {
		cfg.Transport = TransportToken
	}
	if cfg.CloudTokenFile == "" {
		cfg.CloudTokenFile = CloudTokenFile
	}
	base, secureBase := cfg.BaseURL, cfg.BaseURL
	if cfg.BaseURL == "" {
		base, secureBase = defaultBaseURL, defaultBaseURL
		if cfg.Transport == TransportOpenAPI {
			base = plainBaseURL
		}
	}
	if cfg.Rate <= 0 {
		cfg.Rate = defaultRate
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.Observe == nil {
		cfg.Observe = func(context.Context, Call) {}
	}
	var hc http.Client
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	} else {
		hc.Transport = newPool(cfg.Concurrency, cfg.RootsFile)
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		appid:      cfg.AppID,
		transport:  cfg.Transport,
		base:       strings.TrimRight(base, "/") + "/",
		secureBase: strings.TrimRight(secureBase, "/") + "/",
		cloud:      cloudFile{cfg.CloudTokenFile},
		http:       &hc,
		rate:       cfg.Rate,
		limiter:    rate.NewLimiter(rate.Limit(cfg.Rate), max(1, int(cfg.Rate))),
		gate:       make(chan struct{}, cfg.Concurrency),
		observe:    cfg.Observe,
	}
}

// Share makes this process keep to its part of the rate, as one of n that call WeChat for the same platform.
func (c *Client) Share(n int) {
	part := c.rate / float64(max(1, n))
	if c.limiter.Limit() == rate.Limit(part) {
		return
	}
	c.limiter.SetLimit(rate.Limit(part))
	c.limiter.SetBurst(max(1, int(part)))
}

// TokenSource gives the token for one account and hears when WeChat refused it.
type TokenSource interface {
	// Token returns a token that should be good for some more minutes.
	Token(ctx context.Context) (sealed.Secret, error)
	// Reject drops used if it is still the stored token; a newer one stays.
	Reject(ctx context.Context, used sealed.Secret) error
}

// Doubter is a TokenSource that also hears of refusals which say that there is no authorization (61003), so that it can find
// out whether that is so.
type Doubter interface {
	Doubt(ctx context.Context, refused *APIError)
}

// Component makes the calls of the platform itself, with the component_access_token. The methods of account, for
// quotas and request ids, are its methods too.
type Component struct{ account }

// Component returns the platform's calls. src gives their tokens with TransportToken; the other transports do not ask it.
func (c *Client) Component(src TokenSource) *Component {
	if c.transport == TransportCloudToken {
		src = c.cloud
	}
	return &Component{account{client: c, appid: c.appid, src: src, component: true}}
}

// Authorizer makes calls for one merchant, with that merchant's authorizer_access_token. They count against the
// merchant's quota, and need the permission set (权限集) named at each method, else errcode 61007.
type Authorizer struct{ account }

// Authorizer returns the calls for the merchant appid with tokens from src.
func (c *Client) Authorizer(appid string, src TokenSource) *Authorizer {
	return &Authorizer{account{client: c, appid: appid, src: src}}
}

// account is whose token a call carries.
type account struct {
	client    *Client
	appid     string
	src       TokenSource
	component bool
}

// call sends r with the account's token and decodes the answer into out (nil: only the outcome counts). When WeChat
// refuses the token it is dropped and the call repeated once; a call with a refused token has had no effect.
func (a account) call(ctx context.Context, r request, out any) error {
	_, err := a.exchange(ctx, r, out)
	return err
}

// download is call for answers that are a file; out is not decoded.
func (a account) download(ctx context.Context, r request) (data []byte, contentType string, err error) {
	r.file = true
	f, err := a.exchange(ctx, r, nil)
	return f.data, f.contentType, err
}

func (a account) exchange(ctx context.Context, r request, out any) (file, error) {
	f, err := a.exchangeOnce(ctx, r, out)
	const notAuthorized = 61003
	if d, ok := a.src.(Doubter); ok && IsCode(err, notAuthorized) {
		refused, _ := errors.AsType[*APIError](err)
		d.Doubt(ctx, refused)
	}
	return f, err
}

// exchangeOnce sends a call, and once more if its token is refused.
func (a account) exchangeOnce(ctx context.Context, r request, out any) (file, error) {
	if a.tokenless() {
		return a.client.exchange(ctx, a.credential(sealed.Secret{}), r, out)
	}
	token, err := a.token(ctx, r.op)
	if err != nil {
		return file{}, err
	}
	f, err := a.client.exchange(ctx, a.credential(token), r, out)
	if !a.tokenRefused(err) {
		return f, err
	}
	if rejectErr := a.src.Reject(ctx, token); rejectErr != nil {
		return file{}, &TokenError{Op: r.op, Err: rejectErr}
	}
	fresh, tokenErr := a.token(ctx, r.op)
	if tokenErr != nil {
		return file{}, tokenErr
	}
	if fresh.Equal(token) {
		return f, err // there is no other one: WeChat Cloud Run has not pushed a new one yet
	}
	return a.client.exchange(ctx, a.credential(fresh), r, out)
}

func (a account) token(ctx context.Context, op string) (sealed.Secret, error) {
	token, err := a.src.Token(ctx)
	if err == nil && token.IsZero() {
		err = errNoToken
	}
	if err != nil {
		return sealed.Secret{}, &TokenError{Op: op, Err: err}
	}
	return token, nil
}

func (a account) tokenRefused(err error) bool {
	const (
		invalidCredential          = 40001
		invalidToken               = 40014
		expiredToken               = 42001
		invalidComponentCredential = 40094
		expiredComponentToken      = 42006
	)
	return IsCode(err, invalidCredential, invalidToken, expiredToken) ||
		a.component && IsCode(err, invalidComponentCredential, expiredComponentToken)
}
