package authorize

import (
	"bytes"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/wxsteward/wxsteward/internal/fault"
)

//go:embed page
var pageFiles embed.FS

// view is what every page shows.
type view struct {
	Lang     string
	Platform string // name of who asks; empty: nobody is named
	About    string // description of who asks
	Logo     string // address of the picture; empty: ours
	Style    string // address of a sheet with the platform's colour; empty: ours
	Base     string // of the assets
	BizID    string

	Tone        string // good, bad or wait
	Title, Text string
	Note        string // small print for the service provider
	Facts       []Fact
	Retry       string // address of the link's page, where trying again can help
	Back        string // address at the business system
}

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
		v.Retry = s.path(l.ID)
	}
}

// over explains why a link leads nowhere any more.
func (v *view) over(l Link) {
	switch l.closedAs() {
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

// launchView is the page that leads to WeChat, and the one that leads there from paper.
type launchView struct {
	view

	Go       string
	Again    string // the same by way of us, with a new pre-auth code
	QR       string
	State    string
	Here     string // address of this page
	URL      string // of the launch page in full
	Seconds  int    // until Go stops working
	Renew    int    // seconds after which a page without scripts loads itself again
	InWeChat bool
	Phone    bool // a phone, but not in WeChat's browser
	Account  string
	AppID    string // the only account that may authorize
	Scopes   []string
	Until    time.Time
}

// OtherLang is the language that the page is not in.
func (v launchView) OtherLang() string { return v.T(fault.English, fault.Chinese) }

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
	case "4":
		return v.T("小程序推客账号", "Mini program promoter")
	case "5":
		return v.T("视频号", "Channels account")
	case "6":
		return v.T("小程序、公众号或视频号", "Mini program, official account or Channels account")
	case "8":
		return v.T("带货助手", "Sales assistant account")
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

const (
	quietZone = 4 // modules of white that scanners want on each side
	qrScale   = 12
	minQRSize = 64
	maxQRSize = 2048
)

// qrModules is a QR code as rows of black (true) and white.
func qrModules(text string) ([][]bool, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	rows := make([][]bool, code.Bounds().Dy())
	for y := range rows {
		rows[y] = make([]bool, code.Bounds().Dx())
		for x := range rows[y] {
			r, _, _, _ := code.At(x, y).RGBA()
			rows[y][x] = r == 0
		}
	}
	return rows, nil
}

// qrPNG draws a QR code. size is the width of the picture in pixels, of which what does not divide evenly is white margin; 0
// means 12 pixels a module.
func qrPNG(text string, size int) ([]byte, error) {
	rows, err := qrModules(text)
	if err != nil {
		return nil, err
	}
	modules := len(rows) + 2*quietZone
	if size == 0 {
		size = modules * qrScale
	}
	scale := max(size/modules, 1)
	size = max(size, modules)
	margin := (size - len(rows)*scale) / 2
	picture := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.White, color.Black})
	for y, row := range rows {
		for x, black := range row {
			if !black {
				continue
			}
			for dy := range scale {
				for dx := range scale {
					picture.SetColorIndex(margin+x*scale+dx, margin+y*scale+dy, 1)
				}
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	return out.Bytes(), nil
}

// qrSVG draws a QR code that has no size of its own.
func qrSVG(text string) ([]byte, error) {
	rows, err := qrModules(text)
	if err != nil {
		return nil, err
	}
	n := len(rows) + 2*quietZone
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, n, n, n, n)
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			run := x
			for run < len(row) && row[run] {
				run++
			}
			if run > x {
				fmt.Fprintf(&out, "M%d %dh%dv1h-%dz", x+quietZone, y+quietZone, run-x, run-x)
				x = run
			}
		}
	}
	out.WriteString(`"/></svg>`)
	return out.Bytes(), nil
}

// brandCSS is the style sheet of a colour, six hexadecimal digits. The text on it is white or dark, whichever is legible.
func brandCSS(hexDigits string) ([]byte, error) {
	rgb, err := hex.DecodeString(hexDigits)
	if err != nil || len(rgb) != 3 {
		return nil, fmt.Errorf("%q is no colour", hexDigits)
	}
	var luminance float64 // as WCAG defines it
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		luminance += weight * c
	}
	text, press := "#fff", "#000"
	if 1.05/(luminance+0.05) < 3 { // contrast of white
		text, press = "#17212f", "#fff"
	}
	return fmt.Appendf(nil, ":root{--brand:#%x;--press:color-mix(in srgb,#%x 84%%,%s);--on:%s}\n", rgb, rgb, press, text), nil
}
