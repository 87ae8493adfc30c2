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

// DeliveryView is a delivery as the API shows it.
type DeliveryView struct {
	ID         string        `json:"id" doc:"Also the webhook-id of every attempt."`
	MessageID  string        `json:"message_id"`
	RuleID     string        `json:"rule_id"`
	State      string        `json:"state" enum:"pending,delivered,dead"`
	Attempts   []AttemptView `json:"attempts" doc:"Oldest first; the newest fifty."`
	NextAt     *time.Time    `json:"next_at" doc:"When a pending delivery is sent next."`
	CreatedAt  time.Time     `json:"created_at"`
	FinishedAt *time.Time    `json:"finished_at"`
}

// AttemptView is one try.
type AttemptView struct {
	At         time.Time `json:"at"`
	Status     int       `json:"status" doc:"HTTP status; 0 when there was no answer."`
	DurationMS int64     `json:"duration_ms"`
	Error      string    `json:"error" doc:"Empty when it was taken."`
	Response   string    `json:"response" doc:"The beginning of the answer."`
}

func deliveryView(d Delivery, lang string) DeliveryView {
	v := DeliveryView{
		ID: formatID(d.ID), MessageID: formatID(d.MessageID), RuleID: formatID(d.RuleID), State: d.State,
		Attempts: make([]AttemptView, 0, len(d.Attempts)), CreatedAt: d.CreatedAt.UTC(), FinishedAt: nullTime(d.FinishedAt.UTC()),
	}
	if d.State == statePending {
		v.NextAt = new(d.NextAt.UTC())
	}
	for _, a := range d.Attempts {
		v.Attempts = append(v.Attempts, AttemptView{
			At: a.At.UTC(), Status: a.Status, DurationMS: a.Duration.Milliseconds(), Error: a.Failure.In(lang), Response: a.Response,
		})
	}
	return v
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
	page := httpserver.Page[DeliveryView]{Items: []DeliveryView{}}
	for i, d := range list {
		if i == in.Limit {
			page.NextCursor = httpserver.EncodeCursor(list[i-1].ID)
			break
		}
		page.Items = append(page.Items, deliveryView(d, fault.LangFrom(ctx)))
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
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{deliveryView(d, fault.LangFrom(ctx))}, nil
}

func (s *Service) postRetry(ctx context.Context, in *deliveryID) (*deliveryOutput, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	d, err := s.Retry(ctx, id)
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{deliveryView(d, fault.LangFrom(ctx))}, nil
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
