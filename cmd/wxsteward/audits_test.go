package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

type auditAnswer struct {
	SubmissionID string `json:"submission_id"`
	AppID        string
	NickName     string `json:"nick_name"`
	State        string
	Reason       string
	Screenshots  []string
	Remedies     []string
	Waiting      int64  `json:"waiting_seconds"`
	SpeedUp      string `json:"speed_up"`
	SpeedUpError *struct {
		ErrCode int
		Hint    string
	} `json:"speed_up_error"`
	Withdrawals withdrawalsAnswer
}

type withdrawalsAnswer struct {
	TodayLeft int `json:"today_left"`
	MonthLeft int `json:"month_left"`
}

type manyAnswer struct {
	Done   []string
	Failed []struct{ ID, Code, Detail string }
}

type deskSummary struct {
	Auditing, Delayed, Rejected, Approved, Withdrawn int
	OldestSubmittedAt                                *time.Time `json:"oldest_submitted_at"`
	MedianSeconds                                    *int64     `json:"median_seconds"`
	Statement                                        string
	Reasons                                          []struct {
		Reason        string
		Count         int
		SubmissionIDs []string `json:"submission_ids"`
		Remedies      []string
	}
}

func (o *operator) desk(query string) []auditAnswer {
	o.t.Helper()
	var list page[auditAnswer]
	o.call(http.MethodGet, "/audits"+query, nil, &list)
	return list.Items
}

func (o *operator) deskSummary() (sum deskSummary) {
	o.t.Helper()
	o.call(http.MethodGet, "/audits/summary", nil, &sum)
	return sum
}

