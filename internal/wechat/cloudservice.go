package wechat

import (
	"cmp"
	"context"
)

// CloudService is a service in one of the platform's cloud environments. Times and states are as WeChat writes them.
type CloudService struct {
	Name      string
	Status    string
	CreatedAt string
	UpdatedAt string
	ImageRepo string
	VPC       string
}

// CloudVersion is a version of a service; Percent of the calls go to it.
type CloudVersion struct {
	Name        string
	Status      string
	Percent     int
	CreatedAt   string
	UpdatedAt   string
	Upload      string // package, repository or image
	MinReplicas int
	MaxReplicas int
}

const (
	cloudPage  = 50
	cloudPages = 20 // more are not read
)

// everyPage calls read until it has given all there is.
func everyPage(read func(offset int) (got, total int, err error)) error {
	offset := 0
	for range cloudPages {
		got, total, err := read(offset)
		offset += got
		if err != nil || got == 0 || offset >= total {
			return err
		}
	}
	return nil
}

// CloudServices lists the services of an environment, at most 1,000. WeChat's page is about 云开发; whether 微信云托管 answers, too, is
// not written anywhere.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/getcslist.html
func (c *Component) CloudServices(ctx context.Context, env string) ([]CloudService, error) {
	list := []CloudService{}
	err := everyPage(func(offset int) (int, int, error) {
		var out struct {
			Total Int `json:"total"`
			List  List[struct {
				Name      text `json:"server_name"`
				Status    text `json:"status"`
				CreatedAt text `json:"created_time"`
				UpdatedAt text `json:"updated_time"`
				ImageRepo text `json:"image_repo"`
				VPC       text `json:"vpcid"`
			}] `json:"cslist"`
		}
		err := c.call(ctx, request{op: "componenttcb/getcslist", body: struct {
			Env    string `json:"env"`
			Limit  int    `json:"limit"`
			Offset int    `json:"offset"`
		}{env, cloudPage, offset}}, &out)
		for _, v := range out.List {
			list = append(list, CloudService{
				Name: string(v.Name), Status: string(v.Status), CreatedAt: string(v.CreatedAt), UpdatedAt: string(v.UpdatedAt),
				ImageRepo: string(v.ImageRepo), VPC: string(v.VPC),
			})
		}
		return len(out.List), int(out.Total), err
	})
	return list, err
}

// CloudVersions lists the versions of a service, at most 1,000; else as CloudServices.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/getcsversionlist.html
func (c *Component) CloudVersions(ctx context.Context, env, service string) ([]CloudVersion, error) {
	list := []CloudVersion{}
	err := everyPage(func(offset int) (int, int, error) {
		var out struct {
			Total Int `json:"total"`
			List  List[struct {
				Name        text `json:"version_name"`
				Status      text `json:"status"`
				Percent     Int  `json:"flow_ratio"`
				CreatedAt   text `json:"created_time"`
				UpdatedAt   text `json:"updated_time"`
				Upload      text `json:"upload_type"`
				MinReplicas Int  `json:"min_replicas"`
				MaxReplicas Int  `json:"max_replicas"`
			}] `json:"items"`
		}
		err := c.call(ctx, request{op: "componenttcb/getcsversionlist", body: struct {
			Env     string `json:"env"`
			Service string `json:"service_name"`
			Limit   int    `json:"limit"`
			Offset  int    `json:"offset"`
		}{env, service, cloudPage, offset}}, &out)
		for _, v := range out.List {
			list = append(list, CloudVersion{
				Name: string(v.Name), Status: string(v.Status), Percent: int(v.Percent), CreatedAt: string(v.CreatedAt), UpdatedAt: string(v.UpdatedAt),
				Upload: string(v.Upload), MinReplicas: int(v.MinReplicas), MaxReplicas: int(v.MaxReplicas),
			})
		}
		return len(out.List), int(out.Total), err
	})
	return list, err
}

// CloudShareOfCalls is how many of a hundred calls of a service go to a version.
type CloudShareOfCalls struct {
	Version string `json:"version_name"`
	Percent int    `json:"flow_ratio"`
}

// SetCloudTraffic divides the calls of a service of 云开发 among its versions; a version that is not named gets none. The same division
// may be sent again. failed is WeChat's reason when it refused, else empty.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/cloudbase/batch/batchSetCSPropotion.html
func (c *Component) SetCloudTraffic(ctx context.Context, env, service string, shares []CloudShareOfCalls) (failed string, err error) {
	var out struct {
		Failed List[struct {
			Msg text `json:"errmsg"`
		}] `json:"fail_list"`
	}
	type one struct {
		Env     string              `json:"env"`
		Service string              `json:"service_name"`
		Shares  []CloudShareOfCalls `json:"items"`
	}
	err = c.call(ctx, request{op: "componenttcb/batchsetcspropotion", body: struct {
		Items []one `json:"items"`
	}{[]one{{env, service, shares}}}}, &out)
	if len(out.Failed) > 0 {
		failed = cmp.Or(string(out.Failed[0].Msg), "refused")
	}
	return failed, err
}

// ReleaseCloudVersion has all calls of a service of 微信云托管 go to a version (全量发布), which takes WeChat a while. It reports whether
// WeChat has begun.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudrun-batch/service-mgnt/releaseCloudbaseServiceVersion.html
func (c *Component) ReleaseCloudVersion(ctx context.Context, env, service, version string) (begun bool, err error) {
	var out struct {
		Result text `json:"result"`
	}
	err = c.call(ctx, request{op: "componenttcb/releasecloudbaserunversion", timeout: slowTimeout, body: struct {
		Env     string `json:"env_id"`
		Service string `json:"server_name"`
		Version string `json:"release_version"`
	}{env, service, version}}, &out)
	return out.Result == "success", err
}
