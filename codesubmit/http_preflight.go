package codesubmit

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// Blocker is one thing that stands in a merchant's way.
type Blocker struct {
	Code   string   `json:"code"`
	Detail string   `json:"detail"`
	Hint   string   `json:"hint"`
	Kind   string   `json:"kind,omitempty" enum:"server,webview" doc:"With domain_not_on_platform: which of the platform's lists lacks names."`
	Names  []string `json:"names,omitempty" doc:"What it is about: domains as component/domains/add takes them, privacy keys."`
}

func (f *StepError) blocker(lang string) Blocker {
	detail := f.Detail.In(lang)
	if f.ErrCode != 0 {
		detail = fmt.Sprintf("errcode %d: %s (rid %s)", f.ErrCode, f.ErrMsg, f.RID)
	}
	return Blocker{Code: f.Code, Detail: detail, Hint: f.hint(lang), Kind: f.Kind, Names: f.Names}
}

func blockersOf(found []*StepError, lang string) []Blocker {
	list := make([]Blocker, 0, len(found))
	for _, f := range found {
		list = append(list, f.blocker(lang))
	}
	return list
}

// PreflightResult says which targets could start now.
type PreflightResult struct {
	Ready   []string            `json:"ready"`
	Blocked []BlockedAuthorizer `json:"blocked"`
}

// BlockedAuthorizer is a merchant and all that stands in its way.
type BlockedAuthorizer struct {
	AppID    string    `json:"appid"`
	NickName string    `json:"nick_name"`
	Blockers []Blocker `json:"blockers"`
}

// PreflightView is a preflight as the API shows it.
type PreflightView struct {
	ID         string         `json:"id"`
	State      string         `json:"state" enum:"running,done"`
	Total      int            `json:"total"`
	Done       int            `json:"done" doc:"Merchants that have been looked at."`
	Ready      int            `json:"ready"`
	Blocked    int            `json:"blocked"`
	Codes      map[string]int `json:"codes" doc:"Merchants by the code of a blocker; one with two blockers counts for both."`
	Quota      *QuotaView     `json:"quota" doc:"The provider's submissions of this month, null while they are not known. With fewer than ready, the last ones wait for next month."`
	CreatedAt  time.Time      `json:"created_at"`
	FinishedAt *time.Time     `json:"finished_at"`
}

// QuotaView is how many submissions there are this month.
type QuotaView struct {
	Rest  int `json:"rest"`
	Limit int `json:"limit"`
}

func preflightView(p *PreflightRun) PreflightView {
	v := PreflightView{
		ID: strconv.FormatInt(p.ID, 10), State: p.State, Total: p.Total, Done: p.Done, Ready: p.Ready, Blocked: p.Blocked, Codes: p.Codes,
		CreatedAt: p.CreatedAt.UTC(), FinishedAt: p.FinishedAt,
	}
	if p.QuotaRest != nil && p.QuotaMost != nil {
		v.Quota = &QuotaView{*p.QuotaRest, *p.QuotaMost}
	}
	return v
}

// PreflightItemView is a merchant of a preflight; Blockers is null while it has not been looked at.
type PreflightItemView struct {
	AppID    string     `json:"appid"`
	NickName string     `json:"nick_name"`
	Blockers *[]Blocker `json:"blockers" nullable:"true" doc:"Empty: ready. Null: not looked at yet."`
	Rollback *Rollback  `json:"rollback,omitempty" doc:"Of a rollback: from where to where; absent while that is not known."`
}

type preflightOutput struct{ Body PreflightView }

type preflightInput struct {
	httpserver.LateAnswer

	Body Spec
}

type preflightItemsInput struct {
	IDInput
	httpserver.ListInput

	Blocked bool `query:"blocked" doc:"Only merchants with blockers."`
}

