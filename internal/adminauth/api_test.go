package adminauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	rootPassword = "correct horse battery"
	userPassword = "staple-staple-9" //nolint:gosec // made up for these tests
)

// site is one replica.
type site struct {
	*adminauth.Service

	url   string
	db    postgres.DB
	dbURL string
	keys  *sealed.Keyring
	now   func() time.Time
	log   *lockedBuffer
	calls atomic.Int64 // of POST /things
	hold  chan struct{}
	// stream takes two channels on which GET /stream answers: is the session still good?
	stream chan chan bool
}

type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

type thingInput struct {
	Body struct {
		Name string `json:"name"`
	}
}

type thingOutput struct {
	Body struct {
		Number int64  `json:"number"`
		Name   string `json:"name"`
	}
}

// newSite starts a replica with an API of a few operations of its own.
func newSite(t *testing.T, dbURL string, keys *sealed.Keyring, now func() time.Time) *site {
	t.Helper()
	s := &site{db: postgrestest.Open(t, dbURL), dbURL: dbURL, keys: keys, now: now, log: &lockedBuffer{}, hold: make(chan struct{}), stream: make(chan chan bool)}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := httpserver.New(httpserver.Config{Logger: logger})
	s.Service = adminauth.New(adminauth.Config{DB: s.db, Keys: keys, Now: now, Logger: logger})
	s.Install(srv)
	create := adminauth.Op(http.MethodPost, "/things", "create-thing", "", adminauth.Operator)
	huma.Register(srv.API(), create, func(_ context.Context, in *thingInput) (*thingOutput, error) {
		out := &thingOutput{}
		out.Body.Number, out.Body.Name = s.calls.Add(1), in.Body.Name
		switch in.Body.Name {
		case "wait":
			<-s.hold
		case "fail":
			return nil, io.ErrNoProgress
		case "panic":
			panic("as told")
		}
		return out, nil
	})
	atomic := adminauth.Atomic(adminauth.Op(http.MethodPost, "/atomic", "create-atomic", "", adminauth.Operator))
	huma.Register(srv.API(), atomic, func(ctx context.Context, in *thingInput) (*thingOutput, error) {
		out := &thingOutput{}
		out.Body.Number, out.Body.Name = s.calls.Add(1), in.Body.Name
		if err := adminauth.SaveAnswer(ctx, s.db, http.StatusOK, out.Body); err != nil {
			return nil, err
		}
		if in.Body.Name == "die" {
			panic("as told")
		}
		return out, nil
	})
	huma.Register(srv.API(), adminauth.Op(http.MethodGet, "/stream", "stream", "", adminauth.Viewer),
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			for range 2 {
				answer := <-s.stream
				answer <- s.StillSignedIn(ctx)
			}
			return nil, nil
		})
	secret := adminauth.Audited(adminauth.Op(http.MethodGet, "/secret/{id}", "show-secret", "", adminauth.Operator))
	huma.Register(srv.API(), secret, func(context.Context, *struct {
		ID string `path:"id"`
	},
	) (*struct{ Body string }, error) {
		return &struct{ Body string }{"shown"}, nil
	})
	huma.Register(srv.API(), huma.Operation{Method: http.MethodGet, Path: "/open", OperationID: "open"},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	ts := httptest.NewServer(srv.Echo())
	t.Cleanup(ts.Close)
	s.url = ts.URL
	return s
}

// replica is another process on the same database.
func (s *site) replica(t *testing.T) *site { t.Helper(); return newSite(t, s.dbURL, s.keys, s.now) }

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newKeys(t *testing.T) *sealed.Keyring {
	t.Helper()
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	return keys
}

// start is a replica with the first administrator "root".
func start(t *testing.T) (*site, *clock) {
	t.Helper()
	c := &clock{}
	s := newSite(t, postgrestest.URL(t), newKeys(t), c.now)
	_, created, err := s.EnsureFirstAdmin(t.Context(), "root", rootPassword)
	require.NoError(t, err)
	require.True(t, created)
	return s, c
}

// browser calls a site as a page would: cookies, and the csrf cookie repeated in the header.
type browser struct {
	t      *testing.T
	url    string
	client *http.Client
	header http.Header
	noCSRF bool
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, url: s.url, client: &http.Client{Jar: jar}, header: http.Header{"Accept-Language": {"en"}}}
}

