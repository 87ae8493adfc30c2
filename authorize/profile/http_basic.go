package profile

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/authorize/refusal"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

type quotaBody struct {
	Used  int64 `json:"used" doc:"Changes made of those allowed."`
	Limit int64 `json:"limit"`
}

func quotaOf(q wechat.ChangeQuota) quotaBody { return quotaBody{int64(q.Used), int64(q.Limit)} }

type basicBody struct {
	AppID          string `json:"appid"`
	AccountType    int64  `json:"account_type"`
	PrincipalType  int64  `json:"principal_type"`
	PrincipalName  string `json:"principal_name"`
	RealnameStatus int64  `json:"realname_status"`
	Complete       bool   `json:"complete" doc:"Name, avatar and introduction are set; else WeChat refuses submissions with 86002."`

	NickName       string    `json:"nick_name"`
	NickNameQuota  quotaBody `json:"nick_name_quota"`
	HeadImg        string    `json:"head_img"`
	HeadImgQuota   quotaBody `json:"head_img_quota"`
	Signature      string    `json:"signature"`
	SignatureQuota quotaBody `json:"signature_quota"`

	QualificationVerified bool `json:"qualification_verified"`
	NamingVerified        bool `json:"naming_verified"`
	AnnualReviewDue       bool `json:"annual_review_due"`
}

func basicOf(i wechat.BasicInfo) basicBody {
	return basicBody{
		AppID: i.AppID, AccountType: int64(i.AccountType), PrincipalType: int64(i.PrincipalType), PrincipalName: i.PrincipalName,
		RealnameStatus: int64(i.RealnameStatus),
		Complete:       i.Nickname.Nickname != "" && i.HeadImage.URL != "" && i.Signature.Signature != "",
		NickName:       i.Nickname.Nickname, NickNameQuota: quotaOf(i.Nickname.ChangeQuota),
		HeadImg: i.HeadImage.URL, HeadImgQuota: quotaOf(i.HeadImage.ChangeQuota),
		Signature: i.Signature.Signature, SignatureQuota: quotaOf(i.Signature.ChangeQuota),
		QualificationVerified: i.Verify.Qualification, NamingVerified: i.Verify.Naming, AnnualReviewDue: i.Verify.AnnualReview,
	}
}

type nicknameCheckBody struct {
	NeedsProof bool   `json:"needs_proof"`
	Wording    string `json:"wording" doc:"WeChat's words about the proof it wants."`
}

type mediaBody struct {
	MediaID string `json:"media_id"`
}

type nicknameInput struct {
	AppIDInput

	Body struct {
		NickName string   `json:"nick_name" maxLength:"1200"`
		License  string   `json:"license,omitempty" maxLength:"300" doc:"media_id of the company's licence."`
		IDCard   string   `json:"id_card,omitempty" maxLength:"300" doc:"media_id of the person's identity card."`
		Other    []string `json:"other_materials,omitempty" maxItems:"5" doc:"media_ids of further proof, such as a trade mark."`
	}
}

func (in *nicknameInput) request() wechat.NicknameRequest {
	r := wechat.NicknameRequest{Name: in.Body.NickName, License: in.Body.License, IDCard: in.Body.IDCard}
	for i, to := range []*string{&r.Other1, &r.Other2, &r.Other3, &r.Other4, &r.Other5} {
		if i < len(in.Body.Other) {
			*to = in.Body.Other[i]
		}
	}
	return r
}

type pictureInput struct {
	AppIDInput

	X1      float64 `query:"x1" default:"0" doc:"Left edge of the part to use, 0 to 1."`
	Y1      float64 `query:"y1" default:"0"`
	X2      float64 `query:"x2" default:"1"`
	Y2      float64 `query:"y2" default:"1"`
	RawBody []byte  `contentType:"application/octet-stream"`
}

// picture lets an operation take a picture as its body.
func picture(op huma.Operation) huma.Operation {
	op.MaxBodyBytes = maxImage + 1024
	op.SkipValidateBody = true
	return op
}