// Looking changes nothing, so viewers may. It costs calls to WeChat, so it is in the audit log.
func (s *Service) routePreflights(api huma.API) {
	all := adminauth.Op(http.MethodPost, "/rollouts/preflight", "preflight-rollout", "Look what stands in the way and wait for the answer, changing nothing", adminauth.Viewer, tagPreflights)
	all.MaxBodyBytes = maxSpecBytes
	huma.Register(api, all, func(ctx context.Context, in *preflightInput) (*struct{ Body PreflightResult }, error) {
		defer in.AnswerNow() // thousands of merchants take many minutes
		items, err := s.PreflightRollout(ctx, &in.Body)
		if err != nil {
			return nil, err
		}
		names, err := s.namesOf(ctx, items)
		if err != nil {
			return nil, err
		}
		result := PreflightResult{Ready: []string{}, Blocked: []BlockedAuthorizer{}}
		for _, item := range items {
			if len(item.Found) == 0 {
				result.Ready = append(result.Ready, item.AppID)
			} else {
				result.Blocked = append(result.Blocked, BlockedAuthorizer{item.AppID, names[item.AppID], blockersOf(item.Found, fault.LangFrom(ctx))})
			}
		}
		return &struct{ Body PreflightResult }{result}, nil
	})

	start := adminauth.Op(http.MethodPost, "/preflights", "start-preflight", "Look what stands in the way of a rollout, in the background, changing nothing", adminauth.Viewer, tagPreflights)
	start.Description = "That a merchant is ready serves for five minutes, as long as neither the rollout's nor the merchant's data change; those with blockers are looked at anew."
	start.DefaultStatus = http.StatusCreated
	start.MaxBodyBytes = maxSpecBytes
	huma.Register(api, start, func(ctx context.Context, in *struct{ Body Spec }) (*preflightOutput, error) {
		p, err := s.StartPreflight(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		adminauth.SetTarget(ctx, strconv.FormatInt(p.ID, 10))
		return s.answerPreflight(ctx, p.ID)
	})
	huma.Register(api, adminauth.Op(http.MethodGet, "/preflights/{id}", "get-preflight", "How far a preflight has come", adminauth.Viewer, tagPreflights),
		func(ctx context.Context, in *IDInput) (*preflightOutput, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			return s.answerPreflight(ctx, id)
		})
	huma.Register(api, adminauth.Op(http.MethodGet, "/preflights/{id}/items", "list-preflight-items", "The merchants of a preflight, by appid", adminauth.Viewer, tagPreflights), s.listPreflightItems)
}

func (s *Service) answerPreflight(ctx context.Context, id int64) (*preflightOutput, error) {
	p, err := s.Preflight(ctx, id)
	if err != nil {
		return nil, err
	}
	return &preflightOutput{preflightView(p)}, nil
}

func (s *Service) listPreflightItems(ctx context.Context, in *preflightItemsInput) (*struct {
	Body httpserver.Page[PreflightItemView]
}, error,
) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	f := PreflightFilter{ID: id, Blocked: in.Blocked, Limit: in.Limit + 1}
	if err := httpserver.DecodeCursor(in.Cursor, &f.After); err != nil {
		return nil, err
	}
	p, err := s.preflightByID(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	items, err := s.preflightItems(ctx, f)
	if err != nil {
		return nil, err
	}
	names, err := s.namesOf(ctx, items)
	if err != nil {
		return nil, err
	}
	total := int64(p.Total)
	if in.Blocked {
		total = int64(p.Blocked)
	}
	page := httpserver.Page[PreflightItemView]{Items: make([]PreflightItemView, 0, len(items)), Total: &total}
	for i, item := range items {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(items[i-1].AppID)
			break
		}
		view := PreflightItemView{AppID: item.AppID, NickName: names[item.AppID], Rollback: item.Back}
		if item.Found != nil {
			view.Blockers = new(blockersOf(item.Found, fault.LangFrom(ctx)))
		}
		page.Items = append(page.Items, view)
	}
	return &struct {
		Body httpserver.Page[PreflightItemView]
	}{page}, nil
}

// namesOf maps appids to names in one query.
func (s *Service) namesOf(ctx context.Context, items []PreflightItem) (map[string]string, error) {
	appids := make([]string, len(items))
	for i, item := range items {
		appids[i] = item.AppID
	}
	return s.merchants.NickNames(ctx, appids)
}
