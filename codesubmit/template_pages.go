package codesubmit

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// templatePages are the pages of a template; nil while no merchant has shown them.
func (s *Service) templatePages(ctx context.Context, id int64) ([]string, error) {
	var pages []string
	err := s.db.QueryRow(ctx, `SELECT pages FROM template_pages WHERE template_id = $1`, id).Scan(&pages)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return pages, err
}

// learnPages reads a template's pages at the first merchant whose trial version has them all. It is only for later
// preflights, so it fails silently.
func (s *Service) learnPages(ctx context.Context, w *work) {
	var wanted bool
	var ext string
	err := s.db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM template_pages p WHERE p.template_id = s.template_id), s.ext_json FROM submission s WHERE s.id = $1`, w.ID).
		Scan(&wanted, &ext)
	if err == nil && (!wanted || ext == "" || selectsPages(ext)) {
		return
	}
	var pages []string
	if err == nil {
		pages, err = w.api.Pages(ctx)
	}
	if err == nil && len(pages) > 0 {
		_, err = s.db.Exec(ctx, `INSERT INTO template_pages (template_id, pages) VALUES ($1, $2) ON CONFLICT DO NOTHING`, w.TemplateID, pages)
	}
	if err != nil {
		s.cfg.Logger.InfoContext(ctx, "pages of a template not read", slog.Int64("template_id", w.TemplateID), slog.Any("error", err))
	}
}
