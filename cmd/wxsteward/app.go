package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/cloudenv"
	"github.com/wxsteward/wxsteward/authorize/miniapp"
	"github.com/wxsteward/wxsteward/authorize/profile"
	"github.com/wxsteward/wxsteward/authorize/register"
	"github.com/wxsteward/wxsteward/authorize/takeover"
	"github.com/wxsteward/wxsteward/codesubmit"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/component/forward"
	"github.com/wxsteward/wxsteward/component/notice"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/jobs"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/outbound"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/replica"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/system"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/internal/tracing"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/migrations"
	"github.com/wxsteward/wxsteward/webui"
)

// app is the whole program. What starts registers its stop; stops run last-in, first-out.
type app struct {
	cfg    config
	log    *slog.Logger
	errOut io.Writer // for the operator: where to go, first password
	sim    *simulation

	public, inner net.Listener
	tracer        trace.Tracer    // nil: no spans are made
	queryTracer   pgx.QueryTracer // likewise
	pool          *pgxpool.Pool
	keys          *sealed.Keyring
	server        *httpserver.Server
	innerServer   *http.Server
	auth          *adminauth.Service
	runner        *jobs.Runner
	replica       *replica.Service
	system        *system.Service
	hub           *live.Hub
	proxy         *forward.Proxy
	wechat        *wechat.Client
	deliveries    *forward.Service
	notices       *notice.Service
	takers        takeover.Deps
	keepRate      func(ctx context.Context) // until ctx ends
	prepared      atomic.Bool
	working       chan struct{} // closed when prepared
	described     bool          // only the API's description is wanted
	failed        chan error
	stops         []func(ctx context.Context)
	ready         func() // called once when everything works; for tests
}

func serve(ctx context.Context, env environment, io streams) error {
	c, err := loadConfig(env)
	if err != nil {
		return err
	}
	if err := c.needAppID(); err != nil {
		return err
	}
	return (&app{cfg: c, log: newLogger(c, io), errOut: io.err}).run(ctx)
}

// run starts everything, serves until ctx ends or something fails for good, and stops everything in reverse.
func (a *app) run(ctx context.Context) (err error) {
	a.failed, a.working = make(chan error, 4), make(chan struct{})
	defer func() { a.stop(ctx, err) }()
	if err := a.listen(ctx); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "starting", append([]any{slog.String("version", versionLine())}, a.cfg.attrs()...)...)
	if err := a.startTracing(ctx); err != nil {
		return err
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	if err := a.build(); err != nil {
		return err
	}
	a.chooseKey(ctx)
	a.start(ctx)
	select {
	case <-ctx.Done():
		a.log.InfoContext(ctx, "stopping")
		return nil
	case err := <-a.failed:
		return err
	}
}

func (a *app) onStop(fn func(ctx context.Context)) { a.stops = append(a.stops, fn) }

func (a *app) stop(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.shutdownTimeout)
	defer cancel()
	for _, v := range slices.Backward(a.stops) {
		v(ctx)
	}
	if cause == nil {
		a.log.InfoContext(ctx, "stopped")
	}
}

// listen opens both addresses before slow work, so that a port that is taken shows at once.
func (a *app) listen(ctx context.Context) error {
	var lc net.ListenConfig
	var err error
	if a.public, err = lc.Listen(ctx, "tcp", a.cfg.listenAddr); err != nil {
		return fmt.Errorf("LISTEN_ADDR %s cannot be used (%w): stop what uses it, or set another, e.g. LISTEN_ADDR=:8090", a.cfg.listenAddr, plain(err))
	}
	a.onStop(func(context.Context) { _ = a.public.Close() })
	if a.cfg.innerAddr == "" {
		return nil
	}
	if a.inner, err = lc.Listen(ctx, "tcp", a.cfg.innerAddr); err != nil {
		return fmt.Errorf("INNER_LISTEN_ADDR %s cannot be used (%w): set another, or INNER_LISTEN_ADDR=off", a.cfg.innerAddr, plain(err))
	}
	a.onStop(func(context.Context) { _ = a.inner.Close() })
	return nil
}