func (b *browser) cookie(name string) string {
	u, err := url.Parse(b.url)
	require.NoError(b.t, err)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func (r reply) code() string { code, _ := r.body["code"].(string); return code }

func (r reply) str(t *testing.T, key string) string {
	t.Helper()
	v, ok := r.body[key].(string)
	require.True(t, ok, "no %s in %s", key, r.text)
	return v
}

func (b *browser) do(method, path, body string) reply {
	b.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+"/api/v1"+path, reader)
	require.NoError(b.t, err)
	maps.Copy(req.Header, b.header)
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if csrf := b.cookie("csrf"); csrf != "" && !b.noCSRF {
		req.Header.Set("X-CSRF-Token", csrf)
	}
	res, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	r := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body)
	return r
}

func (b *browser) signIn(username, password string) reply {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	require.NoError(b.t, err)
	return b.do(http.MethodPost, "/session", string(body))
}

func (s *site) root(t *testing.T) *browser {
	t.Helper()
	b := s.browser(t)
	require.Equal(t, 200, b.signIn("root", rootPassword).status)
	return b
}

// addUser creates a user and signs it in.
func (s *site) addUser(t *testing.T, root *browser, name, role string) (*browser, string) {
	t.Helper()
	r := root.do(http.MethodPost, "/users", `{"username":"`+name+`","password":"`+userPassword+`","role":"`+role+`"}`)
	require.Equal(t, 201, r.status, r.text)
	b := s.browser(t)
	require.Equal(t, 200, b.signIn(name, userPassword).status)
	return b, r.str(t, "id")
}

//nolint:tparallel // its parts build on each other
func TestSession(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.browser(t)

	r := root.signIn("ROOT", rootPassword) // names are the same in any case
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, map[string]any{"id": "1", "username": "root", "role": "admin"}, r.body["user"])
	require.NotContains(t, r.body, "$schema")
	expires, err := time.Parse(time.RFC3339, r.str(t, "expires_at"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(12*time.Hour), expires, time.Minute)
	for _, set := range r.header.Values("Set-Cookie") {
		require.Contains(t, set, "SameSite=Strict")
		require.Equal(t, strings.HasPrefix(set, adminauth.SessionCookie), strings.Contains(set, "HttpOnly"))
		require.NotContains(t, set, "Secure", "plain HTTP")
	}

	t.Run("is known to every replica and after a restart", func(t *testing.T) {
		other := s.browser(t)
		other.url = s.replica(t).url
		other.header.Set("Cookie", adminauth.SessionCookie+"="+root.cookie(adminauth.SessionCookie))
		require.Equal(t, 200, other.do(http.MethodGet, "/session", "").status)
	})
	t.Run("is not opened by a token that somebody else signed", func(t *testing.T) {
		forger := s.browser(t)
		forger.header.Set("Cookie", adminauth.SessionCookie+"=eyJhbGciOiJub25lIn0.eyJpc3MiOiJ3eHN0ZXdhcmQifQ.")
		require.Equal(t, 401, forger.do(http.MethodGet, "/session", "").status)
	})
	t.Run("ends by itself after half a day", func(t *testing.T) {
		b := s.root(t)
		c.move(12*time.Hour + time.Minute)
		require.Equal(t, 401, b.do(http.MethodGet, "/session", "").status)
		c.move(-12*time.Hour - time.Minute)
		require.Equal(t, 200, b.do(http.MethodGet, "/session", "").status)
	})
	t.Run("ends at once with sign-out, also for a copied cookie", func(t *testing.T) {
		b, thief := s.root(t), s.browser(t)
		thief.header.Set("Cookie", adminauth.SessionCookie+"="+b.cookie(adminauth.SessionCookie))
		require.Equal(t, 200, thief.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 204, b.do(http.MethodDelete, "/session", "").status)
		require.Empty(t, b.cookie(adminauth.SessionCookie))
		require.Equal(t, 401, thief.do(http.MethodGet, "/session", "").status)
	})
}

