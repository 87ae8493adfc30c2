package authorize

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// answered is what came back; the body is read.
type answered struct {
	StatusCode int
	Header     http.Header
}

func fetch(tb testing.TB, target string, headers ...string) (answered, map[string]any) {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, target, nil)
	require.NoError(tb, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	text, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	out := map[string]any{}
	if len(text) > 0 {
		require.NoError(tb, json.Unmarshal(text, &out), string(text))
	}
	return answered{resp.StatusCode, resp.Header}, out
}

// TestColdTokenIsFetchedOnce: 64 callers of a token that has to be refreshed, over the API and the inner route of two replicas,
// while WeChat takes a second.
//
//nolint:tparallel // one merchant, one after the other
func TestColdTokenIsFetchedOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxcold00000000001", "b")
	key := e.apiKey()
	one, two := e.replica(t, ""), e.replica(t, "")
	for _, how := range []string{"api", "inner", "both"} {
		t.Run(how, func(t *testing.T) {
			require.NoError(t, e.drop(appid))
			e.wechat.Fake.ClearCalls()
			_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(time.Second)})
			require.NoError(t, err)
			tokens := make([]string, 64)
			var callers sync.WaitGroup
			began := time.Now()
			for i := range tokens {
				callers.Go(func() {
					r := []*replica{one, two}[i%2]
					if how == "inner" || how == "both" && i%4 < 2 {
						resp, got := fetch(t, r.inner+"/inner/authorizer-access-token?appid="+appid)
						if assert.Equal(t, http.StatusOK, resp.StatusCode) && assert.EqualValues(t, 0, got["code"], got) {
							tokens[i], _ = got["data"].(map[string]any)["token"].(string)
						}
						return
					}
					resp, got := fetch(t, r.url+"/api/v1/authorizers/"+appid+"/access-token", "Authorization", "Bearer "+key)
					assert.Equal(t, http.StatusOK, resp.StatusCode, got)
					tokens[i], _ = got["access_token"].(string)
				})
			}
			callers.Wait()
			t.Logf("64 callers took %s", time.Since(began).Round(time.Millisecond))
			for _, token := range tokens {
				require.NotEmpty(t, token)
				require.Equal(t, tokens[0], token)
			}
			require.Len(t, e.wechat.Fake.Calls(pathToken), 1, "upstream")
		})
	}
}

// TestClientsMayCacheTokens: private, not longer than the token is good, and a question by ETag costs no body.
//
//nolint:tparallel // one merchant, one after the other
func TestClientsMayCacheTokens(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxcache0000000001", "b")
	r, key := e.replica(t, ""), "Bearer "+e.apiKey()
	e.stop()
	for name, target := range map[string]string{
		"api":   r.url + "/api/v1/authorizers/" + appid + "/access-token",
		"inner": r.inner + "/inner/authorizer-access-token?appid=" + appid,
	} {
		t.Run(name, func(t *testing.T) {
			resp, _ := fetch(t, target, "Authorization", key)
			require.Equal(t, "private, max-age=300, must-revalidate", resp.Header.Get("Cache-Control"))
			expires, err := http.ParseTime(resp.Header.Get("Expires"))
			require.NoError(t, err)
			require.WithinDuration(t, e.Now().Add(5*time.Minute), expires, 10*time.Second)
			tag := resp.Header.Get("ETag")
			require.NotEmpty(t, tag)
			resp, body := fetch(t, target, "Authorization", key, "If-None-Match", tag)
			require.Equal(t, http.StatusNotModified, resp.StatusCode)
			require.Empty(t, body)
			require.NoError(t, e.drop(appid))
			resp, _ = fetch(t, target, "Authorization", key, "If-None-Match", tag)
			require.Equal(t, http.StatusOK, resp.StatusCode, "another token")
			require.NotEqual(t, tag, resp.Header.Get("ETag"))

			// Near its end a copy may be kept only as long as the token is good for five minutes after it.
			_, err = e.pool.Exec(t.Context(), `UPDATE token SET expires_at = $2::timestamptz, obtained_at = $2::timestamptz - interval '2 hours' WHERE key = $1`,
				tokenKey(appid), e.Now().Add(7*time.Minute))
			require.NoError(t, err)
			resp, _ = fetch(t, target, "Authorization", key)
			require.Regexp(t, `^private, max-age=1[01]\d, must-revalidate$`, resp.Header.Get("Cache-Control"))
			require.NoError(t, e.drop(appid))
		})
	}
	t.Run("a browser keeps nothing on its disk", func(t *testing.T) {
		status, _ := e.api(http.MethodGet, "/session", nil)
		require.Equal(t, http.StatusOK, status)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/api/v1/authorizers/"+appid+"/access-token", nil)
		require.NoError(t, err)
		resp, err := e.signedIn.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	})
	t.Run("no token for who has withdrawn", func(t *testing.T) {
		_, err := e.pool.Exec(t.Context(), `UPDATE authorizer SET status = 'unauthorized' WHERE appid = $1`, appid)
		require.NoError(t, err)
		resp, problem := fetch(t, r.url+"/api/v1/authorizers/"+appid+"/access-token", "Authorization", key)
		require.Equal(t, http.StatusConflict, resp.StatusCode)
		require.Equal(t, "unauthorized", problem["code"])
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	})
}