// plain takes the system's own words out of a network error.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// openDatabase makes the pool; with a private database it starts that first, while health checks are answered.
func (a *app) openDatabase(ctx context.Context) error {
	var err error
	if a.keys, err = keyring(a.cfg); err != nil {
		return err
	}
	dbURL := a.cfg.databaseURL
	if dbURL.IsZero() {
		over := a.serveStarting(ctx)
		server, err := localpg.Start(ctx, localpg.Config{DataDir: a.cfg.dataDir, Logger: a.log})
		over()
		if err != nil {
			return err
		}
		a.onStop(func(ctx context.Context) { a.stopped(ctx, "private database", server.Stop(ctx)) })
		dbURL = sealed.New(server.URL())
	}
	if a.pool, err = postgres.Open(ctx, dbURL, postgres.PoolConfig{Tracer: a.queryTracer}); err != nil {
		return fmt.Errorf("DATABASE_URL cannot be used: %w", err)
	}
	a.onStop(func(context.Context) { a.pool.Close() })
	return nil
}

// build makes every service and wires them. Nothing runs yet.
func (a *app) build() error {
	c := a.cfg
	now := time.Now
	origin := c.publicURL.Scheme + "://" + c.publicURL.Host
	version, _ := buildVersion()
	if a.described {
		version = "1"
	}
	a.server = httpserver.New(httpserver.Config{PublicURL: c.publicURL, TrustedProxies: c.trustedProxies, Logger: a.log, Tracer: a.tracer, Version: version})
	a.auth = adminauth.New(adminauth.Config{DB: a.pool, Keys: a.keys, Logger: a.log, SecureCookie: c.publicURL.Scheme == "https", PublicOrigin: origin})
	a.hub = live.NewHub(func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, a.pool.Config().ConnConfig)
	}, a.log)
	var err error
	if a.runner, err = jobs.New(a.pool, jobs.Config{
		Logger: a.log, Tracer: a.tracer, Location: c.location, SoftStop: c.shutdownTimeout / 2,
		MaxWorkers: c.concurrency + 8, // most jobs wait for WeChat; more of them would only hold database connections
		Runners:    func(n int) { a.wechat.Share(n) },
	}); err != nil {
		return err
	}

	program, commit := buildVersion()
	if a.replica, err = replica.New(a.pool, replica.Config{Version: program, Commit: commit, Keys: a.keys, Logger: a.log}); err != nil {
		return err
	}

	store := settings.New(a.pool, a.keys)
	tokens := tokenstore.New(a.pool, a.keys, now, a.log)
	locks := postgres.NewLocker(a.pool)
	meter := a.newMetrics()
	guard := outbound.Guard{AllowPrivate: c.allowPrivate, Own: a.listeners()}
	a.notices = notice.New(notice.Config{
		PublicURL: c.publicURL, RetryBase: c.deliveryBase, Retention: c.retention, Drain: c.shutdownTimeout / 2, Location: c.location,
		Simulation: a.sim != nil, Guard: guard, Meter: meter, Now: now, Logger: a.log,
	}, notice.Deps{DB: a.pool, Keys: a.keys, Hub: a.hub})
	var platform *component.Service
	a.wechat = wechat.New(wechat.Config{
		AppID: c.appid, BaseURL: c.apiBase, Transport: c.transport, CloudTokenFile: c.cloudToken, RootsFile: c.roots(),
		Rate: c.rate, Concurrency: c.concurrency,
		Observe: func(ctx context.Context, call wechat.Call) {
			meter.Called(call)
			platform.Called(call)
			if a.tracer != nil {
				tracing.Called(ctx, a.tracer, call)
			}
		},
	})
	platform = component.New(component.Config{
		AppID: c.appid, Mode: c.mode, Transport: c.transport, CloudTokenFile: c.cloudToken, ForwarderToken: c.forwardToken, ForwarderCIDRs: c.forwardCIDRs,
		EnvSecret: c.envSecret, EnvMessageToken: c.envToken, EnvAESKey: c.envAESKey, PublicURL: c.publicURL,
		TicketStaleAfter: c.ticketStale, MessageRetention: c.retention, Meter: meter, Now: now, Logger: a.log,
	}, component.Deps{DB: a.pool, Keys: a.keys, Settings: store, Tokens: tokens, WeChat: a.wechat, Queue: a.runner, Announcer: a.notices})
	merchants := authorize.New(authorize.Config{
		PublicURL: c.publicURL, MPBaseURL: c.mpBase, OpenBaseURL: c.openBase, RetryBase: c.retryBase,
		SyncRate: c.rate / 2, // the rest is for everybody else
		Now:      now, Logger: a.log,
	}, authorize.Deps{
		DB: a.pool, Keys: a.keys, Tokens: tokens, WeChat: a.wechat, Component: platform, Queue: a.runner, Locker: locks, Hub: a.hub, Announcer: a.notices,
	})
	releases := codesubmit.New(codesubmit.Config{
		DetectionPoll: c.detectionPoll, AuditPoll: c.auditPoll, RetryBase: c.retryBase, Location: c.location, Now: now, Logger: a.log,
	}, codesubmit.Deps{
		DB: a.pool, Locker: locks, Queue: a.runner, Merchants: merchants, Platform: platform, Announcer: a.notices,
	})
	profiles := profile.New(profile.Config{Poll: c.auditPoll, Now: now, Logger: a.log}, profile.Deps{
		DB: a.pool, Merchants: merchants, Locker: locks, Queue: a.runner,
	})
	registrations := register.New(register.Config{Poll: min(c.auditPoll, time.Minute), RetryBase: c.retryBase, Now: now, Logger: a.log}, register.Deps{
		DB: a.pool, Keys: a.keys, Merchants: merchants, Platform: platform, Settings: store, Locker: locks, Queue: a.runner,
	})
	environments := cloudenv.New(cloudenv.Config{Poll: c.auditPoll, RetryBase: c.retryBase, Now: now, Logger: a.log}, cloudenv.Deps{
		DB: a.pool, Merchants: merchants, Platform: platform, Locker: locks, Queue: a.runner,
	})
	mini := miniapp.New(miniapp.Config{TrustGateway: c.mode == component.ModeCloudRun, Now: now, Logger: a.log}, miniapp.Deps{
		DB: a.pool, Keys: a.keys, Merchants: merchants, Platform: platform,
	})
	a.proxy = forward.NewProxy(forward.ProxyConfig{
		Default: c.upstream, PublicURL: c.publicURL, KeepIdentity: c.mode == component.ModeCloudRun, Identify: mini.Identify,
		StripCookies: []string{adminauth.SessionCookie, adminauth.HostSessionCookie, adminauth.CSRFCookie}, Meter: meter, Logger: a.log,
	}, forward.ProxyDeps{DB: a.pool, Settings: store, Guard: guard, Events: a.hub})
	a.keepRate = platform.KeepRate
	a.deliveries = forward.New(forward.Config{
		RetryBase: c.deliveryBase, Retention: c.retention, Drain: c.shutdownTimeout / 2, Guard: guard, Meter: meter, Now: now, Logger: a.log,
	}, forward.Deps{DB: a.pool, Keys: a.keys, Messages: platform, Headings: platform.Headings, Hub: a.hub, Announcer: a.notices})

	a.takers = takeover.Deps{Platform: platform, Merchants: merchants, Rules: a.deliveries, Proxy: a.proxy, Locker: locks}

	a.system = a.newSystem()
	platform.Forward(a.deliveries)
	platform.NameMerchants(merchants.NickNames)
	platform.Handle(merchants)
	platform.Handle(releases)
	platform.Handle(profiles)
	platform.Handle(registrations)
	merchants.OnWithdrawn(releases.AuthorizerWithdrawn)
	merchants.OnWithdrawn(environments.Withdrawn)
	for _, history := range []authorize.History{releases.History, profiles.History, registrations.History, a.deeds} {
		merchants.AddHistory(history)
	}
	merchants.OnAuthorized(registrations.OnAuthorized)
	platform.AddCheck(merchants.CheckScopes)
	for _, register := range []func(*jobs.Runner) error{
		platform.RegisterJobs, merchants.RegisterJobs, releases.RegisterJobs, profiles.RegisterJobs, registrations.RegisterJobs,
		environments.RegisterJobs,
		a.notices.RegisterJobs, a.auth.InstallJobs,
	} {
		if err := register(a.runner); err != nil {
			return err
		}
	}
	e := a.server.Echo()
	platform.RegisterRoutes(e)
	merchants.RegisterRoutes(e)
	registrations.RegisterRoutes(e)
	mini.RegisterRoutes(e)
	a.describe(platform, merchants, releases)
	profiles.RegisterAPI(a.server.API())
	registrations.RegisterAPI(a.server.API())
	environments.RegisterAPI(a.server.API())
	if a.sim != nil {
		a.sim.register(e, a.auth)
		a.sim.platform = platform
	}
	ui, err := webui.Handler()
	if err != nil {
		return err
	}
	e.Any(webui.Prefix+"*", echo.WrapHandler(ui))
	home := func(c echo.Context) error { return c.Redirect(http.StatusFound, webui.Prefix) }
	e.GET("/admin", home)
	a.proxy.RegisterRoutes(e, map[string]echo.HandlerFunc{
		"/":            home,
		"/favicon.ico": func(c echo.Context) error { return c.Redirect(http.StatusFound, webui.Prefix+"favicon.svg") },
	})
	a.server.Ready("database", func(ctx context.Context) error {
		if !a.prepared.Load() {
			return errors.New("not migrated yet")
		}
		return a.pool.Ping(ctx)
	})
	if a.inner != nil {
		inner := echo.New()
		inner.HideBanner, inner.HidePort = true, true
		platform.RegisterInner(inner, merchants.Token)
		a.system.RegisterInner(inner)
		if c.profiles {
			routeProfiles(inner)
		}
		meter.Collect(a.progress(platform, releases))
		inner.GET("/metrics", echo.WrapHandler(meter.Handler()))
		a.innerServer = &http.Server{
			Handler: inner, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		}
	}
	return nil
}

