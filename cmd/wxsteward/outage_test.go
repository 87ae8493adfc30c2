package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// TestDatabaseGoneForAWhile takes the database away while merchants are in audit: pushes are refused so that WeChat
// repeats them, pages say what is wrong, and everything goes on when it is back.
func TestDatabaseGoneForAWhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startDatabase := func() *localpg.Server {
		server, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir, Fast: true})
		require.NoError(t, err)
		return server
	}
	stopDatabase := func(server *localpg.Server) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, server.Stop(ctx))
	}
	database := startDatabase()
	t.Cleanup(func() { stopDatabase(database) })

	merchants := appids(3)
	w := newWorld(t, nil)
	w.env["DATABASE_URL"] = database.URL()
	for _, appid := range merchants {
		w.addMerchant(appid, nil)
	}
	stop := w.start()
	defer stop()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, merchants)
	template := addTemplate(o)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}

	stopDatabase(database)
	eventually(t, "not ready", func() (bool, string) {
		resp, err := get(t, w.base+"/readyz")
		return err == nil && resp == http.StatusServiceUnavailable, fmt.Sprint(resp, err)
	})
	alive, err := get(t, w.base+"/healthz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, alive)
	var problem struct{ Code, Detail string }
	status, err := o.try(t.Context(), http.MethodGet, "/rollouts", nil, &problem)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	for _, appid := range merchants {
		require.NoError(t, w.fake.Approve(appid)) // the events are pushed into the outage
	}
	eventually(t, "pushes were refused", func() (bool, string) {
		pushes := w.fake.Pushes()
		return strings.Contains(fmt.Sprintf("%+v", pushes[len(pushes)-1]), "503"), fmt.Sprintf("%+v", pushes[len(pushes)-1])
	})

	database = startDatabase()
	w.waitReady()
	for _, appid := range merchants {
		o.waitSubmission(appid, "released")
		require.Equal(t, 1, w.fake.Effective("/wxa/release", appid))
	}
}

func get(tb testing.TB, address string) (int, error) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil) //nolint:gosec,nolintlint // the program under test
	require.NoError(tb, err)
	resp, err := http.DefaultClient.Do(req) //nolint:gosec,nolintlint // likewise
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

// TestOneRefreshOverTwoProcesses has 200 callers ask two processes for a token that is over, with a WeChat that takes a
// second to answer: one refresh, 200 good answers.
func TestOneRefreshOverTwoProcesses(t *testing.T) {
	t.Parallel()
	const appid = "wxshop00000000001"
	w := newWorld(t, nil)
	w.addMerchant(appid, nil)
	w.spawn("serve")
	w.waitReady()
	firstBase := w.base
	o := newOperator(t, firstBase)
	o.signIn()
	authorizeAll(t, w, o, []string{appid})

	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	w.spawn("serve")
	w.waitReady()
	second := newOperator(t, w.base)
	second.signIn()

	conn, err := pgx.Connect(t.Context(), w.env["DATABASE_URL"])
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test's connection
	_, err = conn.Exec(t.Context(), `UPDATE token SET expires_at = now() - interval '1 minute' WHERE key = $1`, "authorizer:"+appid)
	require.NoError(t, err)
	before := len(w.fake.Calls("/cgi-bin/component/api_authorizer_token"))
	_, err = w.fake.FailNext(wechatfake.Fault{Path: "/cgi-bin/component/api_authorizer_token", Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(time.Second), Times: -1})
	require.NoError(t, err)

	var wg sync.WaitGroup
	tokens := make([]string, 200)
	errs := make([]error, len(tokens))
	for i := range tokens {
		caller := o
		if i%2 == 1 {
			caller = second
		}
		wg.Go(func() {
			var answer struct {
				AccessToken string `json:"access_token"`
			}
			_, errs[i] = caller.try(t.Context(), http.MethodGet, "/authorizers/"+appid+"/access-token", nil, &answer)
			tokens[i] = answer.AccessToken
		})
	}
	wg.Wait()
	for i := range tokens {
		require.NoError(t, errs[i])
		require.NotEmpty(t, tokens[i])
		require.Equal(t, tokens[0], tokens[i])
	}
	require.Len(t, w.fake.Calls("/cgi-bin/component/api_authorizer_token"), before+1, "one refresh")
}

// TestFirstPasswordIsToldThoughTheStartFails has the database take no more connections from the moment the first administrator is
// made: the password must not be lost with the try that made it.
func TestFirstPasswordIsToldThoughTheStartFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	delete(w.env, "ADMIN_PASSWORD")
	w.env["LOG_LEVEL"] = "warn"
	migrate := w.spawn("migrate", "up")
	require.NoError(t, <-migrate.done)
	config, err := pgx.ParseConfig(w.env["DATABASE_URL"])
	require.NoError(t, err)
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test's connection
	_, err = conn.Exec(t.Context(), `CREATE FUNCTION close_door() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			UPDATE pg_database SET datallowconn = false WHERE datname = current_database();
			RETURN NULL;
		END $$;
		CREATE TRIGGER close_door AFTER INSERT ON admin_user EXECUTE FUNCTION close_door()`)
	require.NoError(t, err)

	w.spawn("serve")
	eventually(t, "a try that failed", func() (bool, string) {
		output := w.output.String()
		return strings.Contains(output, "database is away"), output
	})
	_, err = conn.Exec(t.Context(), `UPDATE pg_database SET datallowconn = true WHERE datname = current_database()`)
	require.NoError(t, err)
	w.waitReady()
	_, rest, found := strings.Cut(w.output.String(), "first password ")
	require.True(t, found, w.output.String())
	password, _, _ := strings.Cut(rest, " ")
	newOperator(t, w.base).call(http.MethodPost, "/session", map[string]string{"username": "admin", "password": password}, nil)
}

