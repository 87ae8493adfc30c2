package profile

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Pages lists the pages of the trial version.
func (s *Service) Pages(ctx context.Context, appid string) (pages []string, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		pages, err = api.Pages(ctx)
		return err
	})
	return pages, err
}

// Searchable reports whether WeChat's search finds the mini program.
func (s *Service) Searchable(ctx context.Context, appid string) (searchable bool, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		searchable, err = api.SearchStatus(ctx)
		return err
	})
	return searchable, err
}

// SetSearchable lets WeChat's search find the mini program or hides it.
func (s *Service) SetSearchable(ctx context.Context, appid string, searchable bool) error {
	return s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		return settled(api.SetSearchStatus(ctx, searchable), func() (bool, error) {
			now, err := api.SearchStatus(ctx)
			return now == searchable, err
		})
	})
}

// Open reports whether the live version serves users.
func (s *Service) Open(ctx context.Context, appid string) (open bool, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		open, err = api.VisitStatus(ctx)
		return err
	})
	return open, err
}

// SetOpen opens or suspends the service of the live version.
func (s *Service) SetOpen(ctx context.Context, appid string, open bool) error {
	return s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		return settled(api.SetVisitStatus(ctx, open), func() (bool, error) {
			now, err := api.VisitStatus(ctx)
			return now == open, err
		})
	})
}

// SupportVersion reads the lowest base library, with the share of users on each.
func (s *Service) SupportVersion(ctx context.Context, appid string) (v wechat.SupportVersion, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		v, err = api.SupportVersion(ctx)
		return err
	})
	return v, err
}

// SetSupportVersion sets the lowest base library a user needs.
func (s *Service) SetSupportVersion(ctx context.Context, appid, version string) error {
	return s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		return settled(api.SetSupportVersion(ctx, version), func() (bool, error) {
			now, err := api.SupportVersion(ctx)
			return now.Now == version, err
		})
	})
}

// ICP reads where the ICP filing stands.
func (s *Service) ICP(ctx context.Context, appid string) (info wechat.ICPInfo, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		info, err = api.ICPEntranceInfo(ctx)
		return err
	})
	return info, err
}

// Code is a QR code or 小程序码 to draw.
type Code struct {
	Released bool   // else of the trial version
	Path     string // page, with query where there is no Scene; empty: the home page
	Scene    string // released only; draws one of the codes of which there may be any number
	Width    int    // pixels, 280 to 1280; 0: WeChat's
}

// Draw has WeChat draw a code. WeChat counts those of the released version without a scene: a mini program has 100,000
// of them for ever.
func (s *Service) Draw(ctx context.Context, appid string, c Code) (image []byte, contentType string, err error) {
	if err := c.check(); err != nil {
		return nil, "", err
	}
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		switch {
		case !c.Released:
			image, contentType, err = api.TrialQRCode(ctx, c.Path)
		case c.Scene != "":
			image, contentType, err = api.WXACodeUnlimited(ctx, wechat.WXACodeUnlimitedRequest{Scene: c.Scene, Page: c.Path, Width: c.Width})
		default:
			image, contentType, err = api.WXACode(ctx, wechat.WXACodeRequest{Path: c.Path, Width: c.Width})
		}
		return err
	})
	return image, contentType, err
}

func (c *Code) check() error {
	const longestPath, longestScene, narrow, wide = 1024, 32, 280, 1280
	c.Path = strings.TrimPrefix(c.Path, "/")
	var wrong fault.Collector
	if !utf8.ValidString(c.Path) || utf8.RuneCountInString(c.Path) > longestPath {
		wrong.Add("query.path", "A path may have %d characters.", nil, longestPath)
	}
	if c.Width != 0 && (c.Width < narrow || c.Width > wide) {
		wrong.Add("query.width", "The width is %d to %d pixels.", c.Width, narrow, wide)
	}
	hidden := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case !c.Released && c.Scene != "":
		wrong.Add("query.scene", "Only codes of the released version have a scene.", nil)
	case len(c.Scene) > longestScene || strings.ContainsFunc(c.Scene, hidden):
		wrong.Add("query.scene", "A scene has at most %d visible ASCII characters.", nil, longestScene)
	case c.Scene != "" && strings.Contains(c.Path, "?"):
		wrong.Add("query.path", "With a scene the path has no query; put it into the scene.", nil)
	case c.Released && c.Scene == "" && c.Path == "":
		wrong.Add("query.path", "For the released version name a page, or a scene.", nil)
	}
	return wrong.Err()
}
