package adminauth

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/wxsteward/wxsteward/internal/spreadsheet"
)

const (
	// auditPage entries of an export are in memory at a time; so many are deleted at a time.
	auditPage = 1000
	// defaultAuditRetention is how many days entries are kept when nobody has said otherwise.
	defaultAuditRetention = 365
)

// auditExport writes the audit log as CSV, page by page.
type auditExport struct {
	s    *Service
	f    auditFilter
	page []auditEntry // read and not written
}

// exportAudit fails before anything is written if the database is away.
func (s *Service) exportAudit(ctx context.Context, f auditFilter) (*auditExport, error) {
	if f.to.IsZero() {
		f.to = s.now() // what is written meanwhile would come on no page anyway
	}
	x := &auditExport{s: s, f: f}
	return x, x.read(ctx)
}

func (x *auditExport) read(ctx context.Context) (err error) {
	x.page, err = x.s.listAudit(ctx, x.f, auditPage)
	return err
}

func (x *auditExport) write(ctx context.Context, w io.Writer, flush func() error) error {
	out, err := spreadsheet.NewWriter(w, "at", "user", "action", "target", "outcome", "status", "method", "path", "ip", "id")
	if err != nil {
		return err
	}
	for {
		for _, e := range x.page {
			err := out.Write(e.At.UTC().Format(time.RFC3339), e.User, e.Action, e.Target, e.Outcome, strconv.Itoa(e.Status),
				e.Method, e.Path, e.IP, strconv.FormatInt(e.ID, 10))
			if err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if err := flush(); err != nil || len(x.page) < auditPage {
			return err
		}
		x.f.after = x.page[len(x.page)-1].place()
		if err := x.read(ctx); err != nil {
			return err
		}
	}
}

// shortenAudit deletes entries that are older than they are kept, a thousand at a time so that no statement takes long.
func (s *Service) shortenAudit(ctx context.Context) error {
	policy, err := s.policy(ctx)
	if err != nil || policy.AuditRetentionDays == 0 {
		return err
	}
	before := s.now().Add(-time.Duration(policy.AuditRetentionDays) * 24 * time.Hour)
	for {
		n, err := s.deleteAudit(ctx, before, auditPage)
		if err != nil || n < auditPage {
			return err
		}
	}
}
