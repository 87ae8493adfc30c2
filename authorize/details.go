package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// details is what WeChat tells about an account, in the columns that keep it.
type details struct {
	Kind, NickName, UserName, HeadImg, QRCodeURL, PrincipalName, Alias, Signature string

	FuncScopes                                           []int
	ServiceType, VerifyType, RegisterType, AccountStatus *int
	Categories, Network, BasicConfig                     json.RawMessage
}

func detailsOf(info wechat.AuthorizerInfo) (details, error) {
	a := info.Account
	d := details{
		Kind: kindOf(a), NickName: a.NickName, UserName: a.UserName, HeadImg: a.HeadImage, QRCodeURL: a.QRCodeURL,
		PrincipalName: a.PrincipalName, Alias: a.Alias, Signature: a.Signature, FuncScopes: info.Authorization.FuncScopes(),
		ServiceType: typeID(a.ServiceType), VerifyType: typeID(a.VerifyType),
		RegisterType: number(a.RegisterType), AccountStatus: number(a.AccountStatus),
		Categories: json.RawMessage(`[]`), Network: json.RawMessage(`{}`), BasicConfig: json.RawMessage(`{}`),
	}
	var err error
	keep := func(into *json.RawMessage, v any) {
		text, e := json.Marshal(v)
		if e != nil {
			err = errors.Join(err, e)
			return
		}
		*into = text
	}
	if m := a.MiniProgram; m != nil {
		categories := make([]category, 0, len(m.Categories))
		for _, c := range m.Categories {
			categories = append(categories, category{c.First, c.Second})
		}
		keep(&d.Categories, categories)
		keep(&d.Network, networkOf(m.Network))
	}
	if a.BasicConfig != nil {
		keep(&d.BasicConfig, a.BasicConfig)
	}
	return d, err
}

// kindOf: only mini programs have MiniProgramInfo.
func kindOf(a wechat.Account) string {
	switch {
	case a.MiniProgram != nil:
		return "miniprogram"
	case a.Channels != nil || a.Store != nil || a.Talent != nil || a.Supplier != nil:
		return "other"
	}
	return "official"
}

// category is one approved category (类目) of a mini program.
type category struct {
	First  string `json:"first"`
	Second string `json:"second"`
}

// network is how a merchant's domains are told in the API, with the names that rollouts use.
type network struct {
	Request     []string `json:"request"`
	WSRequest   []string `json:"ws_request"`
	Upload      []string `json:"upload"`
	Download    []string `json:"download"`
	UDP         []string `json:"udp"`
	TCP         []string `json:"tcp"`
	Webview     []string `json:"webview"`
	PrefetchDNS []string `json:"prefetch_dns"`
}

func networkOf(n wechat.Network) network {
	list := func(l wechat.List[string]) []string { return append([]string{}, l...) }
	return network{
		list(n.Request), list(n.WSRequest), list(n.Upload), list(n.Download), list(n.UDP), list(n.TCP), list(n.Webview), list(n.PrefetchDNS),
	}
}

func typeID(t *wechat.TypeInfo) *int {
	if t == nil {
		return nil
	}
	return new(int(t.ID))
}

func number(n *wechat.Int) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

// Refresh reads a merchant's details from WeChat and keeps them. A failure leaves what is known as it is and is noted
// beside it. It fails with fault.NotFound for an account not on record and with what WeChat says; a merchant that has
// withdrawn is left alone (fault.Unauthorized).
func (s *Service) Refresh(ctx context.Context, appid string) error {
	a, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return noSuchAuthorizer()
	}
	if err != nil {
		return fmt.Errorf("read merchant %s: %w", appid, err)
	}
	if a.Status != statusAuthorized {
		return withdrawnFault()
	}
	info, err := s.component.API().AuthorizerInfo(ctx, appid)
	if err == nil && info.Authorization.AppID != "" && info.Authorization.AppID != appid {
		err = fmt.Errorf("WeChat answered about %s", info.Authorization.AppID)
	}
	var d details
	if err == nil {
		d, err = detailsOf(info)
	}
	if err != nil {
		err = fmt.Errorf("details of merchant %s: %w", appid, err)
		t := troubleOf(err)
		noteErr := s.inTx(ctx, func(tx pgx.Tx) error { return noteInfoError(ctx, tx, appid, t, s.Now()) })
		return errors.Join(err, noteErr)
	}
	has, err := s.tokens.HasRefresh(ctx, tokenKey(appid))
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockAuthorizer(ctx, tx, appid)
		if err != nil {
			return err
		}
		if now.Status != statusAuthorized {
			return nil
		}
		if err := updateDetails(ctx, tx, appid, d, s.Now()); err != nil {
			return err
		}
		if refresh := info.Authorization.RefreshToken; !has && !refresh.IsZero() { // ours was lost
			if err := s.tokens.PutRefresh(ctx, tx, tokenKey(appid), refresh); err != nil {
				return err
			}
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
	})
}