func (s *Service) routeBasic(api huma.API) {
	huma.Register(api, get("basic-info", "get-basic-info", "Name, avatar and introduction with the changes left for each"),
		func(ctx context.Context, in *AppIDInput) (*output[basicBody], error) {
			info, err := s.BasicInfo(ctx, in.AppID)
			return reply(basicOf(info), err)
		})
	huma.Register(api, act(http.MethodPost, "nickname/check", "check-nickname", "Ask WeChat whether a name can be had"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body struct {
				NickName string `json:"nick_name" maxLength:"1200"`
			}
		},
		) (*output[nicknameCheckBody], error) {
			check, err := s.CheckNickname(ctx, in.AppID, in.Body.NickName)
			return reply(nicknameCheckBody{check.Hit, check.Wording}, err)
		})
	huma.Register(api, act(http.MethodPost, "nickname", "set-nickname", "Ask for another name"),
		func(ctx context.Context, in *nicknameInput) (*output[changeView], error) {
			c, err := s.SetNickname(ctx, in.AppID, adminauth.UserFrom(ctx).Username, in.request())
			return reply(view(ctx, c), err)
		})
	huma.Register(api, act(http.MethodPost, "signature", "set-signature", "Set the introduction"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body struct {
				Signature string `json:"signature" maxLength:"1200"`
			}
		},
		) (*output[changeView], error) {
			c, err := s.SetSignature(ctx, in.AppID, adminauth.UserFrom(ctx).Username, in.Body.Signature)
			return reply(view(ctx, c), err)
		})
	huma.Register(api, picture(act(http.MethodPost, "avatar", "set-avatar", "Set the avatar; the body is the picture")),
		func(ctx context.Context, in *pictureInput) (*output[changeView], error) {
			c, err := s.SetAvatar(ctx, in.AppID, adminauth.UserFrom(ctx).Username, in.RawBody, wechat.Crop{X1: in.X1, Y1: in.Y1, X2: in.X2, Y2: in.Y2})
			return reply(view(ctx, c), err)
		})
	upload := picture(act(http.MethodPost, "media", "upload-media", "Keep a picture at WeChat for three days, as proof for names and categories; the body is the picture"))
	upload.DefaultStatus = http.StatusCreated
	huma.Register(api, upload, func(ctx context.Context, in *struct {
		AppIDInput

		RawBody []byte `contentType:"application/octet-stream"`
	},
	) (*output[mediaBody], error) {
		id, err := s.Upload(ctx, in.AppID, in.RawBody)
		return reply(mediaBody{id}, err)
	})
}

type usableCategory struct {
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
	ThirdClass  string `json:"third_class"`
	FirstID     int64  `json:"first_id"`
	SecondID    int64  `json:"second_id"`
	ThirdID     int64  `json:"third_id"`
}

type ownCategory struct {
	First       int64  `json:"first"`
	FirstName   string `json:"first_name"`
	Second      int64  `json:"second"`
	SecondName  string `json:"second_name"`
	AuditStatus int64  `json:"audit_status" doc:"1 reviewing, 2 refused, 3 approved."`
	AuditReason string `json:"audit_reason"`
}

type categoriesBody struct {
	Items []usableCategory `json:"items" doc:"What a submission may name."`
	Own   []ownCategory    `json:"own" doc:"All categories with their reviews."`
	Limit int64            `json:"limit" doc:"Changes allowed this month."`
	Left  int64            `json:"left" doc:"Changes left this month."`
	Max   int64            `json:"max" doc:"Categories at once."`
	Error *refusal.View    `json:"error" doc:"Why own could not be read; WeChat asks for permission set 30."`
}

func categoriesOf(ctx context.Context, c Categories) categoriesBody {
	b := categoriesBody{Items: []usableCategory{}, Own: []ownCategory{}, Error: refusal.Of(c.SettingsErr).View(fault.LangFrom(ctx))}
	for _, u := range c.Usable {
		v := usableCategory{FirstClass: u.FirstClass, SecondClass: u.SecondClass, ThirdClass: u.ThirdClass, FirstID: int64(u.FirstID), SecondID: int64(u.SecondID)}
		if u.ThirdID != nil {
			v.ThirdID = int64(*u.ThirdID)
		}
		b.Items = append(b.Items, v)
	}
	if c.Settings == nil {
		return b
	}
	b.Limit, b.Left, b.Max = int64(c.Settings.Limit), int64(c.Settings.Quota), int64(c.Settings.Max)
	for _, o := range c.Settings.Categories {
		b.Own = append(b.Own, ownCategory{int64(o.First), o.FirstName, int64(o.Second), o.SecondName, int64(o.AuditStatus), o.AuditReason})
	}
	return b
}

type categoryNode struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Level      int64      `json:"level"`
	Father     int64      `json:"father"`
	NeedsProof bool       `json:"needs_proof"`
	Proofs     [][]string `json:"proofs" doc:"Certificates: one of the groups is needed, all of it."`
	Remark     string     `json:"remark"`
}

type categoryInput struct {
	AppIDInput

	Body struct {
		First        int64 `json:"first"`
		Second       int64 `json:"second"`
		Certificates []struct {
			Name    string `json:"name" maxLength:"300"`
			MediaID string `json:"media_id" maxLength:"300"`
		} `json:"certificates,omitempty" maxItems:"50"`
	}
}

func (in *categoryInput) category() wechat.NewCategory {
	c := wechat.NewCategory{First: in.Body.First, Second: in.Body.Second, Certificates: []wechat.CertificateImage{}}
	for _, one := range in.Body.Certificates {
		c.Certificates = append(c.Certificates, wechat.CertificateImage{Name: one.Name, MediaID: one.MediaID})
	}
	return c
}

