package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReturnToTwoReplicas: a merchant withdraws and comes back, time and again. As soon as one of two processes knows, both
// refuse, and both work: with one new token that WeChat takes.
func TestReturnToTwoReplicas(t *testing.T) {
	t.Parallel()
	const appid = "wxshop00000000001"
	w := newWorld(t, nil)
	w.addMerchant(appid, nil)
	w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, []string{appid})

	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	w.spawn("serve")
	w.waitReady()
	other := newOperator(t, w.base)
	other.signIn()
	replicas := []*operator{o, other}

	token := func(at *operator) (int, string) {
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		status, err := at.try(t.Context(), http.MethodGet, "/authorizers/"+appid+"/access-token", nil, nil)
		require.NoError(t, err)
		if status == http.StatusOK {
			at.call(http.MethodGet, "/authorizers/"+appid+"/access-token", nil, &answer)
		}
		return status, answer.AccessToken
	}
	works := func(at *operator) { // a call for the merchant that WeChat answers
		at.call(http.MethodGet, "/authorizers/"+appid+"/versions", nil, nil)
	}
	last, before := "", int64(0)
	for round := range 4 {
		knows, asked := replicas[round%2], replicas[(round+1)%2]
		for _, at := range replicas { // both have had the token in their hands
			status, now := token(at)
			require.Equal(t, http.StatusOK, status)
			require.NotEqual(t, last, now)
			works(at)
		}
		_, last = token(knows)

		// Two withdrawals within one second are one and the same message, to us as to WeChat.
		eventually(t, "the next second", func() (bool, string) { return time.Now().Unix() > before, "" })
		before = time.Now().Unix()
		require.NoError(t, w.fake.Revoke(appid))
		eventually(t, fmt.Sprintf("one replica knows, round %d", round), func() (bool, string) {
			var m struct{ Status string }
			knows.call(http.MethodGet, "/authorizers/"+appid, nil, &m)
			return m.Status == "unauthorized", m.Status
		})
		for _, at := range []*operator{asked, knows} {
			status, _ := token(at)
			require.Equal(t, http.StatusConflict, status, "at once, on both")
		}

		var link linkAnswer
		asked.call(http.MethodPost, "/authorization-links", map[string]any{"biz_id": fmt.Sprint("back-", round), "kind": "miniprogram"}, &link)
		text, err := newMerchantBrowser(t).consent(link.URL, appid)
		require.NoError(t, err)
		require.Contains(t, plainText(text), "授权成功", "the page says it, so it is so:")
		works(asked)
		works(knows)
		status, first := token(asked)
		require.Equal(t, http.StatusOK, status)
		_, second := token(knows)
		require.Equal(t, first, second)
		require.NotEqual(t, last, first)
	}
	var m struct {
		BizIDs []string `json:"biz_ids"`
	}
	other.call(http.MethodGet, "/authorizers/"+appid, nil, &m)
	require.Equal(t, []string{"biz-" + appid, "back-0", "back-1", "back-2", "back-3"}, m.BizIDs)
}
