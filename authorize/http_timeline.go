package authorize

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

type happeningBody struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" enum:"authorized,withdrawn,stale,renamed,scopes,labels,biz_ids,ext,bound,note,link_created,link_opened,link_used,submission_started,submission_ended,change_asked,change_decided,registration_started,registration_ended,deed" doc:"stale: WeChat took no token any more. labels, biz_ids, ext: an operator changed them. bound: a link brought a biz id. deed: another call of this API, its operation is the subject."`
	By      string    `json:"by" doc:"Who did it; empty: WeChat, the merchant, or the program by itself."`
	Subject string    `json:"subject" doc:"What it is about: the biz id of a link, the version of a submission, the name or category wanted, the kind of registration."`
	State   string    `json:"state" doc:"What became of it, as the submission, change or registration says; of a change also what was to change, as in nickname/refused."`
	Text    string    `json:"text" doc:"The note, or WeChat's reason."`
	Ref     string    `json:"ref" doc:"Id of the link, note, change or registration; of a submission with its rollout: 12/345."`
	Added   []string  `json:"added" doc:"Labels, biz ids or permission sets that came; the new name."`
	Removed []string  `json:"removed" doc:"Those that went; the old name."`
}

func (s *Service) registerTimeline(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/{appid}/timeline", "get-authorizer-timeline", "What happened to a merchant, newest first", adminauth.Viewer, "authorizers"), s.getTimeline)
}

func (s *Service) getTimeline(ctx context.Context, in *notesInput) (*body[httpserver.Page[happeningBody]], error) {
	var before Moment
	if err := httpserver.DecodeCursor(in.Cursor, &before); err != nil {
		return nil, err
	}
	if !storable(in.AppID) || !storable(before.Key) {
		return nil, noSuchAuthorizer()
	}
	list, next, err := s.Timeline(ctx, in.AppID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[happeningBody]{Items: []happeningBody{}}
	for _, h := range list {
		page.Items = append(page.Items, happeningBody{
			ID: h.Key, At: h.At.UTC(), Kind: h.Kind, By: h.By, Subject: h.Subject, State: h.State, Text: h.Text, Ref: h.Ref,
			Added: append([]string{}, h.Added...), Removed: append([]string{}, h.Removed...),
		})
	}
	if next != nil {
		page.NextCursor = httpserver.EncodeCursor(next)
	}
	return answer(page), nil
}
