package notice

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const tag = "notices"

// ChannelView is a channel as the API shows it. Secret is there only when it has just been made.
type ChannelView struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Kind       string       `json:"kind" enum:"wecom,dingtalk,feishu,webhook"`
	Enabled    bool         `json:"enabled"`
	Language   string       `json:"language" enum:"zh-CN,en"`
	Events     []string     `json:"events" enum:"ticket_stale,audit_result,rollout_paused,rollout_done,dead_letter,rule_paused,authorization_withdrawn"`
	Address    string       `json:"address" doc:"Host and end of the URL; the rest is a secret."`
	HasSecret  bool         `json:"has_secret"`
	Secret     string       `json:"secret,omitempty" doc:"Of a webhook; shown once, when it is made."`
	Failing    *FailingView `json:"failing" doc:"Null when the last try went well."`
	Waiting    int64        `json:"waiting" doc:"Notices that wait."`
	NextAt     *time.Time   `json:"next_at" doc:"When the robot's limit, or a pause after failures, ends; null when nothing is in the way."`
	LastSentAt *time.Time   `json:"last_sent_at"`
	CreatedBy  string       `json:"created_by"`
	CreatedAt  time.Time    `json:"created_at"`
	UpdatedAt  time.Time    `json:"updated_at"`
}

// FailingView tells of a channel that does not work.
type FailingView struct {
	Since time.Time `json:"since"`
	Error string    `json:"error"`
}

func (s *Service) channelView(c Channel, lang string) ChannelView {
	v := ChannelView{
		ID: formatID(c.ID), Name: c.Name, Kind: c.Kind, Enabled: c.Enabled, Language: c.Language, Events: c.Events, Address: c.Address,
		HasSecret: c.HasSecret, Waiting: c.Waiting, LastSentAt: nullTime(c.LastSentAt.UTC()),
		CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
	if !c.FailingSince.IsZero() {
		v.Failing = &FailingView{Since: c.FailingSince.UTC(), Error: c.LastError.In(lang)}
	}
	if c.NextAt.After(s.now()) {
		v.NextAt = new(c.NextAt.UTC())
	}
	return v
}

type channelOutput struct{ Body ChannelView }

// channelChange has no limits of its own on url and secret: a refusal by the description would repeat what was sent.
type channelChange struct {
	Name     *string   `json:"name,omitempty" maxLength:"200"`
	Enabled  *bool     `json:"enabled,omitempty"`
	Language *string   `json:"language,omitempty" enum:"zh-CN,en"`
	Events   *[]string `json:"events,omitempty" enum:"ticket_stale,audit_result,rollout_paused,rollout_done,dead_letter,rule_paused,authorization_withdrawn"`
	URL      *string   `json:"url,omitempty" doc:"The address that the robot's page shows. It is a secret and never shown again."`
	Secret   *string   `json:"secret,omitempty" doc:"DingTalk's 加签 or Feishu's 签名校验; empty: none any more."`
}

func (c channelChange) change() Change {
	return Change{Name: c.Name, Enabled: c.Enabled, Language: c.Language, Events: c.Events, URL: secretOf(c.URL), Secret: secretOf(c.Secret)}
}

func secretOf(text *string) *sealed.Secret {
	if text == nil {
		return nil
	}
	return new(sealed.New(*text))
}

// newChannel is channelChange with what a channel cannot do without.
type newChannel struct {
	Name     string    `json:"name" maxLength:"200"`
	Kind     string    `json:"kind" enum:"wecom,dingtalk,feishu,webhook"`
	URL      string    `json:"url" doc:"The address that the robot's page shows. It is a secret and never shown again."`
	Secret   *string   `json:"secret,omitempty" doc:"DingTalk's 加签 or Feishu's 签名校验. WeCom has none; that of a webhook is made here."`
	Enabled  *bool     `json:"enabled,omitempty" doc:"True by default."`
	Language *string   `json:"language,omitempty" enum:"zh-CN,en" doc:"zh-CN by default."`
	Events   *[]string `json:"events,omitempty" enum:"ticket_stale,audit_result,rollout_paused,rollout_done,dead_letter,rule_paused,authorization_withdrawn" doc:"All by default."`
}

func (n newChannel) change() Change {
	c := channelChange{Name: &n.Name, Enabled: n.Enabled, Language: n.Language, Events: n.Events, URL: &n.URL, Secret: n.Secret}
	if n.Secret != nil && *n.Secret == "" {
		c.Secret = nil
	}
	return c.change()
}

// ChannelIDInput names a channel.
type ChannelIDInput struct {
	ID string `path:"id" maxLength:"20"`
}

func (in ChannelIDInput) number() (int64, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, noChannel()
	}
	return id, nil
}

