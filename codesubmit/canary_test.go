package codesubmit

import (
	"context"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// held waits until a rollout says which canaries hold it.
func (e *shops) held(id string) map[string]any {
	e.T.Helper()
	var hold map[string]any
	e.Until("a canary holds the others", func() bool {
		hold, _ = e.rollout(id)["canary_hold"].(map[string]any)
		return hold != nil
	})
	return hold
}

// TestBlockedCanaryHoldsTheRest: the rollout is not paused, for nothing has failed, but says at once who waits for whom.
func TestBlockedCanaryHoldsTheRest(t *testing.T) {
	t.Parallel()
	all := manyShops(6)
	e := newShops(t, all...)
	stop := wechatfake.Fault{Path: "/wxa/commit", AppID: all[1], Mode: wechatfake.FaultErrcode, Code: 86002, Times: -1}
	e.fail(stop)
	id := e.roll("2.3.0", map[string]any{"strategy": map[string]any{"canary": 2}}, all...)
	hold := e.held(id)
	require.InDelta(t, 2, hold["canaries"], 0)
	require.InDelta(t, 4, hold["waiting"], 0)
	blocked, _ := hold["blocked"].([]any)
	require.Len(t, blocked, 1)
	bird, _ := blocked[0].(map[string]any)
	require.Equal(t, e.submissionID(all[1]), bird["submission_id"])
	require.Equal(t, "Shop "+all[1], bird["nick_name"])
	failure, _ := bird["error"].(map[string]any)
	require.NotEmpty(t, failure["hint"])
	r := e.rollout(id)
	require.Equal(t, "running", r["state"])
	require.Equal(t, "1 of 2 canaries are blocked: Shop "+all[1]+". The other 4 merchants wait.", r["pause_reason"])
	_, list := e.API(http.MethodGet, "/rollouts", nil)
	require.Equal(t, hold, list["items"].([]any)[0].(map[string]any)["canary_hold"], "also in the list")

	e.approve(all[0])
	e.until(all[0], "released")
	require.Zero(t, e.effective("/wxa/commit", all[2:]...), "nobody else has begun")
	told := e.told.of(component.OutcomeHeld)
	require.Len(t, told, 1, "staff are told once")
	require.Equal(t, "/rollouts/"+id, told[0].Path)
	require.Contains(t, told[0].Reason.ZH, "先行商户")

	e.do(http.MethodPost, "/submissions/"+e.submissionID(all[1])+"/retry", nil)
	e.Until("it is told again", func() bool { return len(e.told.of(component.OutcomeHeld)) == 2 })
	e.Fake.ClearFaults()
	e.do(http.MethodPost, "/submissions/"+e.submissionID(all[1])+"/retry", nil)
	e.approve(all[1])
	e.counts(id, map[string]int{"released": 2, "auditing": 4})
	require.Nil(t, e.rollout(id)["canary_hold"])
	require.Empty(t, e.rollout(id)["pause_reason"])
}

// TestGoingOnWithoutABlockedCanary leaves it as it is; it can be retried all the same.
func TestGoingOnWithoutABlockedCanary(t *testing.T) {
	t.Parallel()
	all := manyShops(5)
	e := newShops(t, all...)
	e.fail(wechatfake.Fault{Path: "/wxa/commit", AppID: all[0], Mode: wechatfake.FaultErrcode, Code: 86002})
	id := e.roll("2.3.0", map[string]any{"strategy": map[string]any{"canary": 2}}, all...)
	e.held(id)
	e.do(http.MethodPost, "/rollouts/"+id+"/promote", nil)
	status, _ := e.API(http.MethodPost, "/rollouts/"+id+"/promote", nil)
	require.Equal(t, http.StatusConflict, status, "nothing holds it any more")
	e.until(all[1], "auditing")
	require.Zero(t, e.effective("/wxa/commit", all[2:]...), "the other canary is still waited for")
	e.approve(all[1])
	e.counts(id, map[string]int{"blocked": 1, "released": 1, "auditing": 3})
	e.do(http.MethodPost, "/submissions/"+e.submissionID(all[0])+"/retry", nil)
	e.approve(all[0])
	e.approve(all[2:]...)
	e.counts(id, map[string]int{"released": 5})
	require.Equal(t, "completed", e.rollout(id)["state"])
}

// counting counts queries.
type counting struct {
	postgres.DB

	n int
}

func (c *counting) Query(ctx context.Context, q string, args ...any) (pgx.Rows, error) {
	c.n++
	return c.DB.Query(ctx, q, args...)
}

// TestHeldRolloutsAreListedAtOnce: a list asks no more often because more of its rollouts are held, and tells each its own canaries.
func TestHeldRolloutsAreListedAtOnce(t *testing.T) {
	t.Parallel()
	e := newShops(t)
	e.StopJobs()
	_, err := e.Pool.Exec(t.Context(), `INSERT INTO authorizer (appid, kind, status, nick_name) SELECT 'wx' || lpad(n::text, 16, '0'), 'miniprogram', 'authorized', 'Shop ' || n FROM generate_series(1, 5) n`)
	require.NoError(t, err)
	db := &counting{DB: e.Pool}
	s := New(Config{}, Deps{DB: db, Merchants: e.Merchants})
	queries := 0
	for held := 1; held <= 3; held++ { // the canaries of each are one more than of the one before; the last of them is blocked
		_, err := e.Pool.Exec(t.Context(), `WITH r AS (INSERT INTO rollout (name, state, template_id, user_version, spec, targets, total)
				VALUES ('r', 'running', 1, '1.0.0', jsonb_build_object('strategy', jsonb_build_object('canary', $1::int)), '{}', 5) RETURNING id)
			INSERT INTO submission (rollout_id, appid, state, template_id, user_version, marker, admitted, finished_at, error)
			SELECT r.id, 'wx' || lpad(n::text, 16, '0'), CASE n WHEN $1 THEN 'blocked' ELSE 'queued' END, 1, '1.0.0', r.id || '-' || n, n <= $1,
				CASE n WHEN $1 THEN now() END, CASE n WHEN $1 THEN '{"code": "privacy"}'::jsonb END FROM r, generate_series(1, 5) n ORDER BY n`, held)
		require.NoError(t, err)
		db.n = 0
		list, _, err := s.Rollouts(t.Context(), RolloutFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, list, held)
		for i, r := range list {
			canaries := held - i
			require.NotNil(t, r.Canary)
			require.Equal(t, canaries, r.Canary.Canaries)
			require.Equal(t, 5-canaries, r.Canary.Waiting)
			require.Len(t, r.Canary.Blocked, 1)
			require.Equal(t, []string{"Shop 1", "Shop 2", "Shop 3"}[canaries-1], r.Canary.Blocked[0].NickName)
			require.Equal(t, "privacy", r.Canary.Blocked[0].Failure.Code)
		}
		if held == 1 {
			queries = db.n
		}
		require.Equal(t, queries, db.n)
	}
}
