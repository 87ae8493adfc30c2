package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKilledAtTheAuditDesk kills the program around what operators do with audits: each thing counts once at WeChat.
func TestKilledAtTheAuditDesk(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{}, 3)
	for _, p := range []play{spedUpByLabel(), withdrawnAndBack(), resubmitted(), withPictures()} {
		for _, path := range p.paths {
			for _, after := range []bool{false, true} {
				when := "before"
				if after {
					when = "after"
				}
				t.Run(p.name+": "+strings.TrimPrefix(path, "/")+" "+when+" it is done", func(t *testing.T) {
					t.Parallel()
					gate <- struct{}{}
					defer func() { <-gate }()
					killAt(t, path, after, p)
				})
			}
		}
	}
}

// insist repeats a call that may kill the program, until it was taken.
func (o *operator) insist(path string, body any) {
	o.t.Helper()
	eventually(o.t, path, func() (bool, string) {
		_, err := o.try(o.t.Context(), http.MethodPost, path, body, new([]byte))
		return err == nil || strings.Contains(err.Error(), ": 409 "), fmt.Sprint(err)
	})
}

func spedUpByLabel() play {
	p := plainRelease()
	p.name, p.paths = "speed-up", []string{"/wxa/speedupaudit"}
	p.audit = func(o *operator, appid string) map[string]any {
		o.call(http.MethodPatch, "/authorizers/"+appid, map[string]any{"labels": []string{"vip"}}, nil)
		return map[string]any{"speed_up_labels": []string{"vip"}}
	}
	p.audited = func(_ *world, o *operator, appid string) {
		eventually(o.t, "sped up", func() (bool, string) {
			var list page[auditAnswer]
			_, err := o.try(o.t.Context(), http.MethodGet, "/audits?q="+appid, nil, &list)
			return err == nil && len(list.Items) == 1 && list.Items[0].SpeedUp == "done", fmt.Sprint(list.Items, err)
		})
	}
	p.done["/wxa/speedupaudit"] = 1
	return p
}

func withdrawnAndBack() play {
	p := plainRelease()
	p.name, p.paths = "withdrawal", []string{"/wxa/undocodeaudit"}
	p.audited = func(_ *world, o *operator, appid string) {
		sub := o.waitSubmission(appid, "auditing")
		o.insist("/submissions/"+sub.ID+"/withdraw", nil)
		o.waitSubmission(appid, "withdrawn")
		var left struct{ Withdrawals withdrawalsAnswer }
		o.call(http.MethodGet, "/submissions/"+sub.ID, nil, &left)
		require.Equal(o.t, withdrawalsAnswer{4, 9}, left.Withdrawals, "counted once")
		o.insist("/submissions/"+sub.ID+"/retry", nil)
		o.waitSubmission(appid, "auditing")
	}
	p.done["/wxa/undocodeaudit"], p.done["/wxa/submit_audit"] = 1, 2
	return p
}

func resubmitted() play {
	p := plainRelease()
	p.name, p.paths, p.skip = "resubmission", []string{"/wxa/submit_audit"}, 1
	p.audited = func(w *world, o *operator, appid string) {
		sub := o.waitSubmission(appid, "auditing")
		require.NoError(o.t, w.fake.Reject(appid, "no", 0))
		o.waitSubmission(appid, "rejected")
		o.insist("/submissions/resubmit", map[string]any{"ids": []string{sub.ID}, "audit": map[string]any{"version_desc": "again"}})
		o.waitSubmission(appid, "auditing")
	}
	p.done["/wxa/submit_audit"] = 2
	return p
}

func withPictures() play {
	p := plainRelease()
	p.name, p.paths = "files for the reviewers", []string{"/wxa/uploadmedia"}
	p.audit = func(o *operator, _ string) map[string]any {
		status, picture := o.uploadFile("x.png", pictureOf(o.t))
		require.Equal(o.t, http.StatusCreated, status)
		return map[string]any{"preview_info": map[string]any{"pic_id_list": []string{picture}}}
	}
	return p
}
