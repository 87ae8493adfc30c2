package wechatfake

import "slices"

// CloudService is a service in a cloud environment.
type CloudService struct {
	Name     string          `json:"name"`
	Versions []*CloudVersion `json:"versions"` // newest first
}

// CloudVersion is a version of a service.
type CloudVersion struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // normal takes calls
	Percent int    `json:"percent"`
}

const (
	versionNormal = "normal"
	cloudCreated  = "2026-03-01 09:30:00"
	allCalls      = 100
)

// sampleServices are what an environment made here has, so that there is something to look at.
func sampleServices() []*CloudService {
	return []*CloudService{{Name: "shop", Versions: []*CloudVersion{
		{Name: "shop-003", Status: "build_fail"}, {Name: "shop-002", Status: versionNormal}, {Name: "shop-001", Status: versionNormal, Percent: allCalls},
	}}}
}

func (e *CloudEnv) service(name string) *CloudService {
	i := slices.IndexFunc(e.Services, func(s *CloudService) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return e.Services[i]
}

// divide sends calls to the versions named and to no other.
func (s *CloudService) divide(percent map[string]int) {
	for _, v := range s.Versions {
		v.Percent = percent[v.Name]
	}
}

// takes reports whether calls can go to the version.
func (s *CloudService) takes(version string) bool {
	return slices.ContainsFunc(s.Versions, func(v *CloudVersion) bool { return v.Name == version && v.Status == versionNormal })
}

// pageOf is the part of a list that was asked for.
func pageOf(all []fields, limit, offset int) []fields {
	const usual = 20
	if limit <= 0 {
		limit = usual
	}
	from := min(max(offset, 0), len(all))
	return all[from:min(from+limit, len(all))]
}

func (s *Server) cloudServices(c *call) reply {
	var in struct {
		Env    string `json:"env"`
		Limit  int    `json:"limit"`
		Offset int    `json:"offset"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	e := s.cloudEnv(in.Env)
	if e == nil {
		return fail(85088)
	}
	list := []fields{}
	for _, service := range e.Services {
		list = append(list, fields{
			"server_name": service.Name, "created_time": cloudCreated, "updated_time": cloudCreated, "status": "succ", "vpcid": "vpc-" + service.Name,
			"image_repo": "tcb-sample/" + e.Env + "_" + service.Name,
		})
	}
	return ok(fields{"cslist": pageOf(list, in.Limit, in.Offset), "total": len(list)})
}

func (s *Server) cloudVersions(c *call) reply {
	var in struct {
		Env     string `json:"env"`
		Service string `json:"service_name"`
		Limit   int    `json:"limit"`
		Offset  int    `json:"offset"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	e := s.cloudEnv(in.Env)
	if e == nil {
		return fail(85088)
	}
	service := e.service(in.Service)
	if service == nil {
		return fail(40097)
	}
	list := []fields{}
	for i, v := range service.Versions {
		list = append(list, fields{
			"version_name": v.Name, "status": v.Status, "created_time": cloudCreated, "updated_time": cloudCreated, "flow_ratio": v.Percent,
			"buildid": i + 1, "upload_type": "image", "min_replicas": 0, "max_replicas": 5,
		})
	}
	return ok(fields{"items": pageOf(list, in.Limit, in.Offset), "total": len(list)})
}

// setCloudTraffic is for 云开发; the words in fail_list are ours.
func (s *Server) setCloudTraffic(c *call) reply {
	var in struct {
		Items []struct {
			Env     string `json:"env"`
			Service string `json:"service_name"`
			Items   []struct {
				Version string `json:"version_name"`
				Percent int    `json:"flow_ratio"`
			} `json:"items"`
		} `json:"items"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	if len(in.Items) == 0 {
		return fail(40101)
	}
	done, wrong := []fields{}, []fields{}
	for _, one := range in.Items {
		about := fields{"env": one.Env, "service_name": one.Service}
		e := s.cloudEnv(one.Env)
		if e == nil || e.Run {
			return fail(85088)
		}
		service, percent, sum := e.service(one.Service), map[string]int{}, 0
		for _, v := range one.Items {
			percent[v.Version] = v.Percent
			sum += v.Percent
		}
		why := ""
		switch {
		case service == nil:
			why = "service not found"
		case sum != allCalls && sum != 0:
			why = "flow ratio must add up to 100"
		case slices.ContainsFunc(one.Items, func(v struct {
			Version string `json:"version_name"`
			Percent int    `json:"flow_ratio"`
		},
		) bool {
			return !service.takes(v.Version)
		}):
			why = "version is not normal"
		}
		if why != "" {
			about["errmsg"] = why
			wrong = append(wrong, about)
			continue
		}
		service.divide(percent)
		done = append(done, about)
	}
	return ok(fields{"succ_list": done, "fail_list": wrong})
}

// releaseCloudVersion is for 微信云托管.
func (s *Server) releaseCloudVersion(c *call) reply {
	var in struct {
		Env     string `json:"env_id"`
		Service string `json:"server_name"`
		Version string `json:"release_version"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	e := s.cloudEnv(in.Env)
	if e == nil || !e.Run {
		return fail(85088)
	}
	service := e.service(in.Service)
	if service == nil {
		return fail(40097)
	}
	if !service.takes(in.Version) {
		return ok(fields{"result": "failed"})
	}
	service.divide(map[string]int{in.Version: allCalls})
	return ok(fields{"result": "success", "release_order_id": 1})
}
