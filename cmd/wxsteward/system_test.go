package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

type systemAnswer struct {
	Version  string
	Replicas []struct {
		ID, Host, Version string
		Live, Current     bool
	}
	Database struct {
		Version    string
		SizeBytes  int64 `json:"size_bytes"`
		Migrations []struct {
			AppliedAt *time.Time `json:"applied_at"`
		}
		Tables []struct{ Name string }
	}
	Queues []struct{ Queue string }
	Checks []struct {
		Name, Detail string
		OK           bool
	}
}

func TestSystemPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	port := freePort(t)
	w.env["LISTEN_ADDR"], w.base = "127.0.0.1:"+port, "http://127.0.0.1:"+port
	second := w.spawn("serve")
	w.waitReady()

	var s systemAnswer
	o.call(http.MethodGet, "/system", nil, &s)
	require.Len(t, s.Replicas, 2)
	require.True(t, s.Replicas[0].Current, "the longest running first")
	require.False(t, s.Replicas[1].Current)
	require.True(t, s.Replicas[1].Live)
	require.NotEmpty(t, s.Database.Version)
	require.Greater(t, s.Database.SizeBytes, int64(1<<20))
	for _, m := range s.Database.Migrations {
		require.NotNil(t, m.AppliedAt)
	}
	var names []string
	for _, table := range s.Database.Tables {
		names = append(names, table.Name)
	}
	require.Subset(t, names, []string{"message", "authorizer", "river_job"})
	require.NotContains(t, names, "message_"+time.Now().UTC().Format("20060102"), "partitions count as their table")
	require.Equal(t, "default", s.Queues[0].Queue)
	for _, c := range s.Checks {
		require.True(t, c.OK, "%s: %s", c.Name, c.Detail)
	}

	require.NoError(t, second.cmd.Process.Kill())
	require.Error(t, <-second.done)
	conn := w.database(`UPDATE replica SET seen_at = seen_at - interval '1 minute'`) // as time would; the first writes again in seconds
	require.NotNil(t, conn)
	eventually(t, "the silent one is told", func() (bool, string) {
		o.call(http.MethodGet, "/system", nil, &s)
		var failing []string
		for _, c := range s.Checks {
			if !c.OK {
				failing = append(failing, c.Name)
			}
		}
		told := len(failing) == 1 && failing[0] == "replicas"
		return told && len(s.Replicas) == 2 && s.Replicas[0].Live && !s.Replicas[1].Live, strings.Join(failing, " ")
	})

	var list struct {
		Items []struct{ ID, Kind, State string }
		Next  string `json:"next_cursor"`
	}
	w.addMerchant(appids(1)[0], nil)
	authorizeAll(t, w, o, appids(1)) // leaves jobs
	eventually(t, "jobs are there", func() (bool, string) {
		o.call(http.MethodGet, "/jobs?limit=1", nil, &list)
		return list.Next != "", ""
	})
	require.Len(t, list.Items, 1)
	newest := list.Items[0].ID
	o.call(http.MethodGet, "/jobs?limit=1&cursor="+list.Next, nil, &list)
	require.NotEqual(t, newest, list.Items[0].ID)
	for path, want := range map[string]int{
		"/jobs/0/retry": http.StatusNotFound, "/jobs/999999999/discard": http.StatusNotFound, "/jobs/x/retry": http.StatusNotFound,
	} {
		status, err := o.try(t.Context(), http.MethodPost, path, map[string]any{}, nil)
		require.NoError(t, err)
		require.Equal(t, want, status, path)
	}
}

type tickAnswer struct {
	Done bool
	Left map[string]int64
}

// TestTick: what an outside timer calls where a process runs only while it answers.
func TestTick(t *testing.T) {
	t.Parallel()
	w, o, inner := forwardingWorld(t)
	authorizeAll(t, w, o, []string{forwardMerchant})
	b := newTarget(t)
	o.addRule(map[string]any{
		"name": "shop", "enabled": true, "channel": "biz", "msg_type": "text", "target_url": b.URL, "mode": "deliver", "format": "json",
	})
	say(t, w, "hello")
	var a tickAnswer
	o.call(http.MethodPost, "/tick", map[string]any{}, &a)
	require.True(t, a.Done)
	require.Len(t, b.taken(), 1, "when it answers, what was due is done")

	{ // many at once, also on the inner listener
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, "http://"+inner+"/inner/tick", nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close() //nolint:errcheck // read to its end
				text, err := io.ReadAll(resp.Body)
				var a tickAnswer
				if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, &a) != nil || !a.Done {
					t.Errorf("%d %s", resp.StatusCode, text)
				}
			})
		}
		group.Wait()
		status, err := get(t, w.base+"/inner/tick")
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, status, "not on the public listener")
	}
	{ // it ends in time when there is more to do than that
		_, err := w.fake.FailNext(wechatfake.Fault{
			Path: "/cgi-bin/component/api_get_authorizer_list", Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(5 * time.Second), Times: 1,
		})
		require.NoError(t, err)
		o.call(http.MethodPost, "/authorizers/sync", map[string]any{}, nil)
		began := time.Now()
		o.call(http.MethodPost, "/tick?timeout_seconds=1", map[string]any{}, &a)
		require.False(t, a.Done)
		require.Positive(t, a.Left["jobs"])
		require.Less(t, time.Since(began), 4*time.Second)
	}
	{ // nobody without a key, and no viewer
		stranger := newOperator(t, w.base)
		status, err := stranger.try(t.Context(), http.MethodPost, "/tick", map[string]any{}, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, status)
		o.call(http.MethodPost, "/users", map[string]string{"username": "eve", "password": testPassword, "role": "viewer"}, nil)
		stranger.signInAs("eve")
		status, err = stranger.try(t.Context(), http.MethodPost, "/tick", map[string]any{}, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, status)
	}
}
