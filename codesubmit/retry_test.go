package codesubmit

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// failed is a rollout whose merchants all fail, for a reason that is mended then.
func (e *shops) failed(version string, appids ...string) (rolloutID string) {
	e.T.Helper()
	e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultErrcode, Code: 85013, Times: -1})
	id := e.roll(version, nil, appids...)
	e.counts(id, map[string]int{"failed": len(appids)})
	e.Fake.ClearFaults()
	return id
}

// TestRetryReplacesNoNewerVersion: what is live from a newer rollout stays, until that is taken back.
func TestRetryReplacesNoNewerVersion(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.live(shop, "1.0.0")
	older := e.failed("2.3.0", shop)
	id := e.submissionID(shop)
	newer := e.released("2.4.0", shop)
	for _, path := range []string{"/rollouts/" + older + "/retry-failed", "/submissions/" + id + "/retry"} {
		status, out := e.API(http.MethodPost, path, nil)
		require.Equal(t, http.StatusConflict, status, path)
		require.Contains(t, out["detail"], "2.4.0")
	}
	require.Equal(t, "failed", e.do(http.MethodGet, "/submissions/"+id, nil)["state"])
	require.Equal(t, "2.4.0", e.view(shop).Live.UserVersion)

	e.do(http.MethodPost, "/rollouts/"+newer+"/rollback", nil)
	e.Until("the newer one is taken back", func() bool {
		return e.view(shop).Live.UserVersion == "1.0.0" && e.submission(shop)["state"] == "released"
	})
	e.do(http.MethodPost, "/rollouts/"+older+"/retry-failed", nil)
	e.counts(older, map[string]int{"auditing": 1})
	require.NoError(t, e.Fake.Approve(shop))
	e.counts(older, map[string]int{"released": 1})
	require.Equal(t, "2.3.0", e.view(shop).Live.UserVersion)
}

// TestOlderRolloutGoesLiveAfterNoNewerOne: while the older one, retried before, is on its way, a retry of the newer one would
// have it released first.
func TestOlderRolloutGoesLiveAfterNoNewerOne(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	older := e.failed("2.3.0", shop)
	e.fail(wechatfake.Fault{Path: "/wxa/release", Mode: wechatfake.FaultErrcode, Code: 85999})
	newer := e.roll("2.4.0", nil, shop)
	e.approve(shop)
	e.until(shop, "blocked")
	e.do(http.MethodPost, "/rollouts/"+older+"/retry-failed", nil)
	for _, path := range []string{"/rollouts/" + newer + "/retry-failed", "/submissions/" + e.submissionID(shop) + "/retry"} {
		status, out := e.API(http.MethodPost, path, nil)
		require.Equal(t, http.StatusConflict, status, path)
		require.Contains(t, out["detail"], "under way")
	}
	e.counts(older, map[string]int{"auditing": 1})
	require.NoError(t, e.Fake.Approve(shop))
	e.counts(older, map[string]int{"released": 1})
	e.do(http.MethodPost, "/rollouts/"+newer+"/retry-failed", nil)
	require.Equal(t, "blocked", e.until(shop, "blocked")["state"])
	require.Equal(t, "2.3.0", e.view(shop).Live.UserVersion)
}

// TestRetryLeavesOutWhoIsInAnotherRollout: the others go on.
func TestRetryLeavesOutWhoIsInAnotherRollout(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second, third)
	older := e.failed("2.3.0", shop, second, third)
	e.released("2.4.0", third)
	e.roll("2.4.0", nil, second)
	e.until(second, "auditing")
	out := e.do(http.MethodPost, "/rollouts/"+older+"/retry-failed", nil)
	require.Equal(t, []any{
		map[string]any{"merchants": 1.0, "reason": "Version 2.4.0 of a newer rollout is released for them, and a retry would replace it by an older one."},
		map[string]any{"merchants": 1.0, "reason": "Version 2.4.0 of another rollout is under way for them."},
	}, out["left_out"], "it is told who stays as it is, and why")
	e.counts(older, map[string]int{"auditing": 1, "failed": 2})
	e.approve(shop)
	e.counts(older, map[string]int{"released": 1, "failed": 2})
	require.Equal(t, "completed", e.rollout(older)["state"])
	status, out := e.API(http.MethodPost, "/rollouts/"+older+"/retry-failed", nil)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], second, "it is told why nobody goes on")
	require.Equal(t, "completed", e.rollout(older)["state"])
}

// TestTwoRetriesAtOnce: of two rollouts for one merchant the second to be retried finds the first under way.
func TestTwoRetriesAtOnce(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.failed("2.3.0", shop)
	older, err := strconv.ParseInt(e.submissionID(shop), 10, 64)
	require.NoError(t, err)
	newer, err := strconv.ParseInt(e.failed("2.4.0", shop), 10, 64)
	require.NoError(t, err)
	e.StopJobs()
	tx, err := e.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // only after a failure
	sub, err := e.service.lockedSubmission(t.Context(), tx, older)
	require.NoError(t, err)
	require.NoError(t, e.service.retryInTx(t.Context(), tx, sub))
	other := make(chan error, 1)
	go func() {
		_, _, err := e.service.RetryFailed(context.WithoutCancel(t.Context()), newer)
		other <- err
	}()
	e.Until("the other waits", func() bool {
		return e.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	})
	require.NoError(t, tx.Commit(t.Context()))
	var told *fault.Error
	require.ErrorAs(t, <-other, &told)
	require.Equal(t, fault.Conflict, told.Kind)
}
