package adminauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/settings"
)

// sessionID is what the cookie's token names.
func (b *browser) sessionID() string {
	b.t.Helper()
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(b.cookie(adminauth.SessionCookie), &claims)
	require.NoError(b.t, err)
	return claims.ID
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	good := root.cookie(adminauth.SessionCookie)
	id := root.sessionID()
	key, found, err := settings.New(s.db, s.keys).GetSecret(t.Context(), "session_key")
	require.NoError(t, err)
	require.True(t, found)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)

	claims := func(change func(*jwt.RegisteredClaims)) jwt.RegisteredClaims {
		out := jwt.RegisteredClaims{
			Issuer: "wxsteward", Subject: "1", ID: id,
			IssuedAt: jwt.NewNumericDate(c.now()), ExpiresAt: jwt.NewNumericDate(c.now().Add(time.Hour)),
		}
		if change != nil {
			change(&out)
		}
		return out
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.Claims) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return text
	}
	ours := []byte(key.Reveal())
	part := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	pieces := strings.Split(good, ".")
	tests := []struct {
		name, token string
		want        int
	}{
		{"our own key and algorithm, the session of the table", sign(jwt.SigningMethodHS256, ours, claims(nil)), 200},
		{"algorithm none", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), 401},
		{"algorithm nOnE, spelt by hand", part(map[string]string{"alg": "nOnE", "typ": "JWT"}) + "." + pieces[1] + ".", 401},
		{"a good token without its signature", pieces[0] + "." + pieces[1] + ".", 401},
		{"a good token with claims of its own", pieces[0] + "." + part(claims(func(c *jwt.RegisteredClaims) { c.Subject = "2" })) + "." + pieces[2], 401},
		{"another key", sign(jwt.SigningMethodHS256, []byte("another key, as long as it needs to be"), claims(nil)), 401},
		{"an empty key", sign(jwt.SigningMethodHS256, []byte{}, claims(nil)), 401},
		{"our key under another algorithm", sign(jwt.SigningMethodHS512, ours, claims(nil)), 401},
		{"an RSA key of the forger", sign(jwt.SigningMethodRS256, rsaKey, claims(nil)), 401},
		{"another issuer", sign(jwt.SigningMethodHS256, ours, claims(func(c *jwt.RegisteredClaims) { c.Issuer = "other" })), 401},
		{"expired", sign(jwt.SigningMethodHS256, ours, claims(func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) })), 401},
		{"without an end", sign(jwt.SigningMethodHS256, ours, claims(func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil })), 401},
		{"a session that is in no table", sign(jwt.SigningMethodHS256, ours, claims(func(c *jwt.RegisteredClaims) { c.ID = "none" })), 401},
		{"no session at all", sign(jwt.SigningMethodHS256, ours, claims(func(c *jwt.RegisteredClaims) { c.ID = "" })), 401},
		{"the session's id in place of a token", id, 401},
		{"no token", "", 401},
		{"something else", "a.b.c", 401},
		{"something long", strings.Repeat("a", 8000), 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			forger := s.browser(t)
			forger.header.Set("Cookie", adminauth.SessionCookie+"="+tt.token)
			r := forger.do(http.MethodGet, "/session", "")
			require.Equal(t, tt.want, r.status, r.text)
		})
	}
}

//nolint:tparallel // its parts build on each other
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	mallory, _ := s.addUser(t, root, "mallory", "viewer")

	t.Run("signing in makes a session of its own, whatever cookie the browser was given before", func(t *testing.T) {
		victim := s.browser(t)
		victim.header.Set("Cookie", adminauth.SessionCookie+"="+mallory.cookie(adminauth.SessionCookie)+"; csrf="+mallory.cookie("csrf"))
		require.Equal(t, 200, victim.signIn("root", rootPassword).status)
		victim.header.Del("Cookie")
		require.NotEqual(t, mallory.sessionID(), victim.sessionID())
		require.Equal(t, "root", victim.do(http.MethodGet, "/session", "").body["user"].(map[string]any)["username"])
		require.Equal(t, "mallory", mallory.do(http.MethodGet, "/session", "").body["user"].(map[string]any)["username"])
	})
	t.Run("and so does a new password", func(t *testing.T) {
		before, token := mallory.sessionID(), mallory.cookie(adminauth.SessionCookie)
		r := mallory.do(http.MethodPost, "/session/password", `{"current_password":"`+userPassword+`","new_password":"another password"}`)
		require.Equal(t, 200, r.status, r.text)
		require.NotEqual(t, before, mallory.sessionID())
		thief := s.browser(t)
		thief.header.Set("Cookie", adminauth.SessionCookie+"="+token)
		require.Equal(t, 401, thief.do(http.MethodGet, "/session", "").status)
	})
}

