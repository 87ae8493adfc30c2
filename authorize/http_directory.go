package authorize

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

const (
	uploadWait     = 2 * time.Minute // for a whole file to come
	importErrorsIn = 200             // in the answer about an import
)

func (s *Service) registerDirectory(api huma.API) {
	const merchants, imports, notes = "authorizers", "imports", "notes"
	export := adminauth.Op(http.MethodGet, "/authorizers/export", "export-authorizers", "Merchants as CSV, as import-authorizers takes it", adminauth.Viewer, merchants)
	export.Responses = httpserver.CSVAnswer("appid,biz_id,labels,ext and more columns.")
	huma.Register(api, export, s.getExport)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/labels", "list-authorizer-labels", "Labels in use, with how many merchants have each", adminauth.Viewer, merchants), s.getLabels)
	huma.Register(api, adminauth.Op(http.MethodPost, "/authorizers/labels", "change-authorizer-labels", "Add and remove labels of many merchants", adminauth.Operator, merchants), s.postLabels)

	upload := adminauth.Op(http.MethodPost, "/authorizers/imports", "import-authorizers", "Import biz ids, labels and ext from CSV", adminauth.Operator, imports)
	upload.DefaultStatus = http.StatusAccepted
	upload.MaxBodyBytes = maxImportBytes + 1
	upload.Description = "The body is the file: UTF-8, UTF-16 or GB18030 (GBK), at most 32 MiB. Its first line names the columns: appid, and any of biz_id, labels, ext; " +
		"others are ignored. Several values in a cell stand between semicolons or are a JSON list; an empty cell changes nothing."
	upload.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	huma.Register(api, upload, s.postImport)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/imports", "list-authorizer-imports", "The latest imports, newest first", adminauth.Viewer, imports), s.getImports)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/imports/{id}", "get-authorizer-import", "How an import is", adminauth.Viewer, imports), s.getImport)
	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/imports/{id}/errors", "list-authorizer-import-errors", "Rows that were left out, and why", adminauth.Viewer, imports), s.getImportErrors)
	failed := adminauth.Op(http.MethodGet, "/authorizers/imports/{id}/failed-rows", "get-authorizer-import-failed-rows", "Rows that were left out as CSV, to be mended and imported again", adminauth.Viewer, imports)
	failed.Responses = httpserver.CSVAnswer("The columns of the file and a last one that says why.")
	huma.Register(api, failed, s.getFailedRows)

	huma.Register(api, adminauth.Op(http.MethodGet, "/authorizers/{appid}/notes", "list-authorizer-notes", "Notes about a merchant, newest first", adminauth.Viewer, notes), s.getNotes)
	add := adminauth.Op(http.MethodPost, "/authorizers/{appid}/notes", "add-authorizer-note", "Write a note about a merchant", adminauth.Operator, notes)
	add.DefaultStatus = http.StatusCreated
	huma.Register(api, add, s.postNote)
	huma.Register(api, adminauth.Op(http.MethodDelete, "/authorizers/{appid}/notes/{id}", "delete-authorizer-note", "Delete a note", adminauth.Operator, notes), s.removeNote)
}

func (s *Service) getExport(ctx context.Context, in *FilterInput) (*huma.StreamResponse, error) {
	f, ok := in.filter()
	x := &csvExport{s: s, end: true} // of nobody
	if ok {
		var err error
		if x, err = s.export(ctx, f); err != nil {
			return nil, err
		}
	}
	return httpserver.StreamCSV("merchants-"+s.Now().UTC().Format("20060102-150405")+".csv", x.write), nil
}

