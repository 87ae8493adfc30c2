package codesubmit

import (
	"context"
	"fmt"
	"slices"

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

// AddTemplate freezes a draft as a template and finds the id that WeChat does not tell. When the answer is lost, the
// library tells whether the template was made.
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
			return fault.New(fault.NotFound, "There is no draft %d; a new upload replaces a developer's last draft.", draftID)
		}
		before, err := api.Templates(ctx, nil)
		if err != nil {
			return err
		}
		addErr := api.AddToTemplate(ctx, draftID, 0)
		if addErr != nil && !wechat.OutcomeUnknown(addErr) {
			return addErr
		}
		after, err := api.Templates(ctx, nil)
		if err != nil {
			return err
		}
		for _, t := range after {
			isOld := slices.ContainsFunc(before, func(o wechat.Template) bool { return o.TemplateID == t.TemplateID })
			if !isOld && t.UserVersion == drafts[i].UserVersion && t.SourceAppID == drafts[i].SourceAppID {
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

// DeleteTemplate removes a template unless a rollout that is not over still needs it.
func (s *Service) DeleteTemplate(ctx context.Context, id int64) error {
	var users int
	err := s.db.QueryRow(ctx, `SELECT count(*) FROM rollout WHERE template_id = $1 AND finished_at IS NULL`, id).Scan(&users)
	if err != nil {
		return fmt.Errorf("delete template: %w", err)
	}
	if users > 0 {
		return fault.New(fault.Conflict, "%d rollouts under way use template %d; wait for them or cancel them first.", users, id)
	}
	return s.platform.API().DeleteTemplate(ctx, id)
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
