package authorize

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

func TestWhichPageABrowserGets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, agent     string
		inWeChat, phone bool
	}{
		{"WeChat on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003231) NetType/WIFI Language/zh_CN", true, true},
		{"WeChat on Android", "Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 XWEB/1160117 MicroMessenger/8.0.49 Language/zh_CN", true, true},
		{"WeChat for Windows, where the page for phones does not open", "Mozilla/5.0 (Windows NT 10.0; WOW64) Chrome/116.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11)", false, false},
		{"WeChat for Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15 NetType/WIFI MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.7(0x13080712)", false, false},
		{"WeCom, which is no WeChat", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile/15E148 wxwork/4.1.20 MicroMessenger/7.0.1 Language/zh", false, true},
		{"a phone's own browser", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile/15E148 Safari/604.1", false, true},
		{"a desktop", onDesktop, false, false},
		{"nothing told", "", false, false},
	} {
		b := browserOf(c.agent, "")
		require.Equal(t, c.inWeChat, b.inWeChat, c.name)
		require.Equal(t, c.phone, b.phone, c.name)
	}
}

func TestKindsByNumber(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	for kind, authType := range map[string]string{"official": "1", "miniprogram": "2", "any": "3", "4": "4", "5": "5", "6": "6", "8": "8"} {
		status, got := e.api(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": kind})
		require.Equal(t, http.StatusCreated, status, got)
		require.Equal(t, kind, got["kind"])
		l, err := e.Link(t.Context(), got["id"].(string))
		require.NoError(t, err)
		require.Equal(t, authType, e.open(l).Query().Get("auth_type"), kind)
		require.NotEmpty(t, accountWord(kind, "en"))
	}
	for _, kind := range []string{"1", "2", "3", "7", "9", "", "shop"} {
		status, _ := e.api(http.MethodPost, "/authorization-links", map[string]any{"biz_id": "b", "kind": kind})
		require.Equal(t, http.StatusUnprocessableEntity, status, kind)
	}
}

// TestPageThatStaysOpen: when the pre-auth code of an open page is over, the page's way by us still leads to WeChat's
// consent, with a new one; WeChat says how long a code lives.
func TestPageThatStaysOpen(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.wechat.Fake.Set(func(s *wechatfake.Settings) { s.PreAuthCodeExpires = wechatfake.Duration(10 * time.Minute) })
	l := e.link(NewLink{BizID: "b", SingleUse: true})
	appid := e.merchant("wxagain0000000001")
	p := e.get("/authorize/"+l.ID, onDesktop)
	require.Contains(t, p.body, `<noscript><meta http-equiv="refresh" content="5`, "without scripts it loads itself again before the code is over")
	renew, err := strconv.Atoi(regexp.MustCompile(`data-renew="(\d+)"`).FindStringSubmatch(p.body)[1])
	require.NoError(t, err)
	require.InDelta(t, 540, renew, 5, "ten minutes, and a minute to spare")
	direct := e.way(p.body)
	again := regexp.MustCompile(`data-again="([^"]+)"`).FindStringSubmatch(p.body)[1]

	e.ahead.Add(int64(time.Hour))
	require.NotContains(t, e.get(direct.String(), onDesktop, "Referer", e.url+"/").body, `id="consent"`)

	p = e.get(again, onDesktop, "Referer", e.url+"/authorize/"+l.ID, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusFound, p.status)
	require.Equal(t, "strict-origin-when-cross-origin", p.header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", p.header.Get("Cache-Control"))
	fresh, err := url.Parse(p.header.Get("Location"))
	require.NoError(t, err)
	require.NotEqual(t, direct.Query().Get("pre_auth_code"), fresh.Query().Get("pre_auth_code"))
	require.Contains(t, e.get(fresh.String(), onDesktop, "Referer", e.url+"/").body, `id="consent"`)
	inside, err := url.Parse(e.get(again, inWeChat).header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/wxaopen/safe/bindcomponent", inside.Path)
	require.Equal(t, "wechat_redirect", inside.Fragment)

	// An event with the new code finds the link.
	_, err = e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: fresh.Query().Get("pre_auth_code"), Order: wechatfake.OrderEvent})
	require.NoError(t, err)
	e.until("the merchant is bound", func() bool { return e.reread(l).Status == linkAuthorized })
	e.bound(appid, "b")
	require.Equal(t, http.StatusGone, e.get(again, onDesktop).status)
}

func TestTheWayAroundIsNoEntry(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	l := e.link(NewLink{})
	for _, site := range []string{"none", "cross-site"} {
		p := e.get("/authorize/"+l.ID+"/go", onDesktop, "Sec-Fetch-Site", site)
		require.Equal(t, http.StatusSeeOther, p.status)
		require.Equal(t, "/authorize/"+l.ID, p.header.Get("Location"), "WeChat wants to be come to from the page")
	}
	require.Equal(t, http.StatusServiceUnavailable, e.get("/authorize/"+l.ID+"/go", onDesktop, "Purpose", "prefetch").status)
	require.Empty(t, e.wechat.Fake.Calls(pathPreAuth))
	require.Equal(t, http.StatusFound, e.get("/authorize/"+l.ID+"/go", onDesktop).status)
	require.Equal(t, linkPending, e.reread(l).Status, "only the page opens a link")
}

func TestPoster(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	require.NoError(t, e.component.Change(t.Context(), component.Change{Name: new("好店助手"), Description: new("为商户代开发小程序")}, "test"))
	l := e.link(NewLink{BizID: "shop-1", FuncScopes: []int{18}, AppID: "wxonly00000000001"})
	p := e.get("/authorize/"+l.ID+"/poster", onDesktop)
	require.Equal(t, http.StatusOK, p.status)
	for _, want := range []string{"好店助手", "为商户代开发小程序", "shop-1", "小程序开发与数据分析", "wxonly00000000001", e.linkURL(l.ID), l.ID + "/qr.svg", "遇到问题"} {
		require.Contains(t, p.body, want)
	}
	english := e.get("/authorize/"+l.ID+"/poster?lang=en", onDesktop, "Accept-Language", "zh-CN")
	require.Contains(t, english.body, "Scan with WeChat to authorize")
	require.Contains(t, english.body, `lang="en"`)
	require.Equal(t, linkPending, e.reread(l).Status, "printing is not opening")
	require.Empty(t, e.wechat.Fake.Calls(pathPreAuth))
	_, got := e.api(http.MethodGet, "/authorization-links/"+l.ID, nil)
	require.Equal(t, e.url+"/authorize/"+l.ID+"/poster", got["poster_url"])

	drawing := e.get("/authorize/"+l.ID+"/qr.svg", onDesktop)
	require.Equal(t, "image/svg+xml", drawing.header.Get("Content-Type"))
	rows, err := qrModules(e.linkURL(l.ID))
	require.NoError(t, err)
	require.Equal(t, rows, modulesOfSVG(t, drawing.body), "the drawing has the modules of the link's code")
	for _, size := range []int{0, 64, 300, 1001, 2048} {
		target := "/authorize/" + l.ID + "/qr.png"
		if size > 0 {
			target += "?download=1&size=" + strconv.Itoa(size)
		}
		p := e.get(target, onDesktop)
		require.Equal(t, http.StatusOK, p.status)
		picture, err := png.Decode(strings.NewReader(p.body))
		require.NoError(t, err)
		if size > 0 {
			require.Equal(t, size, picture.Bounds().Dx())
			require.Equal(t, `attachment; filename="authorize-`+l.ID[:8]+`.png"`, p.header.Get("Content-Disposition"))
		} else {
			require.Greater(t, picture.Bounds().Dx(), 400)
		}
		require.Equal(t, rows, modulesOfPNG(picture, len(rows)))
	}
	for _, size := range []string{"63", "2049", "-1", "x", "99999999999999999999"} {
		require.Equal(t, http.StatusUnprocessableEntity, e.get("/authorize/"+l.ID+"/qr.png?size="+size, onDesktop).status, size)
	}
	require.NoError(t, e.RevokeLink(t.Context(), l.ID))
	require.Equal(t, http.StatusGone, e.get("/authorize/"+l.ID+"/poster", onDesktop).status)
}

// modulesOfPNG reads the picture of a QR code as a scanner does, by the middle of each module.
func modulesOfPNG(picture image.Image, n int) [][]bool {
	size := picture.Bounds().Dx()
	scale := max(size/(n+2*quietZone), 1)
	margin := (size - n*scale) / 2
	rows := make([][]bool, n)
	for y := range rows {
		rows[y] = make([]bool, n)
		for x := range rows[y] {
			r, _, _, _ := picture.At(margin+x*scale+scale/2, margin+y*scale+scale/2).RGBA()
			rows[y][x] = r == 0
		}
	}
	return rows
}

func modulesOfSVG(t *testing.T, drawing string) [][]bool {
	t.Helper()
	n, err := strconv.Atoi(regexp.MustCompile(`viewBox="0 0 (\d+) `).FindStringSubmatch(drawing)[1])
	require.NoError(t, err)
	n -= 2 * quietZone
	rows := make([][]bool, n)
	for y := range rows {
		rows[y] = make([]bool, n)
	}
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1`).FindAllStringSubmatch(drawing, -1) {
		x, _ := strconv.Atoi(run[1])
		y, _ := strconv.Atoi(run[2])
		width, _ := strconv.Atoi(run[3])
		for i := range width {
			rows[y-quietZone][x-quietZone+i] = true
		}
	}
	return rows
}

func picture(t *testing.T, width int) string {
	t.Helper()
	var out bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, width, 8))
	img.Set(1, 1, color.RGBA{R: 255, A: 255})
	require.NoError(t, png.Encode(&out, img))
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestBranding(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	logo := picture(t, 16)
	status, got := e.api(http.MethodPut, "/component", map[string]any{
		"name": "好店助手", "description": "第一行\n<i>第二行</i>", "color": "#00A870", "logo": logo,
	})
	require.Equal(t, http.StatusOK, status, got)
	require.Equal(t, "#00a870", got["color"])
	l := e.link(NewLink{BizID: "b"})
	p := e.get("/authorize/"+l.ID, onDesktop)
	require.Contains(t, p.body, "第一行\n&lt;i&gt;第二行&lt;/i&gt;")
	require.Equal(t, "好店助手", regexp.MustCompile(`<span class="name">([^<]*)</span>`).FindStringSubmatch(p.body)[1])
	src := regexp.MustCompile(`<img class="logo" src="([^"]+)"`).FindStringSubmatch(p.body)[1]
	require.Equal(t, got["logo_url"], e.url+src)
	shown := e.get(src, onDesktop)
	require.Equal(t, http.StatusOK, shown.status)
	require.Equal(t, "image/png", shown.header.Get("Content-Type"))
	require.Equal(t, "nosniff", shown.header.Get("X-Content-Type-Options"))
	require.Equal(t, logo, "data:image/png;base64,"+base64.StdEncoding.EncodeToString([]byte(shown.body)))
	sheet := e.get("/authorize/assets/00a870/brand.css", onDesktop)
	require.Contains(t, p.body, "/assets/00a870/brand.css")
	require.Contains(t, sheet.body, "--brand:#00a870")
	require.Contains(t, sheet.body, "--on:#fff")
	require.Contains(t, e.get("/authorize/assets/ffe100/brand.css", onDesktop).body, "--on:#17212f", "dark text on yellow")

	// Nothing on a merchant's page comes from another host.
	policy := p.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "http")
	for _, address := range regexp.MustCompile(`(?:src|<link[^>]* href)="([^"]+)"`).FindAllStringSubmatch(p.body, -1) {
		require.Regexp(t, `^(/authorize/|data:,)`, address[1])
	}

	for name, in := range map[string]map[string]any{
		"a logo elsewhere":                  {"logo": "https://evil.example.com/logo.png"},
		"an SVG, which may hold scripts":    {"logo": "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte("<svg/>"))},
		"HTML that says it is a picture":    {"logo": "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("<html>"))},
		"a picture that says it is another": {"logo": strings.Replace(logo, "png", "jpeg", 1)},
		"a picture too wide":                {"logo": picture(t, 2049)},
		"more than 256 KiB":                 {"logo": "data:image/png;base64," + strings.Repeat("A", 400000)},
		"a colour by name":                  {"color": "red"},
		"a colour with more behind it":      {"color": "#00a870;}body{display:none"},
	} {
		status, got := e.api(http.MethodPut, "/component", in)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %v", name, got)
	}
	for _, wrong := range []string{"00a87", "00a8700", "zzzzzz", "00a870;}x{"} {
		require.Equal(t, http.StatusNotFound, e.get("/authorize/assets/"+url.PathEscape(wrong)+"/brand.css", onDesktop).status, wrong)
	}
	require.Equal(t, http.StatusNotFound, e.get("/authorize/assets/0123456789abcdef/logo", onDesktop).status)

	status, got = e.api(http.MethodPut, "/component", map[string]any{"color": "", "logo": ""})
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, got["logo_url"])
	p = e.get("/authorize/"+l.ID, onDesktop)
	require.NotContains(t, p.body, "brand.css")
	require.NotContains(t, p.body, `class="logo"`)
}

