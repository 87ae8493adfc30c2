package authorize

import (
	"context"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func sealedCode(code string) sealed.Secret { return sealed.New(code) }

// backup copies the database of e as it is now, the way a dump would.
func (e *env) backup(t *testing.T) (address string) {
	t.Helper()
	config := e.pool.Config().ConnConfig
	name := config.Database
	admin := config.Copy()
	admin.Database = "postgres"
	conn, err := pgx.ConnectConfig(t.Context(), admin)
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test
	copied := name + "_backup"
	for _, q := range []string{
		`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS false`, // who has one may not come back meanwhile
		`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '` + name + `'`,
		`CREATE DATABASE ` + copied + ` TEMPLATE ` + name,
		`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS true`,
	} {
		_, err = conn.Exec(t.Context(), q)
		require.NoError(t, err, q)
	}
	t.Cleanup(func() {
		conn, err := pgx.ConnectConfig(context.Background(), admin)
		if err != nil {
			return
		}
		defer conn.Close(context.Background())                                                    //nolint:errcheck // a test
		_, _ = conn.Exec(context.Background(), `DROP DATABASE IF EXISTS `+copied+` WITH (FORCE)`) // the server goes too
	})
	e.pool.Reset() // its connections were ended
	address = e.pool.Config().ConnString()
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		u.Path = "/" + copied
		return u.String()
	}
	return address + " dbname=" + copied
}

// TestOneSyncAfterARestore: the database comes back from before RESTORE_AUTHORIZATIONS (500) authorizations. Those merchants, others
// that have withdrawn and authorized again since, and those that have withdrawn for good: one synchronization and all calls work.
func TestOneSyncAfterARestore(t *testing.T) {
	t.Parallel()
	n := 500
	if given, err := strconv.Atoi(os.Getenv("RESTORE_AUTHORIZATIONS")); err == nil {
		n = given
	}
	e := newEnv(t, atFullSpeed)
	const old = 9
	var before []string
	for i := range old {
		before = append(before, e.have("wxbefore"+strconv.Itoa(100000000+i), "biz-"+strconv.Itoa(i)))
	}
	_, err := e.Change(t.Context(), before[0], Change{Labels: &[]string{"vip"}, Ext: []byte(`{"shop":"1"}`)})
	require.NoError(t, err)
	e.stop()
	address := e.backup(t)

	// What the backup does not know.
	since := e.agreed("since", n)
	moved, gone := before[1:5], before[5:8]
	for _, appid := range append(append([]string{}, moved...), gone...) {
		require.NoError(t, e.wechat.Fake.Revoke(appid))
	}
	for _, appid := range moved { // with another refresh token
		require.NoError(t, e.agreeElsewhere(appid))
	}
	e.ahead.Add(int64(3 * time.Hour)) // no access token of the backup is good any more
	for _, appid := range before {
		e.wechat.Fake.ExpireTokens(appid, false)
	}
	e.wechat.Fake.ClearCalls()

	r := e.replica(t, address)
	e.wechat.Fake.SetPushURLs("", "")
	restored := &env{t: t, Service: r.Service, pool: r.pool, wechat: e.wechat, component: e.component, log: e.log, ahead: e.ahead}
	began := time.Now()
	run, failures := r.runSync(t)
	t.Logf("%d authorizations came back in %s: %d calls for lists, %d for details", n, time.Since(began).Round(time.Millisecond),
		len(e.wechat.Fake.Calls(pathList)), len(e.wechat.Fake.Calls(pathInfo)))
	require.Equal(t, syncCompleted, run.State)
	require.Empty(t, failures)
	require.Equal(t, n, run.Added)
	require.Equal(t, len(gone), run.Withdrawn)
	require.Equal(t, len(moved), run.Recovered, "those with another refresh token")
	e.wechat.Fake.ClearCalls()
	for _, appid := range append(append(append([]string{}, since...), before[:5]...), before[8:]...) {
		_, err := r.API(appid).Categories(t.Context())
		require.NoError(t, err, appid)
		a, err := r.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Equal(t, statusAuthorized, a.Status)
		require.NotEmpty(t, a.NickName)
		require.Nil(t, a.ReauthorizeSince)
	}
	require.Len(t, e.wechat.Fake.Calls(pathToken), n+old-len(gone), "one refresh each, none of them refused")
	for _, appid := range gone {
		a, err := r.Get(t.Context(), appid)
		require.NoError(t, err)
		require.Equal(t, statusUnauthorized, a.Status)
		require.Len(t, a.BizIDs, 1, "history stays")
	}
	a, err := r.Get(t.Context(), before[0])
	require.NoError(t, err)
	require.Equal(t, []string{"vip"}, a.Labels)
	require.JSONEq(t, `{"shop":"1"}`, string(a.Ext))
	require.Equal(t, n+old, restored.count(`SELECT count(*) FROM authorizer`))
	_, _, total, err := r.List(t.Context(), Filter{Status: statusAuthorized, Limit: 1})
	require.NoError(t, err)
	require.EqualValues(t, n+old-len(gone), total)
	require.False(t, strings.Contains(e.log.String(), "level=ERROR"), e.log)
}

// TestUnheardConsentNeedsTheMerchant: a code that nobody exchanged is lost; the merchant is on record and says so.
func TestUnheardConsentNeedsTheMerchant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true), atFullSpeed)
	e.wechat.Fake.SetPushURLs("", "")
	appid := e.merchant("wxunheard00000001")
	_, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	run, failures := e.runSync(t)
	require.Empty(t, failures)
	require.Equal(t, 1, run.Added)
	a, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	require.NotNil(t, a.ReauthorizeSince)
	require.NoError(t, e.agreeElsewhere(appid))
	run, _ = e.runSync(t)
	require.Equal(t, 1, run.Recovered)
	_, err = e.API(appid).Categories(t.Context())
	require.NoError(t, err)
}