func sessionsOf(t *testing.T, r reply) []map[string]any {
	t.Helper()
	require.Equal(t, 200, r.status, r.text)
	items, ok := r.body["items"].([]any)
	require.True(t, ok, r.text)
	out := make([]map[string]any, len(items))
	for i, item := range items {
		out[i], ok = item.(map[string]any)
		require.True(t, ok)
	}
	return out
}

//nolint:tparallel // its parts build on each other
func TestSessionsListedAndEnded(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	one, id := s.addUser(t, root, "victor", "viewer")
	c.move(time.Second)
	two := s.browser(t)
	two.header.Set("User-Agent", "Browser/2")
	require.Equal(t, 200, two.signIn("victor", userPassword).status)
	olga, _ := s.addUser(t, root, "olga", "operator")

	t.Run("one sees one's own, newest first, page by page", func(t *testing.T) {
		list := sessionsOf(t, two.do(http.MethodGet, "/sessions", ""))
		require.Len(t, list, 2)
		require.Equal(t, two.sessionID(), list[0]["id"])
		require.Equal(t, true, list[0]["current"])
		require.Equal(t, "Browser/2", list[0]["user_agent"])
		require.Equal(t, "127.0.0.1", list[0]["ip"])
		require.Equal(t, "victor", list[0]["username"])
		require.Equal(t, id, list[0]["user_id"])
		require.Equal(t, false, list[1]["current"])
		require.Equal(t, one.sessionID(), list[1]["id"])

		page := two.do(http.MethodGet, "/sessions?limit=1", "")
		require.Len(t, sessionsOf(t, page), 1)
		next := two.do(http.MethodGet, "/sessions?limit=1&cursor="+page.str(t, "next_cursor"), "")
		require.Equal(t, one.sessionID(), sessionsOf(t, next)[0]["id"])
		require.Empty(t, next.str(t, "next_cursor"))
	})
	t.Run("only administrators see those of others", func(t *testing.T) {
		require.Equal(t, 403, olga.do(http.MethodGet, "/sessions?user_id="+id, "").status)
		require.Equal(t, 403, olga.do(http.MethodDelete, "/sessions?user_id="+id, "").status)
		require.Len(t, sessionsOf(t, root.do(http.MethodGet, "/sessions?user_id="+id, "")), 2)
		require.Len(t, sessionsOf(t, root.do(http.MethodGet, "/sessions", "")), 1)
		require.Equal(t, 404, root.do(http.MethodGet, "/sessions?user_id=x", "").status)
	})
	t.Run("only administrators end those of others, and it acts at once on every replica", func(t *testing.T) {
		require.Equal(t, 404, olga.do(http.MethodDelete, "/sessions/"+one.sessionID(), "").status)
		require.Equal(t, 200, one.do(http.MethodGet, "/session", "").status)
		other := s.browser(t)
		other.url = s.replica(t).url
		other.header.Set("Cookie", adminauth.SessionCookie+"="+one.cookie(adminauth.SessionCookie))
		require.Equal(t, 200, other.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 204, root.do(http.MethodDelete, "/sessions/"+one.sessionID(), "").status)
		require.Equal(t, 401, one.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 401, other.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 404, root.do(http.MethodDelete, "/sessions/"+one.sessionID(), "").status)
	})
	t.Run("one ends one's own others, and keeps the present one", func(t *testing.T) {
		three := s.browser(t)
		require.Equal(t, 200, three.signIn("victor", userPassword).status)
		require.Equal(t, 204, two.do(http.MethodDelete, "/sessions/"+three.sessionID(), "").status)
		require.Equal(t, 401, three.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, three.signIn("victor", userPassword).status)
		require.Equal(t, 204, two.do(http.MethodDelete, "/sessions", "").status)
		require.Equal(t, 401, three.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, two.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, olga.do(http.MethodGet, "/session", "").status)
	})
	t.Run("an administrator ends all of a user", func(t *testing.T) {
		require.Equal(t, 204, root.do(http.MethodDelete, "/sessions?user_id="+id, "").status)
		require.Equal(t, 401, two.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, root.do(http.MethodGet, "/session", "").status)
	})
	t.Run("sessions that are over are not listed", func(t *testing.T) {
		c.move(13 * time.Hour)
		again := s.root(t)
		require.Len(t, sessionsOf(t, again.do(http.MethodGet, "/sessions", "")), 1)
	})
	t.Run("an API key has none, and ends none unless it is an administrator's", func(t *testing.T) {
		again := s.root(t)
		made := again.do(http.MethodPost, "/api-keys", `{"name":"ci","role":"operator"}`)
		program := s.browser(t)
		program.header.Set("Authorization", "Bearer "+made.str(t, "key"))
		require.Empty(t, sessionsOf(t, program.do(http.MethodGet, "/sessions", "")))
		require.Equal(t, 404, program.do(http.MethodDelete, "/sessions/"+again.sessionID(), "").status)
		require.Equal(t, 204, program.do(http.MethodDelete, "/sessions", "").status)
		require.Equal(t, 200, again.do(http.MethodGet, "/session", "").status)
	})
}

