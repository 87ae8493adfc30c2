package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// details is what WeChat tells about an account, in the columns that keep it.
type details struct {
	Kind, NickName, UserName, HeadImg, QRCodeURL, PrincipalName, Alias, Signature string

	FuncScopes                                           []int
	ServiceType, VerifyType, RegisterType, AccountStatus *int
	Categories, Network, ScopeConfirms                   json.RawMessage
	BasicConfig, BusinessInfo, Special                   json.RawMessage // nil: not told
	miniProgram                                          bool            // categories and network were told
}

func detailsOf(info wechat.AuthorizerInfo) (details, error) {
	a := info.Account
	d := details{
		Kind: kindOf(a), NickName: a.NickName, UserName: a.UserName, HeadImg: a.HeadImage, QRCodeURL: a.QRCodeURL,
		PrincipalName: a.PrincipalName, Alias: a.Alias, Signature: a.Signature, FuncScopes: info.Authorization.FuncScopes(),
		ServiceType: typeID(a.ServiceType), VerifyType: typeID(a.VerifyType),
		RegisterType: number(a.RegisterType), AccountStatus: number(a.AccountStatus),
		Categories: json.RawMessage(`[]`), Network: json.RawMessage(`{}`), ScopeConfirms: json.RawMessage(`[]`), miniProgram: a.MiniProgram != nil,
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
	if a.Business != nil {
		keep(&d.BusinessInfo, a.Business)
	}
	if special := specialOf(a); len(special) > 0 {
		keep(&d.Special, special)
	}
	if confirms := confirmsOf(info.Authorization); len(confirms) > 0 {
		keep(&d.ScopeConfirms, confirms)
	}
	return d, err
}

// specialOf lists what the account is besides, by the id of its kind: 视频号, 微信小店, 带货助手, 供货商.
func specialOf(a wechat.Account) map[string]int {
	special := map[string]int{}
	for name, t := range map[string]*wechat.TypeInfo{"channels": a.Channels, "store": a.Store, "talent": a.Talent, "supplier": a.Supplier} {
		if t != nil {
			special[name] = int(t.ID)
		}
	}
	return special
}

// scopeConfirm tells of a permission set that the platform has to confirm; flags are 0 or 1.
type scopeConfirm struct {
	FuncScope      int `json:"func_scope"`
	NeedConfirm    int `json:"need_confirm"`
	AlreadyConfirm int `json:"already_confirm"`
	CanConfirm     int `json:"can_confirm"`
}

func confirmsOf(info wechat.AuthorizationInfo) []scopeConfirm {
	var confirms []scopeConfirm
	for _, f := range info.FuncInfo {
		if c := f.Confirm; c != nil {
			confirms = append(confirms, scopeConfirm{int(f.Category.ID), int(c.NeedConfirm), int(c.AlreadyConfirm), int(c.CanConfirm)})
		}
	}
	return confirms
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
	_, err := s.refreshDetails(ctx, appid, "")
	return err
}

// refreshDetails is Refresh. listed is the fingerprint of the refresh token that WeChat's list has for the merchant, if that
// was read; replaced tells that it is ours now: WeChat has named it twice, and ours is another and older than the reading.
//
// WeChat's answer may be older than what has been stored while it was on its way, such as the permission sets of a new
// authorization. Then it is read again, and after infoReadings the last one counts.
func (s *Service) refreshDetails(ctx context.Context, appid, listed string) (replaced bool, err error) {
	for reading := 1; ; reading++ {
		replaced, err = s.readDetails(ctx, appid, listed, reading == infoReadings)
		if !errors.Is(err, errMoved) {
			return replaced, err
		}
	}
}

// readDetails fails with errMoved if the merchant was changed meanwhile, unless it is the last try.
func (s *Service) readDetails(ctx context.Context, appid, listed string, last bool) (replaced bool, err error) {
	a, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, noSuchAuthorizer()
	}
	if err != nil {
		return false, fmt.Errorf("read merchant %s: %w", appid, err)
	}
	if a.Status != statusAuthorized {
		return false, withdrawnFault()
	}
	ours, err := s.tokens.RefreshToken(ctx, tokenKey(appid))
	if err != nil {
		return false, err
	}
	info, err := s.component.API().AuthorizerInfo(ctx, appid)
	if err == nil {
		err = plausibleInfo(info, appid)
	}
	var d details
	if err == nil {
		d, err = detailsOf(info)
	}
	if err != nil {
		err = fmt.Errorf("details of merchant %s: %w", appid, err)
		t := troubleOf(err)
		noteErr := s.inTx(ctx, func(tx pgx.Tx) error { return noteInfoError(ctx, tx, appid, t, s.Now()) })
		return false, errors.Join(err, noteErr)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := lockAuthorizer(ctx, tx, appid)
		if err != nil {
			return err
		}
		if now.Status != statusAuthorized {
			return nil
		}
		if !last && !now.UpdatedAt.Equal(a.UpdatedAt) {
			return errMoved
		}
		news, err := updateDetails(ctx, tx, appid, d, s.Now())
		if err != nil {
			return err
		}
		refresh := info.Authorization.RefreshToken
		switch {
		case refresh.IsZero() || refresh.Equal(ours.Secret):
		case ours.Secret.IsZero() || refresh.Fingerprint() == listed: // ours was lost, or is that of an earlier authorization
			if replaced, err = s.tokens.ReplaceRefresh(ctx, tx, tokenKey(appid), ours, refresh); err != nil {
				return err
			}
			if replaced {
				if err := clearReauthorize(ctx, tx, appid, s.Now()); err != nil {
					return err
				}
			}
		}
		if !news && !replaced {
			return nil
		}
		return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
	})
	return replaced, err
}

// plausibleInfo refuses an answer about nobody, or about somebody else: it must not blank what is known.
func plausibleInfo(info wechat.AuthorizerInfo, appid string) error {
	if told := info.Authorization.AppID; told != "" && told != appid {
		return fmt.Errorf("WeChat answered about %s", told)
	}
	if info.Account.UserName == "" && info.Account.NickName == "" {
		return errors.New("WeChat answered without a name and an original id")
	}
	return nil
}

const (
	infoReadings = 3
	// infoStale is the age from which details are read again when somebody looks at them.
	infoStale = time.Hour
	// infoPause is how long details are left alone after an attempt to read them.
	infoPause = 10 * time.Minute
)

// freshen has stale details of a merchant read in the background; whoever looks at them gets what we have at once, and a
// live event when there is news.
func (s *Service) freshen(ctx context.Context, a Authorizer) {
	now := s.Now()
	young := func(t *time.Time, age time.Duration) bool { return t != nil && now.Sub(*t) < age }
	if a.Status != statusAuthorized || young(a.InfoAt, infoStale) || young(a.InfoTriedAt, infoPause) || young(&a.CreatedAt, infoPause) {
		return
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error { return s.enqueueFreshen(ctx, tx, a.AppID) })
	if err != nil { // what is known is answered all the same
		s.Logger.WarnContext(ctx, "details of a merchant are not read again", "appid", a.AppID, "error", err)
	}
}
