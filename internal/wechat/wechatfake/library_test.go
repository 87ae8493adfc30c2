package wechatfake_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func TestTemplateLibrary(t *testing.T) {
	t.Parallel()
	r := ready(t)
	draft := template().Draft
	first, err := r.Fake.AddDraft(draft)
	r.must(err)
	second, err := r.Fake.AddDraft(draft)
	r.must(err)
	drafts := r.do(http.MethodGet, "/wxa/gettemplatedraftlist", "access_token="+r.cat, nil, "").want(t, 0).body["draft_list"].([]any)
	if len(drafts) != 1 || drafts[0].(map[string]any)["draft_id"] != float64(second) {
		t.Fatalf("got %v, want the second upload to replace the first", drafts)
	}
	add := func(body fields) answer { return r.post("/wxa/addtotemplate", r.cat, body) }
	add(fields{"draft_id": first}).want(t, 85064)
	add(fields{}).want(t, 40097)
	if got := add(fields{"draft_id": second}).want(t, 0); len(got.body) != 2 {
		t.Fatalf("got %v, want no template id", got.body)
	}
	add(fields{"draft_id": second, "template_type": 1}).want(t, 0)
	r.Fake.Set(func(s *wechatfake.Settings) { s.LibraryLimit = 3 })
	add(fields{"draft_id": second}).want(t, 85065)
	list := func(query string) int {
		got := r.do(http.MethodGet, "/wxa/gettemplatelist", "access_token="+r.cat+query, nil, "").want(t, 0)
		return len(got.body["template_list"].([]any))
	}
	if list("") != 3 || list("&template_type=0") != 2 || list("&template_type=1") != 1 {
		t.Fatalf("got %d, %d and %d templates", list(""), list("&template_type=0"), list("&template_type=1"))
	}
	r.call(shop, "/wxa/commit", fields{"template_id": 2, "ext_json": `{"ext":{},"pages":["pages/index/index"]}`, "user_version": "1", "user_desc": ""}).want(t, 9402203)
	r.post("/wxa/deletetemplate", r.cat, fields{"template_id": 0}).want(t, 0)
	r.post("/wxa/deletetemplate", r.cat, fields{"template_id": 0}).want(t, 85064)
	r.commit("1").want(t, 85014)
}

func TestPrivacyGuidelineGoesLiveWithTheRelease(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.PrivacyKeys = []string{"PhoneNumber"} }))
	set := func(body fields) answer {
		return r.call(shop, "/cgi-bin/component/setprivacysetting", body)
	}
	get := func(version int) fields {
		return r.call(shop, "/cgi-bin/component/getprivacysetting", fields{"privacy_ver": version}).want(t, 0).body
	}
	owner := func(change func(fields)) fields {
		o := fields{"contact_email": "a@b.cn", "notice_method": "弹窗", "store_expire_timestamp": "30天"}
		if change != nil {
			change(o)
		}
		return fields{"owner_setting": o, "setting_list": []fields{{"privacy_key": "PhoneNumber", "privacy_text": "联系收货人"}}}
	}
	for want, change := range map[int]func(fields){
		86069: func(o fields) { delete(o, "contact_email") },
		86070: func(o fields) { delete(o, "notice_method") },
		86072: func(o fields) { o["store_expire_timestamp"] = "30 days" },
		86073: func(o fields) { o["ext_file_media_id"] = "none" },
	} {
		set(owner(change)).want(t, want)
	}
	set(fields{"owner_setting": owner(nil)["owner_setting"]}).want(t, 40097)
	set(fields{"privacy_ver": 1, "owner_setting": owner(nil)["owner_setting"]}).want(t, 86074)

	slowDetection(r)
	r.commit("1").want(t, 0)
	if got := get(2); got["code_exist"] != 1.0 || len(got["privacy_list"].([]any)) != 0 {
		t.Fatalf("got %v while detection runs", got)
	}
	r.clock.pass(time.Minute)
	if got := get(2); len(got["privacy_list"].([]any)) != 1 {
		t.Fatalf("got %v after detection", got)
	}
	set(fields{"owner_setting": owner(nil)["owner_setting"], "setting_list": []fields{{"privacy_key": "PhoneNumber", "privacy_txt": "misspelled"}}}).want(t, 0)
	if rows := get(2)["setting_list"].([]any); rows[0].(map[string]any)["privacy_text"] != "" {
		t.Fatalf("got %v, want the misspelled text stored empty", rows)
	}
	set(owner(nil)).want(t, 0)
	r.submit().want(t, 0)
	r.must(r.Fake.Approve(shop))
	if got := get(1); got["owner_setting"] != nil {
		t.Fatalf("got %v before the release", got)
	}
	r.call(shop, "/wxa/release", fields{}).want(t, 0)
	if got := get(1); got["owner_setting"].(map[string]any)["contact_email"] != "a@b.cn" {
		t.Fatalf("got %v after the release", got)
	}
	live := owner(func(o fields) { o["contact_email"] = "new@b.cn" })
	live["privacy_ver"] = 1
	set(live).want(t, 40097)
	delete(live, "setting_list")
	set(live).want(t, 0)
	r.Fake.Set(func(s *wechatfake.Settings) { s.PrivacySetStrict = true })
	r.commit("2").want(t, 0)
	set(owner(nil)).want(t, 61039)
}

