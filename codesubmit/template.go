package codesubmit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// libraryLock serialises additions: addtotemplate names no id, and two at once could not be told apart.
const libraryLock = "template-library"

// Drafts lists the draft box.
func (s *Service) Drafts(ctx context.Context) ([]wechat.Draft, error) {
	return s.platform.API().TemplateDrafts(ctx)
}

// TemplateList lists the template library, newest first.
func (s *Service) TemplateList(ctx context.Context) ([]wechat.Template, error) {
	list, err := s.platform.API().Templates(ctx, nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b wechat.Template) int { return int(b.TemplateID) - int(a.TemplateID) })
	return list, nil
}

// templateLimit is how many templates WeChat keeps.
const templateLimit = 200

// AddTemplate freezes a draft as a template and finds the id that WeChat does not tell. When the answer is lost, the
// library tells whether the template was made; asked again for the same draft, the template that is there is the answer.
func (s *Service) AddTemplate(ctx context.Context, draftID int64) (wechat.Template, error) {
	var added wechat.Template
	err := s.locks.Do(ctx, libraryLock, func(ctx context.Context) error {
		api := s.platform.API()
		drafts, err := api.TemplateDrafts(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(drafts, func(d wechat.Draft) bool { return int64(d.DraftID) == draftID })
		if i < 0 {
			return noSuchDraft(draftID)
		}
		before, err := api.Templates(ctx, nil)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(before, func(t wechat.Template) bool { return t.DraftID != nil && isCopy(t, drafts[i]) }); at >= 0 {
			added = before[at]
			return nil
		}
		if len(before) >= templateLimit {
			return fault.New(fault.Conflict, "The library is full: WeChat keeps %d templates. Delete some that nobody uses.", templateLimit)
		}
		addErr := api.AddToTemplate(ctx, draftID, 0)
		if wechat.IsCode(addErr, 85064) { // replaced by an upload since it was listed
			return noSuchDraft(draftID)
		}
		if addErr != nil && !wechat.OutcomeUnknown(addErr) {
			return addErr
		}
		after, err := api.Templates(ctx, nil)
		if err != nil {
			return err
		}
		for _, t := range after {
			isOld := slices.ContainsFunc(before, func(o wechat.Template) bool { return o.TemplateID == t.TemplateID })
			if !isOld && isCopy(t, drafts[i]) {
				added = t
				return nil
			}
		}
		if addErr != nil {
			return addErr
		}
		return fault.New(fault.WeChatUnavailable, "WeChat took draft %d but does not list its template yet; reload the list in a moment.", draftID)
	})
	return added, err
}

func noSuchDraft(id int64) error {
	return fault.New(fault.NotFound, "There is no draft %d; a new upload replaces a developer's last draft.", id)
}

// isCopy reports whether a template was made of a draft. WeChat does not always tell of which.
func isCopy(t wechat.Template, d wechat.Draft) bool {
	return (t.DraftID == nil || *t.DraftID == d.DraftID) && t.UserVersion == d.UserVersion && t.SourceAppID == d.SourceAppID
}

// DeleteTemplate removes a template. One that a rollout under way still needs is removed only with force: its
// submissions that are not committed yet fail. What is live stays live in any case.
func (s *Service) DeleteTemplate(ctx context.Context, id int64, force bool) error {
	if !force {
		if err := s.templateUnused(ctx, id); err != nil {
			return err
		}
	}
	api := s.platform.API()
	err := api.DeleteTemplate(ctx, id)
	if wechat.IsCode(err, 85064) {
		return fault.New(fault.NotFound, "There is no template %d in the library.", id)
	}
	if !wechat.OutcomeUnknown(err) {
		return err
	}
	list, listErr := api.Templates(ctx, nil)
	if listErr != nil || slices.ContainsFunc(list, func(t wechat.Template) bool { return int64(t.TemplateID) == id }) {
		return err
	}
	return nil // gone
}

// templateUnused is a conflict that names the rollouts under way with a template.
func (s *Service) templateUnused(ctx context.Context, id int64) error {
	const shown = 5
	rows, err := s.db.Query(ctx, `SELECT r.name, count(*) OVER () FROM rollout r WHERE r.template_id = $1 AND r.finished_at IS NULL AND r.kind = 'release' ORDER BY r.id DESC LIMIT $2`, id, shown)
	if err != nil {
		return fmt.Errorf("find users of template: %w", err)
	}
	var names []string
	var name string
	var users int
	if _, err := pgx.ForEachRow(rows, []any{&name, &users}, func() error { names = append(names, name); return nil }); err != nil {
		return fmt.Errorf("find users of template: %w", err)
	}
	if users == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "%d rollouts under way use template %d: %s. Wait for them, cancel them, or delete it with force: then their merchants without the code fail.",
		users, id, strings.Join(names, ", "))
}

// TemplateUse is who has to do with a template.
type TemplateUse struct {
	Open int   // submissions that have not ended
	Live int64 // merchants whose live version was made of it
}

// TemplateUses counts the users of all templates.
func (s *Service) TemplateUses(ctx context.Context) (map[int64]TemplateUse, error) {
	uses := map[int64]TemplateUse{}
	rows, err := s.db.Query(ctx, `SELECT r.template_id, count(*) FROM rollout r JOIN submission s ON s.rollout_id = r.id
		WHERE r.finished_at IS NULL AND r.kind = 'release' AND s.finished_at IS NULL GROUP BY 1`)
	if err != nil {
		return nil, fmt.Errorf("count users of templates: %w", err)
	}
	var id int64
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error { uses[id] = TemplateUse{Open: n}; return nil }); err != nil {
		return nil, fmt.Errorf("count users of templates: %w", err)
	}
	versions, err := s.merchants.LiveVersions(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v.TemplateID != nil {
			use := uses[*v.TemplateID]
			use.Live += v.Merchants
			uses[*v.TemplateID] = use
		}
	}
	return uses, nil
}

// templateExists is a validation error when the library has no such template.
func (s *Service) templateExists(ctx context.Context, id int64) error {
	list, err := s.platform.API().Templates(ctx, nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(t wechat.Template) bool { return int64(t.TemplateID) == id }) {
		return nil
	}
	return fault.Invalid("body.template_id", "The template library has no such template; choose one from the list.", id)
}
