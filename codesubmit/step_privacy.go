package codesubmit

import (
	"context"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// setPrivacy writes the guideline that the rollout wants and makes sure that every key found in the code has a text:
// without one WeChat's reviewers reject. Texts of other keys that are there already are kept.
func (s *Service) setPrivacy(ctx context.Context, w *work) outcome {
	now, err := w.api.Privacy(ctx, wechat.PrivacyDevelopment)
	if err != nil {
		return s.failed(w, err, false)
	}
	changed := false
	if wanted := w.spec.Privacy; wanted != nil && !guidelineHas(now, wanted) {
		if err := w.api.SetPrivacy(ctx, guidelineRequest(now, wanted)); err != nil {
			return s.failed(w, err, false) // a repeat does no harm: it is read and compared first
		}
		changed = true
		if now, err = w.api.Privacy(ctx, wechat.PrivacyDevelopment); err != nil { // texts are lost without an errcode
			return s.failed(w, err, false)
		}
	}
	if keys := keysWithoutText(now, nil); len(keys) > 0 {
		return blocked("privacy_missing", namesOnly(strings.Join(keys, ", ")))
	}
	next := Submitting
	if w.spec.Audit.Submit == "manual" && !w.goSubmit {
		next = Trial
	}
	if !changed {
		return skipTo(next, factOf("guideline is complete already"))
	}
	return advance(next)
}

// keysWithoutText lists the keys that WeChat found in the code and for which neither the guideline nor the rollout has
// a text.
func keysWithoutText(now wechat.Privacy, wanted *PrivacySpec) []string {
	has := func(key string) bool {
		for _, set := range now.Settings {
			if set.Key == key && set.Text != "" {
				return true
			}
		}
		return wanted != nil && slices.ContainsFunc(wanted.SettingList, func(p PrivacySetting) bool { return p.PrivacyKey == key })
	}
	var missing []string
	for _, key := range now.Detected {
		if !has(key) {
			missing = append(missing, key)
		}
	}
	return missing
}

// guidelineHas reports whether the guideline says all that is wanted.
func guidelineHas(now wechat.Privacy, wanted *PrivacySpec) bool {
	for _, p := range wanted.SettingList {
		if !slices.ContainsFunc(now.Settings, func(set wechat.PrivacyItem) bool { return set.Key == p.PrivacyKey && set.Text == p.PrivacyText }) {
			return false
		}
	}
	return sameOwner(now.Owner, wanted.OwnerSetting)
}

func sameOwner(got wechat.OwnerSetting, wanted OwnerSetting) bool {
	return got.ContactEmail == wanted.ContactEmail && got.ContactPhone == wanted.ContactPhone &&
		got.ContactQQ == wanted.ContactQQ && got.ContactWeixin == wanted.ContactWeixin &&
		got.NoticeMethod == wanted.NoticeMethod && got.StoreExpireTimestamp == wanted.StoreExpireTimestamp
}

// guidelineRequest lays the wanted texts over those that are there.
func guidelineRequest(now wechat.Privacy, wanted *PrivacySpec) wechat.PrivacyRequest {
	request := wechat.PrivacyRequest{
		Owner: wechat.OwnerSetting{
			ContactEmail: wanted.OwnerSetting.ContactEmail, ContactPhone: wanted.OwnerSetting.ContactPhone,
			ContactQQ: wanted.OwnerSetting.ContactQQ, ContactWeixin: wanted.OwnerSetting.ContactWeixin,
			NoticeMethod: wanted.OwnerSetting.NoticeMethod, StoreExpireTimestamp: wanted.OwnerSetting.StoreExpireTimestamp,
			ExtFileMediaID: wanted.OwnerSetting.ExtFileMediaID, StoreRegion: now.Owner.StoreRegion,
		},
		SDK: now.SDK,
	}
	for _, p := range wanted.SettingList {
		request.Settings = append(request.Settings, wechat.PrivacyItem{Key: p.PrivacyKey, Text: p.PrivacyText})
	}
	for _, set := range now.Settings {
		if set.Text != "" && !slices.ContainsFunc(wanted.SettingList, func(p PrivacySetting) bool { return p.PrivacyKey == set.Key }) {
			request.Settings = append(request.Settings, wechat.PrivacyItem{Key: set.Key, Text: set.Text})
		}
	}
	return request
}
