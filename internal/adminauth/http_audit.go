package adminauth

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// AuditEntry is one call that changed something, that showed a secret, or that was refused.
type AuditEntry struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	User    string    `json:"user" doc:"User name, key:<name of the API key>, or the name tried at a failed sign-in."`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Action  string    `json:"action" doc:"The operation's id in this description."`
	Target  string    `json:"target"`
	Status  int       `json:"status"`
	Outcome string    `json:"outcome" enum:"ok,refused,failed"`
	IP      string    `json:"ip"`
}

func auditInfo(e auditEntry) AuditEntry {
	return AuditEntry{
		ID: strconv.FormatInt(e.ID, 10), At: e.At.UTC(), User: e.User, Method: e.Method, Path: e.Path,
		Action: e.Action, Target: e.Target, Status: e.Status, Outcome: e.Outcome, IP: e.IP,
	}
}

// AuditQuery narrows the audit log; all that is given must hold.
type AuditQuery struct {
	User    string    `query:"user" maxLength:"200" doc:"The whole name, as in the entries."`
	Action  string    `query:"action" maxLength:"100" doc:"The operation's id in this description."`
	Target  string    `query:"target" maxLength:"200" doc:"The whole target, or its part before the first slash."`
	Outcome string    `query:"outcome" enum:"ok,refused,failed"`
	From    time.Time `query:"from"`
	To      time.Time `query:"to" doc:"Entries before this time."`
	Query   string    `query:"q" maxLength:"200" doc:"Words, or how they begin, in user, action, target, path or address; each must be there."`
}

func (q AuditQuery) filter() auditFilter {
	return auditFilter{
		user: clean(q.User), action: clean(q.Action), target: clean(q.Target), outcome: q.Outcome, from: q.From, to: q.To, words: searchWords(q.Query),
	}
}

type auditInput struct {
	httpserver.ListInput
	AuditQuery
}

func (s *Service) routeAudit(api huma.API) {
	const tag = "audit-log"
	op := Op(http.MethodGet, "/audit-log", "list-audit-log", "Read the audit log, newest first", Operator, tag)
	huma.Register(api, op, func(ctx context.Context, in *auditInput) (*struct{ Body httpserver.Page[AuditEntry] }, error) {
		f := in.filter()
		if err := httpserver.DecodeCursor(in.Cursor, &f.after); err != nil {
			return nil, err
		}
		entries, err := s.listAudit(ctx, f, in.Limit+1)
		if err != nil {
			return nil, err
		}
		page := paged(entries, in.Limit, auditInfo, auditEntry.place)
		return &struct{ Body httpserver.Page[AuditEntry] }{page}, nil
	})

	export := Audited(Op(http.MethodGet, "/audit-log.csv", "export-audit-log", "Read the audit log as a CSV file, newest first", Operator, tag))
	export.Responses = httpserver.CSVAnswer("All entries that the query finds.")
	huma.Register(api, export, func(ctx context.Context, in *AuditQuery) (*huma.StreamResponse, error) {
		x, err := s.exportAudit(ctx, in.filter())
		if err != nil {
			return nil, err
		}
		return httpserver.StreamCSV("audit-log-"+s.now().UTC().Format("20060102-150405")+".csv", x.write), nil
	})
}

// record writes the audit entry of a call that has ended.
func (s *Service) record(ctx huma.Context, c *call, status int) {
	if status == 0 {
		status = http.StatusOK
	}
	// A sign-in that succeeds is written whatever others do.
	if c.who.ID == "" && status >= http.StatusBadRequest && !s.anonymous.AllowN(s.now(), 1) {
		s.log.WarnContext(ctx.Context(), "too many refused calls for the audit log", "ip", httpserver.ClientIP(ctx.Context()).String())
		return
	}
	u := ctx.URL()
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), 5*time.Second)
	defer cancel()
	err := s.insertAudit(after, auditEntry{
		User: clean(c.name), Method: ctx.Method(), Path: clean(u.Path), Action: ctx.Operation().OperationID,
		Target: clean(target(ctx, c)), Status: status, Outcome: outcome(status),
		IP: httpserver.ClientIP(ctx.Context()).String(),
	})
	if err != nil {
		s.log.ErrorContext(after, "call is missing in the audit log", "error", err, "action", ctx.Operation().OperationID,
			"user", c.name, "status", status)
	}
}

func outcome(status int) string {
	switch {
	case status < http.StatusBadRequest:
		return "ok"
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests:
		return "refused"
	}
	return "failed"
}

// target is what the handler named, else the parameters in the path.
func target(ctx huma.Context, c *call) string {
	if c.target != "" {
		return c.target
	}
	var params []string
	for part := range strings.SplitSeq(ctx.Operation().Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params = append(params, ctx.Param(strings.TrimSuffix(name, "}")))
		}
	}
	return strings.Join(params, "/")
}

// clean makes any text fit for a column.
func clean(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return text
}
