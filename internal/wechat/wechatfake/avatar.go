package wechatfake

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

func avatarPath(appid string) string { return "/avatar/" + appid + ".svg" }

func codePath(appid string) string { return "/code/" + appid + ".png" }

// avatar draws a merchant's head image: the first character of its name on a colour of its own.
func (s *Server) avatar(w http.ResponseWriter, r *http.Request) {
	appid, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	s.mu.Lock()
	a := s.st.Merchants[appid]
	name := ""
	if a != nil {
		name = a.NickName
	}
	s.mu.Unlock()
	if a == nil || !isSVG {
		http.NotFound(w, r)
		return
	}
	hue, _ := strconv.ParseUint(digest(appid)[:4], 16, 32)
	letter := string([]rune(name)[:1])
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96"><rect width="96" height="96" rx="18" fill="hsl(%d 55%% 46%%)"/><text x="48" y="63" font-size="44" font-family="PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif" fill="#fff" text-anchor="middle">%s</text></svg>`, hue%360, html.EscapeString(letter))
}

// codeImage is the picture behind qrcode_url.
func (s *Server) codeImage(w http.ResponseWriter, r *http.Request) {
	appid, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	s.mu.Lock()
	known := s.st.Merchants[appid] != nil
	s.mu.Unlock()
	if !known || !isPNG {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(pngOf(qrImage("https://mp.weixin.qq.com/a/~" + appid)))
}
