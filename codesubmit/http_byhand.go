package codesubmit

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const tagByHand = "merchant-operations"

// MerchantInput names the merchant; it is exported because it is embedded in inputs.
type MerchantInput struct {
	AppID string `path:"appid" maxLength:"100"`
}

type versionsOutput struct{ Body Slots }

// DomainLists are server domains, each with its scheme.
type DomainLists struct {
	Request   []string `json:"request"`
	WSRequest []string `json:"ws_request"`
	Upload    []string `json:"upload"`
	Download  []string `json:"download"`
	UDP       []string `json:"udp"`
	TCP       []string `json:"tcp"`
}

func domainLists(d wechat.Domains) DomainLists {
	return DomainLists{orEmpty(d.Request), orEmpty(d.WSRequest), orEmpty(d.Upload), orEmpty(d.Download), orEmpty(d.UDP), orEmpty(d.TCP)}
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type domainsBody struct {
	DomainLists

	Effective DomainLists `json:"effective" doc:"What works for users of the live version: these, the merchant's own and those set directly."`
}

type domainsInput struct {
	MerchantInput

	Body struct {
		Request   []string `json:"request,omitzero" doc:"https://…; absent: stays as it is."`
		WSRequest []string `json:"ws_request,omitzero" doc:"wss://…"`
		Upload    []string `json:"upload,omitzero"`
		Download  []string `json:"download,omitzero"`
		UDP       []string `json:"udp,omitzero"`
		TCP       []string `json:"tcp,omitzero"`
	}
}

type webviewBody struct {
	Webview   []string `json:"webview" doc:"Set through this platform, each https://…"`
	Effective []string `json:"effective" doc:"What works for users of the live version."`
}

// GuidelineView is a privacy guideline as it stands at WeChat.
type GuidelineView struct {
	OwnerSetting OwnerSetting     `json:"owner_setting"`
	SettingList  []PrivacySetting `json:"setting_list"`
	UpdatedAt    *time.Time       `json:"updated_at"`
}

type privacyBody struct {
	GuidelineView

	Detected []string       `json:"detected" doc:"Kinds of data that WeChat found in the trial version's code."`
	Missing  []string       `json:"missing" doc:"Those of them without a text: WeChat's reviewers reject such a version."`
	Live     *GuidelineView `json:"live" doc:"What users of the live version see; null when there is none."`
}

func guidelineView(p wechat.Privacy) GuidelineView {
	o := p.Owner
	v := GuidelineView{
		OwnerSetting: OwnerSetting{
			ContactEmail: o.ContactEmail, ContactPhone: o.ContactPhone, ContactQQ: o.ContactQQ, ContactWeixin: o.ContactWeixin,
			NoticeMethod: o.NoticeMethod, StoreExpireTimestamp: o.StoreExpireTimestamp, ExtFileMediaID: o.ExtFileMediaID,
		},
		SettingList: []PrivacySetting{},
	}
	for _, item := range p.Settings {
		v.SettingList = append(v.SettingList, PrivacySetting{PrivacyKey: item.Key, PrivacyText: item.Text})
	}
	if p.UpdateTime != 0 {
		v.UpdatedAt = new(unix(p.UpdateTime))
	}
	return v
}

type rollbackVersion struct {
	AppVersion *int64 `json:"app_version,omitempty" nullable:"true" minimum:"1" doc:"Of the history; null: the newest version there."`
}

// routeByHand adds what an operator does for one merchant outside of rollouts.
func (s *Service) routeByHand(api huma.API) {
	s.routeVersions(api)
	s.routeMerchantDomains(api)
	s.routeGuideline(api)
}

func merchantOp(method, path, id, summary string) huma.Operation {
	role := adminauth.Operator
	if method == http.MethodGet {
		role = adminauth.Viewer
	}
	return adminauth.Op(method, "/authorizers/{appid}/"+path, id, summary, role, tagByHand)
}

func (s *Service) routeVersions(api huma.API) {
	answer := func(ctx context.Context, appid string, err error) (*versionsOutput, error) {
		if err != nil {
			return nil, err
		}
		slots, err := s.Versions(ctx, appid, fault.LangFrom(ctx))
		return &versionsOutput{slots}, err
	}
	huma.Register(api, merchantOp(http.MethodGet, "versions", "get-versions", "What WeChat has of a mini program now, and how that differs from what we think"),
		func(ctx context.Context, in *MerchantInput) (*versionsOutput, error) {
			return answer(ctx, in.AppID, nil)
		})
	huma.Register(api, merchantOp(http.MethodPost, "rollback", "roll-back-authorizer", "Go back to an earlier live version"),
		func(ctx context.Context, in *struct {
			MerchantInput

			Body *rollbackVersion
		},
		) (*versionsOutput, error) {
			wanted := int64(0)
			if in.Body != nil && in.Body.AppVersion != nil {
				wanted = *in.Body.AppVersion
			}
			return answer(ctx, in.AppID, s.RollBackOne(ctx, in.AppID, wanted))
		})
	huma.Register(api, merchantOp(http.MethodPost, "gray", "gray-release-authorizer", "Release the approved version to part of the users, or to more of them"),
		func(ctx context.Context, in *struct {
			MerchantInput

			Body struct {
				Percentage int `json:"percentage" minimum:"1" maximum:"100"`
			}
		},
		) (*versionsOutput, error) {
			return answer(ctx, in.AppID, s.Widen(ctx, in.AppID, in.Body.Percentage))
		})
	huma.Register(api, merchantOp(http.MethodPost, "gray-cancel", "cancel-gray-release", "Take a gray release back; its users fall back to the live version"),
		func(ctx context.Context, in *MerchantInput) (*versionsOutput, error) {
			return answer(ctx, in.AppID, s.CancelGray(ctx, in.AppID))
		})
	huma.Register(api, merchantOp(http.MethodPost, "withdraw-audit", "withdraw-authorizer-audit", "Take the version in audit back (5 a day, 10 a month for each mini program)"),
		func(ctx context.Context, in *MerchantInput) (*versionsOutput, error) {
			return answer(ctx, in.AppID, s.WithdrawAudit(ctx, in.AppID))
		})
}

func (s *Service) routeMerchantDomains(api huma.API) {
	type output struct{ Body domainsBody }
	show := func(set, effective wechat.Domains, err error) (*output, error) {
		return &output{domainsBody{domainLists(set), domainLists(effective)}}, err
	}
	huma.Register(api, merchantOp(http.MethodGet, "domains", "get-authorizer-domains", "A merchant's server domains"),
		func(ctx context.Context, in *MerchantInput) (*output, error) {
			return show(s.ServerDomains(ctx, in.AppID))
		})
	huma.Register(api, merchantOp(http.MethodPut, "domains", "set-authorizer-domains", "Set a merchant's server domains (50 changes a month)"),
		func(ctx context.Context, in *domainsInput) (*output, error) {
			b := in.Body
			wanted := &DomainSpec{Request: b.Request, WSRequest: b.WSRequest, Upload: b.Upload, Download: b.Download, UDP: b.UDP, TCP: b.TCP}
			return show(s.SetServerDomains(ctx, in.AppID, wanted))
		})

	type webOutput struct{ Body webviewBody }
	showWeb := func(set, effective []string, err error) (*webOutput, error) {
		return &webOutput{webviewBody{orEmpty(set), orEmpty(effective)}}, err
	}
	huma.Register(api, merchantOp(http.MethodGet, "webview-domains", "get-authorizer-webview-domains", "A merchant's web-view domains"),
		func(ctx context.Context, in *MerchantInput) (*webOutput, error) {
			return showWeb(s.WebviewDomains(ctx, in.AppID))
		})
	huma.Register(api, merchantOp(http.MethodPut, "webview-domains", "set-authorizer-webview-domains", "Set a merchant's web-view domains (50 changes a month)"),
		func(ctx context.Context, in *struct {
			MerchantInput

			Body struct {
				Webview []string `json:"webview" maxItems:"200"`
			}
		},
		) (*webOutput, error) {
			return showWeb(s.SetWebviewDomains(ctx, in.AppID, orEmpty(in.Body.Webview)))
		})
}

func (s *Service) routeGuideline(api huma.API) {
	type output struct{ Body privacyBody }
	show := func(next, live wechat.Privacy, err error) (*output, error) {
		b := privacyBody{GuidelineView: guidelineView(next), Detected: orEmpty(next.Detected), Missing: orEmpty(keysWithoutText(next, nil))}
		if live.CodeExist == 1 || live.UpdateTime != 0 {
			b.Live = new(guidelineView(live))
		}
		return &output{b}, err
	}
	huma.Register(api, merchantOp(http.MethodGet, "privacy", "get-authorizer-privacy", "A merchant's privacy guideline"),
		func(ctx context.Context, in *MerchantInput) (*output, error) { return show(s.Guideline(ctx, in.AppID)) })
	huma.Register(api, merchantOp(http.MethodPut, "privacy", "set-authorizer-privacy", "Write texts of a merchant's privacy guideline; users see them with the next release"),
		func(ctx context.Context, in *struct {
			MerchantInput

			Body PrivacySpec
		},
		) (*output, error) {
			return show(s.SetGuideline(ctx, in.AppID, &in.Body))
		})
}
