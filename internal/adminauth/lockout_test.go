package adminauth_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tries signs in n times at once, by turns on each site, and counts the answers.
func tries(t *testing.T, n int, username, password string, sites ...*site) map[int]int {
	t.Helper()
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for i := range n {
		b := sites[i%len(sites)].browser(t)
		wg.Go(func() {
			r := b.signIn(username, password)
			mu.Lock()
			defer mu.Unlock()
			got[r.status]++
		})
	}
	wg.Wait()
	return got
}

func TestLockOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, username string }{
		{"two hundred wrong tries at once over two replicas get ten compared", "root"},
		{"and so they do for a user who does not exist", "nobody"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := start(t)
			running := s.root(t)
			got := tries(t, 200, tt.username, "wrong-wrong-wrong", s, s.replica(t))
			require.Equal(t, map[int]int{401: 10, 429: 190}, got)

			r := s.browser(t).signIn("root", rootPassword)
			require.Equal(t, 429, r.status, "the right password is refused, too")
			require.Equal(t, "too_many_requests", r.code())
			after, err := strconv.Atoi(r.header.Get("Retry-After"))
			require.NoError(t, err)
			require.InDelta(t, 15*60, after, 60)
			require.Equal(t, 200, running.do(http.MethodGet, "/session", "").status, "running sessions stay")

			c.move(time.Duration(after+1) * time.Second)
			require.Equal(t, 200, s.browser(t).signIn("root", rootPassword).status)
		})
	}
	t.Run("right passwords are not counted", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		for range 12 {
			require.Equal(t, 200, s.browser(t).signIn("root", rootPassword).status)
		}
	})
	t.Run("the case of the name makes no difference", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		for i := range 10 {
			name := "root"
			if i%2 == 0 {
				name = "ROOT"
			}
			require.Equal(t, 401, s.browser(t).signIn(name, "wrong-wrong-wrong").status)
		}
		_, err := s.db.Exec(t.Context(), `DELETE FROM login_attempt WHERE subject LIKE 'ip:%'`)
		require.NoError(t, err)
		require.Equal(t, 429, s.browser(t).signIn("Root", rootPassword).status)
	})
	t.Run("an address that tries many names is locked out", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		for i := range 10 {
			require.Equal(t, 401, s.browser(t).signIn("user"+strconv.Itoa(i), "wrong-wrong-wrong").status)
		}
		require.Equal(t, 429, s.browser(t).signIn("root", rootPassword).status)
	})
	t.Run("guessing the current password of an open session is limited, too", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		b := s.root(t)
		body := `{"current_password":"wrong-wrong-wrong","new_password":"a new password"}`
		for range 10 {
			require.Equal(t, 422, b.do(http.MethodPost, "/session/password", body).status)
		}
		require.Equal(t, 429, b.do(http.MethodPost, "/session/password", body).status)
	})
	t.Run("a password set at the console lifts the lock-out of the name", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		tries(t, 10, "root", "wrong-wrong-wrong", s)
		require.NoError(t, s.SetPassword(t.Context(), "root", "a new password", false))
		_, err := s.db.Exec(t.Context(), `DELETE FROM login_attempt WHERE subject LIKE 'ip:%'`)
		require.NoError(t, err)
		require.Equal(t, 200, s.browser(t).signIn("root", "a new password").status)
	})
}

func TestUnknownUserTakesAsLongAsWrongPassword(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	b := s.browser(t)
	took := func(username string) time.Duration {
		began := time.Now()
		require.Equal(t, 401, b.signIn(username, "wrong-wrong-wrong").status)
		return time.Since(began)
	}
	known, unknown := time.Hour, time.Hour
	for range 5 { // by turns, so that both meet the same load
		known, unknown = min(known, took("root")), min(unknown, took("nobody"))
	}
	require.Greater(t, unknown, known/3, "an unknown name must be hashed for as well")
}

func TestOddNamesAreOnlyWrong(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	for _, name := range []string{`a\u0000b`, `\ud800`, "' OR 1=1 --", "İ", strings.Repeat("名", 64)} {
		r := s.browser(t).do(http.MethodPost, "/session", `{"username":"`+name+`","password":"x"}`)
		require.Equal(t, 401, r.status, r.text)
	}
}
