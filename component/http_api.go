package component

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{v} }

type componentBody struct {
	AppID       string       `json:"appid"`
	Mode        string       `json:"mode" enum:"server,cloudrun"`
	Transport   string       `json:"transport" enum:"token,openapi,cloudtoken"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Color       string       `json:"color" doc:"Of buttons on the pages merchants see, #rrggbb; empty: ours."`
	LogoURL     string       `json:"logo_url" doc:"Address of the logo on this host; empty: none."`
	Callback    callbackBody `json:"callback"`
	Credentials Credentials  `json:"credentials"`
	Ticket      ticketState  `json:"ticket"`
	AccessToken accessState  `json:"access_token"`
	Allowlist   []string     `json:"return_url_allowlist"`

	CloudToken *cloudTokenState `json:"cloud_token" doc:"The file of the cloudbase_access_token; null with another transport."`
	Refused    []RefusedAddress `json:"refused_addresses" doc:"Our addresses that WeChat refused in the last 24 hours and has not taken since: add them to 白名单IP地址列表."`
}

type callbackBody struct {
	ComponentURL string `json:"component_url" doc:"授权事件接收URL"`
	BizURL       string `json:"biz_url" doc:"消息与事件接收URL"`
}

type ticketState struct {
	Present    bool       `json:"present"`
	ReceivedAt *time.Time `json:"received_at"`
	AgeSeconds *int64     `json:"age_seconds"`

	Health            TicketHealth `json:"health" enum:"ok,warn,stale,alarm" doc:"By age; stale also while none has ever come."`
	WarnAfterSeconds  float64      `json:"warn_after_seconds"`
	StaleAfterSeconds float64      `json:"stale_after_seconds" doc:"Then the push is restarted."`
	AlarmAfterSeconds float64      `json:"alarm_after_seconds"`
	AlarmSince        *time.Time   `json:"alarm_since"`
}

type cloudTokenState struct {
	File      string     `json:"file"`
	Ready     bool       `json:"ready"`
	Problem   string     `json:"problem" doc:"What is wrong and what to do; empty when it is ready."`
	ChangedAt *time.Time `json:"changed_at" doc:"When the file last changed."`
}

type accessState struct {
	Present   bool       `json:"present"`
	ExpiresAt *time.Time `json:"expires_at"`
}

type componentInput struct {
	Body struct {
		AppSecret      *string   `json:"app_secret,omitempty" doc:"Admins only."`
		MessageToken   *string   `json:"message_token,omitempty" doc:"消息校验Token, 3 to 32 letters or digits. Admins only."`
		EncodingAESKey *string   `json:"encoding_aes_key,omitempty" doc:"消息加解密Key, 43 letters or digits. Admins only."`
		Name           *string   `json:"name,omitempty"`
		Description    *string   `json:"description,omitempty"`
		Color          *string   `json:"color,omitempty" doc:"#rrggbb, or empty for ours."`
		Logo           *string   `json:"logo,omitempty" doc:"data: URL (base64) of a PNG or JPEG picture of at most 256 KiB, or empty for none."`
		Allowlist      *[]string `json:"return_url_allowlist,omitempty" doc:"Origins, optionally with a path prefix."`
	}
}

type accessTokenBody struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

type ticketBody struct {
	Ticket     string    `json:"ticket"`
	ReceivedAt time.Time `json:"received_at"`
}

type checksBody struct {
	Checks    []Check    `json:"checks" doc:"One that is ok and has a hint is a warning."`
	Whitelist *Whitelist `json:"whitelist" doc:"What to enter in the Cloud Run console; null with the transport token."`
}

type domainsBody struct {
	DomainLists
	Published DomainLists `json:"published" doc:"The copy that counts for everybody (全网发布版)."`
	Testing   DomainLists `json:"testing" doc:"The copy for accounts on the test list (测试版)."`
	Invalid   DomainLists `json:"invalid" doc:"What WeChat refused in the change just made."`
	// Problems explains Invalid.
	Problems []DomainProblem `json:"problems" doc:"Why each of them most likely was refused."`
}

type domainsInput struct {
	Body struct {
		Server  []string `json:"server,omitempty" doc:"host[:port] without scheme; left out: not changed."`
		Webview []string `json:"webview,omitempty" doc:"host without scheme and port; left out: not changed."`
	}
}

type addDomainsInput struct {
	Body struct {
		Kind    DomainKind `json:"kind" enum:"server,webview"`
		Domains []string   `json:"domains" minItems:"1" maxItems:"1000" doc:"host[:port], web-view domains without port; a scheme in front is left out."`
	}
}

type confirmFileBody struct {
	FileName    string `json:"file_name"`
	FileContent string `json:"file_content"`
	URL         string `json:"url" doc:"Where this program serves it."`
}

// RegisterAPI adds the platform account and the messages to the admin API.
func (s *Service) RegisterAPI(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, "/component", "get-component", "The platform account", adminauth.Viewer, "component"), s.getComponent)
	huma.Register(api, adminauth.Op(http.MethodPut, "/component", "put-component", "Change the platform account", adminauth.Operator, "component"), s.putComponent)
	huma.Register(api, adminauth.Audited(adminauth.Op(http.MethodGet, "/component/access-token", "get-component-access-token", "The component access token", adminauth.Operator, "component")), s.getAccessToken)
	huma.Register(api, adminauth.Audited(adminauth.Op(http.MethodGet, "/component/ticket", "get-component-ticket", "The newest ticket", adminauth.Operator, "component")), s.getTicket)
	huma.Register(api, adminauth.Op(http.MethodPost, "/component/ticket/restart", "restart-component-ticket", "Have WeChat push tickets again", adminauth.Operator, "component"), s.postTicketRestart)
	huma.Register(api, adminauth.Op(http.MethodPost, "/component/check", "check-component", "Try what the platform account depends on", adminauth.Operator, "component"), s.postCheck)
	huma.Register(api, adminauth.Op(http.MethodGet, "/component/whitelist", "get-component-whitelist", "The paths to enter in the Cloud Run console (微信令牌权限配置)", adminauth.Viewer, "component"), s.getWhitelist)
	huma.Register(api, adminauth.Op(http.MethodGet, "/component/domains", "get-component-domains", "The platform's domains", adminauth.Viewer, "component"), s.getDomains)
	huma.Register(api, adminauth.Op(http.MethodPut, "/component/domains", "put-component-domains", "Set the platform's domains in both copies", adminauth.Operator, "component"), s.putDomains)
	huma.Register(api, adminauth.Op(http.MethodPost, "/component/domains/add", "add-component-domains", "Add what is missing to both copies of one of the platform's lists", adminauth.Operator, "component"), s.postDomains)
	huma.Register(api, adminauth.Op(http.MethodGet, "/component/domains/confirm-file", "get-component-domain-confirm-file", "The file that proves web-view domains", adminauth.Operator, "component"), s.getConfirmFile)
	huma.Register(api, adminauth.Op(http.MethodGet, "/messages", "list-messages", "Messages WeChat pushed", adminauth.Viewer, "messages"), s.getMessages)
	huma.Register(api, adminauth.Op(http.MethodGet, "/messages/rate", "get-message-rate", "How many messages came, over time", adminauth.Viewer, "messages"), s.getRate)
	huma.Register(api, adminauth.Op(http.MethodGet, "/messages/{id}", "get-message", "One message with its body", adminauth.Viewer, "messages"), s.getMessage)
	huma.Register(api, adminauth.Op(http.MethodPost, "/messages/{id}/redeliver", "redeliver-message", "Deliver a message again", adminauth.Operator, "messages"), s.postRedeliver)
	huma.Register(api, adminauth.Op(http.MethodPost, "/messages/{id}/retry", "retry-message", "Handle a message again that failed", adminauth.Operator, "messages"), s.postRetry)
}

func (s *Service) getComponent(ctx context.Context, _ *struct{}) (*body[componentBody], error) {
	profile, err := s.Profile(ctx)
	if err != nil {
		return nil, err
	}
	health, err := s.Health(ctx)
	if err != nil {
		return nil, err
	}
	refused, err := s.RefusedAddresses(ctx)
	if err != nil {
		return nil, err
	}
	b := componentBody{
		AppID: s.cfg.AppID, Mode: s.cfg.Mode, Transport: string(s.cfg.Transport),
		Name: profile.Name, Description: profile.Description, Color: profile.Color, LogoURL: s.logoURL(profile.LogoID),
		Allowlist: profile.ReturnURLAllowlist, Callback: callbackBody{s.componentURL(), s.bizURL()},
		Credentials: health.Credentials,
		Ticket:      ticketState{Present: health.Ticket.Present, Health: health.Ticket.Health},
		AccessToken: accessState{Present: health.Token.Present},
		CloudToken:  s.cloudTokenState(ctx),
		Refused:     refused,
	}
	warn, stale, alarm := s.ticketLimits()
	b.Ticket.WarnAfterSeconds, b.Ticket.StaleAfterSeconds, b.Ticket.AlarmAfterSeconds = warn.Seconds(), stale.Seconds(), alarm.Seconds()
	if !health.Ticket.AlarmSince.IsZero() {
		b.Ticket.AlarmSince = new(health.Ticket.AlarmSince.UTC())
	}
	if health.Ticket.Present {
		b.Ticket.ReceivedAt = new(health.Ticket.ReceivedAt.UTC())
		b.Ticket.AgeSeconds = new(int64(health.Ticket.Age / time.Second))
	}
	if health.Token.Present {
		b.AccessToken.ExpiresAt = new(health.Token.ExpiresAt.UTC())
	}
	return answer(b), nil
}

func (s *Service) putComponent(ctx context.Context, in *componentInput) (*body[componentBody], error) {
	user := adminauth.UserFrom(ctx)
	change := Change{
		AppSecret:      secretOf(in.Body.AppSecret),
		MessageToken:   secretOf(in.Body.MessageToken),
		EncodingAESKey: secretOf(in.Body.EncodingAESKey),
		Name:           in.Body.Name, Description: in.Body.Description, Color: in.Body.Color, Logo: in.Body.Logo,
		ReturnURLAllowlist: in.Body.Allowlist,
	}
	if change.HasCredentials() && user.Role != adminauth.Admin {
		return nil, fault.New(fault.Forbidden, "Only an administrator may change credentials.")
	}
	if err := s.Change(ctx, change, user.Username); err != nil {
		return nil, err
	}
	return s.getComponent(ctx, nil)
}

// logoURL is where the pages for merchants have the logo from.
func (s *Service) logoURL(id string) string {
	if id == "" {
		return ""
	}
	return s.cfg.PublicURL.JoinPath("authorize", "assets", id, "logo").String()
}

func secretOf(text *string) *sealed.Secret {
	if text == nil {
		return nil
	}
	return new(sealed.New(*text))
}

type accessTokenInput struct {
	IfNoneMatch   string `header:"If-None-Match" doc:"The ETag of the token at hand: 304 while it is the one to use."`
	Authorization string `header:"Authorization" hidden:"true"`
}

type accessTokenOutput struct {
	Status int
	httpserver.Caching
	Body *accessTokenBody
}

func (s *Service) getAccessToken(ctx context.Context, in *accessTokenInput) (*accessTokenOutput, error) {
	t, err := s.AccessToken(ctx)
	if err != nil {
		return nil, err
	}
	out := accessTokenOutput{
		Status: http.StatusOK, Caching: httpserver.CacheToken(t.Access.Fingerprint(), s.now(), t.ExpiresAt),
		Body: &accessTokenBody{t.Access.Reveal(), t.ExpiresAt.UTC()},
	}
	if in.Authorization == "" { // a person's browser, which would keep it on the disk
		out.CacheControl, out.Expires = "no-store", ""
	}
	if out.Matches(in.IfNoneMatch) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return &out, nil
}

func (s *Service) getTicket(ctx context.Context, _ *struct{}) (*body[ticketBody], error) {
	t, err := s.Ticket(ctx)
	if none, ok := errors.AsType[*fault.Error](err); ok && none.Kind == fault.Conflict {
		err = fault.Wrap(err, fault.NotFound, "%s", none)
	}
	if err != nil {
		return nil, err
	}
	return answer(ticketBody{t.Value.Reveal(), t.ReceivedAt.UTC()}), nil
}

func (s *Service) postTicketRestart(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.RestartTicket(ctx)
}

func (s *Service) postCheck(ctx context.Context, _ *struct{}) (*body[checksBody], error) {
	b := checksBody{Checks: s.RunChecks(ctx)}
	if list := s.Whitelist(); list.Needed {
		b.Whitelist = &list
	}
	return answer(b), nil
}

func (s *Service) getWhitelist(context.Context, *struct{}) (*body[Whitelist], error) {
	return answer(s.Whitelist()), nil
}

// cloudTokenState looks at the file; nil where nobody needs it.
func (s *Service) cloudTokenState(ctx context.Context) *cloudTokenState {
	if s.cfg.Transport != wechat.TransportCloudToken {
		return nil
	}
	state := &cloudTokenState{File: s.cfg.CloudTokenFile}
	changed, err := s.deps.WeChat.CloudToken(ctx)
	if err != nil {
		state.Problem = fault.ProblemFor(err, fault.LangFrom(ctx)).Detail
		return state
	}
	state.Ready, state.ChangedAt = true, new(changed.UTC())
	return state
}

func (s *Service) getDomains(ctx context.Context, _ *struct{}) (*body[domainsBody], error) {
	return s.answerDomains(ctx)(s.Domains(ctx))
}

func (s *Service) putDomains(ctx context.Context, in *domainsInput) (*body[domainsBody], error) {
	return s.answerDomains(ctx)(s.SetDomains(ctx, in.Body.Server, in.Body.Webview))
}

func (s *Service) postDomains(ctx context.Context, in *addDomainsInput) (*body[domainsBody], error) {
	return s.answerDomains(ctx)(s.AddDomains(ctx, in.Body.Kind, in.Body.Domains))
}

func (s *Service) answerDomains(ctx context.Context) func(Domains, error) (*body[domainsBody], error) {
	return func(d Domains, err error) (*body[domainsBody], error) {
		if err != nil {
			return nil, err
		}
		problems, err := s.explainDomains(ctx, d)
		if err != nil {
			return nil, err
		}
		return answer(domainsBody{d.DomainLists, d.Published, d.Testing, d.Invalid, problems}), nil
	}
}

func (s *Service) getConfirmFile(ctx context.Context, _ *struct{}) (*body[confirmFileBody], error) {
	f, err := s.ConfirmFile(ctx)
	if err != nil {
		return nil, err
	}
	return answer(confirmFileBody{f.Name, f.Content, s.confirmURL(f.Name)}), nil
}

type messagesInput struct {
	httpserver.ListInput
	Channel  string    `query:"channel" enum:"component,biz"`
	AppID    string    `query:"appid" maxLength:"200"`
	InfoType string    `query:"info_type" maxLength:"200"`
	MsgType  string    `query:"msg_type" maxLength:"200"`
	Event    string    `query:"event" maxLength:"200"`
	State    string    `query:"state" enum:"handled,pending,failed"`
	Since    time.Time `query:"since" doc:"Received at this time or later."`
	Until    time.Time `query:"until" doc:"Received before this time."`
	Q        string    `query:"q" maxLength:"200" doc:"Text in the body, secrets left out. A page holds what was found within a second: it may be short, even empty, and go on at next_cursor."`
}

// MessageItem is a message in lists.
type MessageItem struct {
	ID         string            `json:"id"`
	Title      string            `json:"title" doc:"What it is about, in the reader's language."`
	Channel    string            `json:"channel" enum:"component,biz"`
	AppID      string            `json:"appid"`
	NickName   string            `json:"nick_name" doc:"Of the merchant; empty when it is not known."`
	InfoType   string            `json:"info_type"`
	MsgType    string            `json:"msg_type"`
	Event      string            `json:"event"`
	FromUser   string            `json:"from_user"`
	ToUser     string            `json:"to_user"`
	MsgID      string            `json:"msg_id"`
	CreatedAt  *time.Time        `json:"created_at" doc:"WeChat's time; null where it gave none."`
	ReceivedAt time.Time         `json:"received_at"`
	Deliveries []DeliverySummary `json:"deliveries"`
	State      string            `json:"state" enum:"handled,pending,failed"`
	Error      string            `json:"error" doc:"Why the last try failed; empty when handled."`
}

type messageBody struct {
	MessageItem
	Body string `json:"body" doc:"Decrypted. Viewers see *** where a secret is."`
}

// itemsOf prepares messages for whoever reads, with their deliveries.
func (s *Service) itemsOf(ctx context.Context, messages ...Message) ([]MessageItem, error) {
	var deliveries map[int64][]DeliverySummary
	if s.forward != nil && len(messages) > 0 {
		ids := make([]int64, len(messages))
		for i, m := range messages {
			ids[i] = m.ID
		}
		var err error
		if deliveries, err = s.forward.DeliveriesOf(ctx, ids); err != nil {
			return nil, err
		}
	}
	names := s.nickNames(ctx, messages)
	items := make([]MessageItem, len(messages))
	for i, m := range messages {
		items[i] = MessageItem{
			ID: formatID(m.ID), Title: titleOf(m, fault.LangFrom(ctx)),
			Channel: m.Channel, AppID: m.AppID, NickName: names[m.AppID], InfoType: m.InfoType, MsgType: m.MsgType, Event: m.Event,
			FromUser: m.FromUser, ToUser: m.ToUser, MsgID: m.MsgID, ReceivedAt: m.ReceivedAt.UTC(),
			Deliveries: append([]DeliverySummary{}, deliveries[m.ID]...), State: m.State, Error: m.errorIn(fault.LangFrom(ctx)),
		}
		if !m.CreatedAt.IsZero() {
			items[i].CreatedAt = new(m.CreatedAt.UTC())
		}
	}
	return items, nil
}

type messagesBody struct {
	httpserver.Page[MessageItem]

	SearchedTo *time.Time `json:"searched_to" doc:"With next_cursor: everything received after this has been looked through."`
}

func (s *Service) getMessages(ctx context.Context, in *messagesInput) (*body[messagesBody], error) {
	f := MessageFilter{
		Channel: in.Channel, AppID: in.AppID, InfoType: in.InfoType, MsgType: in.MsgType, Event: in.Event, State: in.State,
		Since: in.Since, Until: in.Until, Text: in.Q, Limit: in.Limit,
	}
	if err := httpserver.DecodeCursor(in.Cursor, &f.Before); err != nil {
		return nil, err
	}
	messages, next, err := listMessages(ctx, s.deps.DB, f)
	if err != nil {
		return nil, err
	}
	items, err := s.itemsOf(ctx, messages...)
	if err != nil {
		return nil, err
	}
	page := messagesBody{Page: httpserver.Page[MessageItem]{Items: items}}
	if next > 0 {
		page.NextCursor = httpserver.EncodeCursor(next)
		page.SearchedTo = new(time.UnixMilli(next >> numberBits).UTC())
	}
	return answer(page), nil
}

type rateBody struct {
	StepSeconds int64           `json:"step_seconds"`
	Points      []ratePointBody `json:"points" doc:"Every step, oldest first; the last one goes on."`
}

type ratePointBody struct {
	At        time.Time `json:"at" doc:"The beginning of the step."`
	Component int64     `json:"component"`
	Biz       int64     `json:"biz"`
}

func (s *Service) getRate(ctx context.Context, in *struct {
	Hours int `query:"hours" default:"24" minimum:"1" maximum:"168"`
},
) (*body[rateBody], error) {
	points, step, err := s.Rate(ctx, in.Hours)
	if err != nil {
		return nil, err
	}
	b := rateBody{StepSeconds: int64(step.Seconds()), Points: make([]ratePointBody, len(points))}
	for i, p := range points {
		b.Points[i] = ratePointBody(p)
	}
	return answer(b), nil
}

// messagePath names one message.
type messagePath struct {
	ID string `path:"id" maxLength:"20"`
}

// number is the id; fault.NotFound where it cannot be one.
func (p messagePath) number() (int64, error) {
	id, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil {
		return 0, fault.New(fault.NotFound, "")
	}
	return id, nil
}

func (s *Service) getMessage(ctx context.Context, in *messagePath) (*body[messageBody], error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	read := s.message
	if adminauth.UserFrom(ctx).Role == adminauth.Viewer {
		read = s.maskedMessage
	}
	m, err := read(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "")
	}
	if err != nil {
		return nil, err
	}
	items, err := s.itemsOf(ctx, m)
	if err != nil {
		return nil, err
	}
	return answer(messageBody{items[0], legible(m.Body)}), nil
}

func (s *Service) postRedeliver(ctx context.Context, in *messagePath) (*struct{}, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	if _, err := s.maskedMessage(ctx, id); errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "")
	} else if err != nil {
		return nil, err
	}
	if s.forward == nil {
		return nil, nil //nolint:nilnil // nobody to deliver to
	}
	return nil, s.forward.Redeliver(ctx, id)
}

func (s *Service) postRetry(ctx context.Context, in *messagePath) (*struct{}, error) {
	id, err := in.number()
	if err != nil {
		return nil, err
	}
	return nil, s.RetryMessage(ctx, id)
}
