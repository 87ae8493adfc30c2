package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart measures the built program (make bench builds it): from starting the process to the first 200 of
// /healthz and /readyz with the database up and migrated, its size, and its resident memory after ten idle seconds.
// It prints medians of 15 starts; docs/benchmarks.md tells the method.
func BenchmarkStart(b *testing.B) {
	binary, err := filepath.Abs("../../bin/wxsteward")
	require.NoError(b, err)
	info, err := os.Stat(binary)
	require.NoError(b, err, "run make build first")

	w := newWorld(b, nil)
	start := func() (healthy, ready time.Duration, cmd *exec.Cmd) {
		cmd = exec.Command(binary, "serve") //nolint:noctx // the program under test
		for name, value := range w.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		began := time.Now()
		require.NoError(b, cmd.Start())
		for _, probe := range []struct {
			path string
			took *time.Duration
		}{{"/healthz", &healthy}, {"/readyz", &ready}} {
			for {
				if status, err := get(b, w.base+probe.path); err == nil && status == http.StatusOK {
					*probe.took = time.Since(began)
					break
				}
				time.Sleep(time.Millisecond) // a probe's own pace; what is measured is the first good answer
			}
		}
		return healthy, ready, cmd
	}
	end := func(cmd *exec.Cmd) {
		require.NoError(b, cmd.Process.Signal(os.Interrupt))
		require.NoError(b, cmd.Wait())
	}
	_, _, cmd := start() // migrates
	end(cmd)
	var healthy, ready []time.Duration
	for range 15 {
		h, r, cmd := start()
		healthy, ready = append(healthy, h), append(ready, r)
		end(cmd)
	}
	_, _, cmd = start()
	time.Sleep(10 * time.Second) // idle, as the figure says
	rss := residentKiB(b, cmd.Process.Pid)
	end(cmd)
	slices.Sort(healthy)
	slices.Sort(ready)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(milliseconds(healthy[7]), "healthz-ms")
	b.ReportMetric(milliseconds(healthy[0]), "healthz-min-ms")
	b.ReportMetric(milliseconds(healthy[14]), "healthz-max-ms")
	b.ReportMetric(milliseconds(ready[7]), "readyz-ms")
	b.ReportMetric(float64(info.Size())/(1<<20), "binary-MiB")
	b.ReportMetric(float64(rss)/1024, "idle-rss-MiB")
	b.ReportMetric(0, "ns/op")
}

// residentKiB is VmRSS of a process, Linux only.
func residentKiB(tb testing.TB, pid int) int {
	tb.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(tb, err, "resident memory is read from /proc")
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == "VmRSS:" {
			n, err := strconv.Atoi(string(fields[1]))
			require.NoError(tb, err)
			return n
		}
	}
	tb.Fatal("no VmRSS")
	return 0
}
