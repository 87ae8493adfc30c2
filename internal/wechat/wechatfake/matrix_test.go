package wechatfake_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// The legality matrix of a mini program's three slots: every call in every state. A cell is an errcode, or "image".
// States are reached through calls and the reviewer, as in real life.

type column struct {
	name  string
	reach func(*rig)
}

type row struct {
	name  string
	call  func(*rig) answer
	cells []string
}

func runMatrix(t *testing.T, columns []column, rows []row) {
	t.Helper()
	for _, row := range rows {
		if len(row.cells) != len(columns) {
			t.Fatalf("%s has %d cells for %d columns", row.name, len(row.cells), len(columns))
		}
		for i, column := range columns {
			t.Run(row.name+" in state "+column.name, func(t *testing.T) {
				t.Parallel()
				r := ready(t)
				column.reach(r)
				got := row.call(r)
				if row.cells[i] == "image" {
					if !strings.HasPrefix(got.contentType, "image/") || http.DetectContentType(got.raw) != got.contentType {
						t.Fatalf("got %s %s, want an image", got.contentType, got.raw)
					}
					return
				}
				want, err := strconv.Atoi(row.cells[i])
				if err != nil {
					t.Fatal(err)
				}
				got.want(t, want)
				if want != 0 && !strings.Contains(got.text("errmsg"), " rid: ") {
					t.Fatalf("errmsg %q has no rid", got.text("errmsg"))
				}
			})
		}
	}
}

func slowDetection(r *rig) {
	r.Fake.Set(func(s *wechatfake.Settings) { s.DetectionTime = wechatfake.Duration(time.Minute) })
}

func TestTrialSlotMatrix(t *testing.T) {
	t.Parallel()
	columns := []column{
		{"empty", func(*rig) {}},
		{"detection running", func(r *rig) { slowDetection(r); r.commit("1").want(r.tb, 0) }},
		{"problems", func(r *rig) {
			r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.PrivateAPIs = []string{"wx.getLocation"} }))
			r.commit("1").want(r.tb, 0)
		}},
		{"clean", func(r *rig) { r.commit("1").want(r.tb, 0) }},
	}
	privacy := fields{"setting_list": []fields{{"privacy_key": "UserInfo", "privacy_text": "展示头像"}}, "owner_setting": fields{"contact_email": "a@b.cn", "notice_method": "弹窗"}}
	runMatrix(t, columns, []row{
		{"commit", func(r *rig) answer { return r.commit("2") }, []string{"0", "0", "0", "0"}},
		{"commit while another runs", secondCommit, []string{"9402202", "9402202", "9402202", "9402202"}},
		{"get_page", func(r *rig) answer { return r.call(shop, "/wxa/get_page", nil) }, []string{"86001", "0", "0", "0"}},
		{"get_qrcode", func(r *rig) answer { return r.call(shop, "/wxa/get_qrcode", nil) }, []string{"86001", "image", "image", "image"}},
		{"getversioninfo", func(r *rig) answer { return r.call(shop, "/wxa/getversioninfo", fields{}) }, []string{"0", "0", "0", "0"}},
		{"get_code_privacy_info", func(r *rig) answer { return r.call(shop, "/wxa/security/get_code_privacy_info", nil) }, []string{"86001", "61039", "0", "0"}},
		{"getprivacysetting", func(r *rig) answer {
			return r.call(shop, "/cgi-bin/component/getprivacysetting", fields{"privacy_ver": 2})
		}, []string{"0", "0", "0", "0"}},
		{"setprivacysetting", func(r *rig) answer { return r.call(shop, "/cgi-bin/component/setprivacysetting", privacy) }, []string{"0", "0", "0", "0"}},
		{"submit_audit", (*rig).submit, []string{"85086", "61039", "61040", "0"}},
		{"submit_audit that declares the APIs unused", func(r *rig) answer {
			return r.call(shop, "/wxa/submit_audit", fields{"privacy_api_not_use": true})
		}, []string{"85086", "61039", "0", "0"}},
	})
}

// secondCommit commits while a slow commit of the same merchant is under way.
func secondCommit(r *rig) answer {
	if _, err := r.Fake.FailNext(wechatfake.Fault{Path: "/wxa/commit", Mode: wechatfake.FaultSlow, Delay: wechatfake.Duration(time.Minute)}); err != nil {
		r.tb.Fatal(err)
	}
	before := r.Fake.Effective("/wxa/commit", shop)
	go r.commit("slow")
	for r.Fake.Effective("/wxa/commit", shop) == before {
		time.Sleep(time.Millisecond)
	}
	return r.commit("second")
}

func auditColumns() []column {
	submitted := func(r *rig) { r.commit("1").want(r.tb, 0); r.submit().want(r.tb, 0) }
	return []column{
		{"none", func(r *rig) { r.commit("1").want(r.tb, 0) }},
		{"auditing", submitted},
		{"delayed", func(r *rig) { submitted(r); r.must(r.Fake.Delay(shop, "需要更多时间")) }},
		{"rejected", func(r *rig) { submitted(r); r.must(r.Fake.Reject(shop, "1:内容不符<br>", 2)) }},
		{"withdrawn", func(r *rig) { submitted(r); r.call(shop, "/wxa/undocodeaudit", nil).want(r.tb, 0) }},
		{"approved, unreleased", func(r *rig) { r.approved("1") }},
		{"approved, released", func(r *rig) { r.publish("1") }},
	}
}

