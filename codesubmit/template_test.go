package codesubmit

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func (e *shops) draft(version, source string) int64 {
	e.T.Helper()
	id, err := e.Fake.AddDraft(wechatfake.Draft{UserVersion: version, SourceAppID: source, Package: wechatfake.Package{Pages: []string{"pages/index/index"}}})
	require.NoError(e.T, err)
	return id
}

func (e *shops) add(draft int64) (int, map[string]any) {
	e.T.Helper()
	return e.API(http.MethodPost, "/templates", map[string]any{"draft_id": draft})
}

func TestTemplateIsMadeOnceOfADraft(t *testing.T) {
	t.Parallel()
	e := newShops(t)
	const add = "/wxa/addtotemplate"
	status, again := e.add(0)
	require.Equal(t, http.StatusCreated, status)
	require.InDelta(t, e.template, again["template_id"], 0, "the template that is there is the answer")
	require.Equal(t, 1, e.Fake.Effective(add, ""))

	lost := e.draft("2.4.0", "wxdev00000000000002")
	e.fail(wechatfake.Fault{Path: add, Mode: wechatfake.FaultCutAfter})
	status, made := e.add(lost)
	require.Equal(t, http.StatusCreated, status, "the library tells what the lost answer did")
	require.Equal(t, "2.4.0", made["user_version"])

	never := e.draft("2.5.0", "wxdev00000000000003")
	e.fail(wechatfake.Fault{Path: add, Mode: wechatfake.FaultCutBefore})
	status, out := e.add(never)
	require.Equal(t, http.StatusBadGateway, status, out)
	status, made = e.add(never)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, "2.5.0", made["user_version"])

	// The answer and what would tell are both lost: asked again, nothing is made twice.
	both := e.draft("2.6.0", "wxdev00000000000004")
	e.fail(wechatfake.Fault{Path: add, Mode: wechatfake.FaultCutAfter})
	e.fail(wechatfake.Fault{Path: "/wxa/gettemplatelist", Mode: wechatfake.FaultCutBefore, Skip: 1})
	status, out = e.add(both)
	require.Equal(t, http.StatusBadGateway, status, out)
	status, _ = e.add(both)
	require.Equal(t, http.StatusCreated, status)
	list := e.do(http.MethodGet, "/templates", nil)
	require.Len(t, list["items"], 4)

	// An upload replaces the draft between looking and adding.
	gone := e.draft("2.7.0", "wxdev00000000000005")
	e.fail(wechatfake.Fault{Path: add, Mode: wechatfake.FaultErrcode, Code: 85064})
	status, _ = e.add(gone)
	require.Equal(t, http.StatusNotFound, status)
	status, out = e.add(4711)
	require.Equal(t, http.StatusNotFound, status, out)
}

func TestFullTemplateLibrary(t *testing.T) {
	t.Parallel()
	e := newShops(t)
	for i := range templateLimit - 1 {
		_, err := e.Fake.AddTemplate(wechatfake.Template{Draft: wechatfake.Draft{UserVersion: strconv.Itoa(i), Package: wechatfake.Package{Pages: []string{"a"}}}})
		require.NoError(t, err)
	}
	draft := e.draft("2.4.0", "wxdev00000000000002")
	status, out := e.add(draft)
	require.Equal(t, http.StatusConflict, status, out)
	require.Contains(t, out["detail"], "200")
	require.Empty(t, e.Fake.Calls("/wxa/addtotemplate")[1:], "WeChat is not asked in vain")
	status, _, _ = e.Raw(http.MethodDelete, "/templates/5", nil)
	require.Equal(t, http.StatusNoContent, status)
	e.Fake.Set(func(s *wechatfake.Settings) { s.LibraryLimit = 199 }) // WeChat knows better
	status, out = e.add(draft)
	require.Equal(t, http.StatusBadGateway, status, out)
	require.InDelta(t, 85065, out["wechat"].(map[string]any)["errcode"], 0)
	require.NotEmpty(t, out["wechat"].(map[string]any)["hint"])
}

func TestDeletingATemplateTellsWhoUsesIt(t *testing.T) {
	t.Parallel()
	e := newShops(t, shop, second)
	path := fmt.Sprintf("/templates/%d", e.template)
	e.released("2.3.0", shop)
	e.roll("spring", map[string]any{"strategy": map[string]any{"canary": 1}}, shop, second)
	e.until(shop, "auditing")
	item, _ := e.do(http.MethodGet, "/templates", nil)["items"].([]any)[0].(map[string]any)
	require.InDelta(t, 2, item["used_by"], 0)
	require.InDelta(t, 1, item["live"], 0)
	status, out := e.API(http.MethodDelete, path, nil)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, out["detail"], "spring")
	require.Empty(t, e.Fake.Calls("/wxa/deletetemplate"))

	e.fail(wechatfake.Fault{Path: "/wxa/deletetemplate", Mode: wechatfake.FaultCutAfter})
	status, _, _ = e.Raw(http.MethodDelete, path+"?force=true", nil)
	require.Equal(t, http.StatusNoContent, status, "the library tells what the lost answer did")
	status, out = e.API(http.MethodDelete, path+"?force=true", nil)
	require.Equal(t, http.StatusNotFound, status, out)
	status, _ = e.API(http.MethodDelete, "/templates/nonsense", nil)
	require.Equal(t, http.StatusNotFound, status)

	require.NoError(t, e.Fake.Approve(shop)) // its code is there already
	e.until(shop, "released")
	failed, _ := e.until(second, "failed")["error"].(map[string]any)
	require.Equal(t, "template_gone", failed["code"], "deleted between two steps")
	require.NotEmpty(t, failed["hint"])
	status, out = e.API(http.MethodPost, "/preflights", e.body(nil, second))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "body.template_id", out["errors"].([]any)[0].(map[string]any)["location"])
}
