package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// binaryColumns lists every column of bytes, as table.column; partitions count as their table.
func binaryColumns(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	const q = `SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.atttypid = 'bytea'::regtype AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0`
	rows, err := conn.Query(t.Context(), q)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// TestEverySealedColumnIsKnown: a new column of bytes is either a secret that rekey knows, or named here as none.
func TestEverySealedColumnIsKnown(t *testing.T) {
	t.Parallel()
	list := []string{
		"api_key.hash", "recovery_code.hash", "recovery_code.salt", "idempotency_key.body_hash", // hashes
		"message.dedupe_key", "message_dedupe.dedupe_key",
		"submission_screenshot.image", "audit_media.bytes", "preflight_item.content", "authorizer_import_part.data", // no secrets
		"river_job.unique_key", "river_job.unique_states", // River's
	}
	for _, c := range sealedColumns() {
		list = append(list, c.Table+"."+c.Name)
	}
	conn, err := pgx.Connect(t.Context(), postgrestest.URL(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, column := range binaryColumns(t, conn) {
		require.Contains(t, list, column, "sealed? Then add it to the SealedColumns of its package; else name it here")
	}
	for _, c := range sealedColumns() {
		_, err := conn.Exec(t.Context(), "SELECT "+c.Name+", "+c.Purpose+" FROM "+c.Table+" WHERE false")
		require.NoError(t, err)
	}
}

// requireNothingUnder looks for what a key has sealed, in every column of bytes.
func requireNothingUnder(t *testing.T, conn *pgx.Conn, key string) {
	t.Helper()
	for _, column := range binaryColumns(t, conn) {
		table, name, _ := strings.Cut(column, ".")
		require.Zero(t, sealedUnder(t, conn, table, name, key), column)
	}
}

func sealedUnder(t *testing.T, conn *pgx.Conn, table, column, key string) int {
	t.Helper()
	ring, err := sealed.NewKeyring(key)
	require.NoError(t, err)
	id, err := hex.DecodeString(ring.CurrentKeyID())
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" WHERE position($1::bytea IN "+column+") > 0", id).Scan(&n))
	return n
}

// rekey runs the command to its end.
func (w *world) rekey(stdin string, env ...string) (string, error) {
	w.t.Helper()
	path, err := buildOnce()
	require.NoError(w.t, err)
	cmd := exec.CommandContext(w.t.Context(), path, "rekey") //nolint:gosec // the program under test
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// callers are users of some processes, who call as long as the test lets them.
type callers struct {
	group  sync.WaitGroup
	over   chan struct{}
	calls  atomic.Int64
	mu     sync.Mutex
	failed []string
}

func (c *callers) run(t *testing.T, name string, call func(n int) error) {
	t.Helper()
	c.group.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-c.over:
				return
			default:
			}
			if err := call(n); err != nil {
				c.mu.Lock()
				c.failed = append(c.failed, name+": "+err.Error())
				c.mu.Unlock()
			}
			c.calls.Add(1)
		}
	})
}