func (r *rig) latestAuditID() any {
	return r.call(shop, "/wxa/get_latest_auditstatus", nil).body["auditid"]
}

func TestAuditSlotMatrix(t *testing.T) {
	t.Parallel()
	get := func(path string) func(*rig) answer { return func(r *rig) answer { return r.call(shop, path, nil) } }
	withID := func(path string) func(*rig) answer {
		return func(r *rig) answer {
			id := r.latestAuditID()
			if id == nil {
				id = 1
			}
			return r.call(shop, path, fields{"auditid": id})
		}
	}
	gray := func(r *rig) answer { return r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 10}) }
	runMatrix(t, auditColumns(), []row{
		{"submit_audit", (*rig).submit, []string{"0", "85009", "85009", "0", "0", "0", "0"}},
		{"get_latest_auditstatus", get("/wxa/get_latest_auditstatus"), []string{"85058", "0", "0", "0", "0", "0", "0"}},
		{"get_auditstatus", withID("/wxa/get_auditstatus"), []string{"85012", "0", "0", "0", "0", "0", "0"}},
		{"undocodeaudit", get("/wxa/undocodeaudit"), []string{"87012", "0", "0", "87012", "87012", "87012", "87012"}},
		{"speedupaudit", withID("/wxa/speedupaudit"), []string{"89402", "0", "0", "89402", "89402", "89402", "89402"}},
		{"release", func(r *rig) answer { return r.call(shop, "/wxa/release", fields{}) }, []string{"85019", "85020", "85020", "85020", "85020", "0", "85052"}},
		{"grayrelease", gray, []string{"85079", "85079", "85079", "85079", "85079", "85079", "85052"}},
		{"grayrelease with a live version", func(r *rig) answer {
			r.must(r.Fake.PutLive(shop, "0.9", "", []string{"pages/index/index"}, r.clock.now()))
			return gray(r)
		}, []string{"85080", "85080", "85080", "85080", "85080", "0", "85052"}},
	})
}

func TestLatestAuditStatusShowsEachState(t *testing.T) {
	t.Parallel()
	status := []float64{-1, 2, 4, 1, 3, 0, 0}
	for i, column := range auditColumns() {
		if status[i] < 0 {
			continue
		}
		t.Run(column.name, func(t *testing.T) {
			t.Parallel()
			r := ready(t)
			column.reach(r)
			got := r.call(shop, "/wxa/get_latest_auditstatus", nil).want(t, 0)
			if got.body["status"] != status[i] || got.text("user_version") != "1" {
				t.Fatalf("got %v, want status %v of version 1", got.body, status[i])
			}
			hasReason := status[i] == 1 || status[i] == 4
			if (got.text("reason") != "") != hasReason {
				t.Fatalf("got reason %q in status %v", got.text("reason"), status[i])
			}
			if shots := got.text("ScreenShot"); (strings.Count(shots, "|") == 1) != (status[i] == 1) {
				t.Fatalf("got ScreenShot %q in status %v", shots, status[i])
			}
		})
	}
}

func TestLiveSlotMatrix(t *testing.T) {
	t.Parallel()
	history := func(r *rig) { r.publish("1"); r.publish("2"); r.publish("3") }
	columns := []column{
		{"no live version", func(*rig) {}},
		{"live, no history", func(r *rig) { r.publish("1") }},
		{"live, history", history},
		{"gray running", func(r *rig) {
			history(r)
			r.approved("4")
			r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 50}).want(r.tb, 0)
		}},
		{"just rolled back", func(r *rig) { history(r); r.call(shop, "/wxa/revertcoderelease", nil).want(r.tb, 0) }},
	}
	get := func(path string) func(*rig) answer { return func(r *rig) answer { return r.call(shop, path, nil) } }
	post := func(path string, body fields) func(*rig) answer {
		return func(r *rig) answer { return r.call(shop, path, body) }
	}
	whenApproved := func(then func(*rig) answer) func(*rig) answer {
		return func(r *rig) answer {
			if r.call(shop, "/wxa/getgrayreleaseplan", nil).body["gray_release_plan"].(map[string]any)["status"] != 1.0 {
				r.approved("next")
			}
			return then(r)
		}
	}
	gray := func(percentage int) func(*rig) answer {
		return whenApproved(post("/wxa/grayrelease", fields{"gray_percentage": percentage}))
	}
	runMatrix(t, columns, []row{
		{"revertcoderelease", get("/wxa/revertcoderelease"), []string{"87012", "87012", "0", "87011", "87012"}},
		{"revertcoderelease to a version in the list", get("/wxa/revertcoderelease?app_version=1"), []string{"87012", "87012", "0", "87011", "0"}},
		{"revertcoderelease to the version just left", get("/wxa/revertcoderelease?app_version=3"), []string{"87012", "87012", "40097", "87011", "40097"}},
		{"get_history_version", get("/wxa/revertcoderelease?action=get_history_version"), []string{"0", "0", "0", "0", "0"}},
		{"grayrelease of a larger part", gray(60), []string{"85079", "0", "0", "0", "0"}},
		{"grayrelease of the same part", gray(50), []string{"85079", "0", "0", "85082", "0"}},
		{"grayrelease of 101 percent", gray(101), []string{"85081", "85081", "85081", "85081", "85081"}},
		{"revertgrayrelease", get("/wxa/revertgrayrelease"), []string{"85021", "85021", "85021", "0", "85021"}},
		{"release", whenApproved(post("/wxa/release", fields{})), []string{"0", "0", "0", "0", "0"}},
		{"release without a new approval", post("/wxa/release", fields{}), []string{"85019", "85052", "85052", "0", "85052"}},
		{"change_visitstatus", post("/wxa/change_visitstatus", fields{"action": "close"}), []string{"85021", "0", "0", "0", "0"}},
		{"getvisitstatus", post("/wxa/getvisitstatus", fields{}), []string{"0", "0", "0", "0", "0"}},
		{"getwxacodeunlimit", post("/wxa/getwxacodeunlimit", fields{"scene": "a=1", "page": "pages/index/index"}), []string{"41030", "image", "image", "image", "image"}},
	})
}

