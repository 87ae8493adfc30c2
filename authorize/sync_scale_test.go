package authorize

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// atFullSpeed is for fakes, which have no quota.
func atFullSpeed(c *Config) { c.SyncRate = 100000 }

// agreed has merchants authorize at WeChat and their codes exchanged by a program that is not e: nothing here knows of them.
func (e *env) agreed(prefix string, n int) []string {
	e.t.Helper()
	list := appids(prefix, n)
	e.wechat.Fake.SetPushURLs("", "")
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := w; i < n; i += 8 {
				err := e.wechat.Fake.AddMerchant(wechatfake.Merchant{AppID: list[i], NickName: "店 " + strconv.Itoa(i), Signature: "第" + strconv.Itoa(i) + "家"})
				if err == nil {
					err = e.agreeElsewhere(list[i])
				}
				if err != nil {
					e.t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return list
}

func (e *env) agreeElsewhere(appid string) error {
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Order: wechatfake.OrderEvent})
	if err != nil {
		return err
	}
	_, err = e.component.API().QueryAuth(context.Background(), sealedCode(given.Code))
	return err
}

// badLuck has about 30 % of the calls for details fail, each in one of WeChat's ways.
func (e *env) badLuck() {
	e.t.Helper()
	for _, f := range []wechatfake.Fault{
		{Mode: wechatfake.FaultErrcode, Code: -1, Percent: 9},
		{Mode: wechatfake.FaultHTTP, Code: 502, Percent: 9},
		{Mode: wechatfake.FaultGarbage, Percent: 8},
		{Mode: wechatfake.FaultCutBefore, Percent: 8},
	} {
		f.Path, f.Times = pathInfo, -1
		_, err := e.wechat.Fake.FailNext(f)
		require.NoError(e.t, err)
	}
}

// run works a synchronization to its end, as the job does.
func (s *Service) runSync(t *testing.T) (Sync, []SyncFailure) {
	t.Helper()
	run, err := s.StartSync(t.Context(), "test")
	require.NoError(t, err)
	for more := true; more; {
		more, err = s.sync(t.Context(), run.ID, false)
		require.NoError(t, err)
	}
	run, failures, err := s.SyncStatus(t.Context(), run.ID)
	require.NoError(t, err)
	return run, failures
}

type kept struct{ AppID, Status, NickName, Signature, UserName, Categories string }

func (e *env) kept(t *testing.T) map[string]kept {
	t.Helper()
	rows, err := e.pool.Query(t.Context(), `SELECT appid, status, nick_name, signature, user_name, categories::text FROM authorizer`)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
	require.NoError(t, err)
	all := map[string]kept{}
	for _, k := range list {
		all[k.AppID] = k
	}
	return all
}

