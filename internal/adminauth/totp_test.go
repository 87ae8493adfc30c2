package adminauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// app is somebody's authenticator.
type app struct {
	t      *testing.T
	secret string
	now    func() time.Time
}

func (a app) codeAt(at time.Time) string {
	a.t.Helper()
	code, err := totp.GenerateCode(a.secret, at)
	require.NoError(a.t, err)
	return code
}

func (a app) code() string { a.t.Helper(); return a.codeAt(a.now()) }

// wrong is a code that is wrong now and for some time.
func (a app) wrong() string {
	a.t.Helper()
	good := map[string]bool{}
	for step := -20; step <= 60; step++ {
		good[a.codeAt(a.now().Add(time.Duration(step)*30*time.Second))] = true
	}
	for _, code := range []string{"000000", "111111", "222222"} {
		if !good[code] {
			return code
		}
	}
	a.t.Fatal("all are good")
	return ""
}

func texts(t *testing.T, list any) []string {
	t.Helper()
	items, ok := list.([]any)
	require.True(t, ok, "%v", list)
	out := make([]string, len(items))
	for i, item := range items {
		out[i], ok = item.(string)
		require.True(t, ok)
	}
	return out
}

// enrol sets up a second factor for whoever is signed in. Afterwards the clock is moved, so that the app has a fresh code.
func (b *browser) enrol(c *clock) (app, []string) {
	b.t.Helper()
	begun := b.do(http.MethodPost, "/session/totp", "{}")
	require.Equal(b.t, 200, begun.status, begun.text)
	a := app{b.t, begun.str(b.t, "secret"), c.now}
	done := b.do(http.MethodPost, "/session/totp/confirm", `{"code":"`+a.code()+`"}`)
	require.Equal(b.t, 200, done.status, done.text)
	c.move(time.Minute)
	return a, texts(b.t, done.body["recovery_codes"])
}

func (b *browser) signInWith(username, password, code string) reply {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": password, "code": code})
	require.NoError(b.t, err)
	return b.do(http.MethodPost, "/session", string(body))
}

