package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // schedules need TIMEZONE also where the machine has no zone files
	"unicode"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tracing"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// config is the environment, checked; README.md lists the variables.
type config struct {
	appid        string
	envSecret    sealed.Secret
	envToken     sealed.Secret
	envAESKey    sealed.Secret
	mode         string
	transport    wechat.Transport
	cloudToken   string // file of TransportCloudToken
	apiBase      string // empty: WeChat's own
	mpBase       string
	openBase     string
	forwardToken sealed.Secret
	forwardCIDRs []netip.Prefix

	databaseURL sealed.Secret
	dataDir     string
	masterKey   sealed.Secret
	newKey      sealed.Secret // what masterKey is being changed to

	listenAddr      string
	innerAddr       string // empty: off
	publicURL       *url.URL
	adminUser       string
	adminPassword   sealed.Secret
	trustedProxies  []netip.Prefix
	location        *time.Location
	rate            float64
	concurrency     int
	detectionPoll   time.Duration
	auditPoll       time.Duration
	retryBase       time.Duration
	deliveryBase    time.Duration
	upstream        string // empty: none
	allowPrivate    bool
	retention       time.Duration
	ticketStale     time.Duration
	shutdownTimeout time.Duration
	logLevel        slog.Level
	logFormat       string
	profiles        bool // Go's profiles on the inner listener
	tracing         bool // spans are sent, see internal/tracing
}

// environment looks a variable up; an empty value counts as not set.
type environment func(name string) string

// loadConfig reads and checks every variable. Its error is one line that names the variable, what is wrong and an
// example; the first one found is told.
func loadConfig(env environment) (config, error) {
	r := reader{env: env}
	c := config{
		appid:           r.appid(),
		envSecret:       r.secret("WX_APP_SECRET"),
		envToken:        r.secret("WX_MESSAGE_TOKEN"),
		envAESKey:       r.aesKey("WX_ENCODING_AES_KEY"),
		mode:            r.word("WX_MODE", component.ModeServer, component.ModeCloudRun),
		mpBase:          r.baseURL("WX_MP_BASE_URL", "https://mp.weixin.qq.com"),
		openBase:        r.baseURL("WX_OPEN_BASE_URL", "https://open.weixin.qq.com"),
		forwardToken:    r.secret("FORWARDER_TOKEN"),
		forwardCIDRs:    r.cidrs("FORWARDER_CIDRS", "127.0.0.1/32"),
		databaseURL:     r.databaseURL(),
		dataDir:         r.text("DATA_DIR", "./data"),
		masterKey:       r.masterKey("MASTER_KEY"),
		newKey:          r.masterKey("NEW_MASTER_KEY"),
		listenAddr:      r.addr("LISTEN_ADDR", ":8080"),
		innerAddr:       r.innerAddr(),
		publicURL:       r.publicURL(),
		adminUser:       r.adminUsername(),
		adminPassword:   r.adminPassword(),
		trustedProxies:  r.cidrs("TRUSTED_PROXIES", "10.0.0.0/8"),
		location:        r.location("TIMEZONE", "Asia/Shanghai"),
		rate:            r.number("WECHAT_RATE", 50),
		concurrency:     r.count("WECHAT_CONCURRENCY", 16),
		detectionPoll:   r.duration("DETECTION_POLL", time.Minute),
		auditPoll:       r.duration("AUDIT_POLL", 10*time.Minute),
		retryBase:       r.duration("WECHAT_RETRY_BASE", 5*time.Second),
		deliveryBase:    r.duration("DELIVERY_RETRY_BASE", 5*time.Second),
		upstream:        r.baseURL("BUSINESS_UPSTREAM", ""),
		retention:       r.days("MESSAGE_RETENTION_DAYS", 90),
		ticketStale:     r.duration("TICKET_STALE_AFTER", 30*time.Minute),
		shutdownTimeout: r.duration("SHUTDOWN_TIMEOUT", 10*time.Second),
		logLevel:        r.logLevel(),
		logFormat:       r.word("LOG_FORMAT", "", "json", "text"),
		profiles:        r.boolean("INNER_PPROF", false),
		tracing:         r.tracing(),
	}
	c.allowPrivate = r.boolean("ALLOW_PRIVATE_TARGETS", c.mode == component.ModeCloudRun)
	c.transport = r.transport(c.mode)
	c.cloudToken = r.cloudTokenFile(c.transport)
	c.apiBase = r.apiBase()
	if r.err == nil && !c.databaseURL.IsZero() && c.masterKey.IsZero() {
		r.fail("MASTER_KEY", `is required with DATABASE_URL: make one with "wxsteward genkey" and keep it, e.g. MASTER_KEY=`+exampleKey())
	}
	return c, r.err
}

func exampleKey() string { return base64.StdEncoding.EncodeToString(make([]byte, 32)) }

