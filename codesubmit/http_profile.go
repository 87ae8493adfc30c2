package codesubmit

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// ProfileView is what profiles of every kind have; it is exported because it is embedded.
type ProfileView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func profileView(p Profile) ProfileView {
	return ProfileView{strconv.FormatInt(p.ID, 10), p.Name, p.CreatedBy, p.CreatedAt.UTC(), p.UpdatedAt.UTC()}
}

// DomainProfileView is a saved set of domain lists.
type DomainProfileView struct {
	ProfileView

	Domains DomainSpec `json:"domains"`
}

// PrivacyProfileView is a saved privacy guideline.
type PrivacyProfileView struct {
	ProfileView

	Privacy PrivacySpec `json:"privacy"`
}

type profileInput[B any] struct {
	ID   string `path:"id" maxLength:"20"`
	Body B
}

type newDomainProfile struct {
	Body struct {
		Name    string     `json:"name" minLength:"1" maxLength:"64"`
		Domains DomainSpec `json:"domains"`
	}
}

type newPrivacyProfile struct {
	Body struct {
		Name    string      `json:"name" minLength:"1" maxLength:"64"`
		Privacy PrivacySpec `json:"privacy"`
	}
}

type changedDomainProfile struct {
	Name    *string     `json:"name,omitempty" minLength:"1" maxLength:"64"`
	Domains *DomainSpec `json:"domains,omitempty" doc:"Replaces all lists."`
}

type changedPrivacyProfile struct {
	Name    *string      `json:"name,omitempty" minLength:"1" maxLength:"64"`
	Privacy *PrivacySpec `json:"privacy,omitempty" doc:"Replaces the whole guideline."`
}

// profileRoutes are the routes of one kind of profiles; V shows one, C is its content.
type profileRoutes[V, C any] struct {
	s     *Service
	kind  ProfileKind
	path  string
	name  string // in the ids of operations
	words string
	show  func(p Profile, content C) V
	check func(content *C, wrong *fault.Collector)
}

func (s *Service) routeProfiles(api huma.API) {
	domains := profileRoutes[DomainProfileView, DomainSpec]{
		s: s, kind: DomainProfile, path: "/domain-profiles", name: "domain-profile", words: "domain lists",
		show:  func(p Profile, c DomainSpec) DomainProfileView { return DomainProfileView{profileView(p), c} },
		check: func(c *DomainSpec, wrong *fault.Collector) { c.check("body.domains", wrong) },
	}
	domains.route(api)
	huma.Register(api, domains.creating(), func(ctx context.Context, in *newDomainProfile) (*struct{ Body DomainProfileView }, error) {
		return domains.create(ctx, in.Body.Name, in.Body.Domains)
	})
	huma.Register(api, domains.changing(), func(ctx context.Context, in *profileInput[changedDomainProfile]) (*struct{ Body DomainProfileView }, error) {
		return domains.change(ctx, in.ID, in.Body.Name, in.Body.Domains)
	})
	privacy := profileRoutes[PrivacyProfileView, PrivacySpec]{
		s: s, kind: PrivacyProfile, path: "/privacy-profiles", name: "privacy-profile", words: "privacy guidelines",
		show:  func(p Profile, c PrivacySpec) PrivacyProfileView { return PrivacyProfileView{profileView(p), c} },
		check: func(c *PrivacySpec, wrong *fault.Collector) { c.check("body.privacy", wrong) },
	}
	privacy.route(api)
	huma.Register(api, privacy.creating(), func(ctx context.Context, in *newPrivacyProfile) (*struct{ Body PrivacyProfileView }, error) {
		return privacy.create(ctx, in.Body.Name, in.Body.Privacy)
	})
	huma.Register(api, privacy.changing(), func(ctx context.Context, in *profileInput[changedPrivacyProfile]) (*struct{ Body PrivacyProfileView }, error) {
		return privacy.change(ctx, in.ID, in.Body.Name, in.Body.Privacy)
	})
}

func (r profileRoutes[V, C]) creating() huma.Operation {
	op := adminauth.Op(http.MethodPost, r.path, "create-"+r.name, "Save "+r.words+" under a name", adminauth.Operator, tagProfiles)
	op.DefaultStatus = http.StatusCreated
	return op
}

func (r profileRoutes[V, C]) changing() huma.Operation {
	return adminauth.Op(http.MethodPatch, r.path+"/{id}", "change-"+r.name, "Change saved "+r.words+"; rollouts keep what they have", adminauth.Operator, tagProfiles)
}

func (r profileRoutes[V, C]) route(api huma.API) {
	huma.Register(api, adminauth.Op(http.MethodGet, r.path, "list-"+r.name+"s", "Saved "+r.words+", by name", adminauth.Viewer, tagProfiles),
		func(ctx context.Context, in *httpserver.ListInput) (*struct{ Body httpserver.Page[V] }, error) {
			var after string
			if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
				return nil, err
			}
			list, total, err := r.s.Profiles(ctx, r.kind, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			page := httpserver.Page[V]{Items: make([]V, 0, len(list)), Total: &total}
			for i, p := range list {
				if i == in.Limit {
					page.NextCursor = httpserver.EncodeCursor(list[i-1].Name)
					break
				}
				out, err := r.view(p)
				if err != nil {
					return nil, err
				}
				page.Items = append(page.Items, out.Body)
			}
			return &struct{ Body httpserver.Page[V] }{page}, nil
		})
	huma.Register(api, adminauth.Op(http.MethodDelete, r.path+"/{id}", "delete-"+r.name, "Delete saved "+r.words+"; rollouts keep what they have", adminauth.Operator, tagProfiles),
		func(ctx context.Context, in *IDInput) (*struct{}, error) {
			id, err := in.number()
			if err != nil {
				return nil, err
			}
			return nil, r.s.DeleteProfile(ctx, r.kind, id)
		})
}

func (r profileRoutes[V, C]) view(p Profile) (*struct{ Body V }, error) {
	var content C
	if err := json.Unmarshal(p.Content, &content); err != nil {
		return nil, err
	}
	return &struct{ Body V }{r.show(p, content)}, nil
}

func (r profileRoutes[V, C]) encode(content *C) (json.RawMessage, error) {
	var wrong fault.Collector
	r.check(content, &wrong)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(content)
}

func (r profileRoutes[V, C]) create(ctx context.Context, name string, content C) (*struct{ Body V }, error) {
	text, err := r.encode(&content)
	if err != nil {
		return nil, err
	}
	p, err := r.s.CreateProfile(ctx, r.kind, name, text, adminauth.UserFrom(ctx).Username)
	if err != nil {
		return nil, err
	}
	adminauth.SetTarget(ctx, p.Name)
	return r.view(p)
}

func (r profileRoutes[V, C]) change(ctx context.Context, id string, name *string, content *C) (*struct{ Body V }, error) {
	number, err := idNumber(id)
	if err != nil {
		return nil, err
	}
	var text json.RawMessage
	if content != nil {
		if text, err = r.encode(content); err != nil {
			return nil, err
		}
	}
	p, err := r.s.ChangeProfile(ctx, r.kind, number, name, text)
	if err != nil {
		return nil, err
	}
	return r.view(p)
}
