package cloudenv

import (
	"context"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Services asks WeChat for the services of an environment.
func (s *Service) Services(ctx context.Context, env string) ([]wechat.CloudService, error) {
	return s.platform.API().CloudServices(ctx, env)
}

// Versions asks WeChat for the versions of a service.
func (s *Service) Versions(ctx context.Context, env, service string) ([]wechat.CloudVersion, error) {
	return s.platform.API().CloudVersions(ctx, env, service)
}

const everyCall = 100

// SetTraffic divides the calls of a service of 云开发 among its versions, by percent, and gives the versions as they are then. Versions that
// are not named get none. Where WeChat's answer is lost, the versions are read again.
func (s *Service) SetTraffic(ctx context.Context, env, service string, percent map[string]int) ([]wechat.CloudVersion, error) {
	sum := 0
	var shares []wechat.CloudShareOfCalls
	for version, p := range percent {
		if p < 0 {
			return nil, fault.Invalid("body.percent", "A share is 0 to 100.", p)
		}
		sum += p
		if p > 0 {
			shares = append(shares, wechat.CloudShareOfCalls{Version: version, Percent: p})
		}
	}
	if sum != everyCall {
		return nil, fault.Invalid("body.percent", "The shares must add up to 100.", sum)
	}
	refused, err := s.platform.API().SetCloudTraffic(ctx, env, service, shares)
	if err != nil && !wechat.OutcomeUnknown(err) {
		return nil, err
	}
	if refused != "" {
		return nil, fault.New(fault.Conflict, "WeChat did not divide the calls: %s", refused)
	}
	versions, readErr := s.Versions(ctx, env, service)
	if err == nil {
		return versions, readErr
	}
	if readErr != nil || !divided(versions, percent) {
		return nil, err
	}
	return versions, nil
}

// divided reports whether the calls go to the versions as percent says, those named and no others.
func divided(versions []wechat.CloudVersion, percent map[string]int) bool {
	sum := 0
	for _, v := range versions {
		if v.Percent != percent[v.Name] {
			return false
		}
		sum += v.Percent
	}
	return sum == everyCall
}

// Release has all calls of a service of 微信云托管 go to a version; WeChat takes a while over it.
func (s *Service) Release(ctx context.Context, env, service, version string) error {
	begun, err := s.platform.API().ReleaseCloudVersion(ctx, env, service, version)
	if err == nil && !begun {
		err = fault.New(fault.Conflict, "WeChat did not release version %s. Look at it in the console.", version)
	}
	return err
}