func TestRollbackAndHistory(t *testing.T) {
	t.Parallel()
	r := ready(t)
	for _, version := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		r.publish(version)
	}
	versions := func() []string {
		var found []string
		rows, _ := r.call(shop, "/wxa/revertcoderelease?action=get_history_version", nil).want(t, 0).body["version_list"].([]any)
		for _, row := range rows {
			found = append(found, row.(map[string]any)["user_version"].(string))
		}
		return found
	}
	if got := strings.Join(versions(), " "); got != "6 5 4 3 2" {
		t.Fatalf("got history %q, want the five before the live one", got)
	}
	r.call(shop, "/wxa/revertcoderelease?app_version=4", nil).want(t, 0)
	live := r.call(shop, "/wxa/getversioninfo", fields{}).body["release_info"].(map[string]any)
	if live["release_version"] != "4" {
		t.Fatalf("got live %v, want 4", live)
	}
	if got := strings.Join(versions(), " "); got != "6 5 3 2" {
		t.Fatalf("got history %q, want it without the version left and the one reached", got)
	}
}

func TestGrayPlanEndsOnline(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig){
		"by 100 percent": func(r *rig) { r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 100}).want(r.tb, 0) },
		"by release":     func(r *rig) { r.call(shop, "/wxa/release", fields{}).want(r.tb, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ready(t)
			r.publish("1")
			r.approved("2")
			r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 0}).want(t, 85081)
			r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 0, "support_debuger_first": true}).want(t, 0)
			end(r)
			plan := r.call(shop, "/wxa/getgrayreleaseplan", nil).want(t, 0).body["gray_release_plan"].(map[string]any)
			live := r.call(shop, "/wxa/getversioninfo", fields{}).body["release_info"].(map[string]any)
			if plan["status"] != 3.0 || live["release_version"] != "2" {
				t.Fatalf("got plan %v and live %v, want a finished plan and version 2", plan, live)
			}
		})
	}
}

func TestGrayPlanInTheConsole(t *testing.T) {
	t.Parallel()
	r := ready(t)
	if r.Fake.ConsoleGray(shop, 2, 0) == nil {
		t.Fatal("there is no plan to pause")
	}
	r.publish("1")
	r.approved("2")
	r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 10}).want(t, 0)
	r.must(r.Fake.ConsoleGray(shop, 2, 30))
	plan := r.call(shop, "/wxa/getgrayreleaseplan", nil).want(t, 0).body["gray_release_plan"].(map[string]any)
	if plan["status"] != 2.0 || plan["gray_percentage"] != 30.0 {
		t.Fatalf("got plan %v, want it paused at 30", plan)
	}
	r.call(shop, "/wxa/revertcoderelease", nil).want(t, 87011)
	r.call(shop, "/wxa/grayrelease", fields{"gray_percentage": 20}).want(t, 85082)
	r.must(r.Fake.ConsoleRelease(shop))
	plan = r.call(shop, "/wxa/getgrayreleaseplan", nil).want(t, 0).body["gray_release_plan"].(map[string]any)
	live := r.call(shop, "/wxa/getversioninfo", fields{}).body["release_info"].(map[string]any)
	if plan["status"] != 3.0 || live["release_version"] != "2" {
		t.Fatalf("got plan %v and live %v, want a finished plan and version 2", plan, live)
	}
	if r.Fake.ConsoleRelease(shop) == nil {
		t.Fatal("it is released already")
	}
	r.must(r.Fake.ConsoleCommit(shop, "9", "by hand"))
	trial := r.call(shop, "/wxa/getversioninfo", fields{}).body["exp_info"].(map[string]any)
	if trial["exp_version"] != "9" {
		t.Fatalf("got trial %v, want 9", trial)
	}
}