// TestRefusedTokensSayWhenToComeBack: a clear problem, Retry-After, and WeChat is left alone while a quota is used up.
//
//nolint:tparallel // one merchant, one after the other
func TestRefusedTokensSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.have("wxrefuse000000001", "b")
	r, key := e.replica(t, ""), "Bearer "+e.apiKey()
	e.stop()
	for _, c := range []struct {
		code     int
		from, to int // seconds
		calls    int // for three questions
	}{
		{61004, 60, 60, 3},
		{-1, 5, 5, 3},
		{45011, 1, 60, 1},
		{45009, 1, 24 * 3600, 1},
	} {
		t.Run(strconv.Itoa(c.code), func(t *testing.T) {
			require.NoError(t, e.drop(appid))
			e.wechat.Fake.ClearCalls()
			e.wechat.Fake.ClearFaults()
			_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultErrcode, Code: c.code, Times: -1})
			require.NoError(t, err)
			soon := func(h http.Header) {
				seconds, err := strconv.Atoi(h.Get("Retry-After"))
				require.NoError(t, err)
				require.GreaterOrEqual(t, seconds, c.from)
				require.LessOrEqual(t, seconds, c.to)
			}
			for range 2 {
				resp, problem := fetch(t, r.url+"/api/v1/authorizers/"+appid+"/access-token", "Authorization", key)
				require.Equal(t, http.StatusBadGateway, resp.StatusCode, problem)
				soon(resp.Header)
				refusal := problem["wechat"].(map[string]any)
				require.EqualValues(t, c.code, refusal["errcode"])
				require.NotEmpty(t, refusal["hint"])
				require.NotEmpty(t, refusal["rid"])
			}
			resp, failure := fetch(t, r.inner+"/inner/authorizer-access-token?appid="+appid)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.EqualValues(t, c.code, failure["code"])
			require.NotEmpty(t, failure["errorMsg"])
			soon(resp.Header)
			require.Len(t, e.wechat.Fake.Calls(pathToken), c.calls)
			e.wechat.Fake.ClearFaults()
			e.ahead.Add(int64(quotaHold + time.Second))
			_, err = r.Token(t.Context(), appid)
			require.NoError(t, err, "the quota may have been reset")
		})
	}
	t.Run("ids with control characters", func(t *testing.T) {
		for _, id := range []string{"wx%00", "wx%0a1", "%ff"} {
			resp, failure := fetch(t, r.inner+"/inner/authorizer-access-token?appid="+id)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.NotZero(t, failure["code"])
			resp, _ = fetch(t, r.url+"/api/v1/authorizers/"+id+"/access-token", "Authorization", key)
			require.Equal(t, http.StatusNotFound, resp.StatusCode, id)
		}
	})
}