// needAppID is asked by serve only.
func (c config) needAppID() error {
	if c.appid == "" {
		return errors.New(`WX_APPID is missing: set it to the appid of your third-party platform, e.g. WX_APPID=wx1234567890abcdef (or try "wxsteward simulate", which needs nothing)`)
	}
	return nil
}

type reader struct {
	env environment
	err error
}

func (r *reader) fail(name, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %s", name, what)
	}
}

func (r *reader) text(name, standard string) string {
	if v := r.env(name); v != "" {
		return v
	}
	return standard
}

func (r *reader) secret(name string) sealed.Secret { return sealed.New(r.env(name)) }

func (r *reader) appid() string {
	v := r.env("WX_APPID")
	if v == "" {
		v, _, _ = strings.Cut(r.env("CBR_ENV_ID"), "-")
	}
	if strings.ContainsFunc(v, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }) {
		r.fail("WX_APPID", "must hold no spaces, e.g. WX_APPID=wx1234567890abcdef")
	}
	return v
}

func (r *reader) aesKey(name string) sealed.Secret {
	v := r.env(name)
	if v != "" && (len(v) != 43 || strings.ContainsFunc(v, func(c rune) bool { return !isAlnum(c) })) {
		r.fail(name, "must be the 43 letters and digits that WeChat's console shows, e.g. "+name+"="+strings.Repeat("A", 43))
	}
	return sealed.New(v)
}

func isAlnum(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// word is one of allowed; the first is the default.
func (r *reader) word(name string, allowed ...string) string {
	v := r.env(name)
	if v == "" {
		return allowed[0]
	}
	if slices.Contains(allowed, v) {
		return v
	}
	words := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
	r.fail(name, fmt.Sprintf("is %q, but must be %s, e.g. %s=%s", v, strings.Join(words, " or "), name, words[0]))
	return allowed[0]
}

func (r *reader) transport(mode string) wechat.Transport {
	standard := wechat.TransportToken
	if mode == component.ModeCloudRun {
		standard = wechat.TransportOpenAPI
	}
	if r.env("WX_COMPONENT_TRANSPORT") == "" {
		return standard
	}
	return wechat.Transport(r.word("WX_COMPONENT_TRANSPORT",
		string(wechat.TransportToken), string(wechat.TransportOpenAPI), string(wechat.TransportCloudToken)))
}

// cloudTokenFile may be missing when we start: WeChat Cloud Run writes it some time later.
func (r *reader) cloudTokenFile(transport wechat.Transport) string {
	const name = "WX_CLOUD_TOKEN_FILE"
	file := r.text(name, wechat.CloudTokenFile)
	if transport != wechat.TransportCloudToken {
		return file
	}
	if !filepath.IsAbs(file) {
		r.fail(name, fmt.Sprintf("is %q, but must be an absolute path, e.g. %s=%s", file, name, wechat.CloudTokenFile))
	} else if info, err := os.Stat(file); err == nil && info.IsDir() {
		r.fail(name, fmt.Sprintf("is %q, which is a directory, but must be the file with the token, e.g. %s=%s", file, name, wechat.CloudTokenFile))
	}
	return file
}

// apiBase is empty where nothing is set: the client knows what each transport takes.
func (r *reader) apiBase() string {
	const name = "WX_API_BASE_URL"
	if r.env(name) == "" {
		return ""
	}
	return r.baseURL(name, "https://api.weixin.qq.com")
}

// cloudRoots is where WeChat Cloud Run puts the certificate of the open-API service.
const cloudRoots = "/app/cert/certificate.crt"

// roots is the file of certificates to trust beside the system's; empty outside WeChat Cloud Run.
func (c config) roots() string {
	if c.mode != component.ModeCloudRun && c.transport == wechat.TransportToken {
		return ""
	}
	return cloudRoots
}

func (r *reader) baseURL(name, standard string) string {
	v := r.text(name, standard)
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		example := standard
		if example == "" {
			example = "http://127.0.0.1:8090"
		}
		r.fail(name, "must be a scheme and a host, e.g. "+name+"="+example)
	}
	return strings.TrimSuffix(v, "/")
}

func (r *reader) publicURL() *url.URL {
	v := r.baseURL("PUBLIC_URL", "http://localhost:8080")
	u, err := url.Parse(v)
	if err != nil || u.Path != "" {
		r.fail("PUBLIC_URL", "must be a scheme and a host without a path, e.g. PUBLIC_URL=https://steward.example.com")
		return &url.URL{}
	}
	return u
}

func (r *reader) databaseURL() sealed.Secret {
	v := r.env("DATABASE_URL")
	_, err := pgxpool.ParseConfig(v)
	if v != "" && (err != nil || !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://")) {
		r.fail("DATABASE_URL", "must be a whole URL that begins with postgres://, e.g. DATABASE_URL=postgres://user:password@host:5432/wxsteward")
	}
	return sealed.New(v)
}