// deeds is what operators did to a merchant, without what its timeline tells by itself.
func (a *app) deeds(ctx context.Context, appid string, before authorize.Moment, limit int) ([]authorize.Happening, error) {
	const prefix = "deed:"
	list, err := a.auth.Deeds(ctx, adminauth.DeedQuery{
		Target: appid, Before: before.At, BeforeKey: before.Key, KeyPrefix: prefix, Limit: limit,
		Except: []string{
			"change-authorizer", "refresh-authorizer", "add-authorizer-note", "check-nickname", "set-nickname", "set-signature", "set-avatar", "upload-media",
			"add-category", "modify-category", "apply-privacy-interface", "check-change",
		},
	})
	happenings := make([]authorize.Happening, len(list))
	for i, d := range list {
		happenings[i] = authorize.Happening{At: d.At, Key: d.Key, Kind: "deed", By: d.User, Subject: d.Action}
	}
	return happenings, err
}

// describe registers the admin API; it needs no database, so that the API's description can be printed anywhere.
func (a *app) describe(platform *component.Service, merchants *authorize.Service, releases *codesubmit.Service) {
	a.auth.Install(a.server)
	api := a.server.API()
	platform.RegisterAPI(api)
	merchants.RegisterAPI(api)
	releases.RegisterAPI(api)
	a.deliveries.RegisterAPI(api)
	a.notices.RegisterAPI(api)
	a.proxy.RegisterAPI(api)
	a.system.RegisterAPI(api)
	a.server.Events(adminauth.Op(http.MethodGet, "/events", "live-updates", "Live updates", adminauth.Viewer, "events"), a.hub, a.auth.StillSignedIn)
	registerMeta(api, a.sim != nil, a.cfg.appid, a.cfg.location)
}

