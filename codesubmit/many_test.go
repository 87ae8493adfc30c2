package codesubmit

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// crowdOf puts merchants on record that WeChat does not know: what is done to many of them at once asks nobody.
func (e *shops) crowdOf(n int) {
	e.T.Helper()
	_, err := e.Pool.Exec(e.T.Context(), `INSERT INTO authorizer (appid, kind, status, nick_name, head_img, signature, func_scopes)
		SELECT 'wxcrowd' || lpad(n::text, 11, '0'), 'miniprogram', 'authorized', 'Shop ' || n, 'https://a.com/x.png', 'A shop.', '{18}' FROM generate_series(1, $1) n`, n)
	require.NoError(e.T, err)
}

// TestTenThousandMerchantsAtOnce creates a rollout of ten thousand by a double click, cancels it and takes it up again.
func TestTenThousandMerchantsAtOnce(t *testing.T) {
	t.Parallel()
	const n = 10_000
	e := newShops(t)
	e.StopJobs()
	e.crowdOf(n)
	id := e.createTwice()
	require.Equal(t, n, e.Count(`SELECT count(*) FROM submission WHERE rollout_id = $1 AND state = 'queued'`, id))
	require.Equal(t, 1, e.Count(`SELECT count(*) FROM rollout`), "one of two clicks counts")

	e.Pass(2 * time.Hour)
	began := time.Now()
	var err error
	for again := turnsPause; again > 0; {
		e.Pass(turnsPause)
		again, err = e.service.GiveTurns(t.Context(), int64(id), 1)
		require.NoError(t, err)
	}
	t.Logf("turns of %d: %s", n, time.Since(began))
	require.Equal(t, n, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'submission_advance'`))

	began = time.Now()
	_, err = e.service.CancelRollout(t.Context(), int64(id), false)
	require.NoError(t, err)
	t.Logf("cancel of %d: %s", n, time.Since(began))
	require.Equal(t, n, e.Count(`SELECT count(*) FROM submission WHERE state = 'canceled' AND finished_at IS NOT NULL AND resume_state = 'preflight'`))

	_, err = e.Pool.Exec(t.Context(), `UPDATE submission SET state = 'blocked', resume_state = 'committing'`)
	require.NoError(t, err)
	began = time.Now()
	_, _, err = e.service.RetryFailed(t.Context(), int64(id))
	require.NoError(t, err)
	t.Logf("retry of %d: %s", n, time.Since(began))
	require.Equal(t, n, e.Count(`SELECT count(*) FROM submission WHERE state = 'committing' AND finished_at IS NULL AND admitted AND look`))
	require.Equal(t, 2*n, e.Count(`SELECT count(*) FROM river_job WHERE kind = 'submission_advance'`))
	require.Equal(t, 1, e.Count(`SELECT count(*) FROM rollout WHERE state = 'running' AND finished_at IS NULL`))
}

// createTwice sends one request twice at once, with one Idempotency-Key.
func (e *shops) createTwice() (id int) {
	e.T.Helper()
	body := map[string]any{
		"template_id": e.template, "user_version": "2.3.0", "targets": map[string]any{"all": true}, "start_at": e.Now().Add(time.Hour),
	}
	e.Once = "the same click"
	var clicks sync.WaitGroup
	began := time.Now()
	for range 2 {
		clicks.Go(func() {
			status, _ := e.API(http.MethodPost, "/rollouts", body)
			if status != http.StatusCreated && status != http.StatusConflict { // 409: the other is still running
				e.T.Errorf("answered %d", status)
			}
		})
	}
	clicks.Wait()
	e.T.Logf("created, twice: %s", time.Since(began))
	return e.Count(`SELECT max(id) FROM rollout`)
}

// TestManyThatMovedMeanwhile: if one of many is no longer where it was read, nothing is done.
func TestManyThatMovedMeanwhile(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	e.StopJobs()
	tx, err := e.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background()) //nolint:errcheck // nothing is to be kept
	subs, err := openSubmissions(t.Context(), tx, 1)
	require.NoError(t, err)
	require.Len(t, subs, 1)
	subs[0].State = Submitting
	require.ErrorIs(t, e.service.endMany(t.Context(), tx, subs, Canceled, &StepError{Code: "canceled"}), errMoved)
}

// TestActionMeetsStep: an operator's action waits for the step under way, which may write the same row again.
func TestActionMeetsStep(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.roll("2.3.0", nil, shop)
	e.until(shop, "auditing")
	e.StopJobs()
	id := int64(e.Count(`SELECT max(id) FROM submission`))

	step, err := e.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer step.Rollback(context.Background()) //nolint:errcheck // only after a failure
	require.NoError(t, setLook(t.Context(), step, id))
	action := make(chan error, 1)
	go func() { action <- e.service.TakeSubmission(context.WithoutCancel(t.Context()), id, ActionWithdraw) }()
	e.Until("the action waits", func() bool {
		return e.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	})
	require.NoError(t, e.service.setAuditRunning(t.Context(), step, id, wechat.AuditRunning, ""))
	require.NoError(t, step.Commit(t.Context()))
	require.NoError(t, <-action)
}