func (r *rig) upload(path, name, filename string, data []byte) answer {
	r.tb.Helper()
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	part, err := form.CreateFormFile(name, filename)
	r.must(err)
	_, err = part.Write(data)
	r.must(err)
	r.must(form.Close())
	path, query, _ := strings.Cut(path, "?")
	return r.do(http.MethodPost, path, strings.Trim(query+"&access_token="+r.aat[shop], "&"), buf.Bytes(), form.FormDataContentType())
}

func TestUploadsAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	r := ready(t)
	var picture bytes.Buffer
	r.must(jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4)), nil))
	audit := r.upload("/wxa/uploadmedia", "media", "a.jpg", picture.Bytes()).want(t, 0).text("mediaid")
	temporary := r.upload("/cgi-bin/media/upload?type=image", "media", "a.jpg", picture.Bytes()).want(t, 0).text("media_id")
	if audit == "" || temporary == "" {
		t.Fatal("want mediaid from one and media_id from the other")
	}
	r.upload("/wxa/uploadmedia", "media", "a.txt", []byte("text")).want(t, 40005)
	r.upload("/wxa/uploadmedia", "media", "a.jpg", []byte("no picture")).want(t, 40005)
	r.upload("/cgi-bin/media/upload?type=image", "media", "a.jpg", []byte("no picture")).want(t, 40005)
	r.upload("/wxa/uploadmedia", "file", "a.jpg", picture.Bytes()).want(t, 41005)
	r.upload("/wxa/uploadmedia", "media", "a.jpg", append(picture.Bytes(), make([]byte, 2<<20)...)).want(t, 40006)
	r.upload("/cgi-bin/component/uploadprivacyextfile", "file", "a.txt", []byte("指引")).want(t, 0)
	r.upload("/cgi-bin/component/uploadprivacyextfile", "file", "a.doc", []byte("指引")).want(t, 40126)
	r.commit("1").want(t, 0)
	submit := func(id string) answer {
		return r.call(shop, "/wxa/submit_audit", fields{"preview_info": fields{"pic_id_list": []string{id}, "video_id_list": []string{}}})
	}
	submit(temporary).want(t, 85092)
	r.clock.pass(time.Hour)
	submit(audit).want(t, 0)
	r.call(shop, "/cgi-bin/material/get_material", fields{"media_id": audit}).want(t, 40007)

	r.join(wechatfake.Merchant{AppID: otherShop})
	r.call(otherShop, "/wxa/commit", fields{"template_id": 0, "ext_json": "{}", "user_version": "1", "user_desc": ""}).want(t, 0)
	r.call(otherShop, "/wxa/submit_audit", fields{"preview_info": fields{"pic_id_list": []string{audit}}}).want(t, 85092)

	// An answer to the reviewers counts after a rejection only, and so do its pictures.
	r.must(r.Fake.Reject(shop, "no", 0))
	answer := func(id string) answer {
		return r.call(shop, "/wxa/submit_audit", fields{"feedback_info": "x", "feedback_stuff": id})
	}
	answer(audit).want(t, 85092)
	answer(temporary).want(t, 0)
	r.must(r.Fake.Reject(shop, "no", 0))
	r.Fake.DropMedia(shop)
	answer(temporary).want(t, 85092)
}

func TestDeclarationsAreLookedAt(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.commit("1").want(t, 0)
	for _, wrong := range []fields{{"scene": []int{9}}, {"scene": []int{1}, "method": []int{0}}, {"scene": []int{1}, "has_audit_team": 2}} {
		r.call(shop, "/wxa/submit_audit", fields{"ugc_declare": wrong}).want(t, 40097)
	}
	r.call(shop, "/wxa/submit_audit", fields{"ugc_declare": fields{"scene": []int{1, 4}, "method": []int{1}, "has_audit_team": 1}}).want(t, 0)
}

