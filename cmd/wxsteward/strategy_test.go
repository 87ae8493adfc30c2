package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func (o *operator) counts(rolloutID string) (state string, counts map[string]int, reason string) {
	o.t.Helper()
	var r struct {
		State       string
		Counts      map[string]int
		PauseReason string `json:"pause_reason"`
	}
	o.call(http.MethodGet, "/rollouts/"+rolloutID, nil, &r)
	return r.State, r.Counts, r.PauseReason
}

func TestCanaryGoesFirst(t *testing.T) {
	t.Parallel()
	merchants := appids(4)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	body["strategy"] = map[string]any{"canary": 1, "batch_size": 2, "max_failed_percent": 50}
	var rollout struct{ ID string }
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	o.waitSubmission(merchants[0], "auditing")
	_, counts, _ := o.counts(rollout.ID)
	require.Equal(t, 3, counts["queued"], "the others wait for the canary")
	require.NoError(t, w.fake.Reject(merchants[0], "no", 0))
	eventually(t, "paused", func() (bool, string) {
		state, counts, reason := o.counts(rollout.ID)
		return state == "paused" && reason != "", fmt.Sprint(state, counts, reason)
	})
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/resume", nil, nil)
	o.waitSubmission(merchants[1], "auditing")
	o.waitSubmission(merchants[2], "auditing")
	// The batch is in audit, so the next one has started by itself.
	o.waitSubmission(merchants[3], "auditing")
	require.Zero(t, w.fake.Effective("/wxa/release", merchants[0]))
	for _, appid := range merchants[1:] {
		require.NoError(t, w.fake.Approve(appid))
		o.waitSubmission(appid, "released")
	}
	eventually(t, "completed", func() (bool, string) {
		state, counts, _ := o.counts(rollout.ID)
		return state == "completed", fmt.Sprint(state, counts)
	})
}

func TestTooManyFailuresPause(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	body["strategy"] = map[string]any{"batch_size": 2, "max_failed_percent": 40}
	body["release"] = map[string]any{"mode": "manual"}
	var rollout struct{ ID string }
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	require.NoError(t, w.fake.Reject(merchants[0], "no", 0))
	eventually(t, "paused", func() (bool, string) {
		state, _, reason := o.counts(rollout.ID)
		return state == "paused", state + reason
	})
	// Terms may be changed meanwhile, and count after resume.
	o.call(http.MethodPatch, "/rollouts/"+rollout.ID, map[string]any{"release": map[string]any{"mode": "auto"}, "strategy": map[string]any{}}, nil)
	require.NoError(t, w.fake.Approve(merchants[1]))
	o.waitSubmission(merchants[1], "approved")
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/resume", nil, nil)
	o.waitSubmission(merchants[1], "released")
}

func TestNewerRolloutMayWithdrawTheOlder(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	older := o.waitSubmission(merchants[0], "auditing")
	body := rolloutBody(template, merchants...)
	body["strategy"] = map[string]any{"withdraw_running": true}
	o.call(http.MethodPost, "/rollouts", body, nil)
	newer := o.waitSubmission(merchants[0], "auditing")
	require.NotEqual(t, older.ID, newer.ID)
	o.call(http.MethodGet, "/submissions/"+older.ID, nil, &older)
	require.Equal(t, "withdrawn", older.State)
	require.Equal(t, 1, w.fake.Effective("/wxa/undocodeaudit", merchants[0]))
}