// TestPrivateDatabase runs the program as a newcomer does: its own database, stopped in order, killed, started again.
func TestPrivateDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	delete(w.env, "DATABASE_URL")
	delete(w.env, "MASTER_KEY")
	delete(w.env, "ADMIN_PASSWORD")
	first := w.spawn("serve")
	w.waitReady()
	output := w.output.String()
	_, rest, found := strings.Cut(output, "first password ")
	require.True(t, found, output)
	password, _, _ := strings.Cut(rest, " ")
	require.Equal(t, 1, strings.Count(output, password), "printed once")

	another := exec.Command(first.cmd.Path, "serve") //nolint:gosec,noctx // the program under test
	another.Env = append(append([]string{}, first.cmd.Env...), "LISTEN_ADDR=127.0.0.1:"+freePort(t))
	out, err := another.CombinedOutput()
	require.Error(t, err, "a second program on the same DATA_DIR is refused")
	require.Len(t, strings.Split(strings.TrimSpace(lastLines(string(out))), "\n"), 1, string(out))

	require.NoError(t, first.cmd.Process.Kill())
	require.Error(t, <-first.done)
	second := w.spawn("serve")
	w.waitReady()
	require.NotContains(t, w.output.String()[len(output):], "first password")
	o := newOperator(t, w.base)
	o.call(http.MethodPost, "/session", map[string]string{"username": "admin", "password": password}, nil)

	passwd := exec.Command(first.cmd.Path, "passwd", "admin") //nolint:gosec,noctx // the program under test
	passwd.Env, passwd.Stdin = first.cmd.Env, strings.NewReader("another-good-password\n")
	out, err = passwd.CombinedOutput()
	require.NoError(t, err, string(out))
	status, _ := o.try(t.Context(), http.MethodGet, "/session", nil, nil)
	require.Equal(t, http.StatusUnauthorized, status, "sessions end with a new password")
	o.call(http.MethodPost, "/session", map[string]string{"username": "admin", "password": "another-good-password"}, nil)

	require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-second.done:
		require.NoError(t, err, "exit 0")
	case <-time.After(15 * time.Second):
		t.Fatal("did not stop within its time-out")
	}
}

func lastLines(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "wxsteward: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestSecretsAreNotPrintedByAWrongConfiguration(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	env := map[string]string{"WX_APPID": "wx1", "MASTER_KEY": "short-secret-value", "DATABASE_URL": "postgres://u:hunter2hunter2@127.0.0.1/x"} //nolint:gosec // made up
	err := run(t.Context(), []string{"serve"}, func(name string) string { return env[name] }, streams{strings.NewReader(""), &out, &out})
	require.ErrorContains(t, err, "MASTER_KEY")
	require.NotContains(t, err.Error()+out.String(), "short-secret-value")
	require.NotContains(t, err.Error()+out.String(), "hunter2hunter2")
}

// TestDatabaseAwayAtStart starts the program before its database: it is alive, not ready, and goes on by itself.
func TestDatabaseAwayAtStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir, Fast: true})
	require.NoError(t, err)
	w := newWorld(t, nil)
	w.env["DATABASE_URL"] = database.URL()
	require.NoError(t, database.Stop(t.Context()))

	p := w.spawn("serve")
	eventually(t, "alive", func() (bool, string) {
		status, err := get(t, w.base+"/healthz")
		return err == nil && status == http.StatusOK, fmt.Sprint(status, err)
	})
	status, err := get(t, w.base+"/readyz")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, err = get(t, w.base+"/authorize/nothing")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status, "pages say to come again")

	database, err = localpg.Start(t.Context(), localpg.Config{DataDir: dir, Fast: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, database.Stop(ctx))
	})
	w.waitReady()
	newOperator(t, w.base).signIn()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.done)
}

// TestWrongMasterKeyIsRefused starts with another key than the database's: nothing is served or changed.
func TestWrongMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stop := w.start()
	stop()
	right := w.env["MASTER_KEY"]
	w.env["MASTER_KEY"] = sealed.GenerateKey()
	conn := w.database("")
	content := func() (text string) {
		const q = `SELECT (SELECT count(*) FROM pg_class) || ' ' || (SELECT string_agg(key || encode(coalesce(sealed, ''), 'hex'), ' ' ORDER BY key) FROM setting)
			|| ' ' || (SELECT count(*) FROM replica) || ' ' || (SELECT count(*) FROM river_job) || ' ' || (SELECT count(*) FROM audit_log)`
		require.NoError(t, conn.QueryRow(t.Context(), q).Scan(&text))
		return text
	}
	before := content()
	p := w.spawn("serve")
	require.Error(t, <-p.done, "a non-zero exit code")
	require.Contains(t, lastLines(w.output.String()), "MASTER_KEY is not the key")
	require.Equal(t, before, content(), "nothing was touched")
	w.env["MASTER_KEY"] = right
	w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
}

// TestTwoStartTogether starts two programs on one empty database at the same moment.
func TestTwoStartTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["DATABASE_URL"] = postgrestest.EmptyURL(t)
	first := w.base
	w.spawn("serve")
	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
	w.base = first
	w.waitReady()
	newOperator(t, w.base).signIn()
}
