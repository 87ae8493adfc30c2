package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/metrics"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestWhatIsCountedIsTold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	m := metrics.New(metrics.Config{Version: "1.2.3", Commit: "abc", Now: func() time.Time { return now }})
	m.Collect(func(context.Context) (metrics.State, error) {
		return metrics.State{
			TicketReceived: now.Add(-90 * time.Second), TicketHealth: "ok", QueueJobs: map[string]int64{"available": 3}, QueueOldest: now.Add(-7 * time.Second),
			Rollouts: map[string]int64{"running": 1}, Submissions: map[string]int64{"auditing": 12},
		}, nil
	})
	m.Pushed("biz", "stored", 3*time.Millisecond)
	m.Committed(20, 2*time.Millisecond)
	m.Attempted("dead", time.Second)
	m.Relayed("answered", 20*time.Millisecond)
	m.Proxied(204, time.Millisecond)
	m.Proxied(502, 0)
	m.Proxied(0, 0)
	m.Called(wechat.Call{Op: "wxa/commit", AppID: "wxsecretmerchant1", ErrCode: 85013, Err: errors.New("refused")})
	m.Called(wechat.Call{Op: "wxa/commit", AppID: "wxsecretmerchant1", Err: errors.New("cut")})
	m.Called(wechat.Call{Op: "cgi-bin/component/api_component_token"})
	m.Called(wechat.Call{Op: "cgi-bin/component/api_authorizer_token", ErrCode: 61023, Err: errors.New("refused")})

	text := scrape(t, m)
	for _, line := range []string{
		`wxsteward_pushes_total{channel="biz",result="stored"} 1`,
		`wxsteward_pushes_total{channel="component",result="stored"} 0`,
		`wxsteward_push_duration_seconds_count{channel="biz"} 1`,
		`wxsteward_store_duration_seconds_count 1`,
		`wxsteward_store_batch_messages_sum 20`,
		`wxsteward_delivery_attempts_total{outcome="dead"} 1`,
		`wxsteward_delivery_attempts_total{outcome="delivered"} 0`,
		`wxsteward_relays_total{outcome="answered"} 1`,
		`wxsteward_proxy_requests_total{status="2xx"} 1`,
		`wxsteward_proxy_requests_total{status="5xx"} 1`,
		`wxsteward_proxy_requests_total{status="other"} 1`,
		`wxsteward_proxy_response_seconds_count 1`,
		`wxsteward_wechat_calls_total{errcode="85013",path="wxa/commit"} 1`,
		`wxsteward_wechat_calls_total{errcode="unreachable",path="wxa/commit"} 1`,
		`wxsteward_token_refreshes_total{kind="component",result="ok"} 1`,
		`wxsteward_token_refreshes_total{kind="authorizer",result="failed"} 1`,
		`wxsteward_ticket_present 1`,
		`wxsteward_ticket_age_seconds 90`,
		`wxsteward_ticket_health{level="ok"} 1`,
		`wxsteward_ticket_health{level="alarm"} 0`,
		`wxsteward_queue_jobs{state="available"} 3`,
		`wxsteward_queue_oldest_job_seconds 7`,
		`wxsteward_rollouts{state="running"} 1`,
		`wxsteward_submissions{state="auditing"} 12`,
		`wxsteward_state_up 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Regexp(t, `wxsteward_build_info\{commit="abc",go="go[^"]+",version="1.2.3"\} 1`, text)
	require.Contains(t, text, "wxsteward_go_goroutines ")
	require.NotContains(t, text, "wxsecretmerchant1")
	for line := range strings.Lines(text) {
		require.Regexp(t, regexp.MustCompile(`^(# (HELP|TYPE) )?wxsteward_`), line)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "wxsteward_go_") && !strings.HasPrefix(p.Metric, "wxsteward_process_") { // named by the library
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestStateIsReadOnceInAWhileAndLeftOutWhenItCannotBe(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	m := metrics.New(metrics.Config{Now: func() time.Time { return now }})
	require.Contains(t, scrape(t, m), "wxsteward_state_up 0\n", "nothing to read yet")
	var reads atomic.Int64
	var failure error
	m.Collect(func(context.Context) (metrics.State, error) {
		reads.Add(1)
		return metrics.State{QueueJobs: map[string]int64{}}, failure
	})
	text := scrape(t, m)
	require.Contains(t, text, "wxsteward_ticket_present 0\n")
	require.NotContains(t, text, "wxsteward_ticket_age_seconds ")
	require.Contains(t, text, "wxsteward_queue_oldest_job_seconds 0\n")
	for range 5 {
		scrape(t, m)
	}
	require.EqualValues(t, 1, reads.Load())
	now = now.Add(6 * time.Second)
	failure = errors.New("the database is away")
	text = scrape(t, m)
	require.EqualValues(t, 2, reads.Load())
	require.Contains(t, text, "wxsteward_state_up 0\n")
	require.NotContains(t, text, "wxsteward_queue_jobs{")
	require.Contains(t, text, "wxsteward_pushes_total", "what is counted here is told all the same")
}

// TestDocumentsNameWhatIsThere holds dashboard, alerts and their description to what a scrape holds.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Config{})
	m.Collect(func(context.Context) (metrics.State, error) {
		one := map[string]int64{"x": 1}
		return metrics.State{TicketReceived: time.Now(), TicketHealth: "ok", QueueJobs: one, Rollouts: one, Submissions: one}, nil
	})
	m.Pushed("biz", "stored", time.Second)
	m.Relayed("answered", time.Second)
	m.Proxied(http.StatusOK, time.Second)
	m.Called(wechat.Call{Op: "wxa/commit"})
	there := map[string]bool{}
	name := regexp.MustCompile(`wxsteward_[a-z0-9_]*[a-z0-9]\b`)
	for line := range strings.Lines(scrape(t, m)) {
		there[name.FindString(line)] = true
	}
	undescribed := map[string]bool{}
	for line := range strings.Lines(scrape(t, m)) {
		if metric, ok := strings.CutPrefix(line, "# TYPE "); ok && !strings.Contains(line, "_go_") && !strings.Contains(line, "_process_") {
			undescribed[strings.Fields(metric)[0]] = true
		}
	}
	unseen := maps.Clone(undescribed)
	for _, file := range []string{"README.md", "rules.yml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "monitoring", file)) //nolint:gosec // the document itself
		require.NoError(t, err)
		for _, used := range name.FindAllString(string(text), -1) {
			if used != "wxsteward_go" && used != "wxsteward_process" { // the beginning of many
				require.True(t, there[used], "%s: %s", file, used)
			}
			if file == "README.md" {
				delete(undescribed, used)
				continue
			}
			for _, part := range []string{"_bucket", "_sum", "_count", ""} { // of a histogram
				delete(unseen, strings.TrimSuffix(used, part))
			}
		}
		if file == "dashboard.json" {
			require.True(t, json.Valid(text))
		}
	}
	require.Empty(t, undescribed, "README.md describes each")
	require.Empty(t, unseen, "the dashboard shows each, or an alert uses it")
}
