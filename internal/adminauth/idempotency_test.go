package adminauth_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//nolint:tparallel // its parts build on each other
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	other, _ := s.addUser(t, root, "olga", "operator")
	create := func(b *browser, key, name string) reply {
		b.header.Set("Idempotency-Key", key)
		return b.do(http.MethodPost, "/things", `{"name":"`+name+`"}`)
	}

	first := create(root, "k1", "a")
	require.Equal(t, 200, first.status, first.text)
	again := create(root, "k1", "a")
	require.Equal(t, first.text, again.text)
	require.Equal(t, 200, again.status)
	require.Equal(t, "application/json", again.header.Get("Content-Type"))
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.EqualValues(t, 1, s.calls.Load())

	t.Run("another replica gives the same answer", func(t *testing.T) {
		r := s.replica(t)
		b := s.browser(t)
		b.url, b.client = r.url, root.client
		b.header.Set("Cookie", "wxsteward_session="+root.cookie("wxsteward_session")+"; csrf="+root.cookie("csrf"))
		b.header.Set("X-CSRF-Token", root.cookie("csrf"))
		b.noCSRF = true
		got := create(b, "k1", "a")
		require.Equal(t, first.text, got.text)
		require.Zero(t, r.calls.Load())
	})
	t.Run("another body with the same key is a conflict", func(t *testing.T) {
		r := create(root, "k1", "b")
		require.Equal(t, 409, r.status)
		require.Equal(t, "conflict", r.code())
	})
	t.Run("another user's key is another key", func(t *testing.T) {
		require.NotEqual(t, first.text, create(other, "k1", "a").text)
	})
	t.Run("a key is free again after a day", func(t *testing.T) {
		c.move(25 * time.Hour)
		b := s.root(t)
		require.NotEqual(t, first.text, create(b, "k1", "a").text)
		c.move(-25 * time.Hour)
	})
	t.Run("a call that failed may be repeated", func(t *testing.T) {
		for _, name := range []string{"fail", "panic"} {
			before := s.calls.Load()
			require.Equal(t, 500, create(root, "k-"+name, name).status)
			require.Equal(t, 500, create(root, "k-"+name, name).status)
			require.Equal(t, before+2, s.calls.Load())
		}
		require.Equal(t, 422, root.do(http.MethodPost, "/things", `{}`).status)
	})
	t.Run("a second call while the first runs is a conflict", func(t *testing.T) {
		before := s.calls.Load()
		var wg sync.WaitGroup
		var one reply
		wg.Go(func() { one = create(s.root(t), "k-wait", "wait") })
		require.Eventually(t, func() bool { return s.calls.Load() == before+1 }, 10*time.Second, time.Millisecond)
		require.Equal(t, 409, create(root, "k-wait", "wait").status)
		close(s.hold)
		wg.Wait()
		require.Equal(t, 200, one.status)
		require.Equal(t, one.text, create(root, "k-wait", "wait").text)
		require.Equal(t, before+1, s.calls.Load())
	})
	t.Run("twenty at once are one call", func(t *testing.T) {
		before := s.calls.Load()
		var wg sync.WaitGroup
		for range 20 {
			b := &browser{t: t, url: s.url, client: root.client, header: root.header.Clone()}
			b.header.Set("Idempotency-Key", "k-many")
			wg.Go(func() { b.do(http.MethodPost, "/things", `{"name":"many"}`) })
		}
		wg.Wait()
		require.Equal(t, before+1, s.calls.Load())
	})
	t.Run("a key that is too long is refused", func(t *testing.T) {
		require.Equal(t, 422, create(root, strings.Repeat("k", 201), "a").status)
	})
	t.Run("the answer is not stored in clear", func(t *testing.T) {
		root.header.Set("Idempotency-Key", "k-key")
		body := `{"name":"secret","role":"viewer"}`
		made := root.do(http.MethodPost, "/api-keys", body)
		require.Equal(t, made.text, root.do(http.MethodPost, "/api-keys", body).text)
		var text string
		require.NoError(t, s.db.QueryRow(t.Context(),
			`SELECT string_agg(encode(response, 'escape'), '|') FROM idempotency_key`).Scan(&text))
		require.NotContains(t, text, made.str(t, "key"))
	})
}