// submitted are the bodies of the submissions that WeChat took from a merchant, in their order.
func submitted(t *testing.T, fake *wechatfake.Server, appid string) (bodies []map[string]any) {
	t.Helper()
	for _, c := range fake.Calls("/wxa/submit_audit") {
		if c.AppID == appid && c.Executed {
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(c.Body), &body))
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// TestAuditDesk plays an operator's day at the audit desk: what waits, what was rejected and why, the same edit for all
// that were rejected for the same reason.
func TestAuditDesk(t *testing.T) {
	t.Parallel()
	merchants := appids(5)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	body["release"] = map[string]any{"mode": "manual"}
	var rollout struct {
		ID   string
		Spec struct {
			Audit struct {
				VersionDesc string `json:"version_desc"`
			}
		}
	}
	o.call(http.MethodPost, "/rollouts", body, &rollout)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	waiting := o.desk("?limit=200")
	require.Len(t, waiting, 5)
	require.Equal(t, withdrawalsAnswer{5, 10}, waiting[0].Withdrawals)

	var first, second page[auditAnswer]
	var cursor struct {
		NextCursor string `json:"next_cursor"`
	}
	o.call(http.MethodGet, "/audits?limit=3", nil, &first)
	o.call(http.MethodGet, "/audits?limit=3", nil, &cursor)
	o.call(http.MethodGet, "/audits?limit=3&cursor="+cursor.NextCursor, nil, &second)
	paged := append(first.Items, second.Items...)
	for i := range min(len(waiting), len(paged)) {
		require.GreaterOrEqual(t, paged[i].Waiting, waiting[i].Waiting)
		paged[i].Waiting = waiting[i].Waiting // a second may have passed
	}
	require.Equal(t, waiting, paged, "pages join up, longest waiting first")

	// The same reason but for the merchants' names; one with pictures. One is postponed, one approved.
	for i, appid := range merchants[:2] {
		require.NoError(t, w.fake.Reject(appid, "1:账号信息不符合规范:<br>(1):小程序「Shop "+appid+"」需要测试账号和密码<br>", i))
	}
	require.NoError(t, w.fake.Reject(merchants[2], "1:所选类目与内容不符:<br>", 0))
	require.NoError(t, w.fake.Delay(merchants[3], "需要更多时间<br>"))
	require.NoError(t, w.fake.Approve(merchants[4]))
	eventually(t, "desk", func() (bool, string) {
		sum := o.deskSummary()
		return sum.Rejected == 3 && sum.Delayed == 1 && sum.Approved == 1, fmt.Sprintf("%+v", sum)
	})
	sum := o.deskSummary()
	require.Zero(t, sum.Auditing)
	require.NotNil(t, sum.OldestSubmittedAt)
	require.Nil(t, sum.MedianSeconds, "four audits say too little")
	require.NotEmpty(t, sum.Statement)
	require.Len(t, sum.Reasons, 2)
	require.Equal(t, 2, sum.Reasons[0].Count)
	require.Contains(t, strings.Join(sum.Reasons[0].Remedies, " "), "测试账号")
	delayed := o.desk("?state=delayed")
	require.Len(t, delayed, 1)
	require.Equal(t, "需要更多时间", delayed[0].Reason)
	require.Len(t, o.desk("?state=approved"), 1)
	require.Len(t, o.desk(""), 1, "without a state: what WeChat reviews now")
	require.Len(t, o.desk("?state=rejected&q="+url.QueryEscape("shop "+merchants[0])), 1, "found by name")
	require.Len(t, o.desk("?state=rejected&q="+url.QueryEscape("类目")), 1, "found by reason")
	require.Empty(t, o.desk("?state=rejected&user_version=9.9.9"))
	require.Len(t, o.desk("?state=rejected&rollout_id="+rollout.ID), 3)

	var pictured auditAnswer
	eventually(t, "picture", func() (bool, string) {
		pictured = o.desk("?state=rejected&q=" + merchants[1])[0]
		return len(pictured.Screenshots) == 1, ""
	})
	require.Equal(t, "1:账号信息不符合规范:\n(1):小程序「Shop "+merchants[1]+"」需要测试账号和密码", pictured.Reason)
	stranger := newOperator(t, w.base)
	status, err := stranger.try(t.Context(), http.MethodGet, strings.TrimPrefix(pictured.Screenshots[0], "/api/v1"), nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status, "pictures are under the sign-in")

	// The whole group goes again with a test account; the approved one in the same call does not.
	approved := o.desk("?state=approved")[0].SubmissionID
	ids := append(sum.Reasons[0].SubmissionIDs, approved, sum.Reasons[0].SubmissionIDs[0])
	var many manyAnswer
	change := map[string]any{"version_desc": "test login: demo / demo-pass", "feedback_info": "see the test account"}
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": ids, "audit": change}, &many)
	require.ElementsMatch(t, sum.Reasons[0].SubmissionIDs, many.Done)
	require.Len(t, many.Failed, 1)
	require.Equal(t, approved, many.Failed[0].ID)
	require.Equal(t, "conflict", many.Failed[0].Code)
	require.NotEmpty(t, many.Failed[0].Detail)
	for _, appid := range merchants[:2] {
		o.waitSubmission(appid, "auditing")
		sent := submitted(t, w.fake, appid)
		require.Len(t, sent, 2)
		require.NotContains(t, sent[0], "version_desc")
		require.Equal(t, "test login: demo / demo-pass", sent[1]["version_desc"])
		require.Equal(t, 1, w.fake.Effective("/wxa/commit", appid), "the same trial version")
	}
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": sum.Reasons[0].SubmissionIDs, "audit": change}, &many)
	require.Len(t, many.Failed, 2, "a second operator comes too late")
	o.call(http.MethodGet, "/rollouts/"+rollout.ID, nil, &rollout)
	require.Empty(t, rollout.Spec.Audit.VersionDesc, "the rollout's own profile stays")

	// The same action on many, of which some do not take it.
	require.NoError(t, w.fake.Approve(merchants[0]))
	o.waitSubmission(merchants[0], "approved")
	everyone := []string{}
	for _, item := range waiting {
		everyone = append(everyone, item.SubmissionID)
	}
	o.call(http.MethodPost, "/submissions/bulk", map[string]any{"ids": append(everyone, "999999"), "action": "release"}, &many)
	require.Len(t, many.Done, 2)
	require.Len(t, many.Failed, 4)
	o.waitSubmission(merchants[0], "released")
	o.waitSubmission(merchants[4], "released")
	require.Empty(t, o.desk("?state=approved"), "what is live has left the desk")
	for _, wrong := range []map[string]any{
		{"ids": []string{}, "action": "release"},
		{"ids": everyone, "action": "explode"},
		{"ids": []string{"-1"}, "action": "release"},
	} {
		status, err := o.try(t.Context(), http.MethodPost, "/submissions/bulk", wrong, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, status, wrong)
	}
}

// TestExpectedTimes: how long an audit takes is told by the last ones, once there are enough.
func TestExpectedTimes(t *testing.T) {
	t.Parallel()
	merchants := appids(6)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
	}
	for _, appid := range merchants[:5] {
		require.NoError(t, w.fake.Approve(appid))
		o.waitSubmission(appid, "released")
	}
	require.NotNil(t, o.deskSummary().MedianSeconds)
	var list page[struct {
		SubmittedAt time.Time  `json:"submitted_at"`
		ExpectedAt  *time.Time `json:"expected_at"`
	}]
	o.call(http.MethodGet, "/audits", nil, &list)
	require.Len(t, list.Items, 1)
	require.NotNil(t, list.Items[0].ExpectedAt)
	require.Equal(t, *o.deskSummary().MedianSeconds, int64(list.Items[0].ExpectedAt.Sub(list.Items[0].SubmittedAt)/time.Second))
}

