package codesubmit

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/wxsteward/wxsteward/internal/spreadsheet"
)

// exportPage submissions are in memory at a time.
const exportPage = 500

// submissionExport writes the submissions of a rollout as CSV, page by page.
type submissionExport struct {
	s    *Service
	f    SubmissionFilter
	lang string
	page []*Submission // read and not written
}

// exportSubmissions prepares the file; it fails before anything is written if there is no such rollout.
func (s *Service) exportSubmissions(ctx context.Context, rolloutID int64, lang string) (*submissionExport, error) {
	if _, err := scanRollout(s.db.QueryRow(ctx, `SELECT `+rolloutColumns+` FROM rollout r WHERE r.id = $1`, rolloutID)); err != nil {
		return nil, err
	}
	x := &submissionExport{s: s, lang: lang, f: SubmissionFilter{RolloutID: rolloutID, Limit: exportPage}}
	return x, x.read(ctx)
}

func (x *submissionExport) read(ctx context.Context) (err error) {
	x.page, err = x.s.submissionPage(ctx, x.f)
	if n := len(x.page); n > 0 {
		x.f.After = x.page[n-1].ID
	}
	return err
}

func (x *submissionExport) write(ctx context.Context, w io.Writer, flush func() error) error {
	out, err := spreadsheet.NewWriter(w,
		"submission_id", "appid", "nick_name", "state", "template_id", "user_version", "audit_id", "reason", "error_code", "error_detail", "errcode", "errmsg", "rid", "hint",
		"wait_until", "created_at", "updated_at", "finished_at")
	if err != nil {
		return err
	}
	for {
		names, err := x.s.nickNames(ctx, x.page)
		if err != nil {
			return err
		}
		for _, sub := range x.page {
			if err := out.Write(exportRow(submissionView(sub, names[sub.AppID], x.lang))...); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if err := flush(); err != nil || len(x.page) < x.f.Limit {
			return err
		}
		if err := x.read(ctx); err != nil {
			return err
		}
	}
}

func exportRow(v SubmissionView) []string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	f, errcode := FailureView{}, ""
	if v.Error != nil {
		f = *v.Error
	}
	if f.ErrCode != 0 {
		errcode = strconv.Itoa(f.ErrCode)
	}
	return []string{
		v.ID, v.AppID, v.NickName, string(v.State), strconv.FormatInt(v.TemplateID, 10), v.UserVersion, v.AuditID, v.Reason,
		f.Code, f.Detail, errcode, f.ErrMsg, f.RID, f.Hint, at(v.WaitUntil), at(&v.CreatedAt), at(&v.UpdatedAt), at(v.FinishedAt),
	}
}
