package forward

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// DeliveryView is a delivery as the API shows it.
type DeliveryView struct {
	ID         string        `json:"id" doc:"Also the webhook-id of every attempt. Empty while it is in the backlog of a rule that is behind, which only a list by message_id shows."`
	MessageID  string        `json:"message_id"`
	Message    *MessageView  `json:"message" doc:"Null when it is past its retention."`
	RuleID     string        `json:"rule_id"`
	State      string        `json:"state" enum:"pending,delivered,dead"`
	Attempts   []AttemptView `json:"attempts" doc:"Oldest first; the newest fifty."`
	NextAt     *time.Time    `json:"next_at" doc:"When a pending delivery is sent next; null while it is in a backlog."`
	CreatedAt  time.Time     `json:"created_at"`
	FinishedAt *time.Time    `json:"finished_at"`
}

// MessageView says which message is delivered.
type MessageView struct {
	Title      string    `json:"title" doc:"In the reader's language."`
	AppID      string    `json:"appid"`
	NickName   string    `json:"nick_name" doc:"Of the merchant; empty when it is not known."`
	ReceivedAt time.Time `json:"received_at"`
}

// AttemptView is one try.
type AttemptView struct {
	At         time.Time `json:"at"`
	Status     int       `json:"status" doc:"HTTP status; 0 when there was no answer."`
	DurationMS int64     `json:"duration_ms"`
	Error      string    `json:"error" doc:"Empty when it was taken."`
	Response   string    `json:"response" doc:"The beginning of the answer; *** when the message holds a ticket or a code, which the answer may repeat."`
}

func deliveryView(d Delivery, lang string) DeliveryView {
	v := DeliveryView{
		MessageID: formatID(d.MessageID), RuleID: formatID(d.RuleID), State: d.State,
		Attempts: make([]AttemptView, 0, len(d.Attempts)), CreatedAt: d.CreatedAt.UTC(), FinishedAt: nullTime(d.FinishedAt.UTC()),
	}
	if d.ID != 0 {
		v.ID = formatID(d.ID)
	}
	if d.State == statePending && d.ID != 0 {
		v.NextAt = new(d.NextAt.UTC())
	}
	for _, a := range d.Attempts {
		v.Attempts = append(v.Attempts, AttemptView{
			At: a.At.UTC(), Status: a.Status, DurationMS: a.Duration.Milliseconds(), Error: a.Failure.In(lang), Response: a.Response,
		})
	}
	return v
}

// views shows deliveries with what they deliver.
func (s *Service) views(ctx context.Context, list ...Delivery) ([]DeliveryView, error) {
	var headings map[int64]component.Heading
	if s.deps.Headings != nil && len(list) > 0 {
		ids := make([]int64, len(list))
		for i, d := range list {
			ids[i] = d.MessageID
		}
		var err error
		if headings, err = s.deps.Headings(ctx, ids); err != nil {
			return nil, err
		}
	}
	views := make([]DeliveryView, len(list))
	for i, d := range list {
		views[i] = deliveryView(d, fault.LangFrom(ctx))
		if h, ok := headings[d.MessageID]; ok {
			views[i].Message = new(MessageView(h))
		}
	}
	return views, nil
}

// view shows one delivery, or why there is none.
func (s *Service) view(ctx context.Context, d Delivery, err error) (*deliveryOutput, error) {
	if err != nil {
		return nil, err
	}
	views, err := s.views(ctx, d)
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{views[0]}, nil
}

type deliveryOutput struct{ Body DeliveryView }

type deliveryID struct {
	ID string `path:"id" maxLength:"20"`
}

func (in deliveryID) number() (int64, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, fault.New(fault.NotFound, "There is no such delivery.")
	}
	return id, nil
}

type deliveriesInput struct {
	httpserver.ListInput

	RuleID    string `query:"rule_id" maxLength:"20"`
	MessageID string `query:"message_id" maxLength:"20"`
	State     string `query:"state" enum:"pending,delivered,dead"`
}

func (s *Service) routeDeliveries(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/deliveries", "list-deliveries", "Messages on their way to business systems, newest first", adminauth.Viewer, tag), s.getDeliveries)
	huma.Register(api, adminauth.Op(http.MethodGet, "/deliveries/{id}", "get-delivery", "One delivery", adminauth.Viewer, tag), s.getDelivery)
	huma.Register(api, adminauth.Op(http.MethodPost, "/deliveries/{id}/retry", "retry-delivery", "Send it again now, whatever its state", adminauth.Operator, tag), s.postRetry)
	huma.Register(api, adminauth.Op(http.MethodPost, "/deliveries/retry", "retry-dead-deliveries", "Send all dead deliveries of a rule again", adminauth.Operator, tag), s.postRetryDead)
}

// filterID reads an id of a filter; one that is none matches nothing.
func filterID(location, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, fault.Invalid(location, "This is no id.", text)
	}
	return id, nil
}

func (s *Service) getDeliveries(ctx context.Context, in *deliveriesInput) (*struct {
	Body httpserver.Page[DeliveryView]
}, error,
) {
	f := DeliveryFilter{State: in.State, Limit: in.Limit + 1}
	var err error
	if f.RuleID, err = filterID("query.rule_id", in.RuleID); err != nil {
		return nil, err
	}
	if f.MessageID, err = filterID("query.message_id", in.MessageID); err != nil {
		return nil, err
	}
	if err := httpserver.DecodeCursor(in.Cursor, &f.Before); err != nil {
		return nil, err
	}
	list, err := s.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	var page httpserver.Page[DeliveryView]
	if len(list) > in.Limit {
		list = list[:in.Limit]
		if last := list[in.Limit-1].ID; last != 0 { // what is in backlogs ends the list
			page.NextCursor = httpserver.EncodeCursor(last)
		}
	}
	if page.Items, err = s.views(ctx, list...); err != nil {
		return nil, err
	}
	return &struct {
		Body httpserver.Page[DeliveryView]
	}{page}, nil
}

func (s *Service) getDelivery(ctx context.Context, in *deliveryID) (*deliveryOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	d, err := s.Delivery(ctx, id)
	return s.view(ctx, d, err)
}

func (s *Service) postRetry(ctx context.Context, in *deliveryID) (*deliveryOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	d, err := s.Retry(ctx, id)
	return s.view(ctx, d, err)
}

func (s *Service) postRetryDead(ctx context.Context, in *struct {
	Body struct {
		RuleID string `json:"rule_id" maxLength:"20"`
		State  string `json:"state" enum:"dead"`
	}
},
) (*struct {
	Body struct {
		Retried int64 `json:"retried" doc:"How many are sent again."`
	}
}, error,
) {
	id, err := RuleIDInput{in.Body.RuleID}.number()
	if err != nil {
		return nil, err
	}
	out := &struct {
		Body struct {
			Retried int64 `json:"retried" doc:"How many are sent again."`
		}
	}{}
	out.Body.Retried, err = s.RetryDead(ctx, id)
	return out, err
}