// TestReplacedTrialIsNotSubmitted: somebody commits other code while ours is with the operator; it must not go to the
// reviewers in our name.
func TestReplacedTrialIsNotSubmitted(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	sub := o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Reject(merchants[0], "no", 0))
	o.waitSubmission(merchants[0], "rejected")
	require.NoError(t, w.fake.ConsoleCommit(merchants[0], "9.0.0", "by hand"))
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": []string{sub.ID}}, nil)
	sub = o.waitSubmission(merchants[0], "blocked")
	require.Equal(t, "trial_replaced", sub.Error.Code)
	require.Contains(t, sub.Error.Detail, "9.0.0")
	require.NotEmpty(t, sub.Error.Hint)
	require.Equal(t, 1, w.fake.Effective("/wxa/submit_audit", merchants[0]))
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/retry", nil, nil)
	o.waitSubmission(merchants[0], "auditing")
	require.Equal(t, 2, w.fake.Effective("/wxa/commit", merchants[0]), "retry commits ours again")
	require.Equal(t, 2, w.fake.Effective("/wxa/submit_audit", merchants[0]))
}

// TestResubmissionIsOnce loses the answer to a resubmission: WeChat takes it once.
func TestResubmissionIsOnce(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	ids := []string{}
	for _, appid := range merchants {
		ids = append(ids, o.waitSubmission(appid, "auditing").ID)
		require.NoError(t, w.fake.Reject(appid, "no", 0))
		o.waitSubmission(appid, "rejected")
	}
	for i, mode := range []string{wechatfake.FaultCutAfter, wechatfake.FaultCutBefore, wechatfake.FaultHTTPExecuted} {
		_, err := w.fake.FailNext(wechatfake.Fault{Path: "/wxa/submit_audit", AppID: merchants[i], Mode: mode, Code: 504})
		require.NoError(t, err)
	}
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": ids, "audit": map[string]any{"version_desc": "again"}}, nil)
	for _, appid := range merchants {
		o.waitSubmission(appid, "auditing")
		require.NoError(t, w.fake.Approve(appid))
		o.waitSubmission(appid, "released")
		require.Equal(t, 2, w.fake.Effective("/wxa/submit_audit", appid))
		require.Equal(t, 1, w.fake.Effective("/wxa/commit", appid))
	}
}

