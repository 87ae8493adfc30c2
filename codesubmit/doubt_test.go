package codesubmit

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// inDoubt counts submissions with a call whose outcome is unknown.
func (e *shops) inDoubt() int {
	return e.Count(`SELECT count(*) FROM submission WHERE sent_at IS NOT NULL`)
}

// An operator cancels while a call is on its way that WeChat will not take: nothing is sent again.
func TestCanceledWhileACallIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path  string
		live  string // afterwards
		begin func(e *shops)
	}{
		"commit":       {"/wxa/commit", "1.0.0", func(e *shops) { e.roll("2.3.0", nil, shop) }},
		"submit audit": {"/wxa/submit_audit", "1.0.0", func(e *shops) { e.roll("2.3.0", nil, shop) }},
		"release": {"/wxa/release", "1.0.0", func(e *shops) {
			e.roll("2.3.0", nil, shop)
			e.approve(shop)
		}},
		"gray release": {"/wxa/grayrelease", "1.0.0", func(e *shops) {
			e.roll("2.3.0", gray([]int{10}, nil), shop)
			e.approve(shop)
		}},
		"rollback": {"/wxa/revertcoderelease", "2.3.0", func(e *shops) {
			rollout := e.released("2.3.0", shop)
			e.fail(wechatfake.Fault{Path: "/wxa/revertcoderelease", Skip: 1, Mode: wechatfake.FaultHTTP, Code: 502})
			e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.live(shop, "1.0.0")
			if name != "rollback" {
				e.fail(wechatfake.Fault{Path: tc.path, Mode: wechatfake.FaultHTTP, Code: 502})
			}
			e.Fake.Set(func(s *wechatfake.Settings) {
				s.Latency = map[string]wechatfake.Duration{tc.path: wechatfake.Duration(time.Second)}
			})
			tc.begin(e)
			e.Until("the call is on its way", func() bool {
				return e.inDoubt() == 1
			})
			e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/cancel", nil)
			e.until(shop, "canceled")
			require.Equal(t, tc.live, e.view(shop).Live.UserVersion)
			require.Zero(t, e.Fake.Effective(tc.path, shop))
		})
	}
}

// doubted rolls a version out until a call to path gets no answer and does nothing, and returns the rollout. No job is
// worked from then on.
func (e *shops) doubted(path string) (rollout string) {
	e.T.Helper()
	lost := wechatfake.Fault{Path: path, Mode: wechatfake.FaultHTTP, Code: 502}
	if path == "/wxa/revertcoderelease" {
		rollout = e.released("2.3.0", shop)
		e.StopJobs()
		lost.Skip = 1 // the list of versions
		e.fail(lost)
		rollout, _ = e.do(http.MethodPost, "/rollouts/"+rollout+"/rollback", nil)["id"].(string)
	} else {
		e.StopJobs()
		e.fail(lost)
		var change map[string]any
		if path == "/wxa/grayrelease" {
			change = gray([]int{10}, nil)
		}
		rollout = e.roll("2.3.0", change, shop)
	}
	e.byTheMinute("the call is in doubt", time.Hour, func() bool {
		if e.stateIs("auditing")() && e.view(shop).Audit.Status == wechatfake.AuditRunning {
			require.NoError(e.T, e.Fake.Approve(shop))
		}
		return e.inDoubt() == 1
	})
	return rollout
}

// An operator pauses a rollout while a call is in doubt: it is read what became of it, but nothing is sent before the
// rollout is resumed.
func TestPausedWhileACallIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/release", "/wxa/grayrelease", "/wxa/revertcoderelease"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.live(shop, "1.0.0")
			rollout := e.doubted(path)
			calls := len(e.Fake.Calls(path))
			e.do(http.MethodPost, "/rollouts/"+rollout+"/pause", nil)
			for range 5 {
				e.Pass(time.Minute)
				e.tick()
			}
			require.Len(t, e.Fake.Calls(path), calls, "the rollout is paused")
			require.Zero(t, e.Fake.Effective(path, shop))
			require.Zero(t, e.inDoubt(), "WeChat shows that it did nothing")
			e.do(http.MethodPost, "/rollouts/"+rollout+"/resume", nil)
			e.byTheMinute("it goes on", time.Hour, func() bool { return e.Fake.Effective(path, shop) == 1 })
		})
	}
}

// TestLostCommitThatWeChatDoesNotTell: WeChat leaves the trial version out of an answer at times, also of the one that is to
// tell what became of a commit.
func TestLostCommitThatWeChatDoesNotTell(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.StopJobs()
	e.fail(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultCutAfter})
	e.fail(wechatfake.Fault{Path: "/wxa/getversioninfo", Mode: wechatfake.FaultSilentDrop})
	e.service.cfg.DetectionPoll = time.Minute
	e.roll("2.3.0", nil, shop)
	e.byTheMinute("it is in audit", 10*time.Minute, e.stateIs("auditing"))
	require.Len(t, e.Fake.Calls("/wxa/commit"), 1)
}

