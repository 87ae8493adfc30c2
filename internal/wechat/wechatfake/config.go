package wechatfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// Config describes the platform the fake knows. Only the component's ids and keys are required.
type Config struct {
	ComponentAppID  string // appid of the third-party platform
	ComponentSecret string // its AppSecret
	Token           string // 消息校验Token
	EncodingAESKey  string // 消息加解密Key, 43 characters

	EventURL   string // 授权事件接收URL; empty: pushes are recorded as undeliverable until SetPushURLs
	MessageURL string // 消息与事件接收URL, with $APPID$
	LaunchHost string // 授权发起页域名, host[:port]; empty: Referer and redirect_uri are not checked

	// BasePath is the path under which a browser reaches this handler, e.g. "/simulator"; empty for the root. Requests
	// are understood with and without it.
	BasePath string

	CloudRun bool // pushes are plain JSON with x-wx-source instead of encrypted XML

	// TestUsers lists original ids (gh_…). When it is not empty the platform starts unpublished: only these accounts may
	// authorize, and the 测试版 copy of the platform domains counts.
	TestUsers []string

	DetectionTime  time.Duration // how long code detection takes; 0 = 2s, negative = no time at all
	AuditTime      time.Duration // 0 = a reviewer decides by hand; else audits are decided after this time
	TicketInterval time.Duration // 0 = 10m, as WeChat; negative = only PushTicket

	PushTimeout    time.Duration // how long the fake waits for an answer to a push; 0 = 5s, as WeChat
	PushRetryPause time.Duration // pause between two attempts of one push; 0 = 1s

	Now       func() time.Time // nil = time.Now
	Logger    *slog.Logger     // nil = no log
	StateFile string           // where the whole state is kept; empty = in memory only
}

func (c Config) check() (*msgcrypt.Cipher, error) {
	if c.ComponentAppID == "" || c.ComponentSecret == "" {
		return nil, errors.New("wechatfake: ComponentAppID and ComponentSecret are required")
	}
	if c.BasePath != "" && (!strings.HasPrefix(c.BasePath, "/") || strings.HasSuffix(c.BasePath, "/")) {
		return nil, fmt.Errorf("wechatfake: BasePath %q must start with a slash and not end with one", c.BasePath)
	}
	key, err := msgcrypt.NewKey(c.Token, c.EncodingAESKey)
	if err != nil {
		return nil, fmt.Errorf("wechatfake: message keys: %w", err)
	}
	cipher, err := msgcrypt.New(c.ComponentAppID, key)
	if err != nil {
		return nil, fmt.Errorf("wechatfake: message cipher: %w", err)
	}
	return cipher, nil
}