// TestWithdrawalsAreCounted takes audits back until WeChat's allowance is used up.
func TestWithdrawalsAreCounted(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.AuditRest, s.AuditLimit = 100, 100 })
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	sub := o.waitSubmission(merchants[0], "auditing")
	var left struct{ Withdrawals withdrawalsAnswer }
	for i := range 5 {
		if i == 1 { // the answer is lost; it counts once all the same
			_, err := w.fake.FailNext(wechatfake.Fault{Path: "/wxa/undocodeaudit", AppID: merchants[0], Mode: wechatfake.FaultCutAfter})
			require.NoError(t, err)
		}
		o.call(http.MethodPost, "/submissions/"+sub.ID+"/withdraw", nil, &left)
		require.LessOrEqual(t, left.Withdrawals.TodayLeft, 5-i, "the answer tells what is left")
		o.waitSubmission(merchants[0], "withdrawn")
		o.call(http.MethodGet, "/submissions/"+sub.ID, nil, &left)
		require.Equal(t, withdrawalsAnswer{4 - i, 9 - i}, left.Withdrawals)
		o.call(http.MethodPost, "/submissions/"+sub.ID+"/retry", nil, nil)
		o.waitSubmission(merchants[0], "auditing")
	}
	before := len(w.fake.Calls("/wxa/undocodeaudit"))
	status, err := o.try(t.Context(), http.MethodPost, "/submissions/"+sub.ID+"/withdraw", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, status)
	require.Len(t, w.fake.Calls("/wxa/undocodeaudit"), before, "WeChat is not asked what is known")
	o.waitSubmission(merchants[0], "auditing")

	// WeChat has counted some that we do not know of: the audit goes on, and the page says that none are left.
	other := o.waitSubmission(merchants[1], "auditing")
	_, err = w.fake.FailNext(wechatfake.Fault{Path: "/wxa/undocodeaudit", AppID: merchants[1], Mode: wechatfake.FaultErrcode, Code: 87013})
	require.NoError(t, err)
	o.call(http.MethodPost, "/submissions/"+other.ID+"/withdraw", nil, nil)
	eventually(t, "refused", func() (bool, string) {
		o.call(http.MethodGet, "/submissions/"+other.ID, nil, &left)
		return left.Withdrawals.TodayLeft == 0, fmt.Sprint(left)
	})
	require.NoError(t, w.fake.Approve(merchants[1]))
	o.waitSubmission(merchants[1], "released")
}

// TestWithdrawnTooLate: the reviewers approve while the operator takes the audit back. It does not go live by itself.
func TestWithdrawnTooLate(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorldWith(t, map[string]string{"AUDIT_POLL": "1h"}, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	sub := o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.ConsoleDecide(merchants[0], wechatfake.AuditApproved, "")) // nobody tells us
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/withdraw", nil, nil)
	sub = o.waitSubmission(merchants[0], "canceled")
	require.Equal(t, "withdraw_late", sub.Error.Code)
	require.Zero(t, w.fake.Effective("/wxa/release", merchants[0]))
	o.call(http.MethodPost, "/submissions/"+sub.ID+"/retry", nil, nil)
	o.waitSubmission(merchants[0], "released")
}

