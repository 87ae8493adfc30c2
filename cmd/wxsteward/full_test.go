package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDatabaseThatCannotWrite: read-only as a standby or a locked one is, and out of disk. Pushes are refused so that WeChat
// repeats them, pages say why, reading goes on, and all recovers by itself.
func TestDatabaseThatCannotWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ begin, end, says string }{
		"read-only": {
			begin: `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$;
				SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
			end:  `SET default_transaction_read_only = off; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$`,
			says: "read-only",
		},
		"out of disk": { // as PostgreSQL says it, wherever something is to be stored
			begin: `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
				DO $$ DECLARE r record; BEGIN FOR r IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
					AND relnamespace = 'public'::regnamespace LOOP
					EXECUTE format('CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION no_room()', r.relname);
				END LOOP; END $$`,
			end:  `DROP FUNCTION no_room() CASCADE`,
			says: "disk is full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := servingWorld(t)
			w.start()
			o := newOperator(t, w.base)
			o.signIn()
			p := newPusher(t)
			require.Equal(t, http.StatusOK, p.send(p.numberedPush(w.base, 1, 0)).status)

			conn := w.database("")
			_, err := conn.Exec(t.Context(), tc.begin)
			require.NoError(t, err)
			status := 0
			eventually(t, "pushes are refused", func() (bool, string) {
				status = p.send(p.numberedPush(w.base, 2, 0)).status
				return status == http.StatusServiceUnavailable, strconv.Itoa(status)
			})
			alive, err := get(t, w.base+"/healthz")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, alive)
			var list struct{ Total *int }
			eventually(t, "reading goes on", func() (bool, string) {
				_, err := o.try(t.Context(), http.MethodGet, "/authorizers", nil, &list)
				return err == nil, fmt.Sprint(err)
			})
			eventually(t, "writing says why", func() (bool, string) {
				text := o.refusal(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b1", "kind": "any"})
				return text.Status == http.StatusServiceUnavailable && text.Code == "unavailable" && strings.Contains(text.Detail, tc.says), fmt.Sprint(text)
			})

			_, err = conn.Exec(t.Context(), tc.end)
			require.NoError(t, err)
			eventually(t, "pushes are taken again", func() (bool, string) {
				status = p.send(p.numberedPush(w.base, 2, 0)).status
				return status == http.StatusOK, strconv.Itoa(status)
			})
			eventually(t, "writing goes on", func() (bool, string) {
				_, err := o.try(t.Context(), http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b1", "kind": "any"}, new([]byte))
				return err == nil, fmt.Sprint(err)
			})
			eventually(t, "jobs are worked", func() (bool, string) {
				var a tickAnswer
				_, err := o.try(t.Context(), http.MethodPost, "/tick?timeout_seconds=5", map[string]any{}, &a)
				return err == nil && a.Done, fmt.Sprint(err, a)
			})
		})
	}
}

// TestDiskFullUnderThePrivateDatabase fills the disk that DATA_DIR is on. The program stays, says 503, and goes on when there is
// room, with all that it had promised.
func TestDiskFullUnderThePrivateDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(dir, 0o755))                                                                                                //nolint:gosec // the database's user must be able to pass
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=220m", "tmpfs", dir).CombinedOutput(); err != nil { //nolint:gosec // the test's own
		t.Skipf("needs the right to mount a small disk: %s", out)
	}
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "umount", "-l", dir).Run() }) //nolint:gosec // the test's own
	w := servingWorld(t)
	delete(w.env, "DATABASE_URL")
	delete(w.env, "MASTER_KEY")
	w.env["DATA_DIR"] = dir
	process := w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	p := newPusher(t)
	accepted := 0
	for n := range 20 {
		if p.send(p.numberedPush(w.base, n, 0)).status == http.StatusOK {
			accepted++
		}
	}
	require.Equal(t, 20, accepted)

	ballast := filepath.Join(dir, "ballast")
	fill := func() {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the test's own
		require.NoError(t, err)
		defer f.Close() //nolint:errcheck // it is to fail
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
	}
	n := 20
	eventually(t, "pushes are refused", func() (bool, string) {
		fill()
		a := p.send(p.numberedPush(w.base, n, 0))
		n++
		if a.status == http.StatusOK {
			accepted++
		}
		return a.status == http.StatusServiceUnavailable, fmt.Sprint(a)
	})
	alive, err := get(t, w.base+"/healthz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, alive)
	require.NoError(t, os.Remove(ballast))
	eventually(t, "pushes are taken again", func() (bool, string) {
		a := p.send(p.numberedPush(w.base, n, 0))
		if a.status == http.StatusOK {
			accepted++
		}
		return a.status == http.StatusOK, fmt.Sprint(a)
	})
	select {
	case err := <-process.done:
		t.Fatalf("the program ended: %v", err)
	case <-time.After(time.Second): // it would end at once
	}
	var list struct{ Items []struct{ ID string } }
	o.call(http.MethodGet, "/messages?limit=200", nil, &list)
	require.GreaterOrEqual(t, len(list.Items), accepted, "what was answered success is there")
}
