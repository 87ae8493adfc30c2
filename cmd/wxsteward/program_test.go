package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

// syncBuffer collects what a program writes.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// troubles are the last warnings and errors in a log of JSON lines.
func (b *syncBuffer) troubles() string {
	var found []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			found = append(found, line)
		}
	}
	return strings.Join(found[max(0, len(found)-20):], "")
}

// freePort finds a port below those that the system gives to outgoing connections, which could take it any moment.
func freePort(tb testing.TB) string {
	tb.Helper()
	var lc net.ListenConfig
	for range 100 {
		address := "127.0.0.1:" + strconv.Itoa(15000+rand.IntN(17000)) //nolint:gosec // any will do
		l, err := lc.Listen(tb.Context(), "tcp", address)
		if err != nil {
			continue
		}
		require.NoError(tb, l.Close())
		_, port, err := net.SplitHostPort(address)
		require.NoError(tb, err)
		return port
	}
	tb.Fatal("no free port")
	return ""
}

// world is a WeChat, a database and the settings with which programs run in them.
type world struct {
	t      testing.TB
	fake   *wechatfake.Server
	env    map[string]string
	base   string
	output *syncBuffer // of every program
}

// newWorld makes a WeChat with some drafts and merchants. wrap, if not nil, stands in front of WeChat's API.
func newWorld(tb testing.TB, wrap func(http.Handler) http.Handler, options ...func(*wechatfake.Config)) *world {
	tb.Helper()
	port := freePort(tb)
	base := "http://127.0.0.1:" + port
	config := wechatfake.Config{
		ComponentAppID: wechattest.ComponentAppID, ComponentSecret: wechattest.ComponentSecret,
		Token: wechattest.Token, EncodingAESKey: wechattest.EncodingAESKey,
		EventURL: base + "/wxcallback/component", MessageURL: base + "/wxcallback/biz/$APPID$", LaunchHost: "127.0.0.1:" + port,
		DetectionTime: 300 * time.Millisecond, TicketInterval: -1, PushRetryPause: 300 * time.Millisecond, PushTimeout: 5 * time.Second,
	}
	for _, option := range options {
		option(&config)
	}
	fake, err := wechatfake.New(config)
	require.NoError(tb, err)
	fake.Start(tb.Context())
	var handler http.Handler = fake
	if wrap != nil {
		handler = wrap(fake)
	}
	server := httptest.NewServer(handler)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		_ = fake.Close()
	})
	_, err = fake.AddDraft(wechatfake.Draft{
		UserVersion: "2.3.0", UserDesc: "autumn", SourceAppID: "wxdev00000000000001", SourceName: "dev",
		Package: wechatfake.Package{Pages: []string{"pages/index/index", "pages/order/list"}, PrivacyKeys: []string{"UserInfo"}},
	})
	require.NoError(tb, err)
	fake.SetPlatformDomains([]string{"api.a.com"}, []string{"m.a.com"})
	output := &syncBuffer{}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log("the program's warnings and errors:\n" + output.troubles())
		}
	})
	return &world{t: tb, fake: fake, base: base, output: output, env: map[string]string{
		"WX_APPID": wechattest.ComponentAppID, "WX_APP_SECRET": wechattest.ComponentSecret,
		"WX_MESSAGE_TOKEN": wechattest.Token, "WX_ENCODING_AES_KEY": wechattest.EncodingAESKey,
		"WX_API_BASE_URL": server.URL, "WX_MP_BASE_URL": server.URL, "WX_OPEN_BASE_URL": server.URL,
		"DATABASE_URL": postgrestest.URL(tb), "MASTER_KEY": sealed.GenerateKey(),
		"LISTEN_ADDR": "127.0.0.1:" + port, "INNER_LISTEN_ADDR": "off", "PUBLIC_URL": base,
		"ADMIN_PASSWORD": testPassword, "DETECTION_POLL": "200ms", "AUDIT_POLL": "1s", "WECHAT_RETRY_BASE": "200ms",
		"WECHAT_RATE": "1000", "LOG_FORMAT": "json", "LOG_LEVEL": "debug", "DATA_DIR": tb.TempDir(),
	}}
}

func (w *world) addMerchant(appid string, change func(*wechatfake.Merchant)) {
	w.t.Helper()
	m := wechatfake.Merchant{
		AppID: appid, NickName: "Shop " + appid, Signature: "A shop.",
		Categories: []wechatfake.Category{{FirstClass: "商家自营", SecondClass: "食品饮料", FirstID: 1, SecondID: 2, Status: 3}},
	}
	if change != nil {
		change(&m)
	}
	require.NoError(w.t, w.fake.AddMerchant(m))
}

// start runs the program in this process until the test ends or stop is called, which must end it in order.
func (w *world) start() (stop func()) {
	w.t.Helper()
	c, err := loadConfig(func(name string) string { return w.env[name] })
	require.NoError(w.t, err)
	ready := make(chan struct{})
	io := streams{strings.NewReader(""), w.output, w.output}
	a := &app{cfg: c, log: newLogger(c, io), errOut: io.err, ready: func() { close(ready) }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		w.t.Fatalf("program ended: %v\n%s", err, w.output)
	case <-time.After(30 * time.Second):
		w.t.Fatalf("program is not ready\n%s", w.output)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					w.t.Errorf("program ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				w.t.Error("program did not stop")
			}
		})
	}
	w.t.Cleanup(stop)
	w.t.Cleanup(func() {
		if w.t.Failed() && testing.Verbose() {
			w.t.Log(w.output)
		}
	})
	return stop
}

// buildOnce builds the program for tests that need a process of its own.
var buildOnce = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // one build for all tests
	dir, err := os.MkdirTemp("", "wxsteward-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wxsteward")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput() //nolint:gosec // our own program
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// process is the program as a process of its own.
type process struct {
	cmd  *exec.Cmd
	done chan error
}

// spawn starts the built program; it does not wait until it serves.
func (w *world) spawn(args ...string) *process {
	w.t.Helper()
	path, err := buildOnce()
	require.NoError(w.t, err)
	return w.spawnProgram(path, args...)
}

// spawnProgram is spawn with a program of the caller's.
func (w *world) spawnProgram(path string, args ...string) *process {
	w.t.Helper()
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // the program under test, ended by the test
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = w.output, w.output
	require.NoError(w.t, cmd.Start())
	p := &process{cmd: cmd, done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		p.done <- cmd.Wait()
		close(ended)
	}()
	dataDir := w.env["DATA_DIR"]
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		waitForPrivateDatabase(w.t, dataDir)
	})
	return p
}

// waitForPrivateDatabase returns when no process of a private database is left in dataDir. The database of a killed
// program ends by itself, but writes everything out before: into a directory that must not be removed meanwhile.
func waitForPrivateDatabase(tb testing.TB, dataDir string) {
	tb.Helper()
	file, err := os.Open(filepath.Join(dataDir, "postgres.lock")) //nolint:gosec // the test's own
	if errors.Is(err, os.ErrNotExist) {
		return // it has none
	}
	require.NoError(tb, err)
	defer file.Close() //nolint:errcheck // only locked
	locked := make(chan error, 1)
	go func() { locked <- syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-locked:
		require.NoError(tb, err)
	case <-time.After(time.Minute):
		tb.Error("the private database of a killed program does not end")
	}
}

func (w *world) waitReady() {
	w.t.Helper()
	eventually(w.t, "ready", func() (bool, string) {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.base+"/readyz", nil)
		require.NoError(w.t, err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close() //nolint:errcheck // only the status counts
		return resp.StatusCode == http.StatusOK, resp.Status
	})
}