// TestResultSaysWhatIsMissing: a merchant may leave out permission sets on WeChat's page.
func TestResultSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	appid := e.merchant("wxpartial00000001")
	l := e.link(NewLink{BizID: "b", FuncScopes: []int{17, 18}, SingleUse: true})
	q := e.open(l).Query()
	given, err := e.wechat.Fake.AuthorizeMerchant(appid, wechatfake.Authorize{PreAuthCode: q.Get("pre_auth_code"), Order: wechatfake.OrderRedirect, Scopes: []int{17}})
	require.NoError(t, err)
	p := e.callback(l, given.Code)
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, "没有授予：小程序开发与数据分析")
	require.Contains(t, e.get("/authorize/"+l.ID, onDesktop, "Accept-Language", "en").body, "Not granted: Mini program development")
}

func TestLanguageOfThePage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	l := e.link(NewLink{BizID: "b"})
	for _, c := range []struct{ query, accept, says string }{
		{"", "", "申请管理您的账号"},
		{"", "zh-TW,zh;q=0.9,en;q=0.8", "申请管理您的账号"},
		{"", "en-US,en;q=0.9,zh;q=0.8", "asks to manage your account"},
		{"", "fr-FR", "申请管理您的账号"},
		{"?lang=en", "zh-CN", "asks to manage your account"},
		{"?lang=zh-CN", "en", "申请管理您的账号"},
		{"?lang=fr", "en", "asks to manage your account"},
	} {
		p := e.get("/authorize/"+l.ID+c.query, onDesktop, "Accept-Language", c.accept)
		require.Contains(t, p.body, c.says, "%+v", c)
		require.Contains(t, strings.Join(p.header.Values("Vary"), ","), "Accept-Language")
	}
}