func TestFirstAdministratorIsCreatedOnceByManyReplicas(t *testing.T) {
	t.Parallel()
	one := newSite(t, postgrestest.URL(t), newKeys(t), nil)
	// All of them see an empty table before any may write to it.
	tx, err := one.db.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE admin_user IN SHARE MODE`)
	require.NoError(t, err)
	var created atomic.Int64
	var wg sync.WaitGroup
	for name, s := range map[string]*site{"a": one, "b": one.replica(t), "c": one.replica(t), "d": one.replica(t)} {
		wg.Go(func() {
			generated, ok, err := s.EnsureFirstAdmin(t.Context(), name, "")
			if err != nil {
				t.Error(err)
			}
			if ok {
				created.Add(1)
				if len(generated) < 20 {
					t.Errorf("password of %d characters is too short", len(generated))
				}
			}
		})
	}
	require.Eventually(t, func() bool {
		var waiting int
		err := one.db.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting == 4
	}, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	wg.Wait()
	require.EqualValues(t, 1, created.Load())

	_, _, err = newSite(t, postgrestest.URL(t), newKeys(t), nil).EnsureFirstAdmin(t.Context(), "root", "short")
	require.ErrorContains(t, err, "10")
}

//nolint:tparallel // its parts build on each other
func TestCSRF(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	body := `{"username":"mallory","password":"` + userPassword + `","role":"admin"}`

	t.Run("a change by cookie without the header is refused", func(t *testing.T) {
		b := &browser{t: t, url: s.url, client: root.client, header: root.header, noCSRF: true}
		r := b.do(http.MethodPost, "/users", body)
		require.Equal(t, 403, r.status)
		require.Equal(t, "forbidden", r.code())
	})
	t.Run("a header and cookie that agree but belong to another session are refused", func(t *testing.T) {
		other := s.root(t)
		b := s.browser(t)
		b.header.Set("Cookie", adminauth.SessionCookie+"="+root.cookie(adminauth.SessionCookie)+"; csrf="+other.cookie("csrf"))
		b.header.Set("X-CSRF-Token", other.cookie("csrf"))
		require.Equal(t, 403, b.do(http.MethodPost, "/users", body).status)
	})
	t.Run("reading needs no header", func(t *testing.T) {
		b := &browser{t: t, url: s.url, client: root.client, header: root.header, noCSRF: true}
		require.Equal(t, 200, b.do(http.MethodGet, "/users", "").status)
	})
	t.Run("another site cannot sign a browser in", func(t *testing.T) {
		b := s.browser(t)
		b.header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, 403, b.signIn("root", rootPassword).status)
		b.header.Del("Sec-Fetch-Site")
		b.header.Set("Origin", "https://evil.example")
		require.Equal(t, 403, b.signIn("root", rootPassword).status)
	})
}

//nolint:tparallel // its parts build on each other
func TestRoles(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	operator, operatorID := s.addUser(t, root, "olga", "operator")
	viewer, _ := s.addUser(t, root, "victor", "viewer")
	nobody := s.browser(t)

	tests := []struct {
		name   string
		who    *browser
		method string
		path   string
		body   string
		want   int
	}{
		{"nobody may read nothing", nobody, http.MethodGet, "/users", "", 401},
		{"an operation without a role is refused even to administrators", root, http.MethodGet, "/open", "", 403},
		{"a viewer may not do what operators do", viewer, http.MethodPost, "/things", `{"name":"a"}`, 403},
		{"an operator may", operator, http.MethodPost, "/things", `{"name":"a"}`, 200},
		{"an administrator may, too", root, http.MethodPost, "/things", `{"name":"a"}`, 200},
		{"an operator may not see users", operator, http.MethodGet, "/users", "", 403},
		{"an operator may not make keys", operator, http.MethodPost, "/api-keys", `{"name":"k","role":"viewer"}`, 403},
		{"a viewer may see itself", viewer, http.MethodGet, "/session", "", 200},
		{"a role that is none is refused", root, http.MethodPost, "/users", `{"username":"x","password":"` + userPassword + `","role":"king"}`, 422},
		{"a short password is refused", root, http.MethodPost, "/users", `{"username":"x","password":"short","role":"viewer"}`, 422},
		{"a name taken in other case is refused", root, http.MethodPost, "/users", `{"username":"OLGA","password":"` + userPassword + `","role":"viewer"}`, 409},
		{"a user who is none is not found", root, http.MethodPatch, "/users/999", `{"role":"viewer"}`, 404},
		{"an id that is none is not found", root, http.MethodDelete, "/users/abc", "", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.who.do(tt.method, tt.path, tt.body)
			require.Equal(t, tt.want, r.status, r.text)
			if tt.want >= 400 {
				require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
				require.NotContains(t, r.text, "short", "passwords are not told back")
			}
		})
	}

	t.Run("a new role holds from the next call on", func(t *testing.T) {
		require.Equal(t, 200, root.do(http.MethodPatch, "/users/"+operatorID, `{"role":"viewer"}`).status)
		require.Equal(t, 403, operator.do(http.MethodPost, "/things", `{"name":"a"}`).status)
		require.Equal(t, 200, operator.do(http.MethodGet, "/session", "").status)
	})
	t.Run("a password set by an administrator ends the sessions", func(t *testing.T) {
		require.Equal(t, 200, root.do(http.MethodPatch, "/users/"+operatorID, `{"password":"another password"}`).status)
		require.Equal(t, 401, operator.do(http.MethodGet, "/session", "").status)
	})
	t.Run("deletion ends the sessions", func(t *testing.T) {
		b, id := s.addUser(t, root, "short-lived", "admin")
		require.Equal(t, 204, root.do(http.MethodDelete, "/users/"+id, "").status)
		require.Equal(t, 401, b.do(http.MethodGet, "/session", "").status)
	})
	t.Run("lists are paged and counted", func(t *testing.T) {
		r := root.do(http.MethodGet, "/users?limit=1", "")
		require.Len(t, r.body["items"], 1)
		require.InDelta(t, 3, r.body["total"], 0)
		next := root.do(http.MethodGet, "/users?limit=2&cursor="+r.str(t, "next_cursor"), "")
		require.Len(t, next.body["items"], 2)
		require.Empty(t, next.str(t, "next_cursor"))
		require.Equal(t, 422, root.do(http.MethodGet, "/users?cursor=nonsense", "").status)
		require.Equal(t, 422, root.do(http.MethodGet, "/users?limit=201", "").status)
	})
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	one, two := s.root(t), s.root(t)
	change := func(current, next string) reply {
		return one.do(http.MethodPost, "/session/password", `{"current_password":"`+current+`","new_password":"`+next+`"}`)
	}
	require.Equal(t, 422, change("wrong-wrong-wrong", "new password 1").status)
	require.Equal(t, 422, change(rootPassword, "short").status)
	old := one.cookie(adminauth.SessionCookie)
	require.Equal(t, 200, change(rootPassword, "new password 1").status)

	require.Equal(t, 200, one.do(http.MethodGet, "/session", "").status, "the caller goes on")
	require.NotEqual(t, old, one.cookie(adminauth.SessionCookie), "in a new session")
	require.Equal(t, 401, two.do(http.MethodGet, "/session", "").status, "all others end")
	require.Equal(t, 401, two.signIn("root", rootPassword).status)
	require.Equal(t, 200, two.signIn("root", "new password 1").status)

	require.NoError(t, s.SetPassword(t.Context(), "root", rootPassword, false))
	require.Equal(t, 401, one.do(http.MethodGet, "/session", "").status)
	require.Error(t, s.SetPassword(t.Context(), "nobody", rootPassword, false))
	require.Error(t, s.SetPassword(t.Context(), "root", "short", false))
}

//nolint:tparallel // its parts build on each other
func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	require.Equal(t, 409, root.do(http.MethodDelete, "/users/1", "").status)
	require.Equal(t, 409, root.do(http.MethodPatch, "/users/1", `{"role":"viewer"}`).status)

	t.Run("also when two remove each other at once", func(t *testing.T) {
		for range 5 {
			other, id := s.addUser(t, s.root(t), "second", "admin")
			first := s.root(t)
			var wg sync.WaitGroup
			wg.Go(func() { first.do(http.MethodPatch, "/users/"+id, `{"role":"viewer"}`) })
			wg.Go(func() { other.do(http.MethodPatch, "/users/1", `{"role":"viewer"}`) })
			wg.Wait()
			var admins int
			require.NoError(t, s.db.QueryRow(t.Context(), `SELECT count(*) FROM admin_user WHERE role = 'admin'`).Scan(&admins))
			require.Equal(t, 1, admins)
			_, err := s.db.Exec(t.Context(), `DELETE FROM admin_user WHERE id <> 1`)
			require.NoError(t, err)
			_, err = s.db.Exec(t.Context(), `UPDATE admin_user SET role = 'admin'`)
			require.NoError(t, err)
		}
	})
}
