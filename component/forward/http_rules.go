package forward

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const tag = "forwarding"

// RuleView is a rule as the API shows it. Secret is there only when it has just been made.
type RuleView struct {
	ID                  string     `json:"id"`
	Name                string     `json:"name"`
	Enabled             bool       `json:"enabled" doc:"False also while the rule is paused by itself; enable it to go on."`
	Channel             string     `json:"channel" enum:"component,biz"`
	InfoType            string     `json:"info_type" doc:"Empty: any."`
	MsgType             string     `json:"msg_type" doc:"Empty: any."`
	Event               string     `json:"event" doc:"Empty: any."`
	AppIDs              []string   `json:"appids" doc:"Empty: any."`
	TargetURL           string     `json:"target_url"`
	Mode                string     `json:"mode" enum:"deliver,relay"`
	Format              string     `json:"format" enum:"json,xml"`
	TimeoutMS           int64      `json:"timeout_ms"`
	Secret              string     `json:"secret,omitempty" doc:"Shown once, when it is made."`
	PreviousSecretUntil *time.Time `json:"previous_secret_until" doc:"Until then calls are signed with the secret before too."`
	PausedAt            *time.Time `json:"paused_at" doc:"When the rule was paused by itself. Its messages wait."`
	PauseReason         string     `json:"pause_reason"`
	FailingSince        *time.Time `json:"failing_since" doc:"Since then no call has succeeded."`
	LastError           string     `json:"last_error" doc:"Of the calls that fail now; empty when the last one succeeded."`
	CreatedBy           string     `json:"created_by"`
	CreatedAt           time.Time  `json:"created_at"`
	UpdatedAt           time.Time  `json:"updated_at"`
}

func ruleView(r Rule, lang string) RuleView {
	v := RuleView{
		ID: formatID(r.ID), Name: r.Name, Enabled: r.Enabled && r.PausedAt.IsZero(), Channel: r.Channel, InfoType: r.InfoType,
		MsgType: r.MsgType, Event: r.Event, AppIDs: r.AppIDs, TargetURL: r.TargetURL, Mode: r.Mode, Format: r.Format,
		TimeoutMS: r.Timeout.Milliseconds(), PreviousSecretUntil: nullTime(r.PreviousUntil.UTC()), PausedAt: nullTime(r.PausedAt.UTC()),
		FailingSince: nullTime(r.FailingSince.UTC()), LastError: r.LastError.In(lang),
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if !r.PausedAt.IsZero() {
		v.PauseReason = fault.Say(lang, "Paused by itself: the target has taken nothing since %s. Mend the target, then enable the rule; what waits is sent then.",
			r.FailingSince.UTC().Format(time.RFC3339))
	}
	return v
}

type ruleOutput struct{ Body RuleView }

type ruleChange struct {
	Name      *string   `json:"name,omitempty" maxLength:"200"`
	Enabled   *bool     `json:"enabled,omitempty"`
	Channel   *string   `json:"channel,omitempty" enum:"component,biz"`
	InfoType  *string   `json:"info_type,omitempty" maxLength:"200"`
	MsgType   *string   `json:"msg_type,omitempty" maxLength:"200"`
	Event     *string   `json:"event,omitempty" maxLength:"200"`
	AppIDs    *[]string `json:"appids,omitempty"`
	TargetURL *string   `json:"target_url,omitempty" maxLength:"2000" doc:"$APPID$ in it is replaced."`
	Mode      *string   `json:"mode,omitempty" enum:"deliver,relay"`
	Format    *string   `json:"format,omitempty" enum:"json,xml"`
	TimeoutMS *int64    `json:"timeout_ms,omitempty" minimum:"1" maximum:"25000" doc:"10000 by default, 4000 for relay; a relay never takes longer than 4500."`
}

func (c ruleChange) change() Change {
	out := Change{
		Name: c.Name, Channel: c.Channel, InfoType: c.InfoType, MsgType: c.MsgType, Event: c.Event, TargetURL: c.TargetURL,
		Mode: c.Mode, Format: c.Format, Enabled: c.Enabled, AppIDs: c.AppIDs,
	}
	if c.TimeoutMS != nil {
		out.Timeout = new(time.Duration(*c.TimeoutMS) * time.Millisecond)
	}
	return out
}

// newRule is ruleChange with what a rule cannot do without.
type newRule struct {
	Name      string    `json:"name" maxLength:"200"`
	Enabled   *bool     `json:"enabled,omitempty" doc:"True by default."`
	Channel   string    `json:"channel" enum:"component,biz"`
	InfoType  *string   `json:"info_type,omitempty" maxLength:"200" doc:"Empty: any."`
	MsgType   *string   `json:"msg_type,omitempty" maxLength:"200" doc:"Empty: any."`
	Event     *string   `json:"event,omitempty" maxLength:"200" doc:"Empty: any."`
	AppIDs    *[]string `json:"appids,omitempty" doc:"Empty: any."`
	TargetURL string    `json:"target_url" maxLength:"2000" doc:"$APPID$ in it is replaced."`
	Mode      *string   `json:"mode,omitempty" enum:"deliver,relay" doc:"deliver by default. A relay whose target lets five messages in a row wait a second or more in vain is left alone for ten seconds; WeChat is answered success meanwhile."`
	Format    *string   `json:"format,omitempty" enum:"json,xml" doc:"json by default."`
	TimeoutMS *int64    `json:"timeout_ms,omitempty" minimum:"1" maximum:"25000" doc:"10000 by default, 4000 for relay; a relay never takes longer than 4500."`
}

func (n newRule) change() Change {
	return ruleChange{
		Name: &n.Name, Enabled: n.Enabled, Channel: &n.Channel, InfoType: n.InfoType, MsgType: n.MsgType, Event: n.Event, AppIDs: n.AppIDs,
		TargetURL: &n.TargetURL, Mode: n.Mode, Format: n.Format, TimeoutMS: n.TimeoutMS,
	}.change()
}

// RuleIDInput names a rule.
type RuleIDInput struct {
	ID string `path:"id" maxLength:"20"`
}

func (in RuleIDInput) number() (int64, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, noRule()
	}
	return id, nil
}