// TestCommitThatCameLate: a commit took effect long after it could still have been at work, while its rollout was paused.
func TestCommitThatCameLate(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	rollout := e.doubted("/wxa/commit")
	e.do(http.MethodPost, "/rollouts/"+rollout+"/pause", nil)
	e.Pass(time.Minute)
	e.tick()
	require.Zero(t, e.inDoubt())
	var marker string
	require.NoError(t, e.Pool.QueryRow(t.Context(), `SELECT marker FROM submission`).Scan(&marker))
	require.NoError(t, e.Fake.ConsoleCommit(shop, "2.3.0", userDesc("autumn", marker)))
	e.do(http.MethodPost, "/rollouts/"+rollout+"/resume", nil)
	e.tick()
	require.Equal(t, "auditing", e.submission(shop)["state"])
	require.Len(t, e.Fake.Calls("/wxa/commit"), 1)
}

// TestCanceledInDoubtWaitsForNothingElse: whatever a submission would have waited for before sending anew, once it is known
// that the call did nothing it ends.
func TestCanceledInDoubtWaitsForNothingElse(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(e *shops){
		"quota": func(e *shops) { e.Fake.Set(func(s *wechatfake.Settings) { s.AuditRest = 0 }) },
		"another audit": func(e *shops) {
			require.NoError(e.T, e.Fake.ConsoleCommit(shop, "9.9.9", "of somebody else"))
			_, err := e.Merchants.API(shop).SubmitAudit(e.T.Context(), wechat.SubmitAuditRequest{})
			require.NoError(e.T, err)
		},
		"daily limit": func(e *shops) {
			midnight := quotaTurns(&wechat.APIError{Code: dailyLimit}, e.Clock(), 0)
			_, err := e.Pool.Exec(e.T.Context(), `INSERT INTO submission_hold (state, until, errcode, appid, everybody) VALUES ('submitting', $1, $2, '', true)`, midnight, dailyLimit)
			require.NoError(e.T, err)
		},
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, canceled before it is known: %t", name, early), func(t *testing.T) {
				t.Parallel()
				e := newShops(t, shop)
				e.doubted("/wxa/submit_audit")
				wait(e)
				cancel := func() { e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/cancel", nil) }
				if early {
					cancel()
				}
				e.Pass(time.Minute)
				e.tick()
				require.Zero(t, e.inDoubt(), "WeChat shows that it did nothing")
				if !early {
					require.Equal(t, "submitting", e.submission(shop)["state"])
					cancel()
				}
				require.Equal(t, "canceled", e.submission(shop)["state"])
			})
		}
	}
}

// TestCanceledWhileItIsReadBack: a call is not sent anew when the operator cancels after the submission was read.
func TestCanceledWhileItIsReadBack(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop)
	e.doubted("/wxa/commit")
	e.Pass(time.Minute)
	w, err := e.service.load(t.Context(), 1)
	require.NoError(t, err)
	e.do(http.MethodPost, "/submissions/1/cancel", nil)
	require.ErrorIs(t, e.service.markSent(t.Context(), w), errMoved)
	e.tick()
	require.Equal(t, "canceled", e.submission(shop)["state"])
	require.Len(t, e.Fake.Calls("/wxa/commit"), 1)
}

// TestOutcomeUnknownWithoutEnd has WeChat answer "system busy" to every call of a kind: at some time it is given up, and a
// retry looks first what became of the last one.
func TestOutcomeUnknownWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/wxa/commit", "/wxa/submit_audit", "/wxa/grayrelease"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			e := newShops(t, shop)
			e.service.cfg.DetectionPoll, e.service.cfg.AuditPoll, e.service.cfg.RetryBase = time.Minute, 10*time.Minute, 5*time.Second
			e.live(shop, "1.0.0")
			e.doubted(path)
			e.fail(wechatfake.Fault{Path: path, Mode: wechatfake.FaultErrcode, Code: -1, Times: maxAttempts - 2})
			e.fail(wechatfake.Fault{Path: path, Mode: wechatfake.FaultErrcodeExecuted, Code: -1})
			e.fail(wechatfake.Fault{Path: path, Mode: wechatfake.FaultErrcode, Code: -1, Times: -1})
			began := e.Now()
			e.byTheMinute("it is given up", 4*time.Hour, e.stateIs("failed"))
			require.Greater(t, e.Now().Sub(began), time.Hour, "with growing pauses")
			require.Len(t, e.Fake.Calls(path), maxAttempts)
			why, _ := e.submission(shop)["error"].(map[string]any)
			require.InDelta(t, -1, why["errcode"], 0, fmt.Sprint(why))
			require.NotEmpty(t, why["hint"])
			for range 10 {
				e.Pass(10 * time.Minute)
				e.tick()
			}
			require.Len(t, e.Fake.Calls(path), maxAttempts, "nothing is tried any more")
			e.Fake.ClearFaults()
			e.do(http.MethodPost, "/submissions/"+e.submissionID(shop)+"/retry", nil)
			e.byTheMinute("it goes on", time.Hour, func() bool {
				return !e.stateIs("failed")() && e.inDoubt() == 0
			})
			require.Equal(t, 1, e.Fake.Effective(path, shop), "the last one had been done")
			require.Len(t, e.Fake.Calls(path), maxAttempts)
		})
	}
}
