package cloudenv

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// ServiceInput names a service; it is exported because it is embedded in inputs.
type ServiceInput struct {
	EnvInput

	Service string `path:"service" maxLength:"100" pattern:"^[A-Za-z0-9_-]+$"`
}

// serviceView is a service as the API shows it.
type serviceView struct {
	Name      string `json:"name"`
	Status    string `json:"status" doc:"In WeChat's words, as are the next four."`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
	ImageRepo string `json:"image_repo"`
	VPCID     string `json:"vpc_id"`
}

// versionView is a version of a service as the API shows it.
type versionView struct {
	Name        string `json:"name"`
	Status      string `json:"status" doc:"In WeChat's words, as are times and upload."`
	Percent     int    `json:"percent" doc:"Of the service's calls that go to it."`
	CreatedAt   string `json:"created_at"`
	UpdatedAt   string `json:"updated_at"`
	Upload      string `json:"upload"`
	MinReplicas int    `json:"min_replicas"`
	MaxReplicas int    `json:"max_replicas"`
}

func viewVersions(list []wechat.CloudVersion, err error) (*output[httpserver.Page[versionView]], error) {
	page := httpserver.Page[versionView]{Items: []versionView{}, Total: new(int64(len(list)))}
	for _, v := range list {
		page.Items = append(page.Items, versionView(v))
	}
	return reply(page, err)
}

func (s *Service) registerServices(api huma.API, op func(method, path, id, summary string, role adminauth.Role) huma.Operation) {
	huma.Register(api, op(http.MethodGet, "/cloud-envs/{env}/services", "list-cloud-services", "Services of an environment, as WeChat lists them", adminauth.Viewer),
		func(ctx context.Context, in *EnvInput) (*output[httpserver.Page[serviceView]], error) {
			list, err := s.Services(ctx, in.Env)
			page := httpserver.Page[serviceView]{Items: []serviceView{}, Total: new(int64(len(list)))}
			for _, v := range list {
				page.Items = append(page.Items, serviceView{v.Name, v.Status, v.CreatedAt, v.UpdatedAt, v.ImageRepo, v.VPC})
			}
			return reply(page, err)
		})
	const versions = "/cloud-envs/{env}/services/{service}"
	huma.Register(api, op(http.MethodGet, versions+"/versions", "list-cloud-versions", "Versions of a service, as WeChat lists them", adminauth.Viewer),
		func(ctx context.Context, in *ServiceInput) (*output[httpserver.Page[versionView]], error) {
			return viewVersions(s.Versions(ctx, in.Env, in.Service))
		})
	huma.Register(api, op(http.MethodPut, versions+"/traffic", "put-cloud-traffic", "Divide the calls of a service of 云开发 among its versions", adminauth.Operator),
		func(ctx context.Context, in *struct {
			ServiceInput

			Body struct {
				Percent map[string]int `json:"percent" doc:"By version, whole numbers that add up to 100; versions left out get none."`
			}
		},
		) (*output[httpserver.Page[versionView]], error) {
			return viewVersions(s.SetTraffic(ctx, in.Env, in.Service, in.Body.Percent))
		})
	huma.Register(api, op(http.MethodPost, versions+"/release", "release-cloud-version", "Have all calls of a service of 微信云托管 go to a version", adminauth.Operator),
		func(ctx context.Context, in *struct {
			ServiceInput

			Body struct {
				Version string `json:"version" minLength:"1" maxLength:"100"`
			}
		},
		) (*struct{}, error) {
			return nil, s.Release(ctx, in.Env, in.Service, in.Body.Version)
		})
}
