package component

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReleaseCheck plays WeChat's check before 全网发布 against the program, encrypted and as 微信云托管.
func TestReleaseCheck(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]func(*Config){"encrypted": nil, "plain": {cloudrun}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, options...)
			relay := &forwarder{relay: func(context.Context, Message) ([]byte, bool) { return []byte("<xml/>"), true }}
			p.Forward(relay)
			p.work(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			results, err := p.wechat.PlayReleaseCheck(ctx)
			require.NoError(t, err)
			assert.Len(t, results, 1+5*4+5*2)
			for _, r := range results {
				assert.Empty(t, r.Problem, "%s of %s", r.Case, r.AppID)
			}
			assert.Zero(t, relay.relays, "no business system hears of a check")
			assert.NotContains(t, p.logs.String(), "queryauthcode@@@")
			assert.Zero(t, p.wechat.Effective("/cgi-bin/component/api_query_auth", "nobody"))
		})
	}
}

func TestCopyOfACheckIsAnsweredToo(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for range 2 {
		status, body := p.push(t, onBiz("wx570bc396a51b8ff8"), textXML("TESTCOMPONENT_MSG_TYPE_TEXT", "1"))
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "<Encrypt>")
	}
	messages, _ := p.stock(t)
	assert.Equal(t, 1, messages)
	_, body := p.push(t, onBiz("wxm1"), textXML("TESTCOMPONENT_MSG_TYPE_TEXT", "1"))
	assert.Equal(t, success, body, "a merchant's user may write what he likes")
}
