package adminauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//nolint:tparallel // its parts build on each other
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	root := s.root(t)
	made := root.do(http.MethodPost, "/api-keys", `{"name":"ci","role":"operator","expires_at":"`+
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	require.Equal(t, 201, made.status, made.text)
	key := made.str(t, "key")
	require.Regexp(t, `^wxs_[A-Za-z0-9_-]{43}$`, key)

	program := s.browser(t)
	program.header.Set("Authorization", "Bearer "+key)
	require.Equal(t, 200, program.do(http.MethodPost, "/things", `{"name":"a"}`).status, "no CSRF token is needed")
	who := program.do(http.MethodGet, "/session", "")
	require.Equal(t, map[string]any{"id": "key:" + made.str(t, "id"), "username": "key:ci", "role": "operator"}, who.body["user"])
	require.Equal(t, 403, program.do(http.MethodGet, "/users", "").status)
	require.Equal(t, 403, program.do(http.MethodDelete, "/session", "").status)
	require.Equal(t, 403, program.do(http.MethodPost, "/session/password", `{"current_password":"x","new_password":"0123456789"}`).status)

	list := root.do(http.MethodGet, "/api-keys", "")
	require.NotContains(t, list.text, key)
	item := list.body["items"].([]any)[0].(map[string]any)
	require.NotEmpty(t, item["last_used_at"])
	require.Equal(t, key[:8], item["prefix"], "enough to tell keys apart")
	require.InDelta(t, 1, list.body["total"], 0)

	t.Run("a wrong key is refused even next to a good session", func(t *testing.T) {
		b := s.root(t)
		for _, header := range []string{"Bearer wxs_wrong", "Bearer x", "Basic cm9vdA==", "Bearer "} {
			b.header.Set("Authorization", header)
			require.Equal(t, 401, b.do(http.MethodGet, "/session", "").status, header)
		}
	})
	t.Run("a key must not have expired when it is made", func(t *testing.T) {
		require.Equal(t, 422, root.do(http.MethodPost, "/api-keys", `{"name":"x","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`).status)
	})
	t.Run("expiry acts at once", func(t *testing.T) {
		c.move(2 * time.Hour)
		require.Equal(t, 401, program.do(http.MethodGet, "/session", "").status)
		c.move(-2 * time.Hour)
		require.Equal(t, 200, program.do(http.MethodGet, "/session", "").status)
	})
	t.Run("deletion acts at once", func(t *testing.T) {
		require.Equal(t, 204, root.do(http.MethodDelete, "/api-keys/"+made.str(t, "id"), "").status)
		require.Equal(t, 401, program.do(http.MethodGet, "/session", "").status)
		require.Equal(t, 404, root.do(http.MethodDelete, "/api-keys/"+made.str(t, "id"), "").status)
	})
	t.Run("a key without an end says null", func(t *testing.T) {
		r := root.do(http.MethodPost, "/api-keys", `{"name":"forever","role":"viewer","expires_at":null}`)
		require.Equal(t, 201, r.status, r.text)
		require.Nil(t, r.body["expires_at"])
	})
	t.Run("neither table nor log holds the key", func(t *testing.T) {
		var text string
		require.NoError(t, s.db.QueryRow(t.Context(), `SELECT string_agg(api_key::text, '|') FROM api_key`).Scan(&text))
		require.NotContains(t, text, key)
		require.NotContains(t, s.log.String(), key)
	})
}