func (c Config) withDefaults() Config {
	if c.TicketInterval == 0 {
		c.TicketInterval = 10 * time.Minute
	}
	if c.PushTimeout == 0 {
		c.PushTimeout = 5 * time.Second
	}
	if c.PushRetryPause == 0 {
		c.PushRetryPause = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// pushClient waits as long as WeChat does and follows no redirect.
func (c Config) pushClient() *http.Client {
	return &http.Client{
		Timeout:       c.PushTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Duration is a time.Duration that JSON shows as text such as "1.5s". It also reads a number of milliseconds.
type Duration time.Duration

// MarshalJSON writes Go's notation.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads Go's notation or a number of milliseconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var millis float64
	if json.Unmarshal(data, &millis) == nil {
		*d = Duration(millis * float64(time.Millisecond))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	*d = Duration(parsed)
	return err
}

// Settings are the switches that change how WeChat behaves. They are part of the saved state.
type Settings struct {
	Published   bool     `json:"published"`    // the platform is 全网发布; else only TestUsers may authorize
	TestUsers   []string `json:"test_users"`   // original ids gh_…, 授权测试列表
	IPWhitelist []string `json:"ip_whitelist"` // caller addresses allowed; empty = the check is off
	// OpenAPI puts the open-API service (开放接口服务) of WeChat Cloud Run in front: calls without a token are the platform's, if
	// OpenAPIWhitelist (微信令牌权限配置) holds their path, else HTTP 502. An entry may end with *.
	OpenAPI           bool     `json:"open_api"`
	OpenAPIWhitelist  []string `json:"open_api_whitelist"`
	CloudOwner        string   `json:"cloud_owner"`         // the account that the environment of Cloud Run belongs to; empty: the platform
	CloudTokenExpires Duration `json:"cloud_token_expires"` // of a cloudbase_access_token, 30m
	// RequireHTTPS answers 43003 to calls by plain HTTP that do not pass the open-API service.
	RequireHTTPS bool `json:"require_https"`
	// OfferedScopes are the permission sets the platform asks for; empty = the usual ones of the account's kind.
	OfferedScopes []int `json:"offered_scopes"`

	PreAuthCodeExpires Duration `json:"pre_auth_code_expires"` // 1800s; some answers of WeChat say 600s
	AuthCodeExpires    Duration `json:"auth_code_expires"`     // 600s
	TokenExpires       Duration `json:"token_expires"`         // 7200s
	TokenOverlap       Duration `json:"token_overlap"`         // how long the previous token still works, 5m
	// ExpiredComponentCode answers an expired component token: 42001, or 42006.
	ExpiredComponentCode int `json:"expired_component_code"`
	// RevokedCode answers a token whose merchant cancelled: 61003, 40001 or 61007.
	RevokedCode        int  `json:"revoked_code"`
	RotateRefreshToken bool `json:"rotate_refresh_token"` // every refresh brings a new refresh token, the old one dies
	TicketPush         bool `json:"ticket_push"`          // WeChat pushes tickets

	DetectionTime     Duration `json:"detection_time"`      // of code detection
	ProblemsAs61040   bool     `json:"problems_as_61040"`   // get_code_privacy_info answers 61040 instead of lists
	PrivacySetStrict  bool     `json:"privacy_set_strict"`  // setprivacysetting answers 61039 while detection runs
	AuditTime         Duration `json:"audit_time"`          // 0 = by hand
	RejectLag         Duration `json:"reject_lag"`          // submit_audit still answers 85009 this long after a rejection
	EarlyEventLag     Duration `json:"early_event_lag"`     // how much an "early" event precedes the status
	AuditIDAsString   bool     `json:"audit_id_as_string"`  // auditid is sent as a JSON string
	SwapScreenShotKey bool     `json:"swap_screenshot_key"` // ScreenShot and screenshot change places
	SubmitICPCode     int      `json:"submit_icp_code"`     // errcode of submit_audit and release for a merchant not filed; 0 = accepted

	// UnregisteredDomains says what modify_domain does with names missing on the platform: "" = 85018 when all are, else
	// a partial success with invalid_*; "85017", "85018", "partial" or "drop" always do that one thing.
	UnregisteredDomains string   `json:"unregistered_domains"`
	NoICPDomains        []string `json:"no_icp_domains"`       // host names without ICP record: 85302
	ConfirmFileMissing  []string `json:"confirm_file_missing"` // host names whose verification file cannot be read: 86103

	ConsentOrder string   `json:"consent_order"` // after consent: "both", "event_first", "redirect_first", "event", "redirect"
	ConsentDelay Duration `json:"consent_delay"` // time between the two

	NamesAtOnce bool `json:"names_at_once"` // setnickname takes effect without a review

	AuditRest    int `json:"audit_rest"` // submissions left this month, of all merchants together
	AuditLimit   int `json:"audit_limit"`
	SpeedUpRest  int `json:"speedup_rest"`
	SpeedUpLimit int `json:"speedup_limit"`
	TesterLimit  int `json:"tester_limit"` // testers per mini program

	DailyLimit  map[string]int      `json:"daily_limit"`  // calls a day of one account, by path: 45009
	MinuteLimit map[string]int      `json:"minute_limit"` // calls a minute of one account, by path: 45011
	Latency     map[string]Duration `json:"latency"`      // time a call takes, by path; "*" for every other path

	PushAttempts          int  `json:"push_attempts"`           // of a message of a user, 3
	ComponentPushAttempts int  `json:"component_push_attempts"` // of a 授权事件, 1: nothing says that WeChat repeats them; tickets always 1
	EmptyAsObject         bool `json:"empty_as_object"`         // cloud-run JSON shows an empty element as {}
	LibraryLimit          int  `json:"library_limit"`           // templates at most, 200
	DomainChanges         int  `json:"domain_changes"`          // changes a month per list, 50
	ResetsPerMonth        int  `json:"resets_per_month"`
}

func (c Config) settings() Settings {
	detection := c.DetectionTime
	switch {
	case detection == 0:
		detection = 2 * time.Second
	case detection < 0:
		detection = 0
	}
	return Settings{
		Published:            len(c.TestUsers) == 0,
		TestUsers:            c.TestUsers,
		PreAuthCodeExpires:   Duration(30 * time.Minute),
		AuthCodeExpires:      Duration(10 * time.Minute),
		TokenExpires:         Duration(2 * time.Hour),
		TokenOverlap:         Duration(5 * time.Minute),
		CloudTokenExpires:    Duration(30 * time.Minute),
		ExpiredComponentCode: 42001,
		RevokedCode:          61003,
		TicketPush:           true,
		DetectionTime:        Duration(detection),
		AuditTime:            Duration(c.AuditTime),
		EarlyEventLag:        Duration(2 * time.Second),
		ConsentOrder:         OrderBoth,
		AuditRest:            500, AuditLimit: 500, SpeedUpRest: 5, SpeedUpLimit: 5,
		TesterLimit:           100,
		PushAttempts:          3,
		ComponentPushAttempts: 1,
		LibraryLimit:          200,
		DomainChanges:         50,
		ResetsPerMonth:        10,
		DailyLimit:            map[string]int{}, MinuteLimit: map[string]int{}, Latency: map[string]Duration{},
	}
}