func (r *reader) masterKey(name string) sealed.Secret {
	v := r.env(name)
	if v == "" {
		return sealed.Secret{}
	}
	if _, err := sealed.NewKeyring(v); err != nil {
		r.fail(name, "must be 32 bytes in base64; make one with \"wxsteward genkey\", e.g. "+name+"="+exampleKey())
	}
	return sealed.New(v)
}

func (r *reader) addr(name, standard string) string {
	v := r.text(name, standard)
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.fail(name, fmt.Sprintf("is %q, but must be an address and a port, e.g. %s=%s", v, name, standard))
	}
	return v
}

func (r *reader) innerAddr() string {
	if r.env("INNER_LISTEN_ADDR") == "off" {
		return ""
	}
	return r.addr("INNER_LISTEN_ADDR", "127.0.0.1:8081")
}

func (r *reader) adminUsername() string {
	v := r.text("ADMIN_USERNAME", "admin")
	if !adminauth.ValidUsername(v) {
		r.fail("ADMIN_USERNAME", "must be 1 to 64 letters, digits or . _ @ + - and begin with a letter or digit, e.g. ADMIN_USERNAME=admin")
	}
	return v
}

func (r *reader) adminPassword() sealed.Secret {
	v := r.env("ADMIN_PASSWORD")
	if v != "" && !adminauth.ValidPassword(v) {
		r.fail("ADMIN_PASSWORD", "must have at least 10 characters and at most 128, e.g. ADMIN_PASSWORD=correct-horse-battery")
	}
	return sealed.New(v)
}

func (r *reader) cidrs(name, example string) []netip.Prefix {
	var list []netip.Prefix
	for part := range strings.FieldsFuncSeq(r.env(name), func(c rune) bool { return c == ',' || c == ' ' || c == ';' }) {
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			if addr, addrErr := netip.ParseAddr(part); addrErr == nil {
				prefix, err = addr.Prefix(addr.BitLen())
			}
		}
		if err != nil {
			r.fail(name, fmt.Sprintf("has %q, but must be networks separated by commas, e.g. %s=%s", part, name, example))
			return nil
		}
		list = append(list, prefix)
	}
	return list
}

func (r *reader) location(name, standard string) *time.Location {
	v := r.text(name, standard)
	loc, err := time.LoadLocation(v)
	if err != nil || v == "Local" {
		r.fail(name, fmt.Sprintf("is %q, which is no known time zone, e.g. %s=%s", v, name, standard))
		return time.UTC
	}
	return loc
}

func (r *reader) number(name string, standard float64) float64 {
	v := r.env(name)
	if v == "" {
		return standard
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n > 0) || n > 1e6 {
		r.fail(name, fmt.Sprintf("is %q, but must be a number above zero, e.g. %s=%v", v, name, standard))
		return standard
	}
	return n
}

func (r *reader) count(name string, standard int) int {
	v := r.env(name)
	if v == "" {
		return standard
	}
	n, err := strconv.Atoi(v)
	if err != nil || n <= 0 || n > 1e6 {
		r.fail(name, fmt.Sprintf("is %q, but must be a whole number above zero, e.g. %s=%d", v, name, standard))
		return standard
	}
	return n
}

// days has an end that a time.Duration can hold.
func (r *reader) days(name string, standard int) time.Duration {
	const most = 36500
	n := r.count(name, standard)
	if n > most {
		r.fail(name, fmt.Sprintf("is %d, but must be at most %d days, e.g. %s=%d", n, most, name, standard))
	}
	return time.Duration(min(n, most)) * 24 * time.Hour
}

func (r *reader) boolean(name string, standard bool) bool {
	v := r.env(name)
	if v == "" {
		return standard
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		r.fail(name, fmt.Sprintf("is %q, but must be true or false, e.g. %s=true", v, name))
	}
	return b
}

func (r *reader) duration(name string, standard time.Duration) time.Duration {
	v := r.env(name)
	if v == "" {
		return standard
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.fail(name, fmt.Sprintf("is %q, but must be a duration above zero, e.g. %s=%s", v, name, standard))
		return standard
	}
	return d
}

func (r *reader) tracing() bool {
	wanted, err := tracing.Wanted(r.env)
	if err != nil && r.err == nil {
		r.err = err
	}
	return wanted
}

func (r *reader) logLevel() slog.Level {
	var level slog.Level
	v := r.text("LOG_LEVEL", "info")
	if err := level.UnmarshalText([]byte(v)); err != nil {
		r.fail("LOG_LEVEL", fmt.Sprintf("is %q, but must be debug, info, warn or error, e.g. LOG_LEVEL=info", v))
	}
	return level
}