//nolint:tparallel // its parts build on each other
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root, elsewhere := s.root(t), s.root(t)
	replica := s.replica(t)

	state := root.do(http.MethodGet, "/session/totp", "")
	require.Equal(t, map[string]any{"enabled": false, "enabled_at": nil, "recovery_codes_left": float64(0)}, state.body)
	require.Equal(t, 409, root.do(http.MethodPost, "/session/totp/confirm", `{"code":"123456"}`).status, "nothing was begun")

	begun := root.do(http.MethodPost, "/session/totp", "{}")
	require.Equal(t, 200, begun.status, begun.text)
	a := app{t, begun.str(t, "secret"), c.now}
	require.Contains(t, begun.str(t, "otpauth_url"), "otpauth://totp/wxsteward:root?")
	require.Contains(t, begun.str(t, "otpauth_url"), "secret="+a.secret)
	picture, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(begun.str(t, "qr"), "data:image/png;base64,"))
	require.NoError(t, err)
	drawn, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	r, _, _, _ := drawn.At(0, 0).RGBA()
	require.EqualValues(t, 0xffff, r, "white around it")

	require.Equal(t, 200, s.browser(t).signIn("root", rootPassword).status, "it is not on before it is confirmed")
	require.Equal(t, 422, root.do(http.MethodPost, "/session/totp/confirm", `{"code":"`+a.wrong()+`"}`).status)
	used := a.code()
	done := root.do(http.MethodPost, "/session/totp/confirm", `{"code":"`+used+`"}`)
	require.Equal(t, 200, done.status, done.text)
	recovery := texts(t, done.body["recovery_codes"])
	require.Len(t, recovery, 10)
	for _, code := range recovery {
		require.Regexp(t, `^([a-z2-9]{4}-){3}[a-z2-9]{4}$`, code)
	}

	t.Run("sessions opened without it end, but for the one that turned it on", func(t *testing.T) {
		require.Equal(t, 401, elsewhere.do(http.MethodGet, "/session", "").status)
		r := root.do(http.MethodGet, "/session", "")
		require.Equal(t, 200, r.status)
		require.Equal(t, true, r.body["totp"])
		require.Equal(t, false, r.body["totp_setup_required"])
	})
	t.Run("is not replaced by a second set-up", func(t *testing.T) {
		require.Equal(t, 409, root.do(http.MethodPost, "/session/totp", "{}").status)
		require.Equal(t, 409, root.do(http.MethodPost, "/session/totp/confirm", `{"code":"`+a.code()+`"}`).status)
	})
	t.Run("without a code the right password is not enough, and says so", func(t *testing.T) {
		b := s.browser(t)
		r := b.signIn("root", rootPassword)
		require.Equal(t, 401, r.status)
		require.Equal(t, "totp_required", r.code())
		require.Empty(t, b.cookie("csrf"))
		r = b.signIn("root", "wrong-wrong-wrong")
		require.Equal(t, "unauthenticated", r.code(), "a wrong password does not tell that there is a second factor")
		r = b.signInWith("root", "wrong-wrong-wrong", a.code())
		require.Equal(t, 401, r.status)
	})
	t.Run("asking without a code is not a wrong try", func(t *testing.T) {
		for range 12 {
			require.Equal(t, "totp_required", s.browser(t).signIn("root", rootPassword).code())
		}
	})
	t.Run("the code that turned it on does not sign in", func(t *testing.T) {
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, used).status)
	})
	t.Run("a code opens one session, on any replica", func(t *testing.T) {
		c.move(time.Minute)
		code := a.code()
		r := s.browser(t).signInWith("root", rootPassword, code[:3]+" "+code[3:]) // as apps show it
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, true, r.body["totp"])
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, code).status)
		require.Equal(t, 401, replica.browser(t).signInWith("root", rootPassword, code).status)
	})
	t.Run("a code from before the last one is refused, too", func(t *testing.T) {
		c.move(time.Minute)
		before := a.code()
		c.move(30 * time.Second)
		require.Equal(t, 200, s.browser(t).signInWith("root", rootPassword, a.code()).status)
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, before).status)
	})
	t.Run("a phone may be half a minute wrong, not more", func(t *testing.T) {
		c.move(16 * time.Minute) // past the window of wrong tries
		for _, tt := range []struct {
			off  time.Duration
			want int
		}{{-60 * time.Second, 401}, {60 * time.Second, 401}, {-30 * time.Second, 200}, {30 * time.Second, 200}} {
			require.Equal(t, tt.want, s.browser(t).signInWith("root", rootPassword, a.codeAt(c.now().Add(tt.off))).status, tt.off)
		}
	})
	t.Run("a recovery code opens one session, on any replica", func(t *testing.T) {
		r := s.browser(t).signInWith("root", rootPassword, strings.ToUpper(strings.ReplaceAll(recovery[0], "-", " ")))
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, 401, replica.browser(t).signInWith("root", rootPassword, recovery[0]).status)
		require.EqualValues(t, 9, root.do(http.MethodGet, "/session/totp", "").body["recovery_codes_left"])
	})
	t.Run("somebody else's codes are wrong", func(t *testing.T) {
		olga, _ := s.addUser(t, root, "olga", "operator")
		other, codes := olga.enrol(c)
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, other.code()).status)
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, codes[0]).status)
		require.Equal(t, 200, s.browser(t).signInWith("olga", userPassword, other.code()).status)
	})
	t.Run("neither tables nor log hold a secret or a code", func(t *testing.T) {
		var text string
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT (SELECT string_agg(admin_user::text, '|') FROM admin_user)
			|| (SELECT string_agg(recovery_code::text, '|') FROM recovery_code)
			|| (SELECT string_agg(audit_log::text, '|') FROM audit_log)
			|| coalesce((SELECT string_agg(idempotency_key::text, '|') FROM idempotency_key), '')`).Scan(&text))
		for _, secret := range append(recovery, a.secret, used) {
			require.NotContains(t, text, secret)
			require.NotContains(t, s.log.String(), secret)
		}
		require.NotContains(t, text, strings.ReplaceAll(recovery[1], "-", ""))
	})
	t.Run("the list of users tells who has one, and when they came last", func(t *testing.T) {
		r := root.do(http.MethodGet, "/users", "")
		first := r.body["items"].([]any)[0].(map[string]any)
		require.Equal(t, true, first["totp"])
		at, err := time.Parse(time.RFC3339, first["last_sign_in_at"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, c.now(), at, 5*time.Minute)
	})
}

func TestCodesCountOnceUnderConcurrency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		code func(a app, recovery []string) string
	}{
		{"a code of the app", func(a app, _ []string) string { return a.code() }},
		{"a recovery code", func(_ app, recovery []string) string { return recovery[0] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := start(t)
			a, recovery := s.root(t).enrol(c)
			code := tt.code(a, recovery)
			// All of them have found the code good before any may use it up.
			tx, err := s.db.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), `LOCK TABLE admin_user IN SHARE MODE`)
			require.NoError(t, err)
			const calls = 8
			var mu sync.Mutex
			got := map[int]int{}
			var wg sync.WaitGroup
			sites := []*site{s, s.replica(t)}
			for i := range calls {
				b := sites[i%2].browser(t)
				wg.Go(func() {
					r := b.signInWith("root", rootPassword, code)
					mu.Lock()
					defer mu.Unlock()
					got[r.status]++
				})
			}
			s.waitLocked(t, calls)
			require.NoError(t, tx.Commit(t.Context()))
			wg.Wait()
			require.Equal(t, map[int]int{200: 1, 401: calls - 1}, got)
		})
	}
}

// waitLocked waits until so many statements wait for a lock.
func (s *site) waitLocked(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := s.db.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting == n
	}, 30*time.Second, 5*time.Millisecond)
}

func TestGuessedCodesAreLimited(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	a, recovery := root.enrol(c)
	wrong := a.wrong()
	sites := []*site{s, s.replica(t)}
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		b := sites[i%2].browser(t)
		wg.Go(func() {
			r := b.signInWith("root", rootPassword, wrong)
			mu.Lock()
			defer mu.Unlock()
			got[r.status]++
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{401: 10, 429: 190}, got)
	require.Equal(t, 429, s.browser(t).signInWith("root", rootPassword, a.code()).status, "the right one is refused, too")
	require.Equal(t, 429, s.browser(t).signInWith("root", rootPassword, recovery[0]).status)
	require.Equal(t, 429, root.do(http.MethodPost, "/session/recovery-codes", `{"code":"`+a.code()+`"}`).status)
	require.Equal(t, 200, root.do(http.MethodGet, "/session", "").status, "running sessions stay")
	c.move(15*time.Minute + time.Second)
	require.Equal(t, 200, s.browser(t).signInWith("root", rootPassword, a.code()).status)
}

func TestTurningOnBetweenPasswordAndSession(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	tx, err := s.db.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE admin_user SET totp_secret = '\x00', totp_at = now()`)
	require.NoError(t, err)
	answer := make(chan reply, 1)
	b := s.browser(t)
	go func() { answer <- b.signIn("root", rootPassword) }() // finds no second factor yet
	s.waitLocked(t, 1)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 401, (<-answer).status)
}

