package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// orderly is how long a server that was left behind may take to write everything out.
	orderly = 20 * time.Second
	// abrupt is how long it may take to end at once, and how long its remains may take to notice that it is gone.
	abrupt = 10 * time.Second
)

// supervise keeps the server running until ctx ends. Before it is ready, an end of the server is final.
func (s *Server) supervise(ctx context.Context, news startNews) {
	defer close(s.done)
	// Never unlocked: the server is told when this thread dies, see ownProcess.
	runtime.LockOSThread()
	launched := sync.OnceFunc(func() { close(news.launched) })
	var pause time.Duration
	for {
		began := time.Now()
		err := s.run(ctx, launched)
		if ctx.Err() != nil {
			return
		}
		select {
		case <-news.ready:
		default:
			news.failed <- err
			return
		}
		if time.Since(began) > time.Minute {
			pause = 0
		}
		s.logger.ErrorContext(ctx, "the local PostgreSQL ended unexpectedly and is started again", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(max(2*pause, time.Second), 30*time.Second)
	}
}

// run starts the server once and returns when it has ended; in order when ctx ends.
func (s *Server) run(ctx context.Context, launched func()) error {
	lock, err := s.cluster.clear(ctx, s.logger)
	if err != nil {
		return err
	}
	cmd, closeDir, err := s.cluster.command(context.WithoutCancel(ctx), "postgres", s.cluster.dir, lock, settings(s.fast)...)
	if err != nil {
		_ = lock.Close() // the first error counts
		return err
	}
	ownProcess(cmd.SysProcAttr, syscall.SIGINT)
	report := &reporter{logger: s.logger}
	cmd.Stdout, cmd.Stderr = report, report
	cmd.WaitDelay = time.Second // children that linger hold the pipe
	err = cmd.Start()
	closeDir()
	_ = lock.Close() // the server holds it now
	if err != nil {
		return fmt.Errorf("PostgreSQL cannot be run: %w", err)
	}
	launched()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	select {
	case err := <-exited:
		return report.why(err)
	case <-ctx.Done():
	}
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} // in order, at once, by force
	hurry := s.hurry
	var later <-chan time.Time
	for {
		if len(signals) > 0 {
			_ = cmd.Process.Signal(signals[0]) // it may have ended meanwhile
			signals = signals[1:]
		}
		select {
		case err := <-exited:
			return report.why(err)
		case <-hurry:
			hurry = nil
		case <-later:
		}
		later = time.After(abrupt)
	}
}

// settings are given on the command line, so that a new version of ours can change them.
func settings(fast bool) []string {
	values := []string{
		"listen_addresses=",
		"port=5432", // part of the socket's name only
		// In the server's working directory, which is the cluster: short enough whatever DATA_DIR is.
		"unix_socket_directories=.",
		"unix_socket_permissions=0700",
		"cluster_name=wxsteward",
		"max_connections=200",
		"timezone=UTC",
		"log_timezone=UTC",
		"logging_collector=off",
		"log_destination=stderr",
		"log_line_prefix=",
		"lc_messages=C",
		// What a client is told need not be logged here too, with the statement and its values.
		"log_min_messages=log",
		"log_min_error_statement=panic",
		"jit=off",
	}
	if fast {
		values = append(values, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
			"wal_level=minimal", "max_wal_senders=0", "shared_buffers=32MB")
	}
	var args []string
	for _, value := range values {
		args = append(args, "-c", value)
	}
	return args
}

// clear ends a server that an earlier wxsteward left behind on the cluster, waits until nothing of it is left and
// removes what would keep a new one from starting. It returns the lock to hand down.
func (c *cluster) clear(ctx context.Context, logger *slog.Logger) (*os.File, error) {
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	var told, next time.Time
	lock, err := lockServer(ctx, c.dataDir, func() error {
		now := time.Now()
		if now.Before(next) {
			return nil
		}
		pid := c.postmaster()
		switch {
		case pid > 1 && len(signals) > 0 && isPostgres(ctx, pid):
			logger.WarnContext(ctx, "ending the PostgreSQL that an earlier wxsteward left behind", "pid", pid, "signal", signals[0].String())
			_ = syscall.Kill(pid, signals[0]) // it may have ended meanwhile; else there is a next time
			next = now.Add(abrupt)
			if signals[0] == syscall.SIGINT {
				next = now.Add(orderly)
			}
			signals = signals[1:]
			told = time.Time{}
		case told.IsZero(): // its processes notice by themselves that it is gone
			told = now
		case now.Sub(told) > abrupt:
			return fmt.Errorf("processes of an earlier PostgreSQL still use %s: end them (`ps -ef | grep postgres`) and start again", c.dir)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Nothing that we have started is alive, so what the files say is old, or about a server started by hand.
	if pid := c.postmaster(); pid != 0 {
		if c.runsHere(ctx, pid) {
			_ = lock.Close() // the error counts
			return nil, fmt.Errorf("a PostgreSQL server started by hand (process %d) uses %s: stop it (`kill -INT %d`) and start again", pid, c.dir, pid)
		}
		// After a power cut the id in the file may by now be that of any process, and PostgreSQL would believe it.
		for _, name := range []string{"postmaster.pid", socketName + ".lock", socketName} {
			if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				_ = lock.Close() // the first error counts
				return nil, notWritable(c.dataDir, err)
			}
		}
	}
	return lock, nil
}

// postmaster is the process id that the cluster says its server has, 0 if none.
func (c *cluster) postmaster() int {
	text, err := os.ReadFile(filepath.Join(c.dir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 2 {
		return 1 // damaged: no such server, but the file must go
	}
	return pid
}

// isPostgres guards against sending a signal to a process that merely has the id now.
func isPostgres(ctx context.Context, pid int) bool {
	program, _, _ := strings.Cut(commandLine(ctx, pid), "\x00")
	program = strings.TrimSuffix(filepath.Base(program), ":")
	return program == "postgres" || program == "postmaster"
}

// runsHere reports whether pid is a server on this cluster.
func (c *cluster) runsHere(ctx context.Context, pid int) bool {
	if !isPostgres(ctx, pid) {
		return false
	}
	if cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil { // a server works in its cluster
		own, err := os.Stat(c.dir)
		return err == nil && os.SameFile(cwd, own)
	}
	return strings.Contains(commandLine(ctx, pid)+"\x00", c.dir+"\x00")
}

// commandLine is a process's arguments, each ended by a zero byte; empty when there is no such process.
func commandLine(ctx context.Context, pid int) string {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return string(text)
	}
	if runtime.GOOS == "linux" {
		return ""
	}
	out, _ := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number; no such process is no output
	return strings.ReplaceAll(strings.TrimSpace(string(out)), " ", "\x00")
}