// start begins to serve and prepares the database beside it: until that is done, /readyz is 503.
func (a *app) start(ctx context.Context) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.onStop(func(context.Context) { cancel() })
	go func() { a.fail("live updates", a.hub.Run(background)) }()
	go func() { a.fail("proxy", a.proxy.Run(background)) }()
	if a.sim != nil {
		a.onStop(func(ctx context.Context) { a.stopped(ctx, "simulator", a.sim.close()) })
	}
	counted := make(chan struct{})
	counting, stopCounting := context.WithCancel(background)
	go func() {
		defer close(counted)
		a.keepRate(counting)
	}()
	a.onStop(func(context.Context) { stopCounting(); <-counted }) // after the last push
	stopDelivering, delivered := a.deliver(background)
	a.onStop(func(ctx context.Context) {
		select {
		case <-delivered:
		case <-ctx.Done():
			a.stopped(ctx, "deliveries", ctx.Err())
		}
	})
	a.onStop(func(ctx context.Context) {
		if a.prepared.Load() {
			a.stopped(ctx, "job queue", a.runner.Stop(ctx))
		}
	})
	a.onStop(func(context.Context) { stopDelivering() }) // while the queue ends its jobs
	if a.inner != nil {
		go func() { a.fail("inner listener", ignoreClosed(a.innerServer.Serve(a.inner))) }()
		a.onStop(func(ctx context.Context) { a.stopped(ctx, "inner listener", a.innerServer.Shutdown(ctx)) })
	}
	a.onStop(func(context.Context) { a.proxy.Close() })
	go func() { a.fail("public listener", a.server.Serve(background, a.public)) }()
	a.onStop(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.shutdownTimeout/3)
		defer cancel()
		a.stopped(ctx, "public listener", a.server.Shutdown(ctx))
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.fail("database", a.prepare(ctx))
	}()
	a.onStop(func(context.Context) { <-done })
}