// TestSpeedUps: audits of labelled merchants are sped up by themselves as long as the month's quota lasts, each once.
func TestSpeedUps(t *testing.T) {
	t.Parallel()
	merchants := appids(4)
	w, o, template := readyWorld(t, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.SpeedUpRest, s.SpeedUpLimit = 2, 2 })
	for _, appid := range merchants[:2] {
		o.call(http.MethodPatch, "/authorizers/"+appid, map[string]any{"labels": []string{"vip"}}, nil)
	}
	_, err := w.fake.FailNext(wechatfake.Fault{Path: "/wxa/speedupaudit", AppID: merchants[0], Mode: wechatfake.FaultCutAfter})
	require.NoError(t, err)
	_, err = w.fake.FailNext(wechatfake.Fault{Path: "/wxa/speedupaudit", AppID: merchants[1], Mode: wechatfake.FaultErrcode, Code: 89401})
	require.NoError(t, err)
	body := rolloutBody(template, merchants...)
	body["audit"] = map[string]any{"speed_up_labels": []string{"vip"}}
	o.call(http.MethodPost, "/rollouts", body, nil)
	subs := map[string]string{}
	for _, appid := range merchants {
		subs[appid] = o.waitSubmission(appid, "auditing").ID
	}
	byApp := func(appid string) auditAnswer { return o.desk("?q=" + appid)[0] }
	for _, appid := range merchants[:2] {
		eventually(t, appid+" is sped up", func() (bool, string) { return byApp(appid).SpeedUp == "done", byApp(appid).SpeedUp })
		require.Equal(t, 1, w.fake.Effective("/wxa/speedupaudit", appid))
	}
	require.Zero(t, w.fake.Effective("/wxa/speedupaudit", merchants[2]), "no label, no speed-up")
	o.call(http.MethodPost, "/submissions/"+subs[merchants[0]]+"/speed-up", nil, nil)
	require.Equal(t, 1, w.fake.Effective("/wxa/speedupaudit", merchants[0]), "once for each audit")

	// The month's quota is used up: the operator is told, and the audit goes on.
	status, err := o.try(t.Context(), http.MethodPost, "/submissions/"+subs[merchants[2]]+"/speed-up", nil, nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, status, 400)
	require.Equal(t, "refused", byApp(merchants[2]).SpeedUp)
	require.Equal(t, 89405, byApp(merchants[2]).SpeedUpError.ErrCode)
	require.NotEmpty(t, byApp(merchants[2]).SpeedUpError.Hint)
	w.fake.Set(func(s *wechatfake.Settings) { s.SpeedUpRest = 5 })
	var many manyAnswer
	o.call(http.MethodPost, "/submissions/bulk", map[string]any{"ids": []string{subs[merchants[2]], subs[merchants[3]]}, "action": "speed-up"}, &many)
	require.Len(t, many.Done, 2)
	for _, appid := range merchants {
		require.Equal(t, 1, w.fake.Effective("/wxa/speedupaudit", appid))
		require.NoError(t, w.fake.Approve(appid))
		o.waitSubmission(appid, "released")
	}
}

// uploadFile sends a file as a browser's form does.
func (o *operator) uploadFile(name string, data []byte) (status int, id string) {
	o.t.Helper()
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	part, err := writer.CreateFormFile("file", name)
	require.NoError(o.t, err)
	_, err = part.Write(data)
	require.NoError(o.t, err)
	require.NoError(o.t, writer.Close())
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.base+"/api/v1/audit-media", &form)
	require.NoError(o.t, err)
	req.Header.Set("Content-Type", writer.FormDataContentType())
	req.Header.Set("X-CSRF-Token", o.csrf)
	resp, err := o.client.Do(req)
	require.NoError(o.t, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	require.NoError(o.t, err)
	var answer struct {
		MediaID string `json:"media_id"`
	}
	require.NoError(o.t, json.Unmarshal(text, &answer), "%s", text)
	return resp.StatusCode, answer.MediaID
}

func pictureOf(tb testing.TB) []byte {
	tb.Helper()
	var buf bytes.Buffer
	require.NoError(tb, png.Encode(&buf, image.NewGray(image.Rect(0, 0, 20, 20))))
	return buf.Bytes()
}

// mp4 is how a video begins.
func mp4(size int) []byte {
	return append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), make([]byte, size)...)
}