type labelsInput struct {
	Limit  int    `query:"limit" default:"200" minimum:"1" maximum:"1000" doc:"Labels a page."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
	Q      string `query:"q" maxLength:"200" doc:"Part of the label."`
}

type labelBody struct {
	Label string `json:"label"`
	Count int64  `json:"count" doc:"Merchants that have it."`
}

func (s *Service) getLabels(ctx context.Context, in *labelsInput) (*body[httpserver.Page[labelBody]], error) {
	var after string
	if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	page := httpserver.Page[labelBody]{Items: []labelBody{}}
	if !storable(in.Q + after) {
		return answer(page), nil
	}
	labels, more, err := s.Labels(ctx, in.Q, after, in.Limit)
	if err != nil {
		return nil, err
	}
	for _, l := range labels {
		page.Items = append(page.Items, labelBody(l))
	}
	if more {
		page.NextCursor = httpserver.EncodeCursor(labels[len(labels)-1].Label)
	}
	return answer(page), nil
}

type labelFilter struct {
	Status    string `json:"status,omitempty" enum:",authorized,unauthorized"`
	Kind      string `json:"kind,omitempty" enum:",miniprogram,official,other"`
	Q         string `json:"q,omitempty" maxLength:"200"`
	BizID     string `json:"biz_id,omitempty" maxLength:"512"`
	Label     string `json:"label,omitempty" maxLength:"256"`
	FuncScope int    `json:"func_scope,omitempty" minimum:"0" maximum:"1073741824"`
}

type labelChangeInput struct {
	Body struct {
		AppIDs []string     `json:"appids,omitempty" maxItems:"20000"`
		Filter *labelFilter `json:"filter,omitempty" doc:"Instead of appids: all merchants that GET /authorizers finds with this; {} is all."`
		Add    []string     `json:"add,omitempty"`
		Remove []string     `json:"remove,omitempty"`
	}
}

type labelFailureBody struct {
	AppID  string     `json:"appid"`
	Code   fault.Kind `json:"code" doc:"As in problems: not_found, validation, unavailable."`
	Detail string     `json:"detail" doc:"Why, and what to do."`
}

type labelResultBody struct {
	Changed   int                `json:"changed"`
	Unchanged int                `json:"unchanged" doc:"Had the labels wanted already."`
	Failed    []labelFailureBody `json:"failed" doc:"Who is unchanged and why; send the call again with these appids."`
}

func (s *Service) postLabels(ctx context.Context, in *labelChangeInput) (*body[labelResultBody], error) {
	c := LabelChange{AppIDs: in.Body.AppIDs, Add: in.Body.Add, Remove: in.Body.Remove, By: adminauth.UserFrom(ctx).Username}
	if f := in.Body.Filter; f != nil {
		if len(c.AppIDs) > 0 {
			return nil, fault.Invalid("body.filter", "Name merchants by appids or by a filter, not by both.", nil)
		}
		filter, ok := FilterInput(*f).filter()
		if !ok {
			return answer(labelResultBody{}), nil
		}
		c.Filter = &filter
	}
	if c.Filter == nil && len(c.AppIDs) == 0 {
		return nil, fault.Invalid("body.appids", "Name merchants by appids or by a filter.", nil)
	}
	r, err := s.ChangeLabels(ctx, c)
	if err != nil {
		return nil, err
	}
	b := labelResultBody{Changed: r.Changed, Unchanged: r.Unchanged, Failed: []labelFailureBody{}}
	lang := fault.LangFrom(ctx)
	for _, f := range r.Failed {
		p := fault.ProblemFor(f.Fault, lang)
		b.Failed = append(b.Failed, labelFailureBody{f.AppID, p.Code, p.Detail})
	}
	return answer(b), nil
}

type importInput struct {
	DryRun bool   `query:"dry_run" doc:"Change nothing, tell what would happen."`
	Mode   string `query:"mode" enum:"add,replace" default:"add" doc:"add: biz ids and labels are added to the present ones; replace: they replace them."`
	Name   string `query:"name" maxLength:"200" doc:"What the file is called."`

	file io.Reader
}

// Resolve implements huma.Resolver: the file is read while it comes.
func (in *importInput) Resolve(ctx huma.Context) []error {
	req := humaecho.Unwrap(ctx)
	_ = http.NewResponseController(req.Response()).SetReadDeadline(time.Now().Add(uploadWait)) // unsupported only in tests without a connection
	in.file = ctx.BodyReader()
	return nil
}

// ImportItem is an import in a list.
type ImportItem struct {
	ID         string     `json:"id"`
	State      string     `json:"state" enum:"running,completed,failed"`
	Name       string     `json:"name"`
	DryRun     bool       `json:"dry_run"`
	Mode       string     `json:"mode" enum:"add,replace"`
	Encoding   string     `json:"encoding" enum:"utf-8,utf-16,gb18030"`
	Bytes      int64      `json:"bytes"`
	BytesDone  int64      `json:"bytes_done" doc:"How far it has come."`
	Rows       int        `json:"rows" doc:"Rows worked off, the first line not counted."`
	Changed    int        `json:"changed"`
	Unchanged  int        `json:"unchanged"`
	Failed     int        `json:"failed"`
	Ignored    []string   `json:"ignored_columns"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

type importErrorBody struct {
	Line    int    `json:"line" doc:"Of the file; the first line is 1."`
	AppID   string `json:"appid"`
	Message string `json:"message"`
}

type importBody struct {
	ImportItem

	Errors []importErrorBody `json:"errors" doc:"The first 200; …/errors has all (at most 10,000)."`
}

func importItemOf(i Import) ImportItem {
	mode := "add"
	if i.Replaces {
		mode = "replace"
	}
	return ImportItem{
		i.ID, i.State, i.Name, i.DryRun, mode, i.Encoding, i.Bytes, i.BytesDone, i.Rows, i.Changed, i.Unchanged, i.Failed,
		append([]string{}, i.Ignored...), i.CreatedBy, i.CreatedAt.UTC(), utc(i.FinishedAt),
	}
}

func importErrorsOf(ctx context.Context, problems []ImportError) []importErrorBody {
	lang := fault.LangFrom(ctx)
	list := make([]importErrorBody, len(problems))
	for n, e := range problems {
		list[n] = importErrorBody{e.Line, e.AppID, e.Say(lang)}
	}
	return list
}

func (s *Service) postImport(ctx context.Context, in *importInput) (*body[ImportItem], error) {
	i, err := s.StartImport(ctx, NewImport{Name: in.Name, DryRun: in.DryRun, Replaces: in.Mode == "replace", By: adminauth.UserFrom(ctx).Username}, in.file)
	if err != nil {
		return nil, err
	}
	adminauth.SetTarget(ctx, i.ID)
	return answer(importItemOf(i)), nil
}

func (s *Service) getImports(ctx context.Context, _ *struct{}) (*body[httpserver.Page[ImportItem]], error) {
	list, err := s.Imports(ctx)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[ImportItem]{Items: []ImportItem{}}
	for _, i := range list {
		page.Items = append(page.Items, importItemOf(i))
	}
	return answer(page), nil
}

func (s *Service) getImport(ctx context.Context, in *linkInput) (*body[importBody], error) {
	i, problems, _, err := s.Import(ctx, in.ID, 0, importErrorsIn)
	if err != nil {
		return nil, err
	}
	return answer(importBody{importItemOf(i), importErrorsOf(ctx, problems)}), nil
}

type importErrorsInput struct {
	httpserver.ListInput

	ID string `path:"id" maxLength:"100"`
}

func (s *Service) getImportErrors(ctx context.Context, in *importErrorsInput) (*body[httpserver.Page[importErrorBody]], error) {
	var after int32
	if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	_, problems, more, err := s.Import(ctx, in.ID, int(after), in.Limit)
	if err != nil {
		return nil, err
	}
	page := httpserver.Page[importErrorBody]{Items: importErrorsOf(ctx, problems)}
	if more {
		page.NextCursor = httpserver.EncodeCursor(problems[len(problems)-1].Line)
	}
	return answer(page), nil
}

func (s *Service) getFailedRows(ctx context.Context, in *linkInput) (*huma.StreamResponse, error) {
	i, _, _, err := s.Import(ctx, in.ID, 0, 1)
	if err != nil {
		return nil, err
	}
	return httpserver.StreamCSV("failed-rows.csv", func(ctx context.Context, w io.Writer, flush func() error) error {
		return s.writeFailed(ctx, i, fault.LangFrom(ctx), w, flush)
	}), nil
}

type noteBody struct {
	ID        string    `json:"id"`
	Text      string    `json:"text"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

func noteOf(n Note) noteBody {
	return noteBody{strconv.FormatInt(n.ID, 10), n.Text, n.CreatedBy, n.CreatedAt.UTC()}
}

type notesInput struct {
	httpserver.ListInput

	AppID string `path:"appid" maxLength:"100"`
}

func (s *Service) getNotes(ctx context.Context, in *notesInput) (*body[httpserver.Page[noteBody]], error) {
	var before int64
	if err := httpserver.DecodeCursor(in.Cursor, &before); err != nil {
		return nil, err
	}
	page := httpserver.Page[noteBody]{Items: []noteBody{}}
	if !storable(in.AppID) {
		return answer(page), nil
	}
	notes, next, err := s.Notes(ctx, in.AppID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		page.Items = append(page.Items, noteOf(n))
	}
	if next != 0 {
		page.NextCursor = httpserver.EncodeCursor(next)
	}
	return answer(page), nil
}

type noteInput struct {
	AppID string `path:"appid" maxLength:"100"`
	Body  struct {
		Text string `json:"text" doc:"1 to 4000 characters."`
	}
}

func (s *Service) postNote(ctx context.Context, in *noteInput) (*body[noteBody], error) {
	if !storable(in.AppID) {
		return nil, noSuchAuthorizer()
	}
	n, err := s.AddNote(ctx, in.AppID, in.Body.Text, adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	return answer(noteOf(n)), nil
}

type noteIDInput struct {
	AppID string `path:"appid" maxLength:"100"`
	ID    string `path:"id" maxLength:"20"`
}

func (s *Service) removeNote(ctx context.Context, in *noteIDInput) (*struct{}, error) {
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || !storable(in.AppID) {
		return nil, fault.New(fault.NotFound, "")
	}
	return nil, s.DeleteNote(ctx, in.AppID, id)
}
