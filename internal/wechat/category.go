package wechat

import "context"

// CategoryNode is one category (类目) that a mini program may have, of any level.
type CategoryNode struct {
	ID        Int       `json:"id"`
	Name      string    `json:"name"`
	Level     Int       `json:"level"`
	Father    Int       `json:"father"`
	Children  List[Int] `json:"children"`
	Sensitive Int       `json:"sensitive_type"` // 1: certificates are needed
	Qualify   *Qualify  `json:"qualify"`
}

// Qualify says which certificates a category needs: one of each inner list.
type Qualify struct {
	Outer  List[QualifyChoice] `json:"exter_list"` // spelt so by WeChat
	Remark string              `json:"remark"`
}

// QualifyChoice are certificates that go together.
type QualifyChoice struct {
	Inner List[Certificate] `json:"inner_list"`
}

// Certificate is one kind of certificate, with a picture of an example.
type Certificate struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// AllCategories lists the categories that may be added. Needs permission set 30, as all calls in this file.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_getallcategories.html
func (a *Authorizer) AllCategories(ctx context.Context) ([]CategoryNode, error) {
	var out struct {
		List struct {
			Categories List[CategoryNode] `json:"categories"`
		} `json:"categories_list"`
	}
	err := a.call(ctx, request{op: "cgi-bin/wxopen/getallcategories", get: true}, &out)
	return out.List.Categories, err
}

// NewCategory is a category to add or, after a refusal, to submit again.
type NewCategory struct {
	First        int64              `json:"first"`
	Second       int64              `json:"second"`
	Certificates []CertificateImage `json:"certicates"` // spelt so by WeChat
}

// CertificateImage is a certificate by its name and the media id of its picture.
type CertificateImage struct {
	Name    string `json:"key"`
	MediaID string `json:"value"`
}

// AddCategories adds categories; those that need a review tell by the event wxa_category_audit. It fails with 53300 to
// 53311.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_addcategory.html
func (a *Authorizer) AddCategories(ctx context.Context, list []NewCategory) error {
	return a.call(ctx, request{op: "cgi-bin/wxopen/addcategory", body: struct {
		List []NewCategory `json:"categories"`
	}{list}}, nil)
}

// DeleteCategory removes a category. It fails with 53308 while it is under review.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_deletecategory.html
func (a *Authorizer) DeleteCategory(ctx context.Context, first, second int64) error {
	return a.call(ctx, request{op: "cgi-bin/wxopen/deletecategory", body: struct {
		First  int64 `json:"first"`
		Second int64 `json:"second"`
	}{first, second}}, nil)
}

// ModifyCategory submits other certificates for a category that was refused (else 53307).
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/category-management/api_modifycategory.html
func (a *Authorizer) ModifyCategory(ctx context.Context, c NewCategory) error {
	return a.call(ctx, request{op: "cgi-bin/wxopen/modifycategory", body: c}, nil)
}
