package profile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

const (
	testerBound   = 85004 // is one already
	testerUnknown = 89034 // userstr
)

// Tester is somebody who may open trial versions. WeChatID is known of those whom this program has bound.
type Tester struct {
	UserStr  string
	WeChatID string
	BoundBy  string
	BoundAt  *time.Time
}

// Testers lists them as WeChat does, administrators left out, with the WeChat ids we know.
func (s *Service) Testers(ctx context.Context, appid string) ([]Tester, error) {
	var listed []string
	err := s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		listed, err = api.Testers(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	known, err := testersOf(ctx, s.db, appid)
	if err != nil {
		return nil, fmt.Errorf("read testers of %s: %w", appid, err)
	}
	testers := make([]Tester, 0, len(listed))
	for _, userStr := range listed {
		t := Tester{UserStr: userStr}
		if at := slices.IndexFunc(known, func(k Tester) bool { return k.UserStr == userStr }); at >= 0 {
			t = known[at]
		}
		testers = append(testers, t)
	}
	return testers, nil
}

// BindTester makes a WeChat user a tester. It is no failure if the user is one. UserStr is empty where WeChat does not
// tell it: then the user cannot be told from the other testers.
func (s *Service) BindTester(ctx context.Context, appid, wechatID, by string) (Tester, error) {
	wechatID = strings.TrimSpace(wechatID)
	const longest = 64
	if wechatID == "" || len(wechatID) > longest || strings.ContainsFunc(wechatID, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return Tester{}, fault.Invalid("body.wechatid", "Enter the user's WeChat id, as its owner sees it in WeChat under Me.", nil)
	}
	t := Tester{WeChatID: wechatID, BoundBy: by}
	err := s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		t.UserStr, err = api.BindTester(ctx, wechatID)
		if wechat.OutcomeUnknown(err) {
			// Once more tells what became of it: 85004 if it took effect.
			t.UserStr, err = api.BindTester(ctx, wechatID)
		}
		if err != nil && !wechat.IsCode(err, testerBound) {
			return err
		}
		if t.UserStr == "" {
			t.UserStr, err = s.findTester(ctx, api, appid, wechatID)
		}
		return err
	})
	if err != nil || t.UserStr == "" {
		return t, err
	}
	now := s.cfg.Now()
	t.BoundAt = &now
	if err := upsertTester(ctx, s.db, appid, t); err != nil {
		return t, fmt.Errorf("keep tester of %s: %w", appid, err)
	}
	return t, nil
}

// findTester finds the userstr of somebody who is a tester: from our own record, or because only one tester is unknown.
func (s *Service) findTester(ctx context.Context, api *wechat.Authorizer, appid, wechatID string) (string, error) {
	known, err := testersOf(ctx, s.db, appid)
	if err != nil {
		return "", fmt.Errorf("read testers of %s: %w", appid, err)
	}
	listed, err := api.Testers(ctx)
	if err != nil {
		return "", nil //nolint:nilerr // bound all the same
	}
	var strangers []string
	for _, userStr := range listed {
		at := slices.IndexFunc(known, func(k Tester) bool { return k.UserStr == userStr })
		switch {
		case at < 0:
			strangers = append(strangers, userStr)
		case known[at].WeChatID == wechatID:
			return userStr, nil
		}
	}
	if len(strangers) == 1 {
		return strangers[0], nil
	}
	return "", nil
}

// UnbindTester takes a tester away, by userstr. It is no failure if the tester is gone already.
func (s *Service) UnbindTester(ctx context.Context, appid, userStr string) error {
	err := s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		gone := func() (bool, error) {
			listed, err := api.Testers(ctx)
			return !slices.Contains(listed, userStr), err
		}
		err := api.UnbindTester(ctx, "", userStr)
		if wechat.IsCode(err, testerUnknown) {
			if so, readErr := gone(); readErr == nil && so {
				return nil
			}
		}
		return settled(err, gone)
	})
	if err != nil {
		return err
	}
	if err := deleteTester(ctx, s.db, appid, userStr); err != nil {
		return fmt.Errorf("forget tester of %s: %w", appid, err)
	}
	return nil
}