// TestView is what came of a test.
type TestView struct {
	OK         bool   `json:"ok"`
	Status     int    `json:"status" doc:"HTTP status; 0 when there was no answer."`
	DurationMS int64  `json:"duration_ms"`
	Response   string `json:"response" doc:"The beginning of the answer."`
	Error      string `json:"error" doc:"What is wrong and what to do; empty when it was taken."`
}

// RegisterAPI adds channels and notices to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/notice-channels", "list-notice-channels", "Where staff are told", adminauth.Viewer, tag), s.getChannels)
	create := adminauth.Op(http.MethodPost, "/notice-channels", "create-notice-channel", "Add a robot or webhook; a webhook's secret is in this answer only", adminauth.Operator, tag)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.postChannel)
	huma.Register(api, adminauth.Op(http.MethodGet, "/notice-channels/{id}", "get-notice-channel", "One channel", adminauth.Viewer, tag), s.getChannel)
	huma.Register(api, adminauth.Op(http.MethodPatch, "/notice-channels/{id}", "change-notice-channel", "Change a channel; switching it off gives up what waits", adminauth.Operator, tag), s.patchChannel)
	huma.Register(api, adminauth.Op(http.MethodDelete, "/notice-channels/{id}", "delete-notice-channel", "Delete a channel and its notices", adminauth.Operator, tag), s.deleteChannel)
	huma.Register(api, adminauth.Op(http.MethodPost, "/notice-channels/{id}/secret", "rotate-notice-channel-secret", "A new secret for a webhook", adminauth.Operator, tag), s.postSecret)
	huma.Register(api, adminauth.Op(http.MethodPost, "/notice-channels/{id}/test", "test-notice-channel", "Send a message that says that it is a test", adminauth.Operator, tag), s.postTest)
	s.routeNotices(api)
}

func (s *Service) getChannels(ctx context.Context, in *httpserver.ListInput) (*struct {
	Body httpserver.Page[ChannelView]
}, error,
) {
	var after int64
	if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	channels, total, err := listChannels(ctx, s.deps.DB, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[ChannelView]{Items: []ChannelView{}, Total: &total}
	for i, c := range channels {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(channels[i-1].ID)
			break
		}
		page.Items = append(page.Items, s.channelView(c.Channel, fault.LangFrom(ctx)))
	}
	return &struct {
		Body httpserver.Page[ChannelView]
	}{page}, nil
}

func (s *Service) postChannel(ctx context.Context, in *struct{ Body newChannel }) (*channelOutput, error) {
	c, secret, err := s.Create(ctx, in.Body.Kind, in.Body.change(), adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	adminauth.SetTarget(ctx, formatID(c.ID))
	view := s.channelView(c, fault.LangFrom(ctx))
	view.Secret = secret.Reveal()
	return &channelOutput{view}, nil
}

func (s *Service) getChannel(ctx context.Context, in *ChannelIDInput) (*channelOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	c, err := s.Channel(ctx, id)
	if err != nil {
		return nil, err
	}
	return &channelOutput{s.channelView(c, fault.LangFrom(ctx))}, nil
}

func (s *Service) patchChannel(ctx context.Context, in *struct {
	ChannelIDInput

	Body channelChange
},
) (*channelOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	if _, err := s.Update(ctx, id, in.Body.change()); err != nil {
		return nil, err
	}
	return s.getChannel(ctx, &in.ChannelIDInput)
}

func (s *Service) deleteChannel(ctx context.Context, in *ChannelIDInput) (*struct{}, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	return nil, s.Delete(ctx, id)
}

func (s *Service) postSecret(ctx context.Context, in *ChannelIDInput) (*channelOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	_, secret, err := s.Rotate(ctx, id)
	if err != nil {
		return nil, err
	}
	out, err := s.getChannel(ctx, in)
	if err == nil {
		out.Body.Secret = secret.Reveal()
	}
	return out, err
}

func (s *Service) postTest(ctx context.Context, in *ChannelIDInput) (*struct{ Body TestView }, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	a, err := s.Try(ctx, id)
	if err != nil {
		return nil, err
	}
	return &struct{ Body TestView }{TestView{
		OK: a.Failure == "", Status: a.Status, DurationMS: a.Duration.Milliseconds(), Response: a.Response, Error: a.Failure.In(fault.LangFrom(ctx)),
	}}, nil
}
