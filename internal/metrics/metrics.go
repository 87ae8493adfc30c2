// Package metrics counts what the program does and tells Prometheus. Every name begins with wxsteward_, and no label
// tells one merchant from another: there may be thousands of them.
package metrics

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

const prefix = "wxsteward_"

// Config says what is told of the program.
type Config struct {
	Version, Commit string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger hears when a scrape fails; nil drops it.
	Logger *slog.Logger
}

// Metrics are all metrics of one program, in a registry of their own. Its methods are fast and safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	state    *stateCollector

	pushes      *prometheus.CounterVec
	pushTime    *prometheus.HistogramVec
	commitTime  prometheus.Histogram
	commitSize  prometheus.Histogram
	attempts    *prometheus.CounterVec
	attemptTime prometheus.Histogram
	relays      *prometheus.CounterVec
	relayTime   prometheus.Histogram
	refreshes   *prometheus.CounterVec
	calls       *prometheus.CounterVec
	callTime    *prometheus.HistogramVec
	notices     *prometheus.CounterVec
	proxied     *prometheus.CounterVec
	proxyTime   prometheus.Histogram
}

// New makes the metrics.
func New(cfg Config) *Metrics {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	// WeChat waits five seconds for an answer to a push, and for a passive reply.
	quick := []float64{.001, .0025, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5}
	slow := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		registry: prometheus.NewRegistry(), state: newStateCollector(cfg),
		pushes:      counters("pushes_total", "Pushes from WeChat or a forwarder, by address and what became of them.", "channel", "result"),
		pushTime:    histograms("push_duration_seconds", "From a push's arrival to its answer.", quick, "channel"),
		commitTime:  histogram("store_duration_seconds", "Inserting and committing a group of messages.", quick),
		commitSize:  histogram("store_batch_messages", "Messages that shared one commit.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}),
		attempts:    counters("delivery_attempts_total", "Tries to deliver a message to a business system; dead: the last one failed too.", "outcome"),
		attemptTime: histogram("delivery_duration_seconds", "One try to deliver.", slow),
		relays:      counters("relays_total", "Messages a business system was asked about for a passive reply.", "outcome"),
		relayTime:   histogram("relay_duration_seconds", "Asking for a passive reply.", quick),
		notices:     counters("notices_total", "Tries to tell staff; failed and limited are tried again, dead was given up.", "result"),
		refreshes:   counters("token_refreshes_total", "Access tokens asked of WeChat.", "kind", "result"),
		calls:       counters("wechat_calls_total", "Calls of WeChat's API; errcode is unreachable where no usable answer came.", "path", "errcode"),
		callTime:    histograms("wechat_call_duration_seconds", "Calls of WeChat's API, without waiting for the rate limit.", slow, "path"),
		proxied:     counters("proxy_requests_total", "Requests passed through to the business system, by class of status.", "status"),
		proxyTime:   histogram("proxy_response_seconds", "Until the business system's answer began.", slow),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "1; the labels tell which build runs.",
		ConstLabels: prometheus.Labels{"version": cfg.Version, "commit": cfg.Commit, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.pushes, m.pushTime, m.commitTime, m.commitSize, m.attempts, m.attemptTime, m.relays, m.relayTime,
		m.notices, m.refreshes, m.calls, m.callTime, m.proxied, m.proxyTime, build, m.state,
	)
	prometheus.WrapRegistererWithPrefix(prefix, m.registry).MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.begin()
	return m
}

// begin makes the series that alerts look at exist from the start: a rate cannot see a series' first value.
func (m *Metrics) begin() {
	for _, outcome := range []string{"delivered", "failed", "dead"} {
		m.attempts.WithLabelValues(outcome)
	}
	for _, result := range []string{"sent", "failed", "limited", "dead"} {
		m.notices.WithLabelValues(result)
	}
	for _, channel := range []string{"component", "biz"} {
		for _, result := range []string{"stored", "repeated", "unauthenticated", "unavailable"} {
			m.pushes.WithLabelValues(channel, result)
		}
	}
	for _, kind := range []string{"component", "authorizer"} {
		for _, result := range []string{"ok", "failed"} {
			m.refreshes.WithLabelValues(kind, result)
		}
	}
}

// Handler answers scrapes. It asks nobody who they are: serve it on the inner listener only.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 2 * stateTimeout,
	})
}

// Pushed counts a push on the channel "component" or "biz"; took is from its arrival to its answer.
func (m *Metrics) Pushed(channel, result string, took time.Duration) {
	m.pushes.WithLabelValues(channel, result).Inc()
	m.pushTime.WithLabelValues(channel).Observe(took.Seconds())
}

// Committed counts a group of messages stored in one transaction.
func (m *Metrics) Committed(messages int, took time.Duration) {
	m.commitSize.Observe(float64(messages))
	m.commitTime.Observe(took.Seconds())
}

// Attempted counts a try to deliver a message.
func (m *Metrics) Attempted(outcome string, took time.Duration) {
	m.attempts.WithLabelValues(outcome).Inc()
	m.attemptTime.Observe(took.Seconds())
}

// Relayed counts a question for a passive reply; took is zero if it was not asked.
func (m *Metrics) Relayed(outcome string, took time.Duration) {
	m.relays.WithLabelValues(outcome).Inc()
	if took > 0 {
		m.relayTime.Observe(took.Seconds())
	}
}

// Noticed counts a try to tell staff.
func (m *Metrics) Noticed(result string) { m.notices.WithLabelValues(result).Inc() }

// Proxied counts a request passed through; took is until its answer began, zero if none came.
func (m *Metrics) Proxied(status int, took time.Duration) {
	m.proxied.WithLabelValues(statusClass(status)).Inc()
	if took > 0 {
		m.proxyTime.Observe(took.Seconds())
	}
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

// Called counts an exchange with WeChat. It is for wechat.Config.Observe.
func (m *Metrics) Called(c wechat.Call) {
	errcode := strconv.Itoa(c.ErrCode)
	if c.Err != nil && c.ErrCode == 0 {
		errcode = "unreachable"
	}
	m.calls.WithLabelValues(c.Op, errcode).Inc()
	m.callTime.WithLabelValues(c.Op).Observe(c.Duration.Seconds())
	if kind, ok := tokenRequest(c.Op); ok {
		result := "ok"
		if c.Err != nil {
			result = "failed"
		}
		m.refreshes.WithLabelValues(kind, result).Inc()
	}
}

// tokenRequest recognises the two calls that give access tokens.
func tokenRequest(op string) (kind string, ok bool) {
	switch op {
	case "cgi-bin/component/api_component_token":
		return "component", true
	case "cgi-bin/component/api_authorizer_token":
		return "authorizer", true
	}
	return "", false
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
}
