package wechatfake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
	"github.com/wxsteward/wxsteward/internal/wechat/wechattest"
)

func TestTheStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fake", "state.json")
	keep := func(c *wechatfake.Config) { c.StateFile = file }
	first := ready(t, keep)
	first.publish("1")
	first.commit("2").want(t, 0)
	first.submit().want(t, 0)
	first.must(first.Fake.Close())
	first.must(first.Fake.Close())

	second := newRig(t, keep)
	second.cat, second.aat = first.cat, first.aat
	info := second.call(shop, "/wxa/getversioninfo", fields{}).want(t, 0)
	if info.body["exp_info"].(map[string]any)["exp_version"] != "2" || info.body["release_info"].(map[string]any)["release_version"] != "1" {
		t.Fatalf("got %v", info.body)
	}
	second.must(second.Fake.Approve(shop))
	second.inbox.next(t, "weapp_audit_success")
	second.component("/cgi-bin/component/api_authorizer_token", fields{"authorizer_appid": shop, "authorizer_refresh_token": first.art[shop]}).want(t, 0)

	_, err := wechatfake.New(wechatfake.Config{ComponentAppID: "wxother", ComponentSecret: "s", Token: wechattest.Token, EncodingAESKey: wechattest.EncodingAESKey, StateFile: file})
	if err == nil || !strings.Contains(err.Error(), "belongs to component") {
		t.Fatalf("got %v for another component's state", err)
	}
}

func TestTheStateIsSavedWithoutClose(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	r := ready(t, func(c *wechatfake.Config) { c.StateFile = file })
	r.commit("1").want(t, 0)       // durable: on disk before the answer
	data, err := os.ReadFile(file) //nolint:gosec // a file of this test
	r.must(err)
	if !strings.Contains(string(data), `"user_version":"1"`) {
		t.Fatal("a commit was answered before it was on disk")
	}
}

func (r *rig) mustSoon(what string, condition func() bool) {
	r.tb.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			r.tb.Fatal(what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSeedAndAnnounce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(c *wechatfake.Config) { c.StateFile = file }
	r := newRig(t, keep)
	r.componentToken()
	r.must(r.Fake.Seed())
	r.must(r.Fake.Seed())
	state := r.Fake.State()
	if len(state.Merchants) != 25 || len(state.Templates) != 3 || len(state.Drafts) != 4 {
		t.Fatalf("got %s", r.Fake.SeedSummary())
	}
	codes := map[string]string{}
	if n := r.Fake.AnnounceAuthorized(t.Context()); n != 20 {
		t.Fatalf("announced %d, want 20", n)
	}
	for range 20 {
		event := r.inbox.next(t, "authorized")
		codes[event["AuthorizerAppid"]] = event["AuthorizationCode"]
	}
	if n := r.Fake.AnnounceAuthorized(t.Context()); n != 0 {
		t.Fatalf("announced %d again although their codes are under way", n)
	}
	r.inbox.nothing(t)
	left := 0
	for appid, code := range codes {
		if left++; left > 3 {
			r.exchange(appid, code)
		}
	}
	r.must(r.Fake.Close())

	again := newRig(t, keep)
	again.cat = r.cat
	again.must(again.Fake.Seed())
	if n := again.Fake.AnnounceAuthorized(t.Context()); n != 0 {
		t.Fatalf("announced %d right after a restart, want 0", n)
	}
	again.clock.pass(11 * time.Minute)
	if n := again.Fake.AnnounceAuthorized(t.Context()); n != 3 {
		t.Fatalf("announced %d after the codes expired, want the 3 not exchanged", n)
	}
	for range 3 {
		again.inbox.next(t, "authorized")
	}
	seen := map[string]bool{}
	for _, merchant := range again.Fake.State().Merchants {
		if merchant.Note == "" || seen[merchant.AppID] {
			t.Errorf("merchant %s has no note or is there twice", merchant.NickName)
		}
		seen[merchant.AppID] = true
	}
}

func TestAutomaticReview(t *testing.T) {
	t.Parallel()
	r := ready(t, func(c *wechatfake.Config) { c.AuditTime = time.Millisecond })
	r.commit("1").want(t, 0)
	r.submit().want(t, 0)
	r.inbox.next(t, "weapp_audit_success")
	r.must(r.Fake.ChangeMerchant(shop, func(m *wechatfake.Merchant) { m.PrivacyKeys = []string{"PhoneNumber"} }))
	r.commit("2").want(t, 0)
	r.submit().want(t, 0)
	if event := r.inbox.next(t, "weapp_audit_fail"); !strings.Contains(event["Reason"], "PhoneNumber") || event["ScreenShot"] == "" {
		t.Fatalf("got %v, want the missing key named", event)
	}
}