//nolint:tparallel // its parts build on each other
func TestRemovingASecondFactor(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	a, recovery := root.enrol(c)
	olga, olgaID := s.addUser(t, root, "olga", "operator")

	t.Run("takes password and code", func(t *testing.T) {
		r := root.do(http.MethodDelete, "/session/totp", `{"password":"wrong-wrong-wrong","code":"`+a.code()+`"}`)
		require.Equal(t, 422, r.status)
		require.Contains(t, r.text, "body.password")
		r = root.do(http.MethodDelete, "/session/totp", `{"password":"`+rootPassword+`","code":"`+a.wrong()+`"}`)
		require.Equal(t, 422, r.status)
		require.Contains(t, r.text, "body.code")
		require.Equal(t, 422, root.do(http.MethodDelete, "/session/totp", `{"password":"`+rootPassword+`"}`).status)
		require.Equal(t, "totp_required", s.browser(t).signIn("root", rootPassword).code())
	})
	t.Run("new recovery codes take a code and end the old ones", func(t *testing.T) {
		require.Equal(t, 422, root.do(http.MethodPost, "/session/recovery-codes", `{"code":"`+a.wrong()+`"}`).status)
		r := root.do(http.MethodPost, "/session/recovery-codes", `{"code":"`+a.code()+`"}`)
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, 401, s.browser(t).signInWith("root", rootPassword, recovery[0]).status)
		recovery = texts(t, r.body["recovery_codes"])
		require.Equal(t, 200, s.browser(t).signInWith("root", rootPassword, recovery[0]).status)
		c.move(time.Minute)
	})
	t.Run("a recovery code will do, and other sessions end", func(t *testing.T) {
		other := s.browser(t)
		require.Equal(t, 200, other.signInWith("root", rootPassword, a.code()).status)
		r := root.do(http.MethodDelete, "/session/totp", `{"password":"`+rootPassword+`","code":"`+recovery[1]+`"}`)
		require.Equal(t, 204, r.status, r.text)
		require.Equal(t, 401, other.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, root.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, s.browser(t).signIn("root", rootPassword).status)
		require.Equal(t, 409, root.do(http.MethodDelete, "/session/totp", `{"password":"`+rootPassword+`","code":"123456"}`).status)
		require.Equal(t, 409, root.do(http.MethodPost, "/session/recovery-codes", `{"code":"123456"}`).status)
	})
	t.Run("an administrator helps somebody else, whose sessions end", func(t *testing.T) {
		_, codes := olga.enrol(c)
		require.Equal(t, 403, olga.do(http.MethodDelete, "/users/1/totp", "").status)
		require.Equal(t, 204, root.do(http.MethodDelete, "/users/"+olgaID+"/totp", "").status)
		require.Equal(t, 401, olga.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 200, s.browser(t).signIn("olga", userPassword).status)
		require.Equal(t, 401, s.browser(t).signInWith("olga", "wrong-wrong-wrong", codes[0]).status)
		require.Equal(t, 404, root.do(http.MethodDelete, "/users/999/totp", "").status)
		require.Equal(t, 409, root.do(http.MethodDelete, "/users/1/totp", "").status, "one's own takes password and code")
	})
	t.Run("at the console it goes only when asked for", func(t *testing.T) {
		root.enrol(c)
		require.NoError(t, s.SetPassword(t.Context(), "root", rootPassword, false))
		require.Equal(t, "totp_required", s.browser(t).signIn("root", rootPassword).code())
		require.NoError(t, s.SetPassword(t.Context(), "root", rootPassword, true))
		require.Equal(t, 200, s.browser(t).signIn("root", rootPassword).status)
		var left int
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT count(*) FROM recovery_code`).Scan(&left))
		require.Zero(t, left)
	})
}

//nolint:tparallel // its parts build on each other
func TestSecondFactorRequiredBySetting(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	olga, _ := s.addUser(t, root, "olga", "operator")
	made := root.do(http.MethodPost, "/api-keys", `{"name":"ci","role":"operator"}`)
	program := s.browser(t)
	program.header.Set("Authorization", "Bearer "+made.str(t, "key"))

	r := root.do(http.MethodGet, "/security", "")
	require.Equal(t, map[string]any{"require_totp": false, "audit_retention_days": float64(365)}, r.body)
	require.Equal(t, 403, olga.do(http.MethodPatch, "/security", `{"require_totp":true}`).status)
	r = root.do(http.MethodPatch, "/security", `{"require_totp":true}`)
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, true, r.body["require_totp"])

	t.Run("who lacks it may only set it up, from the next call on", func(t *testing.T) {
		for _, b := range []*browser{root, olga} {
			for path, method := range map[string]string{"/things": http.MethodPost, "/secret/1": http.MethodGet, "/sessions": http.MethodGet} {
				r := b.do(method, path, `{"name":"a"}`)
				require.Equal(t, 403, r.status, path)
				require.Equal(t, "totp_setup_required", r.code())
			}
			require.Equal(t, true, b.do(http.MethodGet, "/session", "").body["totp_setup_required"])
		}
		require.Equal(t, 403, root.do(http.MethodPatch, "/security", `{"require_totp":false}`).status)
		fresh := s.browser(t)
		r := fresh.signIn("olga", userPassword)
		require.Equal(t, 200, r.status)
		require.Equal(t, true, r.body["totp_setup_required"])
		require.Equal(t, 403, fresh.do(http.MethodPost, "/things", `{"name":"a"}`).status)
		require.Equal(t, 204, fresh.do(http.MethodDelete, "/session", "").status)
	})
	t.Run("an open stream ends", func(t *testing.T) {
		answer := make(chan bool)
		done := make(chan int)
		_, err := s.db.Exec(t.Context(), `UPDATE setting SET value = 'false' WHERE key = 'require_totp'`)
		require.NoError(t, err)
		go func() { done <- olga.do(http.MethodGet, "/stream", "").status }()
		s.stream <- answer
		require.True(t, <-answer)
		_, err = s.db.Exec(t.Context(), `UPDATE setting SET value = 'true' WHERE key = 'require_totp'`)
		require.NoError(t, err)
		s.stream <- answer
		require.False(t, <-answer)
		<-done
	})
	t.Run("programs with a key go on", func(t *testing.T) {
		require.Equal(t, 200, program.do(http.MethodPost, "/things", `{"name":"a"}`).status)
		for _, path := range []string{"/session/totp", "/session/totp/confirm", "/session/recovery-codes"} {
			require.Equal(t, 403, program.do(http.MethodPost, path, `{"code":"123456"}`).status, path)
		}
	})
	t.Run("who has set it up goes on", func(t *testing.T) {
		olga.enrol(c)
		require.Equal(t, 200, olga.do(http.MethodPost, "/things", `{"name":"a"}`).status)
		require.Equal(t, false, olga.do(http.MethodGet, "/session", "").body["totp_setup_required"])
	})
}