// TestSyncOfManyMerchantsWithBadLuck synchronizes SYNC_MERCHANTS merchants (400) while about 30 % of the calls for details fail at
// random: none is lost, none is blanked, failures are listed, a second run heals.
func TestSyncOfManyMerchantsWithBadLuck(t *testing.T) {
	t.Parallel()
	n := 400
	if given, err := strconv.Atoi(os.Getenv("SYNC_MERCHANTS")); err == nil {
		n = given
	}
	e := newEnv(t, idle(true), atFullSpeed)
	began := time.Now()
	list := e.agreed("many", n)
	t.Logf("%d merchants agreed in %s", n, time.Since(began).Round(time.Millisecond))
	events, cancel := e.hub.Subscribe()
	defer cancel()
	progress := 0
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for event := range events {
			if event.Kind == "sync" || event.Kind == live.Resync {
				progress++
			}
		}
	}()

	check := func(run Sync, failures []SyncFailure) {
		t.Helper()
		require.Equal(t, syncCompleted, run.State)
		require.Equal(t, n, run.Total)
		require.Equal(t, n, run.Done)
		require.Len(t, failures, run.Failed)
		require.Equal(t, n, e.count(`SELECT count(*) FROM authorizer WHERE status = 'authorized'`), "none is lost")
		require.Equal(t, n, e.count(`SELECT count(*) FROM token WHERE refresh_token IS NOT NULL AND key LIKE 'authorizer:%'`))
	}
	round := func(what string) (Sync, []SyncFailure) {
		began := time.Now()
		run, failures := e.runSync(t)
		t.Logf("%s: %d done, %d failed in %s", what, run.Done, run.Failed, time.Since(began).Round(time.Millisecond))
		check(run, failures)
		return run, failures
	}

	e.badLuck()
	run, failures := round("first run, 30 % fail")
	require.Equal(t, n, run.Added)
	require.InDelta(t, 0.3*float64(n), run.Failed, 0.1*float64(n))
	failed := map[string]bool{}
	for _, f := range failures {
		require.NotEmpty(t, f.Say("en"))
		failed[f.AppID] = true
	}
	for _, k := range e.kept(t) {
		require.Equal(t, failed[k.AppID], k.NickName == "", k.AppID)
	}
	e.wechat.Fake.ClearFaults()
	run, _ = round("second run")
	require.Zero(t, run.Failed)
	before := e.kept(t)
	for _, k := range before {
		require.NotEmpty(t, k.NickName)
	}
	e.badLuck()
	run, failures = round("third run, 30 % fail")
	require.NotZero(t, run.Failed)
	require.Equal(t, before, e.kept(t), "none is blanked")
	require.Equal(t, run.Failed, e.count(`SELECT count(*) FROM authorizer WHERE info_error <> ''`))
	for _, f := range failures {
		a, err := e.Get(t.Context(), f.AppID)
		require.NoError(t, err)
		require.NotEmpty(t, a.InfoError("en"))
	}
	e.wechat.Fake.ClearFaults()
	run, _ = round("fourth run")
	require.Zero(t, run.Failed)
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer WHERE info_error <> ''`))
	require.Equal(t, before, e.kept(t))
	for _, appid := range []string{list[0], list[n/2], list[n-1]} {
		_, err := e.API(appid).Categories(t.Context())
		require.NoError(t, err)
	}
	e.until("progress was told live", func() bool { cancel(); <-watched; return progress >= 8 })
}

// TestSyncGoesOnAfterACrash: another process goes on where the one that died had saved; only the whole list decides who is gone.
func TestSyncGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	const n = 1200
	e := newEnv(t, idle(true), atFullSpeed)
	e.agreed("crash", n)
	other := e.replica(t, "")
	run, err := e.StartSync(t.Context(), "")
	require.NoError(t, err)
	again, err := other.StartSync(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, run.ID, again.ID, "one serves all who ask")

	// It dies while it reads the list: nobody may look withdrawn.
	_, err = e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathList, Mode: wechatfake.FaultCutBefore, Skip: 1})
	require.NoError(t, err)
	_, err = e.Service.sync(t.Context(), run.ID, false)
	require.Error(t, err)
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer WHERE status <> 'authorized'`))

	// It dies in the middle of the details.
	ctx, die := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil && len(e.wechat.Fake.Calls(pathInfo)) < n/3 {
			time.Sleep(time.Millisecond) // the pace of looking; any moment in the middle will do
		}
		die()
	}()
	_, err = e.Service.sync(ctx, run.ID, false)
	require.Error(t, err)
	half, err := findSync(t.Context(), e.pool, run.ID)
	require.NoError(t, err)
	require.Equal(t, syncRunning, half.State)
	require.Positive(t, half.Done)
	require.Less(t, half.Done, n)
	e.wechat.Fake.ClearCalls()
	_, err = e.pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	require.NoError(t, other.keepSyncing(t.Context()))
	require.Equal(t, 1, e.count(`SELECT count(*) FROM river_job WHERE kind = 'authorize_sync'`), "the sweep wakes it")
	for more := true; more; {
		more, err = other.sync(t.Context(), run.ID, false)
		require.NoError(t, err)
	}
	done, failures, err := other.SyncStatus(t.Context(), run.ID)
	require.NoError(t, err)
	require.Empty(t, failures)
	require.Equal(t, syncCompleted, done.State)
	require.Equal(t, n, done.Done)
	require.Equal(t, n, done.Added)
	require.Empty(t, e.wechat.Fake.Calls(pathList), "the list is not read again")
	require.Len(t, e.wechat.Fake.Calls(pathInfo), n-half.Done)
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer_sync_item`))
}

// TestSyncIsWorkedByOneAtATime over replicas.
func TestSyncIsWorkedByOneAtATime(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true), atFullSpeed)
	e.agreed("alone", 60)
	other := e.replica(t, "")
	e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.Latency[pathInfo] = wechatfake.Duration(20 * time.Millisecond) })
	run, err := e.StartSync(t.Context(), "")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { _, err := e.Service.sync(context.Background(), run.ID, false); ended <- err }()
	e.until("the first is at work", func() bool { return len(e.wechat.Fake.Calls(pathInfo)) > 0 })
	_, err = other.sync(t.Context(), run.ID, false)
	require.ErrorIs(t, err, errSyncElsewhere)
	require.NoError(t, <-ended)
	require.Len(t, e.wechat.Fake.Calls(pathInfo), 60)
}

// TestSyncIsPaced: whatever there is to do, WeChat is asked at the rate set.
func TestSyncIsPaced(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true), func(c *Config) { c.SyncRate = 100 })
	e.agreed("paced", 50)
	began := time.Now()
	run, _ := e.runSync(t)
	require.Equal(t, 50, run.Done)
	require.Greater(t, time.Since(began), 450*time.Millisecond, "51 calls at 100 a second")
}

// TestSyncLeavesAWeChatInTroubleAlone: failures in a row are not those of merchants. What was not asked about stays to be done.
func TestSyncLeavesAWeChatInTroubleAlone(t *testing.T) {
	t.Parallel()
	const n = 300
	for name, c := range map[string]struct {
		fault wechatfake.Fault
		ends  bool
	}{
		"an outage is waited for":         {wechatfake.Fault{Mode: wechatfake.FaultHTTP, Code: 502}, false},
		"the minute's quota too":          {wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 45011}, false},
		"an address not on the whitelist": {wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 61004}, true},
		"a day's quota used up":           {wechatfake.Fault{Mode: wechatfake.FaultErrcode, Code: 45009}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, idle(true), atFullSpeed)
			e.agreed("alone", n)
			c.fault.Path, c.fault.Times, c.fault.Skip = pathInfo, -1, 50
			_, err := e.wechat.Fake.FailNext(c.fault)
			require.NoError(t, err)
			run, err := e.StartSync(t.Context(), "")
			require.NoError(t, err)
			_, err = e.Service.sync(t.Context(), run.ID, false)
			require.Less(t, len(e.wechat.Fake.Calls(pathInfo)), 150)
			require.Equal(t, n, e.count(`SELECT count(*) FROM authorizer WHERE status = 'authorized'`))
			if c.ends {
				require.NoError(t, err)
				status, got := e.api(http.MethodGet, "/authorizers/sync/"+run.ID, nil)
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, syncFailed, got["state"])
				require.Contains(t, got["errors"].([]any)[0], fmt.Sprintf("errcode %d", c.fault.Code))
				_, list := e.api(http.MethodGet, "/authorizers/sync", nil)
				require.Len(t, list["items"], 1)
				return
			}
			require.Error(t, err)
			e.wechat.Fake.ClearFaults()
			_, err = e.Service.sync(t.Context(), run.ID, false)
			require.NoError(t, err)
			done, failures, err := e.SyncStatus(t.Context(), run.ID)
			require.NoError(t, err)
			require.Equal(t, syncCompleted, done.State)
			require.Empty(t, failures, "nobody is blamed for the outage")
		})
	}
}

// TestNightlySync: once a night, and soon where the night has passed without any process.
func TestNightlySync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true), atFullSpeed)
	require.NoError(t, e.keepSyncing(t.Context()))
	require.Zero(t, e.count(`SELECT count(*) FROM authorizer_sync`), "there are no merchants")
	e.agreed("night", 3)
	run, _ := e.runSync(t)
	require.NoError(t, e.keepSyncing(t.Context()))
	e.ahead.Add(int64(syncOverdue - time.Hour))
	require.NoError(t, e.keepSyncing(t.Context()))
	require.Equal(t, 1, e.count(`SELECT count(*) FROM authorizer_sync`))
	e.ahead.Add(int64(2 * time.Hour))
	require.NoError(t, e.keepSyncing(t.Context()))
	require.Equal(t, 1, e.count(`SELECT count(*) FROM authorizer_sync WHERE id <> $1 AND state = 'running'`, run.ID))
	require.NoError(t, (&nightlyWorker{s: e.Service}).Work(t.Context(), nil))
	require.Equal(t, 2, e.count(`SELECT count(*) FROM authorizer_sync`), "the one that runs is enough")
}
