package component

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

const (
	componentTokenPath = "/cgi-bin/component/api_component_token" //nolint:gosec // a path
	preAuthCodePath    = "/cgi-bin/component/api_create_preauthcode"
)

// ticketed is a platform that WeChat has pushed a ticket to.
func ticketed(t *testing.T) *platform {
	t.Helper()
	p := newPlatform(t)
	p.wechat.PushTicket()
	p.takePushes(t)
	return p
}

// takePushes waits for the fake's pushes and handles them.
func (p *platform) takePushes(t *testing.T) {
	t.Helper()
	eventually(t, "pushes are delivered", func() bool {
		for _, push := range p.wechat.Pushes() {
			if push.State != wechatfake.PushDelivered {
				return false
			}
		}
		return true
	})
	require.NoError(t, p.handleAll(t))
}

func TestTokenForTheFirstTicket(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*Config){"encrypted": func(*Config) {}, "in cloud run": cloudrun} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, option)
			p.work(t)
			_, err := p.AccessToken(t.Context())
			assert.True(t, isKind(err, fault.Conflict), "%v", err)
			p.wechat.PushTicket()
			eventually(t, "a token comes by itself", func() bool {
				status, err := p.TokenStatus(t.Context())
				return err == nil && status.Present
			})
			token, err := p.AccessToken(t.Context())
			require.NoError(t, err)
			assert.WithinDuration(t, p.clock.Now().Add(2*time.Hour), token.ExpiresAt, time.Minute)
			assert.Len(t, p.wechat.Calls(componentTokenPath), 1)
			assert.Equal(t, "success", p.wechat.Pushes()[0].Attempts[0].Body)
			eventually(t, "the push is handled", func() bool { return p.one(t).State == StateHandled })
			assert.NotContains(t, p.logs.String(), token.Access.Reveal())
		})
	}
}

func TestTokenIsSharedAndRefreshedAheadOfItsEnd(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := p.AccessToken(t.Context())
			assert.NoError(t, err)
		})
	}
	group.Wait()
	assert.Len(t, p.wechat.Calls(componentTokenPath), 1)
	p.clock.Add(time.Hour + 54*time.Minute)
	require.NoError(t, p.keepTokenFresh(t.Context()))
	assert.Len(t, p.wechat.Calls(componentTokenPath), 1)
	p.clock.Add(2 * time.Minute)
	require.NoError(t, p.keepTokenFresh(t.Context()))
	assert.Len(t, p.wechat.Calls(componentTokenPath), 2, "ahead of the end")
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	_, err := p.API().CreatePreAuthCode(t.Context())
	require.NoError(t, err)
	p.wechat.ExpireTokens("", true)
	_, err = p.API().CreatePreAuthCode(t.Context())
	require.NoError(t, err)
	assert.Len(t, p.wechat.Calls(componentTokenPath), 2)
	assert.Len(t, p.wechat.Calls(preAuthCodePath), 3)
}

func TestRefusedTicketRestartsThePush(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"expired": 61005, "invalid": 61006} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ticketed(t)
			p.work(t)
			_, err := p.wechat.FailNext(wechatfake.Fault{Path: componentTokenPath, Mode: wechatfake.FaultErrcode, Code: code, Times: -1})
			require.NoError(t, err)
			_, err = p.AccessToken(t.Context())
			assert.True(t, wechat.IsCode(err, code), "%v", err)
			eventually(t, "the push is restarted though the ticket is young", func() bool { return len(p.wechat.Calls(startPushPath)) == 1 })
			p.wechat.PushTicket()
			eventually(t, "the new ticket is tried", func() bool { return len(p.wechat.Calls(componentTokenPath)) > 1 })
			for range 3 {
				_, err = p.AccessToken(t.Context())
				require.Error(t, err)
			}
			require.NoError(t, p.keepTicketFresh(t.Context(), true))
			assert.Len(t, p.wechat.Calls(startPushPath), 1, "refused tickets do not chase each other")
			p.clock.Add(61 * time.Second)
			require.NoError(t, p.keepTicketFresh(t.Context(), true))
			assert.Len(t, p.wechat.Calls(startPushPath), 2)

			p.wechat.ClearFaults()
			_, err = p.AccessToken(t.Context())
			require.NoError(t, err)
			require.NoError(t, p.keepTicketFresh(t.Context(), true))
			assert.Len(t, p.wechat.Calls(startPushPath), 3, "after a good one the pauses begin anew")
		})
	}
}

func TestGoodTokenOutlivesARefusedTicket(t *testing.T) {
	t.Parallel()
	p := ticketed(t)
	first, err := p.AccessToken(t.Context())
	require.NoError(t, err)
	_, err = p.wechat.FailNext(wechatfake.Fault{Path: componentTokenPath, Mode: wechatfake.FaultErrcode, Code: 61005, Times: -1})
	require.NoError(t, err)
	p.clock.Add(time.Hour + 57*time.Minute)
	second, err := p.AccessToken(t.Context())
	require.NoError(t, err)
	assert.True(t, first.Access.Equal(second.Access))
	var queued int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'component_ticket'`).Scan(&queued))
	assert.Equal(t, 1, queued, "the restart is requested all the same")
}

func TestRestartBringsTheTicketBack(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.wechat.DropTickets()
	p.work(t)
	require.NoError(t, p.RestartTicket(t.Context()))
	eventually(t, "a ticket comes", func() bool {
		status, err := p.TicketStatus(t.Context())
		return err == nil && status.Present && !status.Stale
	})
}

func TestPushesOfTheFakeAreRepeatedUntilStored(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	require.NoError(t, p.wechat.AddMerchant(wechatfake.Merchant{AppID: "wxm1", UserName: "gh_m1"}))
	restore := p.cutDatabase(t)
	require.NoError(t, p.wechat.PushMessage("wxm1", wechatfake.Message{{Name: "MsgType", Value: "text"}, {Name: "Content", Value: "hi"}, {Name: "MsgId", Value: "1"}}))
	eventually(t, "the first try fails", func() bool {
		attempts := p.wechat.Pushes()[0].Attempts
		return len(attempts) > 0 && attempts[0].Status == http.StatusServiceUnavailable
	})
	restore()
	eventually(t, "a later try is stored", func() bool { return p.wechat.Pushes()[0].State == wechatfake.PushDelivered })
	assert.Equal(t, "wxm1", p.one(t).AppID)
	assert.NotContains(t, strings.ToLower(p.logs.String()), testToken)
}
