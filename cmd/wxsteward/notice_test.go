package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// chat is a group with a WeCom robot, or a webhook.
type chat struct {
	*httptest.Server

	mu    sync.Mutex
	texts []string
}

func newChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var m struct {
			MsgType  string
			Markdown struct{ Content string }
			Type     string
			Data     struct{ Title, Text, URL string }
		}
		if r.URL.Query().Get("key") != chatKey || json.Unmarshal(raw, &m) != nil || (m.MsgType != "markdown" && m.Type == "") || len(m.Markdown.Content) > 4096 {
			_, _ = io.WriteString(w, `{"errcode":93000,"errmsg":"invalid webhook url"}`)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.texts = append(c.texts, m.Markdown.Content+m.Type+" "+m.Data.Title+"\n"+m.Data.Text+"\n"+m.Data.URL)
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}))
	t.Cleanup(c.Close)
	return c
}

const chatKey = "693a91f6-7bbb-4bc4-97a0-0ec2sifa5bbb"

func (c *chat) address() string { return c.URL + "/cgi-bin/webhook/send?key=" + chatKey }

// wait gives the message that holds all parts.
func (c *chat) wait(t *testing.T, parts ...string) string {
	t.Helper()
	var found string
	eventually(t, "a notice of "+parts[0], func() (bool, string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, text := range c.texts {
			holds := true
			for _, part := range parts {
				holds = holds && strings.Contains(text, part)
			}
			if holds {
				found = text
				return true, ""
			}
		}
		return false, fmt.Sprintf("%q", c.texts)
	})
	return found
}

// TestStaffAreTold takes news the whole way: from WeChat's reviewer to the robot of a group chat.
func TestStaffAreTold(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w := newWorld(t, nil)
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	for _, appid := range merchants {
		w.addMerchant(appid, func(m *wechatfake.Merchant) { m.NickName = "花店 <@all> " + appid })
	}
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, merchants)
	group, hook := newChat(t), newChat(t)
	var channel struct{ ID, Address string }
	o.call(http.MethodPost, "/notice-channels", map[string]any{"name": "staff", "kind": "wecom", "url": group.address(), "events": []string{"audit_result", "rollout_paused"}}, &channel)
	require.NotContains(t, channel.Address, chatKey)
	o.call(http.MethodPost, "/notice-channels", map[string]any{"name": "pager", "kind": "webhook", "url": hook.address(), "language": "en"}, nil)
	var test struct{ OK bool }
	o.call(http.MethodPost, "/notice-channels/"+channel.ID+"/test", nil, &test)
	require.True(t, test.OK)

	body := rolloutBody(addTemplate(o), merchants...)
	body["strategy"] = map[string]any{"canary": 1}
	var rollout struct{ ID string }
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Delay(merchants[0], "more time"))
	hook.wait(t, "audit_result Audit delayed: 花店", "more time")
	require.NoError(t, w.fake.Reject(merchants[0], "1:类目不符<br>请修改", 0))
	text := group.wait(t, "审核未通过：花店", "类目不符 请修改", w.base+"/admin/rollouts/"+rollout.ID)
	require.NotContains(t, text, "<@all>")
	group.wait(t, "发布已暂停", merchants[0])
	hook.wait(t, "audit_result Audit rejected: 花店", "类目不符 请修改")
	hook.wait(t, "rollout_paused Rollout paused")
	o.call(http.MethodPost, "/rollouts/"+rollout.ID+"/cancel", nil, nil)
	hook.wait(t, "rollout_done Rollout canceled", "rejected: 1")

	o.call(http.MethodPost, "/rollouts", rolloutBody(addTemplate(o), merchants[1]), nil)
	o.waitSubmission(merchants[1], "auditing")
	require.NoError(t, w.fake.Approve(merchants[1]))
	hook.wait(t, "rollout_done Rollout completed", "released: 1")
	require.NoError(t, w.fake.Revoke(merchants[1]))
	hook.wait(t, "authorization_withdrawn Authorization withdrawn: 花店", merchants[1])
	hook.wait(t, "audit_result Audit passed: 花店")

	var notices page[struct {
		State, Title, Event string
	}]
	eventually(t, "written down", func() (bool, string) {
		o.call(http.MethodGet, "/notices?channel_id="+channel.ID, nil, &notices)
		sent := len(notices.Items) == 4 // delayed, rejected, paused, approved
		for _, n := range notices.Items {
			sent = sent && n.State == "sent"
		}
		return sent, fmt.Sprintf("%+v", notices.Items)
	})
	require.NotContains(t, w.output.String(), chatKey)
}