// TestRekeyUnderLoad changes the master key while two processes work: nobody notices, and afterwards the old key opens nothing.
func TestRekeyUnderLoad(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w := servingWorld(t)
	for _, appid := range merchants {
		w.addMerchant(appid, nil)
	}
	delete(w.env, "WX_APP_SECRET")
	oldKey, newKey := w.env["MASTER_KEY"], sealed.GenerateKey()
	first := w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	credentials := map[string]any{"app_secret": wechattest.ComponentSecret}
	o.call(http.MethodPut, "/component", credentials, nil)
	authorizeAll(t, w, o, merchants)
	b := newTarget(t)
	rule := o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "target_url": b.URL, "mode": "deliver", "format": "json",
	})
	o.call(http.MethodPost, "/notice-channels", map[string]any{
		"name": "chat", "kind": "webhook", "enabled": false, "language": "en", "events": []string{"rollout_done"}, "url": b.URL + "/notices",
	}, nil)
	code, err := w.fake.NewLoginCode(merchants[0], "oUser")
	require.NoError(t, err)
	_, out, _ := w.mini(http.MethodPost, "/miniapp/login", nil, map[string]string{"appid": merchants[0], "code": code})
	session := map[string]string{"Authorization": fmt.Sprint("Bearer ", out["token"])}

	firstBase, port := w.base, freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	second := w.spawn("serve")
	w.waitReady()
	conn := w.database("")
	seconds := w.database("")

	load := &callers{over: make(chan struct{})}
	for i, base := range []string{firstBase, w.base} {
		at := newOperator(t, base)
		at.signIn()
		ask := func(o *operator, method, path string, body any) error {
			_, err := o.try(context.Background(), method, path, body, new([]byte))
			return err
		}
		load.run(t, "tokens", func(n int) error {
			return ask(at, http.MethodGet, "/authorizers/"+merchants[n%3]+"/access-token", nil)
		})
		load.run(t, "platform", func(int) error { return ask(at, http.MethodGet, "/component/access-token", nil) })
		keyed := newOperator(t, base)
		keyed.signIn()
		load.run(t, "links", func(n int) error {
			keyed.once = fmt.Sprint("call-", i, "-", n/2) // each twice: the second is answered what was kept
			return ask(keyed, http.MethodPost, "/authorization-links", map[string]any{"biz_id": fmt.Sprint("b", n/2), "kind": "any"})
		})
		changer := newOperator(t, base)
		changer.signIn()
		load.run(t, "secrets", func(n int) error {
			if n%2 == 0 {
				return ask(changer, http.MethodPost, "/forward-rules/"+rule.ID+"/secret", map[string]any{})
			}
			return ask(changer, http.MethodPut, "/component", credentials)
		})
	}
	load.run(t, "tokens end", func(n int) error {
		_, err := seconds.Exec(context.Background(), `UPDATE token SET expires_at = now() - interval '1 minute' WHERE key = $1`, "authorizer:"+merchants[n%3])
		time.Sleep(20 * time.Millisecond) // a pace, nothing is waited for
		return err
	})
	load.run(t, "tickets", func(int) error {
		w.fake.PushTicket()
		time.Sleep(50 * time.Millisecond) // likewise
		return nil
	})
	pushes := newPusher(t).load(firstBase, func(l *pushing) {
		l.more(t, 50)
		text, err := w.rekey(newKey + "\n")
		require.NoError(t, err, text)
		require.Contains(t, text, "2 running processes were handed it")
		requireNothingUnder(t, conn, oldKey)
		l.more(t, 50)
	})
	before := load.calls.Load()
	eventually(t, "calls go on", func() (bool, string) { return load.calls.Load() > before+50, "" })
	close(load.over)
	load.group.Wait()
	t.Logf("%d calls", load.calls.Load())
	require.Empty(t, load.failed[:min(len(load.failed), 5)])
	require.Empty(t, pushes.odd[:min(len(pushes.odd), 5)])
	require.Equal(t, pushes.answers[http.StatusOK].Load(), int64(len(pushes.accepted)))
	require.Zero(t, pushes.answers[http.StatusServiceUnavailable].Load()+pushes.answers[0].Load())
	requireNothingUnder(t, conn, oldKey)
	for _, column := range [][2]string{
		{"setting", "sealed"},
		{"token", "access_token"},
		{"token", "refresh_token"},
		{"message", "secret_body"},
		{"component_ticket", "ticket"},
		{"idempotency_key", "response"},
		{"forward_rule", "secret"},
		{"forward_rule", "previous_secret"},
		{"forward_rule_secret", "secret"},
		{"notice_channel", "url"},
		{"notice_channel", "secret"},
		{"replica", "public_key"},
	} {
		require.NotZero(t, sealedUnder(t, conn, column[0], column[1], newKey), "the play must fill %s.%s", column[0], column[1])
	}

	// Processes that start know only the new key; the old one is refused.
	for _, p := range []*process{first, second} {
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, <-p.done)
	}
	refused := w.spawn("serve")
	require.Error(t, <-refused.done)
	require.Contains(t, lastLines(w.output.String()), "MASTER_KEY is not the key")
	w.env["NEW_MASTER_KEY"] = newKey // the service's configuration while the change is on its way
	both := w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
	w.fake.PushTicket()
	require.NoError(t, both.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-both.done)
	requireNothingUnder(t, conn, oldKey)
	delete(w.env, "NEW_MASTER_KEY")
	w.env["MASTER_KEY"] = newKey
	w.spawn("serve")
	w.waitReady()
	again := newOperator(t, w.base)
	again.signIn()
	again.call(http.MethodGet, "/authorizers/"+merchants[0]+"/access-token", nil, nil)
	again.call(http.MethodGet, "/component/ticket", nil, nil)
	status, _, _ := w.mini(http.MethodGet, "/miniapp/whoami", session, nil)
	require.Equal(t, http.StatusOK, status, "a user of a mini program stays signed in")
	for _, secret := range []string{oldKey, newKey} {
		require.NotContains(t, w.output.String(), secret)
	}
}

