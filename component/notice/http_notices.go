package notice

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

// NoticeView is a notice as the API shows it, in the reader's language.
type NoticeView struct { //nolint:revive // its name in the description of the API
	ID        string     `json:"id" doc:"A webhook gets it as webhook-id, behind notice_."`
	ChannelID string     `json:"channel_id"`
	Event     string     `json:"event" enum:"ticket_stale,audit_result,rollout_paused,rollout_done,dead_letter,rule_paused,authorization_withdrawn"`
	Title     string     `json:"title"`
	Text      string     `json:"text" doc:"Lines of plain text."`
	Path      string     `json:"path" doc:"The page of the admin UI where it goes on, below /admin."`
	AppID     string     `json:"appid" doc:"The merchant; empty when it is about none or several."`
	Count     int        `json:"count" doc:"How many events it tells of."`
	State     string     `json:"state" enum:"pending,sent,dead"`
	Attempts  int        `json:"attempts"`
	Error     string     `json:"error" doc:"Of the last try; empty when it was taken."`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at"`
	NextAt    *time.Time `json:"next_at" doc:"A pending notice is not sent before, see also that of its channel."`
}

func (s *Service) noticeView(n Notice, lang string) NoticeView {
	m := s.compose(n.event, n.facts, lang, oneLine)
	v := NoticeView{
		ID: formatID(n.id), ChannelID: formatID(n.channelID), Event: n.event, Title: m.title, Text: m.text(), Path: n.facts.Path,
		AppID: n.facts.AppID, Count: max(n.facts.Count, 1), State: n.state, Attempts: n.tries, Error: n.failure.In(lang),
		CreatedAt: n.createdAt.UTC(), SentAt: nullTime(n.sentAt.UTC()),
	}
	if n.state == statePending {
		v.NextAt = new(n.nextAt.UTC())
	}
	return v
}

type noticeID struct {
	ID string `path:"id" maxLength:"20"`
}

type noticesInput struct {
	httpserver.ListInput

	ChannelID string `query:"channel_id" maxLength:"20"`
	Event     string `query:"event" enum:"ticket_stale,audit_result,rollout_paused,rollout_done,dead_letter,rule_paused,authorization_withdrawn"`
	State     string `query:"state" enum:"pending,sent,dead"`
}

func (s *Service) routeNotices(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/notices", "list-notices", "What staff were told, newest first", adminauth.Viewer, tag), s.getNotices)
	huma.Register(api, adminauth.Op(http.MethodPost, "/notices/{id}/retry", "retry-notice", "Send it again now, whatever its state", adminauth.Operator, tag), s.postRetry)
}

func (s *Service) getNotices(ctx context.Context, in *noticesInput) (*struct {
	Body httpserver.Page[NoticeView]
}, error,
) {
	f := Filter{Event: in.Event, State: in.State, Limit: in.Limit + 1}
	if in.ChannelID != "" {
		id, err := strconv.ParseInt(in.ChannelID, 10, 64)
		if err != nil || id <= 0 {
			return nil, fault.Invalid("query.channel_id", "This is no id.", in.ChannelID)
		}
		f.ChannelID = id
	}
	if err := httpserver.DecodeCursor(in.Cursor, &f.Before); err != nil {
		return nil, err
	}
	list, err := listNotices(ctx, s.deps.DB, f)
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	page := httpserver.Page[NoticeView]{Items: []NoticeView{}}
	for i, n := range list {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(list[i-1].id)
			break
		}
		page.Items = append(page.Items, s.noticeView(n, fault.LangFrom(ctx)))
	}
	return &struct {
		Body httpserver.Page[NoticeView]
	}{page}, nil
}

func (s *Service) postRetry(ctx context.Context, in *noticeID) (*struct{ Body NoticeView }, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return nil, noNotice()
	}
	n, err := s.Retry(ctx, id)
	if err != nil {
		return nil, err
	}
	return &struct{ Body NoticeView }{s.noticeView(n, fault.LangFrom(ctx))}, nil
}