// TestView is what came of a test call.
type TestView struct {
	Status     int    `json:"status" doc:"HTTP status; 0 when there was no answer."`
	DurationMS int64  `json:"duration_ms"`
	Response   string `json:"response" doc:"The beginning of the answer."`
	Error      string `json:"error" doc:"Empty when a delivery would have been taken."`

	Request SentView `json:"request"`
}

// SentView is the request of a test call.
type SentView struct {
	URL     string            `json:"url" doc:"Where $APPID$ stood there is the sample's appid."`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// StatsView is the chart of a rule.
type StatsView struct {
	StepSeconds int64      `json:"step_seconds"`
	Items       []StatView `json:"items" doc:"Steps in which there was a call, oldest first."`
}

// StatView is one bar of the chart.
type StatView struct {
	At        time.Time `json:"at"`
	Delivered int64     `json:"delivered"`
	Failed    int64     `json:"failed" doc:"Tries that failed."`
	Dead      int64     `json:"dead" doc:"Of these: last tries, whose deliveries were given up."`
	AvgMS     int64     `json:"avg_ms"`
	MaxMS     int64     `json:"max_ms"`
}

// OverviewView is how all rules do.
type OverviewView struct {
	StepSeconds int64              `json:"step_seconds"`
	CountedTo   int64              `json:"counted_to" doc:"A count that has reached this is of as many or more."`
	Items       []RuleOverviewView `json:"items"`
}

// RuleOverviewView is how one rule does.
type RuleOverviewView struct {
	RuleID  string     `json:"rule_id"`
	Pending int64      `json:"pending" doc:"Deliveries that wait, in the backlog too, counted up to counted_to."`
	Dead    int64      `json:"dead" doc:"Deliveries given up, counted up to counted_to."`
	Items   []StatView `json:"items" doc:"Steps in which there was a call, oldest first."`
}

func statViews(stats []Stat) []StatView {
	views := make([]StatView, 0, len(stats))
	for _, st := range stats {
		views = append(views, StatView{
			At: st.At.UTC(), Delivered: st.OK, Failed: st.Failed, Dead: st.Dead,
			AvgMS: st.TotalMS / max(st.OK+st.Failed, 1), MaxMS: st.MaxMS,
		})
	}
	return views
}

// RegisterAPI adds rules and deliveries to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/forward-rules", "list-forward-rules", "Rules by which messages go to business systems", adminauth.Viewer, tag), s.getRules)
	huma.Register(api, adminauth.Op(http.MethodGet, "/forward-rules/overview", "get-forward-rules-overview", "How all rules do: a small chart, what waits and what was given up", adminauth.Viewer, tag), s.getOverview)
	create := adminauth.Op(http.MethodPost, "/forward-rules", "create-forward-rule", "Make a rule; its secret is in this answer only", adminauth.Operator, tag)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.postRule)
	huma.Register(api, adminauth.Op(http.MethodGet, "/forward-rules/{id}", "get-forward-rule", "One rule", adminauth.Viewer, tag), s.getRule)
	huma.Register(api, adminauth.Op(http.MethodPatch, "/forward-rules/{id}", "change-forward-rule", "Change a rule; enabling it ends a pause", adminauth.Operator, tag), s.patchRule)
	huma.Register(api, adminauth.Op(http.MethodDelete, "/forward-rules/{id}", "delete-forward-rule", "Delete a rule and its deliveries", adminauth.Operator, tag), s.deleteRule)
	huma.Register(api, adminauth.Op(http.MethodPost, "/forward-rules/{id}/secret", "rotate-forward-rule-secret", "A new secret; the one before signs too for 24 hours", adminauth.Operator, tag), s.postSecret)
	huma.Register(api, adminauth.Op(http.MethodPost, "/forward-rules/{id}/test", "test-forward-rule", "Send a sample message now", adminauth.Operator, tag), s.postTest)
	huma.Register(api, adminauth.Op(http.MethodGet, "/forward-rules/{id}/stats", "get-forward-rule-stats", "Successes, failures and times of a rule's calls", adminauth.Viewer, tag), s.getStats)
	s.routeDeliveries(api)
}