// TestAuditMedia: a file is uploaded here once and goes to each merchant's account in the upload that its place wants.
func TestAuditMedia(t *testing.T) {
	t.Parallel()
	merchants := appids(2)
	w, o, template := readyWorld(t, merchants...)
	for name, c := range map[string]struct {
		data []byte
		want int
	}{
		"nothing":              {nil, http.StatusUnprocessableEntity},
		"a text":               {[]byte("hello"), http.StatusUnprocessableEntity},
		"a page":               {[]byte("<html><script>alert(1)</script></html>"), http.StatusUnprocessableEntity},
		"a drawing":            {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), http.StatusUnprocessableEntity},
		"a damaged picture":    {pictureOf(t)[:20], http.StatusUnprocessableEntity},
		"a picture too large":  {append(pictureOf(t), make([]byte, 2<<20)...), http.StatusRequestEntityTooLarge},
		"a video too large":    {mp4(10 << 20), http.StatusRequestEntityTooLarge},
		"far more than a form": {mp4(12 << 20), http.StatusRequestEntityTooLarge},
	} {
		status, _ := o.uploadFile("x.png", c.data)
		require.Equal(t, c.want, status, name)
	}
	status, picture := o.uploadFile("first page.png", pictureOf(t))
	require.Equal(t, http.StatusCreated, status)
	status, video := o.uploadFile("walk.mp4", mp4(1000))
	require.Equal(t, http.StatusCreated, status)
	var back []byte
	o.call(http.MethodGet, "/audit-media/"+picture, nil, &back)
	require.Equal(t, pictureOf(t), back)

	body := rolloutBody(template, merchants...)
	for _, wrong := range []map[string]any{
		{"preview_info": map[string]any{"pic_id_list": []string{video}}},
		{"preview_info": map[string]any{"pic_id_list": []string{"99999"}}},
		{"feedback_stuff": []string{video}},
		{"feedback_stuff": []string{"nonsense"}},
	} {
		body["audit"] = wrong
		status, err := o.try(t.Context(), http.MethodPost, "/rollouts", body, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, status, wrong)
	}
	body["audit"] = map[string]any{"preview_info": map[string]any{"pic_id_list": []string{picture}, "video_id_list": []string{video}}}
	// One upload fails at first.
	_, err := w.fake.FailNext(wechatfake.Fault{Path: "/wxa/uploadmedia", AppID: merchants[0], Mode: wechatfake.FaultCutBefore})
	require.NoError(t, err)
	o.call(http.MethodPost, "/rollouts", body, nil)
	uploads := func(appid string) (n int) {
		for _, c := range w.fake.Calls("/wxa/uploadmedia") {
			if c.AppID == appid && c.ErrCode == 0 && c.Fault == "" {
				n++
			}
		}
		return n
	}
	ids := []string{}
	for _, appid := range merchants {
		ids = append(ids, o.waitSubmission(appid, "auditing").ID)
		sent := submitted(t, w.fake, appid)[0]["preview_info"].(map[string]any)
		require.Len(t, sent["pic_id_list"], 1)
		require.NotEqual(t, picture, sent["pic_id_list"].([]any)[0], "WeChat's id")
		require.Equal(t, 2, uploads(appid))
		require.NoError(t, w.fake.Reject(appid, "支付流程无法体验", 0))
		o.waitSubmission(appid, "rejected")
	}
	// The answer to the reviewers takes the other kind of upload; of one merchant WeChat has lost the uploads.
	w.fake.DropMedia(merchants[1])
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": ids, "audit": map[string]any{
		"feedback_info": "see the picture", "feedback_stuff": []string{picture},
	}}, nil)
	for i, appid := range merchants {
		o.waitSubmission(appid, "auditing")
		sent := submitted(t, w.fake, appid)[1]
		require.NotEmpty(t, sent["feedback_stuff"])
		require.NotEqual(t, picture, sent["feedback_stuff"])
		require.Equal(t, 2+2*i, uploads(appid), "what WeChat still has is used again")
	}
}