// countUpdates counts updates of a table from now on.
func (s *site) countUpdates(t *testing.T, table string) func() int {
	t.Helper()
	_, err := s.db.Exec(t.Context(), `CREATE TABLE updates_of_`+table+` (at timestamptz);
		CREATE FUNCTION count_`+table+`() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO updates_of_`+table+` VALUES (now()); RETURN NEW; END $$;
		CREATE TRIGGER counted BEFORE UPDATE ON `+table+` FOR EACH ROW EXECUTE FUNCTION count_`+table+`()`)
	require.NoError(t, err)
	return func() (n int) {
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT count(*) FROM updates_of_`+table).Scan(&n))
		return n
	}
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	made := root.do(http.MethodPost, "/api-keys", `{"name":"busy","role":"viewer"}`)
	program := s.browser(t)
	program.header.Set("Authorization", "Bearer "+made.str(t, "key"))
	replica := s.replica(t)
	there := replica.browser(t)
	there.header = program.header
	for _, tt := range []struct {
		table string
		who   []*browser
	}{{"api_key", []*browser{program, there}}, {"admin_session", []*browser{root}}} {
		updates := s.countUpdates(t, tt.table)
		for minute := range 3 {
			c.move(61 * time.Second)
			var wg sync.WaitGroup
			for i := range 60 {
				wg.Go(func() {
					if r := tt.who[i%len(tt.who)].do(http.MethodGet, "/session", ""); r.status != 200 {
						t.Error(r.text)
					}
				})
			}
			wg.Wait()
			require.Equal(t, minute+1, updates(), tt.table)
		}
	}
	seen := sessionsOf(t, root.do(http.MethodGet, "/sessions", ""))[0]["last_seen_at"].(string)
	at, err := time.Parse(time.RFC3339, seen)
	require.NoError(t, err)
	require.WithinDuration(t, c.now(), at, time.Minute)
}

func TestADatabaseThatTakesNoWritesStillKnowsWhoCalls(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	made := root.do(http.MethodPost, "/api-keys", `{"name":"reader","role":"viewer"}`)
	program := s.browser(t)
	program.header.Set("Authorization", "Bearer "+made.str(t, "key"))
	_, err := s.db.Exec(t.Context(), `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$;
		CREATE TRIGGER full_disk BEFORE UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION full_disk();
		CREATE TRIGGER full_disk BEFORE UPDATE ON admin_session FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	require.NoError(t, err)
	c.move(2 * time.Minute)
	require.Equal(t, 200, program.do(http.MethodGet, "/session", "").status)
	require.Equal(t, 200, root.do(http.MethodGet, "/session", "").status)
	require.Contains(t, s.log.String(), "last use not noted")
}

func TestCookiesOverHTTPS(t *testing.T) {
	t.Parallel()
	plain, _ := start(t)
	srv := httpserver.New(httpserver.Config{})
	adminauth.New(adminauth.Config{DB: plain.db, Keys: plain.keys, SecureCookie: true}).Install(srv)
	ts := httptest.NewTLSServer(srv.Echo())
	t.Cleanup(ts.Close)
	b := plain.browser(t)
	b.url, b.client.Transport = ts.URL, ts.Client().Transport
	r := b.signIn("root", rootPassword)
	require.Equal(t, 200, r.status, r.text)
	sets := r.header.Values("Set-Cookie")
	require.Len(t, sets, 2)
	require.True(t, strings.HasPrefix(sets[0], "__Host-wxsteward_session="), sets[0])
	for _, set := range sets {
		require.Contains(t, set, "; Secure")
		require.Contains(t, set, "; SameSite=Strict")
		require.Contains(t, set, "; Path=/;")
		require.NotContains(t, set, "Domain")
	}
	require.Equal(t, 200, b.do(http.MethodGet, "/session", "").status)

	planted := plain.browser(t) // by a page of another host of the same domain, which cannot set the real name
	planted.url, planted.client.Transport = b.url, b.client.Transport
	planted.header.Set("Cookie", adminauth.SessionCookie+"="+b.cookie(adminauth.HostSessionCookie))
	require.Equal(t, 401, planted.do(http.MethodGet, "/session", "").status)
	require.Equal(t, 204, b.do(http.MethodDelete, "/session", "").status)
	require.Empty(t, b.cookie(adminauth.HostSessionCookie))
}
