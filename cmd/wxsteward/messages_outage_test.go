package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
)

// outage is how long the database is away in tests of pushes.
const outage = 10 * time.Second

// TestDatabaseAwayUnderPushes takes the database away for ten seconds while pushes come, once stopped and once standing still:
// every push that was answered 200 is stored, handled and delivered, the others were answered 503, and nobody has to mend anything.
func TestDatabaseAwayUnderPushes(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(t *testing.T, dir string, server *localpg.Server) *localpg.Server{
		"stopped": stopAndStart, "standing still": freezeAndThaw,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			database, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
			require.NoError(t, err)
			t.Cleanup(func() { stopPostgres(t, database) })
			w := servingWorld(t)
			w.env["DATABASE_URL"] = database.URL()
			stop := w.start()
			defer stop()
			o := newOperator(t, w.base)
			o.signIn()
			b := newTarget(t)
			o.addRulesFor(b.URL)

			l := newPusher(t).load(w.base, func(l *pushing) {
				l.more(t, 200)
				database = away(t, dir, database)
				l.more(t, 200)
			})
			require.NotZero(t, l.answers[http.StatusServiceUnavailable].Load())
			require.Zero(t, l.answers[0].Load(), "every push was answered")
			w.waitReady()
			requireKept(t, w, b, l)
		})
	}
}

func stopPostgres(t *testing.T, server *localpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, server.Stop(ctx))
}

func stopAndStart(t *testing.T, dir string, server *localpg.Server) *localpg.Server {
	t.Helper()
	stopPostgres(t, server)
	time.Sleep(outage) // the fault itself
	server, err := localpg.Start(t.Context(), localpg.Config{DataDir: dir})
	require.NoError(t, err)
	return server
}

// freezeAndThaw lets connections stand and answers nothing, as a machine does whose disk has gone away.
func freezeAndThaw(t *testing.T, dir string, server *localpg.Server) *localpg.Server {
	t.Helper()
	pid := postmaster(t, dir)
	all := append([]int{pid}, childrenOf(t, pid)...)
	signalAll := func(s syscall.Signal) {
		for _, pid := range all {
			_ = syscall.Kill(pid, s) // one that has ended meanwhile
		}
	}
	t.Cleanup(func() { signalAll(syscall.SIGCONT) })
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP)) // no new ones from here on
	all = append([]int{pid}, childrenOf(t, pid)...)
	signalAll(syscall.SIGSTOP)
	time.Sleep(outage) // the fault itself
	signalAll(syscall.SIGCONT)
	return server
}

func postmaster(t *testing.T, dir string) (pid int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "postmaster.pid" {
			text, err := os.ReadFile(path) //nolint:gosec // of the test's database
			require.NoError(t, err)
			line, _, _ := strings.Cut(string(text), "\n")
			pid, err = strconv.Atoi(line)
			require.NoError(t, err)
		}
		return err
	}))
	require.Greater(t, pid, 1)
	return pid
}

func childrenOf(t *testing.T, parent int) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestKilledUnderPushes kills the program (SIGKILL) while pushes come and starts it again, twice: every push that was answered
// 200 is stored, handled and delivered by the next.
func TestKilledUnderPushes(t *testing.T) {
	t.Parallel()
	w := servingWorld(t)
	p := w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	b := newTarget(t)
	o.addRulesFor(b.URL)
	l := newPusher(t).load(w.base, func(l *pushing) {
		for range 2 {
			l.more(t, 400)
			require.NoError(t, p.cmd.Process.Kill())
			require.Error(t, <-p.done)
			p = w.spawn("serve")
			w.waitReady()
		}
		l.more(t, 200)
	})
	require.NotZero(t, l.answers[0].Load())
	requireKept(t, w, b, l)
}
