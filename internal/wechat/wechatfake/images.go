package wechatfake

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// qrImage draws a scannable code with a white margin.
func qrImage(text string) image.Image {
	const size, margin = 240, 20
	canvas := image.NewRGBA(image.Rect(0, 0, size+2*margin, size+2*margin))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	var drawn image.Image = image.White
	if code, err := qr.Encode(text, qr.M, qr.Auto); err == nil {
		if scaled, err := barcode.Scale(code, size, size); err == nil {
			drawn = scaled
		}
	}
	draw.Draw(canvas, image.Rect(margin, margin, margin+size, margin+size), drawn, image.Point{}, draw.Src)
	return canvas
}

func jpegOf(img image.Image) []byte {
	var buf bytes.Buffer
	_ = jpeg.Encode(&buf, img, &jpeg.Options{Quality: 80})
	return buf.Bytes()
}

func pngOf(img image.Image) []byte {
	var buf bytes.Buffer
	_ = png.Encode(&buf, img)
	return buf.Bytes()
}

// screenPNG draws something that looks like a phone screen with one part marked in red.
func screenPNG(variant int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 200, 360))
	fill := func(x0, y0, x1, y1 int, c color.Color) {
		draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	gray := color.RGBA{0xe5, 0xe7, 0xeb, 0xff}
	fill(0, 0, 200, 360, color.RGBA{0xf7, 0xf7, 0xf7, 0xff})
	fill(0, 0, 200, 44, color.RGBA{0x07, 0xc1, 0x60, 0xff})
	for row := range 5 {
		fill(12, 60+row*58, 62, 108+row*58, gray)
		fill(72, 66+row*58, 184, 78+row*58, gray)
		fill(72, 88+row*58, 150, 98+row*58, gray)
	}
	red := color.RGBA{0xe3, 0x4d, 0x59, 0xff}
	top := 56 + variant%5*58
	fill(6, top, 194, top+3, red)
	fill(6, top+53, 194, top+56, red)
	fill(6, top, 9, top+56, red)
	fill(191, top, 194, top+56, red)
	return pngOf(img)
}

// trialQRCode answers a JPEG, or JSON with an errcode; both with HTTP 200.
func (s *Server) trialQRCode(c *call) reply {
	t := c.acct.Trial
	if t == nil {
		return fail(86001) // modelled
	}
	path, _, _ := strings.Cut(c.query.Get("path"), "?")
	if path != "" && !slices.Contains(t.Pages, trimPage(path)) {
		return fail(85007) // modelled
	}
	text := fmt.Sprintf("https://open.weixin.qq.com/sns/getexpappinfo?appid=%s&path=%s#wechat-redirect", c.acct.AppID, c.query.Get("path"))
	return reply{blob: &blob{data: jpegOf(qrImage(text)), contentType: "image/jpeg", filename: "QRCode.jpg"}}
}

type codeRequest struct {
	Scene      *string `json:"scene"`
	Page       string  `json:"page"`
	Path       string  `json:"path"`
	CheckPath  *bool   `json:"check_path"`
	EnvVersion string  `json:"env_version"`
	Width      int     `json:"width"`
	Hyaline    bool    `json:"is_hyaline"`
}

func (in codeRequest) picture(text string) reply {
	if in.Hyaline {
		return reply{blob: &blob{data: pngOf(qrImage(text)), contentType: "image/png", filename: "WXACode.png"}}
	}
	return reply{blob: &blob{data: jpegOf(qrImage(text)), contentType: "image/jpeg", filename: "WXACode.jpg"}}
}

// wxaCodeUnlimited: the page must exist in the released version unless check_path is false, else 41030.
func (s *Server) wxaCodeUnlimited(c *call) reply {
	var in codeRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	visible := func(r rune) bool { return r > 0x20 && r < 0x7f }
	env := in.EnvVersion
	switch {
	case in.Scene == nil || *in.Scene == "" || len(*in.Scene) > 32 || strings.ContainsFunc(*in.Scene, func(r rune) bool { return !visible(r) }):
		return fail(40169)
	case strings.HasPrefix(in.Page, "/") || strings.Contains(in.Page, "?"):
		return fail(41030)
	case in.Width != 0 && (in.Width < 280 || in.Width > 1280), env != "" && env != "release" && env != "trial" && env != "develop":
		return fail(40097)
	}
	if in.CheckPath == nil || *in.CheckPath {
		if c.acct.Live == nil || (in.Page != "" && !slices.Contains(c.acct.Live.Pages, in.Page)) {
			return fail(41030)
		}
	}
	return in.picture(fmt.Sprintf("https://wxaurl.cn/%s?%s&%s", c.acct.AppID, in.Page, *in.Scene))
}

func (s *Server) wxaCode(c *call) reply {
	var in codeRequest
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if in.Path == "" || len(in.Path) > 1024 {
		return fail(40159)
	}
	return in.picture(fmt.Sprintf("https://wxaurl.cn/%s?%s", c.acct.AppID, in.Path))
}
