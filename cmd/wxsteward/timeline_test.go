package main

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

type happeningAnswer struct{ Kind, By, Subject, State, Ref string }

func (o *operator) timeline(appid string) []happeningAnswer {
	o.t.Helper()
	var all []happeningAnswer
	for cursor := ""; ; {
		var page struct {
			Items      []happeningAnswer
			NextCursor string `json:"next_cursor"`
		}
		o.call(http.MethodGet, "/authorizers/"+appid+"/timeline?limit=2&cursor="+cursor, nil, &page)
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// TestTimelineHasWhatAllPackagesKnow: a release, a change of the introduction and what operators did stand in one timeline.
func TestTimelineHasWhatAllPackagesKnow(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	shop := merchants[0]
	var rollout struct{ ID string }
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, shop), &rollout)
	sub := o.waitSubmission(shop, "auditing")
	require.NoError(t, w.fake.Approve(shop))
	o.waitSubmission(shop, "released")
	o.call(http.MethodPost, "/authorizers/"+shop+"/testers", map[string]string{"wechatid": "tester-one"}, nil)
	o.call(http.MethodPost, "/authorizers/"+shop+"/signature", map[string]string{"signature": "家常菜，每天现做"}, nil)
	o.call(http.MethodGet, "/authorizers/"+shop+"/access-token", nil, nil) // reading is no deed
	o.call(http.MethodPost, "/authorizers/"+shop+"/refresh", nil, nil)
	_, err := o.try(t.Context(), http.MethodDelete, "/authorizers/"+shop+"/notes/1", nil, nil)
	require.NoError(t, err, "a refused call is no deed either")

	var all []happeningAnswer
	eventually(t, "the change is decided", func() (bool, string) {
		all = o.timeline(shop)
		return slices.ContainsFunc(all, func(h happeningAnswer) bool { return h.Kind == "change_decided" }), ""
	})
	require.Equal(t, []happeningAnswer{
		{Kind: "change_decided", Subject: "家常菜，每天现做", State: "signature/effective", Ref: all[0].Ref},
		{Kind: "change_asked", By: "admin", Subject: "家常菜，每天现做", State: "signature", Ref: all[0].Ref},
		{Kind: "deed", By: "admin", Subject: "bind-tester"},
		{Kind: "submission_ended", Subject: all[3].Subject, State: "released", Ref: rollout.ID + "/" + sub.ID},
		{Kind: "submission_started", By: "admin", Subject: all[3].Subject, Ref: rollout.ID + "/" + sub.ID},
		{Kind: "biz_ids", By: "admin"},
		{Kind: "authorized"},
	}, all)
	require.NotEmpty(t, all[3].Subject)
	require.Len(t, o.timeline(merchants[1]), 2, "another merchant has nothing of it")
}
