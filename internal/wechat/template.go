package wechat

import (
	"context"
	"net/url"
	"strconv"
)

// Draft is an upload of a 开发小程序 waiting in the draft box. Each 开发小程序 keeps only its latest.
type Draft struct {
	DraftID     Int    `json:"draft_id"`    // 0 is a valid id
	CreateTime  Int    `json:"create_time"` // Unix seconds
	UserVersion string `json:"user_version"`
	UserDesc    string `json:"user_desc"`
	SourceAppID string `json:"source_miniprogram_appid"`
	SourceName  string `json:"source_miniprogram"`
	Developer   string `json:"developer"` // nick name
}

// Template is a version in the platform's template library, which is never overwritten.
type Template struct {
	TemplateID   Int                    `json:"template_id"` // 0 is a valid id
	DraftID      *Int                   `json:"draft_id"`    // may be absent
	CreateTime   Int                    `json:"create_time"` // Unix seconds
	UserVersion  string                 `json:"user_version"`
	UserDesc     string                 `json:"user_desc"`
	SourceAppID  string                 `json:"source_miniprogram_appid"`
	SourceName   string                 `json:"source_miniprogram"`
	Developer    string                 `json:"developer"`
	TemplateType Int                    `json:"template_type"` // TemplateNormal or TemplateStandard
	Categories   List[TemplateCategory] `json:"category_list"` // standard templates only, as are the fields below
	AuditScene   *Int                   `json:"audit_scene"`
	AuditStatus  *Int                   `json:"audit_status"`
	Reason       string                 `json:"reason"`
}

// TemplateCategory is a category of a standard template.
type TemplateCategory struct {
	Address string `json:"address"`
	Tag     string `json:"tag"`
	Title   string `json:"title"`
	Category
}

// The kinds of templates. WeChat no longer lets standard templates be used.
const (
	TemplateNormal   = 0
	TemplateStandard = 1
)

// TemplateDrafts lists the draft box.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/template-management/api_gettemplatedraftlist.html
func (c *Component) TemplateDrafts(ctx context.Context) ([]Draft, error) {
	var out struct {
		List List[Draft] `json:"draft_list"`
	}
	err := c.call(ctx, request{op: "wxa/gettemplatedraftlist", get: true}, &out)
	return out.List, err
}

// AddToTemplate keeps a draft as a template. WeChat does not tell the new template's id: compare Templates before and
// after. A second call for one draft makes a second template, so read back when OutcomeUnknown. It fails with 85064 when
// the draft is gone and 85065 when the library is full (200).
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/template-management/api_addtotemplate.html
func (c *Component) AddToTemplate(ctx context.Context, draftID int64, templateType int) error {
	return c.call(ctx, request{op: "wxa/addtotemplate", body: struct {
		DraftID int64 `json:"draft_id"`
		Type    int   `json:"template_type"`
	}{draftID, templateType}}, nil)
}

// Templates lists the library; templateType nil means every kind.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/template-management/api_gettemplatelist.html
func (c *Component) Templates(ctx context.Context, templateType *int) ([]Template, error) {
	query := url.Values{}
	if templateType != nil {
		query.Set("template_type", strconv.Itoa(*templateType))
	}
	var out struct {
		List List[Template] `json:"template_list"`
	}
	err := c.call(ctx, request{op: "wxa/gettemplatelist", get: true, query: query}, &out)
	return out.List, err
}

// DeleteTemplate removes a template from the library. It fails with 85064 when there is none with this id.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/thirdparty-management/template-management/api_deletetemplate.html
func (c *Component) DeleteTemplate(ctx context.Context, templateID int64) error {
	return c.call(ctx, request{op: "wxa/deletetemplate", body: struct {
		TemplateID int64 `json:"template_id"`
	}{templateID}}, nil)
}
