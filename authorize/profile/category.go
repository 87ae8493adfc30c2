package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// scopeMissing and noCapability are what calls for a permission set answer that the merchant did not grant.
const (
	scopeMissing = 61007
	noCapability = 48001
)

// Categories are a mini program's categories: those that a submission may name, and the settings with their reviews.
type Categories struct {
	Usable   []wechat.Category
	Settings *wechat.CategorySettings // nil: SettingsErr says why
	// SettingsErr is for merchants that did not grant permission set 30; what can be read is read all the same.
	SettingsErr error
}

// Categories reads a mini program's categories.
func (s *Service) Categories(ctx context.Context, appid string) (c Categories, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		usable, err := api.Categories(ctx)
		if err != nil {
			return err
		}
		c.Usable = usable
		settings, err := api.WxOpenCategories(ctx)
		if wechat.IsCode(err, scopeMissing, noCapability) {
			c.SettingsErr = err
			return nil
		}
		c.Settings = &settings
		return err
	})
	return c, err
}

// AllCategories lists what may be added.
func (s *Service) AllCategories(ctx context.Context, appid string) (list []wechat.CategoryNode, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		list, err = api.AllCategories(ctx)
		return err
	})
	return list, err
}

func categorySubject(first, second int64) string { return fmt.Sprintf("%d/%d", first, second) }

func checkCategory(c wechat.NewCategory) error {
	if c.First <= 0 || c.Second <= 0 {
		return fault.Invalid("body.second", "Choose a category of the second level.", nil)
	}
	for _, certificate := range c.Certificates {
		if certificate.Name == "" || certificate.MediaID == "" {
			return fault.Invalid("body.certificates", "Each certificate has a name and an uploaded picture.", nil)
		}
	}
	return nil
}

// AddCategory adds a category; those that need certificates are reviewed.
func (s *Service) AddCategory(ctx context.Context, appid, by string, c wechat.NewCategory) (Change, error) {
	return s.submitCategory(ctx, appid, by, c, func(ctx context.Context, api *wechat.Authorizer) error {
		return api.AddCategories(ctx, []wechat.NewCategory{c})
	})
}

// ModifyCategory submits other certificates for a category that was refused.
func (s *Service) ModifyCategory(ctx context.Context, appid, by string, c wechat.NewCategory) (Change, error) {
	return s.submitCategory(ctx, appid, by, c, func(ctx context.Context, api *wechat.Authorizer) error { return api.ModifyCategory(ctx, c) })
}

func (s *Service) submitCategory(ctx context.Context, appid, by string, c wechat.NewCategory, call func(context.Context, *wechat.Authorizer) error) (Change, error) {
	if err := checkCategory(c); err != nil {
		return Change{}, err
	}
	subject := categorySubject(c.First, c.Second)
	return s.change(ctx, attempt{
		appid: appid, by: by, kind: kindCategory, subject: subject, slot: subject,
		call: func(ctx context.Context, api *wechat.Authorizer) (answer, error) { return answer{}, call(ctx, api) },
	})
}

// DeleteCategory removes a category. It is no failure if the category is gone already.
func (s *Service) DeleteCategory(ctx context.Context, appid string, first, second int64) error {
	if err := checkCategory(wechat.NewCategory{First: first, Second: second}); err != nil {
		return err
	}
	return s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		return settled(api.DeleteCategory(ctx, first, second), func() (bool, error) {
			_, err := findCategory(ctx, api, first, second)
			if errors.Is(err, errNoCategory) {
				return true, nil
			}
			return false, err
		})
	})
}

var errNoCategory = errors.New("profile: the mini program does not have this category")

func findCategory(ctx context.Context, api *wechat.Authorizer, first, second int64) (wechat.CategorySetting, error) {
	settings, err := api.WxOpenCategories(ctx)
	if err != nil {
		return wechat.CategorySetting{}, err
	}
	at := slices.IndexFunc(settings.Categories, func(c wechat.CategorySetting) bool { return int64(c.First) == first && int64(c.Second) == second })
	if at < 0 {
		return wechat.CategorySetting{}, errNoCategory
	}
	return settings.Categories[at], nil
}

// PrivacyInterfaces lists the interfaces that WeChat grants one by one.
func (s *Service) PrivacyInterfaces(ctx context.Context, appid string) (list []wechat.PrivacyInterface, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		list, err = api.PrivacyInterfaces(ctx)
		return err
	})
	return list, err
}

// ApplyPrivacyInterface applies for one of them.
func (s *Service) ApplyPrivacyInterface(ctx context.Context, appid, by string, r wechat.PrivacyInterfaceRequest) (Change, error) {
	var wrong fault.Collector
	if err := checkText("body.content", r.Content); err != nil {
		wrong.Add("body.content", "Say in 1 to %d characters what the interface is for.", nil, 300)
	}
	if len(r.URLs)+len(r.Pics)+len(r.Videos) == 0 {
		wrong.Add("body.url_list", "Show WeChat what it is for: pages, pictures or a video, at least one.", nil)
	}
	if len(r.Pics) > 10 {
		wrong.Add("body.pic_list", "There may be %d pictures.", nil, 10)
	}
	if len(r.Videos) > 1 {
		wrong.Add("body.video_list", "There may be one video, in MP4.", nil)
	}
	if err := wrong.Err(); err != nil {
		return Change{}, err
	}
	return s.change(ctx, attempt{
		appid: appid, by: by, kind: kindPrivacyAPI, subject: r.APIName, slot: r.APIName,
		call: func(ctx context.Context, api *wechat.Authorizer) (answer, error) {
			id, err := api.ApplyPrivacyInterface(ctx, r)
			return answer{auditID: id}, err
		},
	})
}