// TestAuditProfile: what the profile says goes to WeChat, and what WeChat would refuse is refused before.
func TestAuditProfile(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	body := rolloutBody(template, merchants...)
	item := func(change map[string]any) map[string]any {
		i := map[string]any{"first_class": "商家自营", "second_class": "食品饮料", "first_id": 1, "second_id": 2}
		maps.Copy(i, change)
		return map[string]any{"item_list": []any{i}}
	}
	for name, wrong := range map[string]map[string]any{
		"eleven tags":         item(map[string]any{"tag": strings.Repeat("a ", 11)}),
		"a long tag":          item(map[string]any{"tag": strings.Repeat("长", 21)}),
		"a long title":        item(map[string]any{"title": strings.Repeat("长", 33)}),
		"a page with a slash": item(map[string]any{"address": "/pages/index/index"}),
		"no category":         item(map[string]any{"first_id": 0}),
		"six items":           {"item_list": []any{map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}}},
		"long feedback":       {"feedback_info": strings.Repeat("长", 201)},
		"ugc without scene":   {"ugc_declare": map[string]any{"scene": []int{}, "has_audit_team": 0}},
		"ugc with scene 9":    {"ugc_declare": map[string]any{"scene": []int{9}, "has_audit_team": 0, "method": []int{1}}},
		"ugc without method":  {"ugc_declare": map[string]any{"scene": []int{1}, "has_audit_team": 0}},
		"order path":          {"order_path": "/pages/order/list"},
	} {
		body["audit"] = wrong
		status, err := o.try(t.Context(), http.MethodPost, "/rollouts", body, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, status, name)
	}

	// One merchant has another category; one gets a social one, for which WeChat wants a declaration.
	require.NoError(t, w.fake.ChangeMerchant(merchants[1], func(m *wechatfake.Merchant) {
		m.Categories = []wechatfake.Category{{FirstClass: "教育", SecondClass: "在线教育", FirstID: 5, SecondID: 6, Status: 3}}
	}))
	require.NoError(t, w.fake.ChangeMerchant(merchants[2], func(m *wechatfake.Merchant) {
		m.Categories = append(m.Categories, wechatfake.Category{FirstClass: "社交", SecondClass: "社区/论坛", FirstID: 7, SecondID: 8, Status: 3})
	}))
	profile := item(map[string]any{"tag": "food shop", "title": "Home", "address": "pages/index/index"})
	profile["order_path"] = "pages/order/list"
	body["audit"] = profile
	o.call(http.MethodPost, "/rollouts", body, nil)
	o.waitSubmission(merchants[0], "auditing")
	sent := submitted(t, w.fake, merchants[0])[0]
	require.Equal(t, "pages/order/list", sent["order_path"])
	require.Equal(t, "food shop", sent["item_list"].([]any)[0].(map[string]any)["tag"])
	lacking := o.waitSubmission(merchants[1], "blocked")
	require.Equal(t, "category_missing", lacking.Error.Code)
	require.Contains(t, lacking.Error.Detail, "商家自营/食品饮料")
	undeclared := o.waitSubmission(merchants[2], "failed")
	require.Contains(t, undeclared.Error.Hint, "ugc_declare")
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": []string{undeclared.ID}, "audit": map[string]any{
		"ugc_declare": map[string]any{"scene": []int{4}, "method": []int{1}, "has_audit_team": 1},
	}}, nil)
	o.waitSubmission(merchants[2], "auditing")
	require.Equal(t, 1, w.fake.Effective("/wxa/commit", merchants[2]))
}

// TestAuditsByOthers: what people do in WeChat's console is waited for or taken over, and no commit is spent on it.
func TestAuditsByOthers(t *testing.T) {
	t.Parallel()
	merchants := appids(3)
	w, o, template := readyWorld(t, merchants...)
	// 85009 while WeChat shows us no audit: the merchant has submitted one itself.
	require.NoError(t, w.fake.ConsoleSubmit(merchants[0]))
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	eventually(t, "waits for the foreign audit", func() (bool, string) {
		sub := o.waitSubmission(merchants[0], "submitting")
		return sub.Error != nil && sub.Error.Code == "audit_running" && sub.Error.Hint != "", fmt.Sprintf("%+v", sub.Error)
	})
	require.NoError(t, w.fake.ConsoleDecide(merchants[0], wechatfake.AuditApproved, ""))
	o.waitSubmission(merchants[0], "auditing")
	require.Equal(t, 1, w.fake.Effective("/wxa/commit", merchants[0]))
	require.Equal(t, 1, w.fake.Effective("/wxa/submit_audit", merchants[0]))
	// Approved and taken back without any event.
	o.waitSubmission(merchants[1], "auditing")
	require.NoError(t, w.fake.ConsoleDecide(merchants[1], wechatfake.AuditApproved, ""))
	o.waitSubmission(merchants[1], "released")
	o.waitSubmission(merchants[2], "auditing")
	require.NoError(t, w.fake.ConsoleDecide(merchants[2], wechatfake.AuditWithdrawn, ""))
	taken := o.waitSubmission(merchants[2], "withdrawn")
	var left struct{ Withdrawals withdrawalsAnswer }
	o.call(http.MethodGet, "/submissions/"+taken.ID, nil, &left)
	require.Equal(t, withdrawalsAnswer{5, 10}, left.Withdrawals, "not ours")
}