// deliver works deliveries and notices, and says that this process lives, from when the database is prepared until stop is called; done is closed when the last has
// ended.
func (a *app) deliver(ctx context.Context) (stop func(), done <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-a.working:
			var senders sync.WaitGroup
			senders.Go(func() { a.fail("deliveries", a.deliveries.Run(ctx)) })
			senders.Go(func() { a.fail("notices", a.notices.Run(ctx)) })
			senders.Go(func() { a.fail("replica", a.replica.Run(ctx)) })
			senders.Wait()
		}
	}()
	return cancel, ended
}

// prepare brings the database up to date and starts the work, trying for as long as it takes while the database is
// away. It fails for what waiting does not mend.
func (a *app) prepare(ctx context.Context) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := a.prepareOnce(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: no failure
		}
		if !postgres.IsUnavailable(err) {
			return err
		}
		a.log.WarnContext(ctx, "database is away, trying again", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (a *app) prepareOnce(ctx context.Context) error {
	if err := a.checkKey(ctx); err != nil {
		return err
	}
	if err := migrations.Up(ctx, a.pool, a.log); err != nil {
		return err
	}
	if err := settings.CheckMasterKey(ctx, a.pool, a.keys); err != nil {
		return err
	}
	if err := a.replica.Register(ctx); err != nil {
		return err
	}
	if err := settleKeyFile(a.cfg, a.keys); err != nil {
		return err
	}
	generated, created, err := a.auth.EnsureFirstAdmin(ctx, a.cfg.adminUser, a.cfg.adminPassword.Reveal())
	if err != nil {
		return err
	}
	if created { // at once: what comes next may fail, and another try finds the user there
		a.introduce(generated)
	}
	if err := a.runner.Start(ctx); err != nil {
		return err
	}
	if a.prepared.CompareAndSwap(false, true) {
		close(a.working)
	}
	if a.sim != nil {
		if err := a.sim.start(ctx); err != nil {
			return err
		}
	}
	a.welcome(created)
	if a.ready != nil {
		a.ready()
	}
	return nil
}

// chooseKey has a process that was given two master keys seal with the one that counts, before it is asked anything. While the
// database is away nothing can be stored either, and prepare chooses.
func (a *app) chooseKey(ctx context.Context) {
	if len(a.keys.KeyIDs()) == 1 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if counts, err := settings.MasterKeyID(ctx, a.pool); err == nil && counts != "" {
		_ = a.keys.Use(counts) // a third key is refused by checkKey
	}
}

// checkKey refuses a wrong MASTER_KEY before anything is touched; a new database has nothing to check yet.
func (a *app) checkKey(ctx context.Context) error {
	var known bool
	if err := a.pool.QueryRow(ctx, `SELECT to_regclass('setting') IS NOT NULL`).Scan(&known); err != nil || !known {
		return err
	}
	return settings.CheckMasterKey(ctx, a.pool, a.keys)
}

// introduce names the first administrator; a generated password is printed here and nowhere else.
func (a *app) introduce(generated string) {
	if generated == "" {
		_, _ = fmt.Fprintf(a.errOut, "\n  user %s, password as in ADMIN_PASSWORD\n", a.cfg.adminUser)
		return
	}
	_, _ = fmt.Fprintf(a.errOut, "\n  user %s, first password %s (shown once; change it after signing in)\n", a.cfg.adminUser, generated)
}

// welcome says where to go.
func (a *app) welcome(created bool) {
	_, _ = fmt.Fprintf(a.errOut, "\n  wxsteward is ready: %s\n", a.cfg.publicURL.JoinPath("/admin/").String())
	if !created {
		_, _ = fmt.Fprintf(a.errOut, "  sign in as before; forgotten? set a new password with: wxsteward passwd %s\n", a.cfg.adminUser)
	}
	_, _ = fmt.Fprintln(a.errOut)
}

// fail ends the program for an error that is not part of stopping.
func (a *app) fail(what string, err error) {
	if err == nil {
		return
	}
	select {
	case a.failed <- fmt.Errorf("%s: %w", what, err):
	default: // one cause is enough
	}
}

func (a *app) stopped(ctx context.Context, what string, err error) {
	if err != nil {
		a.log.WarnContext(ctx, "did not stop in order", slog.String("what", what), slog.Any("error", err))
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// metaOutput is what a page needs to know before anybody signs in.
type metaOutput struct {
	Body struct {
		Version    string `json:"version"`
		Simulation bool   `json:"simulation" doc:"WeChat is simulated."`
		AppID      string `json:"appid"`
		Timezone   string `json:"timezone" doc:"Of schedules, as in Asia/Shanghai."`
	}
}

func registerMeta(api huma.API, simulation bool, appid string, location *time.Location) {
	op := adminauth.Op(http.MethodGet, "/meta", "get-meta", "Version and mode of this program", adminauth.Anyone, "meta")
	huma.Register(api, op, func(context.Context, *struct{}) (*metaOutput, error) {
		out := &metaOutput{}
		out.Body.Version, _ = buildVersion()
		out.Body.Simulation = simulation
		out.Body.AppID = appid
		out.Body.Timezone = location.String()
		return out, nil
	})
}

// writeOpenAPI prints the description of the admin API.
func writeOpenAPI(out io.Writer) error {
	// The version stays out, so that the description changes only with the API.
	a := &app{described: true, cfg: config{publicURL: &url.URL{Scheme: "http", Host: "localhost:8080"}}, log: slog.New(slog.DiscardHandler)}
	a.cfg.location = time.UTC
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	if err != nil {
		return err
	}
	a.keys = keys
	if a.pool, err = postgres.Open(context.Background(), sealed.New("postgres://127.0.0.1:1/none"), postgres.PoolConfig{}); err != nil {
		return err
	}
	defer a.pool.Close()
	if err := a.build(); err != nil {
		return err
	}
	spec, err := a.server.SpecJSON()
	if err != nil {
		return err
	}
	_, err = out.Write(spec)
	return err
}
