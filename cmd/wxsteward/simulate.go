package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// simulatorPath is where a browser finds the simulated WeChat's pages.
const simulatorPath = "/simulator"

// simulation is a WeChat of our own beside the program, reached over HTTP like the real one.
type simulation struct {
	fake   *wechatfake.Server
	server *http.Server
	log    *slog.Logger

	platform *component.Service // set when the program is wired
}

// simulate is serve with the built-in WeChat. Its data stand apart from those of a real platform.
func simulate(ctx context.Context, env environment, io streams) error {
	c, err := loadConfig(func(name string) string {
		if strings.HasPrefix(name, "WX_") || name == "DATABASE_URL" || name == "MASTER_KEY" || name == "CBR_ENV_ID" {
			return "" // a real platform's settings stay out of the play, above all its database
		}
		return env(name)
	})
	if err != nil {
		return err
	}
	if env("LOG_LEVEL") == "" {
		c.logLevel = slog.LevelWarn // where to go and the first password must not scroll away
	}
	a := &app{log: newLogger(c, io), errOut: io.err}
	c.dataDir = filepath.Join(c.dataDir, "simulation")
	if env("DETECTION_POLL") == "" {
		c.detectionPoll = time.Second // the simulated check takes two seconds, not a minute
	}
	if env("AUDIT_POLL") == "" {
		c.auditPoll = 10 * time.Second
	}
	if a.sim, err = newSimulation(ctx, &c, a.log); err != nil {
		return err
	}
	a.cfg = c
	return a.run(ctx)
}

// newSimulation starts the simulated WeChat on a loopback port and points the configuration at it.
func newSimulation(ctx context.Context, c *config, logger *slog.Logger) (*simulation, error) {
	const appid = "wxsimulation0000aa"
	secrets := wechatfake.Config{ //nolint:gosec // made up, of a simulated platform
		ComponentAppID: appid, ComponentSecret: "simulated-app-secret-0001", Token: "simulatedtoken",
		EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
		LaunchHost:     c.publicURL.Host, BasePath: simulatorPath,
		StateFile: filepath.Join(c.dataDir, "wechat.json"), Logger: logger,
	}
	_, port, err := net.SplitHostPort(c.listenAddr)
	if err != nil {
		return nil, err
	}
	here := "http://127.0.0.1:" + port
	secrets.EventURL = here + "/wxcallback/component"
	secrets.MessageURL = here + "/wxcallback/biz/$APPID$"
	fake, err := wechatfake.New(secrets)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if err := fake.Seed(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &simulation{fake: fake, log: logger, server: &http.Server{Handler: fake.API(), ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.server.Serve(listener) }()
	c.appid = appid
	c.envSecret, c.envToken, c.envAESKey = sealed.New(secrets.ComponentSecret), sealed.New(secrets.Token), sealed.New(secrets.EncodingAESKey)
	c.apiBase = "http://" + listener.Addr().String()
	c.mpBase = c.publicURL.String() + simulatorPath
	c.openBase = c.mpBase
	return s, nil
}

// register mounts the pages that merchants see, and the controls behind the administrators' sign-in.
func (s *simulation) register(e *echo.Echo, auth *adminauth.Service) {
	e.Any(simulatorPath+"/_control/*", echo.WrapHandler(s.fake.Control()), auth.Protect(adminauth.Operator))
	e.Any(simulatorPath+"/*", echo.WrapHandler(s.fake.Pages()))
}

// start names the sample platform, lets tickets flow and announces the merchants that have authorized it already.
func (s *simulation) start(ctx context.Context) error {
	profile, err := s.platform.Profile(ctx)
	if err != nil {
		return err
	}
	if profile.Name == "" {
		change := component.Change{Name: new("示例服务商"), Description: new("模拟环境中的第三方平台")}
		if err := s.platform.Change(ctx, change, "simulation"); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx)
	s.fake.Start(ctx)
	go s.fake.AnnounceAuthorized(ctx)
	return nil
}

func (s *simulation) close() error {
	_ = s.server.Close()
	return s.fake.Close()
}