func TestMembersFilingAndVisitStatus(t *testing.T) {
	t.Parallel()
	r := ready(t)
	bound := r.call(shop, "/wxa/bind_tester", fields{"wechatid": "tester_li"}).want(t, 0).text("userstr")
	r.call(shop, "/wxa/bind_tester", fields{"wechatid": "tester_li"}).want(t, 85004)
	r.call(shop, "/wxa/bind_tester", fields{"wechatid": "nobody1"}).want(t, 85001)
	r.Fake.Set(func(s *wechatfake.Settings) { s.TesterLimit = 1 })
	r.call(shop, "/wxa/bind_tester", fields{"wechatid": "tester_wang"}).want(t, 85002)
	members := r.call(shop, "/wxa/memberauth", fields{"action": "get_experiencer"}).want(t, 0).body["members"].([]any)
	if len(members) != 1 || len(members[0].(map[string]any)) != 1 {
		t.Fatalf("got %v, want userstr alone", members)
	}
	r.call(shop, "/wxa/unbind_tester", fields{"userstr": bound}).want(t, 0)

	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.ICPStatus = 1024 }))
	info := r.call(shop, "/wxa/icp/get_icp_entrance_info", nil).want(t, 0).body["info"].(map[string]any)
	if info["status"] != 1024.0 || info["available"] != 1.0 {
		t.Fatalf("got %v", info)
	}
	r.publish("1")
	r.call(shop, "/wxa/change_visitstatus", fields{"action": "close"}).want(t, 0)
	if got := r.call(shop, "/wxa/getvisitstatus", fields{}).want(t, 0).body["status"]; got != 0.0 {
		t.Fatalf("got visit status %v", got)
	}
	r.call(shop, "/wxa/change_visitstatus", fields{"action": "stop"}).want(t, 85022)
	r.call(shop, "/cgi-bin/wxopen/setweappsupportversion", fields{"version": "2.32.3"}).want(t, 0)
	r.call(shop, "/cgi-bin/wxopen/setweappsupportversion", fields{"version": "1"}).want(t, 89014)
	r.call(shop, "/wxa/changewxasearchstatus", fields{"status": 1}).want(t, 0)
	if got := r.call(shop, "/wxa/getwxasearchstatus", nil).want(t, 0).body["status"]; got != 1.0 {
		t.Fatalf("got search status %v", got)
	}
}

func TestWithdrawalsAndSpeedUpsAreCounted(t *testing.T) {
	t.Parallel()
	r := ready(t)
	r.commit("1").want(t, 0)
	undo := func() answer { return r.call(shop, "/wxa/undocodeaudit", nil) }
	for day := range 2 {
		for range 5 {
			r.submit().want(t, 0)
			undo().want(t, 0)
		}
		r.submit().want(t, 0)
		undo().want(t, 87013)
		if day == 0 {
			r.must(r.Fake.Reject(shop, "", 0))
			r.clock.pass(24 * time.Hour)
			r.Fake.PushTicket()
			r.refreshAll()
		}
	}
	r.clock.pass(24 * time.Hour)
	r.refreshAll()
	undo().want(t, 87013) // ten this month
	id := r.latestAuditID()
	r.call(shop, "/wxa/speedupaudit", fields{"auditid": id}).want(t, 0)
	r.call(shop, "/wxa/speedupaudit", fields{"auditid": id}).want(t, 89404)
}

// refreshAll gets new tokens after the clock was moved far.
func (r *rig) refreshAll() {
	r.tb.Helper()
	for len(r.inbox.messages) > 0 {
		<-r.inbox.messages
	}
	r.Fake.Set(func(s *wechatfake.Settings) { s.TicketPush = true })
	r.mustSoon("no ticket came", func() bool {
		r.Fake.PushTicket()
		for {
			got := <-r.inbox.messages
			if got.fields["InfoType"] == "component_verify_ticket" {
				r.ticket = got.fields["ComponentVerifyTicket"]
				return true
			}
		}
	})
	r.cat = r.post("/cgi-bin/component/api_component_token", "", fields{
		"component_appid": wechattest.ComponentAppID, "component_appsecret": wechattest.ComponentSecret, "component_verify_ticket": r.ticket,
	}).want(r.tb, 0).text("component_access_token")
	r.aat[shop] = r.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": r.art[shop]}).want(r.tb, 0).text("authorizer_access_token")
}