func (s *Service) getRules(ctx context.Context, in *httpserver.ListInput) (*struct {
	Body httpserver.Page[RuleView]
}, error,
) {
	var after int64
	if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	rules, total, err := listRules(ctx, s.deps.DB, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[RuleView]{Items: []RuleView{}, Total: &total}
	for i, r := range rules {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(rules[i-1].ID)
			break
		}
		page.Items = append(page.Items, ruleView(r.Rule, fault.LangFrom(ctx)))
	}
	return &struct {
		Body httpserver.Page[RuleView]
	}{page}, nil
}

func (s *Service) postRule(ctx context.Context, in *struct{ Body newRule }) (*ruleOutput, error) {
	r, secret, err := s.Create(ctx, in.Body.change(), adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	adminauth.SetTarget(ctx, formatID(r.ID))
	view := ruleView(r, fault.LangFrom(ctx))
	view.Secret = secret.Reveal()
	return &ruleOutput{view}, nil
}

func (s *Service) getRule(ctx context.Context, in *RuleIDInput) (*ruleOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	r, err := s.rule(ctx, id)
	if err != nil {
		return nil, err
	}
	return &ruleOutput{ruleView(r.Rule, fault.LangFrom(ctx))}, nil
}

func (s *Service) patchRule(ctx context.Context, in *struct {
	RuleIDInput

	Body ruleChange
},
) (*ruleOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	r, err := s.Update(ctx, id, in.Body.change())
	if err != nil {
		return nil, err
	}
	return &ruleOutput{ruleView(r, fault.LangFrom(ctx))}, nil
}

func (s *Service) deleteRule(ctx context.Context, in *RuleIDInput) (*struct{}, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	return nil, s.Delete(ctx, id)
}

func (s *Service) postSecret(ctx context.Context, in *RuleIDInput) (*ruleOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	r, secret, err := s.Rotate(ctx, id)
	if err != nil {
		return nil, err
	}
	view := ruleView(r, fault.LangFrom(ctx))
	view.Secret = secret.Reveal()
	return &ruleOutput{view}, nil
}

func (s *Service) postTest(ctx context.Context, in *RuleIDInput) (*struct{ Body TestView }, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	a, err := s.Try(ctx, id)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]string, len(a.Header))
	for name := range a.Header {
		headers[name] = a.Header.Get(name)
	}
	return &struct{ Body TestView }{TestView{
		Status: a.Status, DurationMS: a.Duration.Milliseconds(), Response: a.Response, Error: a.Failure.In(fault.LangFrom(ctx)),
		Request: SentView{URL: a.URL, Headers: headers, Body: a.Body},
	}}, nil
}

func (s *Service) getOverview(ctx context.Context, in *struct {
	Hours int `query:"hours" default:"24" minimum:"1" maximum:"720"`
},
) (*struct{ Body OverviewView }, error) {
	list, step, err := s.Overview(ctx, time.Duration(in.Hours)*time.Hour)
	if err != nil {
		return nil, err
	}
	view := OverviewView{StepSeconds: int64(step.Seconds()), CountedTo: countedTo, Items: make([]RuleOverviewView, 0, len(list))}
	for _, o := range list {
		view.Items = append(view.Items, RuleOverviewView{RuleID: formatID(o.RuleID), Pending: o.Pending, Dead: o.Dead, Items: statViews(o.Stats)})
	}
	return &struct{ Body OverviewView }{view}, nil
}

func (s *Service) getStats(ctx context.Context, in *struct {
	RuleIDInput

	Hours int `query:"hours" default:"24" minimum:"1" maximum:"720"`
},
) (*struct{ Body StatsView }, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	if _, err := s.rule(ctx, id); err != nil {
		return nil, err
	}
	stats, step, err := s.Stats(ctx, id, time.Duration(in.Hours)*time.Hour)
	if err != nil {
		return nil, err
	}
	return &struct{ Body StatsView }{StatsView{StepSeconds: int64(step.Seconds()), Items: statViews(stats)}}, nil
}
