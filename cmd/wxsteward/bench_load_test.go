package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// processorTime is what load, service and PostgreSQL have spent on a processor. Unlike a rate, it hardly changes with what
// others do on the machine.
type processorTime struct{ load, service, database time.Duration }

func (t processorTime) since(before processorTime, each int) processorTime {
	n := time.Duration(max(each, 1))
	return processorTime{(t.load - before.load) / n, (t.service - before.service) / n, (t.database - before.database) / n}
}

func (t processorTime) sum() time.Duration { return t.load + t.service + t.database }

// procStat is the processor time and the parent of a process, Linux only; ok is false when it has ended.
func procStat(pid string) (spent time.Duration, parent string, ok bool) {
	const parentField, user, system, tick = 1, 11, 12, 10 * time.Millisecond // fields behind the name; clock ticks of Linux
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))            //nolint:gosec // of /proc
	if err != nil {
		return 0, "", false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) <= system {
		return 0, "", false
	}
	for _, i := range []int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, "", false
		}
		spent += time.Duration(n) * tick
	}
	return spent, fields[parentField], true
}

// processorTimes reads them for this process, the program under test and every process of the database.
func (w *benchWorld) processorTimes(b *testing.B) processorTime {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	t := processorTime{load: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
	t.service, _, _ = procStat(strconv.Itoa(w.program.Process.Pid))
	text, err := os.ReadFile(filepath.Join(w.dataDir, "postgres", "data", "postmaster.pid"))
	require.NoError(b, err)
	postmaster, _, _ := strings.Cut(string(text), "\n")
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(b, err)
	for _, file := range files {
		if spent, parent, ok := procStat(filepath.Base(filepath.Dir(file))); ok && parent == postmaster {
			t.database += spent
		}
	}
	return t
}

// figures of one round of load.
type figures struct {
	answers       int
	rate          float64 // answers a second
	p50, p99, max time.Duration
	each          processorTime // for each answer
}

// request is one to send.
type request struct {
	method, path string
	header       [2]string // one more, besides Content-Length
	body         []byte
}

// caller sends requests over one connection, each waiting for its answer, which must be 200.
type caller interface{ call(r request) error }

// lean is a caller that costs hardly anything, so that what is measured gets most of the machine.
type lean struct {
	conn net.Conn
	in   *bufio.Reader
	buf  []byte
}

func (w *benchWorld) lean(b *testing.B) caller {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", w.address)
	if err != nil {
		b.Error(err)
		return nil
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &lean{conn: conn, in: bufio.NewReader(conn)}
}

func (l *lean) call(r request) error {
	l.buf = append(append(append(append(l.buf[:0], r.method...), ' '), r.path...), " HTTP/1.1\r\nHost: bench\r\n"...)
	if r.header[0] != "" {
		l.buf = append(append(append(append(l.buf, r.header[0]...), ": "...), r.header[1]...), "\r\n"...)
	}
	l.buf = strconv.AppendInt(append(l.buf, "Content-Length: "...), int64(len(r.body)), 10)
	l.buf = append(append(l.buf, "\r\n\r\n"...), r.body...)
	if _, err := l.conn.Write(l.buf); err != nil {
		return err
	}
	return readAnswer(l.in)
}

// usual is Go's own HTTP client, what most load tools written in Go use.
type usual struct {
	client *http.Client
	base   string
}

func (w *benchWorld) usual(b *testing.B) caller {
	b.Helper()
	transport := &http.Transport{MaxConnsPerHost: 1}
	b.Cleanup(transport.CloseIdleConnections)
	return &usual{&http.Client{Transport: transport}, "http://" + w.address}
}

func (u *usual) call(r request) error {
	req, err := http.NewRequest(r.method, u.base+r.path, bytes.NewReader(r.body)) //nolint:noctx // one of very many; the program always answers
	if err != nil {
		return err
	}
	if r.header[0] != "" {
		req.Header.Set(r.header[0], r.header[1])
	}
	res, err := u.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}

// hammer sends what next gives over connections for d.
func (w *benchWorld) hammer(b *testing.B, connect func(*testing.B) caller, connections int, d time.Duration, next func() request) figures {
	b.Helper()
	callers := make([]caller, connections)
	for i := range callers {
		callers[i] = connect(b)
		require.NotNil(b, callers[i])
	}
	var group sync.WaitGroup
	all := make([][]time.Duration, connections)
	before, began := w.processorTimes(b), time.Now()
	for i, c := range callers {
		group.Go(func() {
			for time.Since(began) < d {
				r := next()
				sent := time.Now()
				if err := c.call(r); err != nil {
					b.Error(err)
					return
				}
				all[i] = append(all[i], time.Since(sent))
			}
		})
	}
	group.Wait()
	took, after := time.Since(began), w.processorTimes(b)
	times := slices.Concat(all...)
	require.NotEmpty(b, times)
	slices.Sort(times)
	return figures{
		len(times), float64(len(times)) / took.Seconds(), times[len(times)/2], times[len(times)*99/100], times[len(times)-1],
		after.since(before, len(times)),
	}
}

// median is the round with the median rate.
func median(rounds []figures) figures {
	rounds = slices.Clone(rounds)
	slices.SortFunc(rounds, func(a, b figures) int { return int(a.rate - b.rate) })
	return rounds[len(rounds)/2]
}

// rates are those of all rounds, to show the machine's noise.
func rates(rounds []figures) string {
	texts := make([]string, len(rounds))
	for i, f := range rounds {
		texts[i] = strconv.Itoa(int(f.rate))
	}
	return strings.Join(texts, " ")
}

// readAnswer reads one answer and wants status 200.
func readAnswer(in *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return fmt.Errorf("answered %q", line)
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len("Content-Length: "):]))); err != nil {
				return err
			}
		case len(line) <= 2:
			_, err := in.Discard(length)
			return err
		}
	}
}