// TestEarlyEventIsLookedAtAgain: the event comes before WeChat's own state changes, and the next poll is an hour away.
func TestEarlyEventIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorldWith(t, map[string]string{"AUDIT_POLL": "1h", "DETECTION_POLL": "2s"}, merchants...)
	w.fake.Set(func(s *wechatfake.Settings) { s.EarlyEventLag = wechatfake.Duration(700 * time.Millisecond) })
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.NextEvent(wechatfake.EventEarly))
	require.NoError(t, w.fake.Approve(merchants[0]))
	o.waitSubmission(merchants[0], "released")
}

// TestLateEventsChangeNothing: an event about the audit before comes after the resubmission, then one of an approval that
// WeChat does not know of.
func TestLateEventsChangeNothing(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorldWith(t, map[string]string{"AUDIT_POLL": "1h"}, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	sub := o.waitSubmission(merchants[0], "auditing")
	require.NoError(t, w.fake.Reject(merchants[0], "no", 0))
	o.waitSubmission(merchants[0], "rejected")
	o.call(http.MethodPost, "/submissions/resubmit", map[string]any{"ids": []string{sub.ID}}, nil)
	o.waitSubmission(merchants[0], "auditing")
	for i, event := range []string{"weapp_audit_fail", "weapp_audit_success"} {
		before := countOK(w.fake, "/wxa/get_latest_auditstatus", merchants[0])
		require.NoError(t, w.fake.PushMessage(merchants[0], wechatfake.Message{
			{Name: "CreateTime", Value: time.Now().Unix() - 100 + int64(i)},
			{Name: "MsgType", Value: "event"},
			{Name: "Event", Value: event},
			{Name: "Reason", Value: "of the audit before"},
		}))
		eventually(t, "WeChat is asked", func() (bool, string) {
			return countOK(w.fake, "/wxa/get_latest_auditstatus", merchants[0]) > before, ""
		})
	}
	sub = o.waitSubmission(merchants[0], "auditing")
	require.Empty(t, sub.Reason)
	require.Zero(t, w.fake.Effective("/wxa/release", merchants[0]))
	require.NoError(t, w.fake.Approve(merchants[0]))
	o.waitSubmission(merchants[0], "released")
	require.Equal(t, 2, w.fake.Effective("/wxa/submit_audit", merchants[0]))
}

// TestScreenshotsWithBadLuck has one picture unknown to WeChat and two that come at the second try.
func TestScreenshotsWithBadLuck(t *testing.T) {
	t.Parallel()
	merchants := appids(1)
	w, o, template := readyWorld(t, merchants...)
	o.call(http.MethodPost, "/rollouts", rolloutBody(template, merchants...), nil)
	o.waitSubmission(merchants[0], "auditing")
	for _, f := range []wechatfake.Fault{
		{Mode: wechatfake.FaultErrcode, Code: 40007},
		{Mode: wechatfake.FaultCutBefore},
		{Mode: wechatfake.FaultErrcode, Code: -1},
	} {
		f.Path = "/cgi-bin/material/get_material"
		_, err := w.fake.FailNext(f)
		require.NoError(t, err)
	}
	require.NoError(t, w.fake.Reject(merchants[0], "no", 3))
	sub := o.waitSubmission(merchants[0], "rejected")
	eventually(t, "two pictures", func() (bool, string) {
		o.call(http.MethodGet, "/submissions/"+sub.ID, nil, &sub)
		return len(sub.Screenshots) == 2, fmt.Sprint(sub.Screenshots)
	})
}