// TestRekeyOfThePrivateDatabase: its key lies in a file, which is changed too; killed at any moment, the next start finds the right one.
func TestRekeyOfThePrivateDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	delete(w.env, "DATABASE_URL")
	delete(w.env, "MASTER_KEY")
	_, err := w.rekey("")
	require.Error(t, err, "nothing to change")
	require.NoFileExists(t, filepath.Join(w.env["DATA_DIR"], keyFileName), "and nothing made")
	p := w.spawn("serve")
	w.waitReady()
	keyFile := filepath.Join(w.env["DATA_DIR"], keyFileName)
	before, err := os.ReadFile(keyFile) //nolint:gosec // the test's own
	require.NoError(t, err)
	newKey := sealed.GenerateKey()
	text, err := w.rekey("", "NEW_MASTER_KEY="+newKey)
	require.NoError(t, err, text)
	require.Contains(t, text, "1 running processes were handed it")
	after, err := os.ReadFile(keyFile) //nolint:gosec // the test's own
	require.NoError(t, err)
	require.Equal(t, newKey, strings.TrimSpace(string(after)))
	info, err := os.Stat(keyFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoFileExists(t, filepath.Join(w.env["DATA_DIR"], nextKeyFileName))
	newOperator(t, w.base).signIn()

	// As if the command had been killed before the file took its place.
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.done)
	require.NoError(t, os.Rename(keyFile, filepath.Join(w.env["DATA_DIR"], nextKeyFileName)))
	require.NoError(t, os.WriteFile(keyFile, before, 0o600)) //nolint:gosec // the test's own
	w.spawn("serve")
	w.waitReady()
	newOperator(t, w.base).signIn()
	after, err = os.ReadFile(keyFile) //nolint:gosec // the test's own
	require.NoError(t, err)
	require.Equal(t, newKey, strings.TrimSpace(string(after)))
}

func TestRekeyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()()
	for name, tc := range map[string]struct{ stdin, env, want string }{
		"no key":            {"", "", "the new key is missing"},
		"half a key":        {sealed.GenerateKey()[:20] + "\n", "", "the new key cannot be used"},
		"half a key in env": {"", "NEW_MASTER_KEY=abc", "NEW_MASTER_KEY must be 32 bytes"},
		"the same key":      {w.env["MASTER_KEY"] + "\n", "", "is the present one"},
		"a wrong old key":   {sealed.GenerateKey() + "\n", "MASTER_KEY=" + sealed.GenerateKey(), "MASTER_KEY is not the key"},
	} {
		text, err := w.rekey(tc.stdin, tc.env)
		require.Error(t, err, name)
		require.Contains(t, text, tc.want, name)
	}
	w.start()
}