// TestTokensInUseAreRefreshedAhead: merchants asked for lately never wait, the others cost nothing.
func TestTokensInUseAreRefreshedAhead(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	used, idle, gone := e.have("wxahead0000000001", "b"), e.have("wxahead0000000002", "b"), e.have("wxahead0000000003", "b")
	e.stop()
	for _, appid := range []string{used, gone} {
		_, err := e.Token(t.Context(), appid)
		require.NoError(t, err)
	}
	_, err := e.pool.Exec(t.Context(), `DELETE FROM token_use WHERE key = $1; `, tokenKey(idle))
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `UPDATE authorizer SET status = 'unauthorized' WHERE appid = $1`, gone)
	require.NoError(t, err)
	ahead := func() (appids []string) {
		e.wechat.Fake.ClearCalls()
		require.NoError(t, e.keepTokensFresh(t.Context()))
		for _, c := range e.wechat.Fake.Calls(pathToken) {
			appids = append(appids, c.AppID)
		}
		return appids
	}
	require.Empty(t, ahead(), "all are good")
	e.ahead.Add(int64(106 * time.Minute))
	e.wechat.Fake.PushTicket()
	require.Len(t, ahead(), 1)
	e.wechat.Fake.ClearCalls()
	_, err = e.Token(t.Context(), used)
	require.NoError(t, err)
	require.Empty(t, e.wechat.Fake.Calls(pathToken), "nobody waits")
	require.Empty(t, ahead())

	e.ahead.Add(int64(4 * 24 * time.Hour))
	require.Empty(t, ahead(), "nobody has asked for days")

	// WeChat in trouble: a round ends after some failures, the next begins anew.
	for i := range 40 {
		appid := e.merchant("wxahead1" + strconv.Itoa(100000000+i))
		_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer (appid, status) VALUES ($1, 'authorized')`, appid)
		require.NoError(t, err)
		_, err = e.pool.Exec(t.Context(), `INSERT INTO token (key, refresh_token) SELECT $1, refresh_token FROM token WHERE key = $2`, tokenKey(appid), tokenKey(used))
		require.NoError(t, err)
		require.NoError(t, e.tokens.Used(t.Context(), tokenKey(appid)))
	}
	require.Error(t, e.keepTokensFresh(t.Context()), "refresh tokens sealed for another key cannot be opened")
}

// TestOthersAreRefreshedAheadBesideLastingRefusals: merchants that WeChat gives no token, and whose tokens end first, do not keep the
// others from their turn.
func TestOthersAreRefreshedAheadBesideLastingRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var frozen []string
	for i := range tokensStreak {
		frozen = append(frozen, e.have("wxfrozen"+strconv.Itoa(100000000+i), "b"))
	}
	well := e.have("wxahead0000000009", "b")
	e.stop()
	for _, appid := range append(slices.Clone(frozen), well) {
		_, err := e.Token(t.Context(), appid)
		require.NoError(t, err)
	}
	_, err := e.pool.Exec(t.Context(), `UPDATE token SET expires_at = expires_at - interval '1 minute' WHERE key <> $1`, tokenKey(well))
	require.NoError(t, err)
	e.ahead.Add(int64(3 * time.Hour)) // none of the tokens is good any more
	e.wechat.Fake.PushTicket()
	_, err = e.wechat.Fake.FailNext(wechatfake.Fault{Path: pathToken, Mode: wechatfake.FaultErrcode, Code: 50002, Times: len(frozen)})
	require.NoError(t, err)
	e.wechat.Fake.ClearCalls()
	require.Error(t, e.keepTokensFresh(t.Context()), "ten in a row")
	require.NoError(t, e.keepTokensFresh(t.Context()))
	calls := e.wechat.Fake.Calls(pathToken)
	require.Len(t, calls, len(frozen)+1)
	require.Contains(t, calls[len(frozen)].Body, well)
}
