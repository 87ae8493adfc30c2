package authorize

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/wxsteward/wxsteward/internal/fault"
)

//go:embed page
var pageFiles embed.FS

// view is what every page shows.
type view struct {
	Lang     string
	Platform string
	Base     string // of the assets
	BizID    string

	Tone        string // good, bad or wait
	Title, Text string
	Note        string // small print for the service provider
	Facts       []fact
	Retry       string // address of the link's page, where trying again can help
}

type fact struct{ Name, Value string }

// T picks the page's language.
func (v view) T(zh, en string) string {
	if v.Lang == fault.English {
		return en
	}
	return zh
}

// retry offers the way back to the link's page, if that is open.
func (v *view) retry(s *Service, l Link) {
	if l.ID != "" && l.openable() {
		v.Retry = s.linkURL(l.ID)
	}
}

// over explains why a link leads nowhere any more.
func (v *view) over(l Link) {
	switch l.Status {
	case linkAuthorized:
		v.Tone, v.Title = "good", v.T("这个链接已完成授权", "This link has been used")
		v.Text = v.T("授权已经完成，不需要再做什么。如需授权另一个账号，请向服务商索取新的链接。",
			"The authorization is complete, nothing more is to be done. For another account ask your service provider for a new link.")
	case linkRevoked:
		v.Title = v.T("授权链接已撤销", "This link was revoked")
		v.Text = v.T("服务商已撤销这个链接。请向服务商索取新的链接。", "Your service provider has revoked this link. Ask for a new one.")
	default:
		v.Title = v.T("授权链接已过期", "This link has expired")
		v.Text = v.T("这个链接已超过有效期。请向服务商索取新的链接。", "This link is past its time. Ask your service provider for a new one.")
	}
}

// launchView is the page that leads to WeChat.
type launchView struct {
	view

	Go       string
	QR       string
	State    string
	Seconds  int // until Go stops working
	InWeChat bool
	Phone    bool // a phone, but not in WeChat's browser
	Account  string
	Scopes   []string
	Until    time.Time
}

// Expires is the link's end in words.
func (v launchView) Expires() string {
	// WeChat's own time zone: merchants are in China whatever the server's zone is.
	return v.Until.In(time.FixedZone("CST", 8*3600)).Format("2006-01-02 15:04") + v.T("（北京时间）", " (Beijing time)")
}

func accountWord(kind, lang string) string {
	v := view{Lang: lang}
	switch kind {
	case "miniprogram":
		return v.T("小程序", "Mini program")
	case "official":
		return v.T("公众号 / 服务号", "Official account")
	}
	return v.T("小程序或公众号", "Mini program or official account")
}

// pageSet is the templates of one language.
type pageSet struct{ t *template.Template }

// parsePages panics on a mistake in the embedded files, which no user can cause.
func parsePages() map[string]pageSet {
	sets := map[string]pageSet{}
	for _, lang := range []string{fault.Chinese, fault.English} {
		v := view{Lang: lang}
		t := template.New("").Funcs(template.FuncMap{"t": v.T})
		sets[lang] = pageSet{template.Must(t.ParseFS(pageFiles, "page/*.html"))}
	}
	return sets
}

func (p pageSet) render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := p.t.ExecuteTemplate(&out, name+".html", data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// qrPNG draws a QR code with the quiet zone that scanners want.
func qrPNG(text string) ([]byte, error) {
	const scale, quiet = 8, 4 // pixels a module, modules
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	modules := code.Bounds().Dx()
	size := (modules + 2*quiet) * scale
	picture := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	for y := range modules * scale {
		for x := range modules * scale {
			if r, _, _, _ := code.At(x/scale, y/scale).RGBA(); r == 0 {
				picture.SetColorIndex(x+quiet*scale, y+quiet*scale, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	return out.Bytes(), nil
}
