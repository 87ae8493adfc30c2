package wechatfake

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	mediumAudit     = "audit"     // uploadmedia: mediaid, three days, for preview_info
	mediumTemporary = "temporary" // media/upload: media_id, three days, for feedback_stuff
	mediumPermanent = "permanent" // rejection screenshots
	mediumPrivacy   = "privacy"   // uploadprivacyextfile
)

type medium struct {
	AppID       string    `json:"appid"`
	Use         string    `json:"use"`
	Type        string    `json:"type"` // image or video
	ContentType string    `json:"content_type"`
	Data        []byte    `json:"data"`
	At          time.Time `json:"at"`
}

func (s *Server) store(appid, use, kind, contentType string, data []byte) string {
	id := random(24)
	if use != mediumPermanent && len(data) > 64<<10 {
		data = data[:64<<10] // nobody reads an upload again; keep the state file small
	}
	s.st.Media[id] = &medium{AppID: appid, Use: use, Type: kind, ContentType: contentType, Data: data, At: s.now()}
	return id
}

// screenshot stores the picture of a rejection.
func (s *Server) screenshot(appid, _ string, variant int) string {
	return s.store(appid, mediumPermanent, "image", "image/png", screenPNG(variant))
}

// usable: an upload belongs to the account it was made for (modelled).
func (s *Server) usable(a *account, id, use, kind string) bool {
	m := s.st.Media[id]
	return m != nil && m.AppID == a.AppID && m.Use == use && m.Type == kind && s.now().Sub(m.At) < 72*time.Hour
}

// DropMedia plays WeChat forgetting a merchant's uploads before their time.
func (s *Server) DropMedia(appid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	maps.DeleteFunc(s.st.Media, func(_ string, m *medium) bool { return m.AppID == appid && m.Use != mediumPermanent })
}

// picture reports one of the formats of images that WeChat takes as material.
func picture(data []byte) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif"}, http.DetectContentType(data))
}

func (s *Server) uploadAuditMedia(c *call) reply {
	switch {
	case c.file.field != "media":
		return fail(41005)
	case len(c.file.data) == 0:
		return fail(44001)
	case strings.HasPrefix(c.file.contentType, "image/"):
		if !picture(c.file.data) {
			return fail(40005)
		}
		if len(c.file.data) > 2<<20 {
			return fail(40006)
		}
		id := s.store(c.acct.AppID, mediumAudit, "image", c.file.contentType, c.file.data)
		return ok(fields{"type": "image", "mediaid": id})
	case c.file.contentType == "video/mp4":
		if len(c.file.data) > 10<<20 {
			return fail(40006)
		}
		id := s.store(c.acct.AppID, mediumAudit, "video", c.file.contentType, c.file.data)
		return ok(fields{"type": "video", "mediaid": id})
	}
	return fail(40005)
}

func (s *Server) uploadTempMedia(c *call) reply {
	switch {
	case c.query.Get("type") != "image":
		return fail(40004)
	case c.file.field != "media":
		return fail(41005)
	case !strings.HasPrefix(c.file.contentType, "image/"), !picture(c.file.data):
		return fail(40005)
	case len(c.file.data) > 10<<20:
		return fail(40006)
	}
	id := s.store(c.acct.AppID, mediumTemporary, "image", c.file.contentType, c.file.data)
	return bare(fields{"type": "image", "media_id": id, "created_at": s.now().Unix()})
}

func (s *Server) getMaterial(c *call) reply {
	var in struct {
		MediaID string `json:"media_id"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	m := s.st.Media[in.MediaID]
	switch {
	case in.MediaID == "":
		return fail(41006)
	case m == nil || m.Use != mediumPermanent || m.AppID != c.acct.AppID:
		return fail(40007)
	}
	return reply{blob: &blob{data: m.Data, contentType: m.ContentType, filename: in.MediaID[:8] + ".png"}}
}