func (s *Service) routeCategories(api huma.API) {
	huma.Register(api, get("categories", "list-categories", "A mini program's categories (类目) with their reviews"),
		func(ctx context.Context, in *AppIDInput) (*output[categoriesBody], error) {
			c, err := s.Categories(ctx, in.AppID)
			return reply(categoriesOf(ctx, c), err)
		})
	huma.Register(api, get("categories/all", "list-all-categories", "Every category that may be added"),
		func(ctx context.Context, in *AppIDInput) (*output[httpserver.Page[categoryNode]], error) {
			list, err := s.AllCategories(ctx, in.AppID)
			page := httpserver.Page[categoryNode]{Items: []categoryNode{}, Total: new(int64(len(list)))}
			for _, n := range list {
				v := categoryNode{ID: int64(n.ID), Name: n.Name, Level: int64(n.Level), Father: int64(n.Father), NeedsProof: n.Sensitive == 1, Proofs: [][]string{}}
				if n.Qualify != nil {
					v.Remark = n.Qualify.Remark
					for _, choice := range n.Qualify.Outer {
						group := []string{}
						for _, certificate := range choice.Inner {
							group = append(group, certificate.Name)
						}
						v.Proofs = append(v.Proofs, group)
					}
				}
				page.Items = append(page.Items, v)
			}
			return reply(page, err)
		})
	huma.Register(api, act(http.MethodPost, "categories", "add-category", "Add a category"),
		func(ctx context.Context, in *categoryInput) (*output[changeView], error) {
			c, err := s.AddCategory(ctx, in.AppID, adminauth.UserFrom(ctx).Username, in.category())
			return reply(view(ctx, c), err)
		})
	huma.Register(api, act(http.MethodPut, "categories", "modify-category", "Submit other certificates for a category that was refused"),
		func(ctx context.Context, in *categoryInput) (*output[changeView], error) {
			c, err := s.ModifyCategory(ctx, in.AppID, adminauth.UserFrom(ctx).Username, in.category())
			return reply(view(ctx, c), err)
		})
	huma.Register(api, act(http.MethodDelete, "categories/{first}/{second}", "delete-category", "Remove a category"),
		func(ctx context.Context, in *struct {
			AppIDInput

			First  int64 `path:"first"`
			Second int64 `path:"second"`
		},
		) (*struct{}, error) {
			return nil, s.DeleteCategory(ctx, in.AppID, in.First, in.Second)
		})
}

type privacyView struct {
	APIName     string `json:"api_name"`
	ChineseName string `json:"chinese_name"`
	Desc        string `json:"desc"`
	Link        string `json:"link"`
	Group       string `json:"group"`
	Status      int64  `json:"status" doc:"1 to be applied for, 2 no permission, 3 applying, 4 failed, 5 granted."`
	FailReason  string `json:"fail_reason"`
}

func (s *Service) routePrivacy(api huma.API) {
	huma.Register(api, get("privacy-interfaces", "list-privacy-interfaces", "Interfaces, such as location, that WeChat grants one by one"),
		func(ctx context.Context, in *AppIDInput) (*output[httpserver.Page[privacyView]], error) {
			list, err := s.PrivacyInterfaces(ctx, in.AppID)
			page := httpserver.Page[privacyView]{Items: []privacyView{}, Total: new(int64(len(list)))}
			for _, p := range list {
				page.Items = append(page.Items, privacyView{p.APIName, p.ChineseName, p.Desc, p.Link, p.GroupName, int64(p.Status), p.FailReason})
			}
			return reply(page, err)
		})
	huma.Register(api, act(http.MethodPost, "privacy-interfaces", "apply-privacy-interface", "Apply for an interface"),
		func(ctx context.Context, in *struct {
			AppIDInput

			Body struct {
				APIName string   `json:"api_name" minLength:"1" maxLength:"100" doc:"Such as wx.getLocation; case matters."`
				Content string   `json:"content" maxLength:"1200" doc:"What it is for."`
				URLs    []string `json:"url_list,omitempty" maxItems:"50"`
				Pics    []string `json:"pic_list,omitempty" maxItems:"50"`
				Videos  []string `json:"video_list,omitempty" maxItems:"50"`
			}
		},
		) (*output[changeView], error) {
			c, err := s.ApplyPrivacyInterface(ctx, in.AppID, adminauth.UserFrom(ctx).Username, wechat.PrivacyInterfaceRequest{
				APIName: in.Body.APIName, Content: in.Body.Content, URLs: in.Body.URLs, Pics: in.Body.Pics, Videos: in.Body.Videos,
			})
			return reply(view(ctx, c), err)
		})
}