// A call that died with its process is one whose row has no answer; the process is played by the table.
//
//nolint:tparallel // its parts build on each other
func TestIdempotencyKeyOfACallThatDied(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	call := func(path, name string) reply {
		root.header.Set("Idempotency-Key", "k-"+name)
		return root.do(http.MethodPost, path, `{"name":"`+name+`"}`)
	}
	died := func(path, name, keep string) {
		require.Equal(t, 200, call(path, name).status)
		_, err := s.db.Exec(t.Context(), `UPDATE idempotency_key SET `+keep+` WHERE key = $1`, "k-"+name)
		require.NoError(t, err)
	}
	noAnswer := `status = NULL, response = NULL, content_type = ''`

	t.Run("before its transaction is done again, but not at once", func(t *testing.T) {
		died("/atomic", "a", noAnswer)
		before := s.calls.Load()
		require.Equal(t, 409, call("/atomic", "a").status, "it may still run")
		c.move(6 * time.Minute)
		require.Equal(t, 200, call("/atomic", "a").status)
		require.Equal(t, before+1, s.calls.Load())
	})
	t.Run("after its transaction gets the answer stored there", func(t *testing.T) {
		before := s.calls.Load()
		require.Equal(t, 500, call("/atomic", "die").status, "the answer never went out")
		r := call("/atomic", "die")
		require.Equal(t, 200, r.status, r.text)
		require.Equal(t, "die", r.body["name"])
		require.Equal(t, before+1, s.calls.Load())
	})
	t.Run("is not done again when nobody knows how far it came", func(t *testing.T) {
		died("/things", "b", noAnswer)
		before := s.calls.Load()
		c.move(time.Hour)
		require.Equal(t, 409, call("/things", "b").status)
		require.Equal(t, before, s.calls.Load())
	})
}

func TestPurge(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	root.header.Set("Idempotency-Key", "k")
	require.Equal(t, 200, root.do(http.MethodPost, "/things", `{"name":"a"}`).status)
	s.browser(t).signIn("root", "wrong-wrong-wrong")
	count := func() (n int) {
		const q = `SELECT (SELECT count(*) FROM admin_session) + (SELECT count(*) FROM login_attempt) + (SELECT count(*) FROM idempotency_key)`
		require.NoError(t, s.db.QueryRow(t.Context(), q).Scan(&n))
		return n
	}
	require.NoError(t, s.Purge(t.Context()))
	require.Equal(t, 4, count(), "a session, a try under name and address, a key: all still needed")
	c.move(25 * time.Hour)
	require.NoError(t, s.Purge(t.Context()))
	require.Zero(t, count())
}

func TestStreamsHearOfTheEndOfTheirSession(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	root := s.root(t)
	made := root.do(http.MethodPost, "/api-keys", `{"name":"ci","role":"viewer"}`)
	program := s.browser(t)
	program.header.Set("Authorization", "Bearer "+made.str(t, "key"))
	for _, tt := range []struct {
		name string
		who  *browser
		end  func()
	}{
		{"of a key", program, func() { root.do(http.MethodDelete, "/api-keys/"+made.str(t, "id"), "") }},
		{"of a user", root, func() { require.NoError(t, s.SetPassword(t.Context(), "root", rootPassword, false)) }},
	} {
		stillGood := func() bool {
			answer := make(chan bool)
			s.stream <- answer
			return <-answer
		}
		var wg sync.WaitGroup
		wg.Go(func() { tt.who.do(http.MethodGet, "/stream", "") })
		before := stillGood()
		tt.end()
		after := stillGood()
		wg.Wait()
		require.True(t, before, tt.name)
		require.False(t, after, tt.name)
	}
}
