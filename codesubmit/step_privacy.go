package codesubmit

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// setPrivacy writes the guideline that the rollout wants and makes sure that every key found in the code has a text:
// without one WeChat's reviewers reject. Texts of other keys that are there already are kept.
func (s *Service) setPrivacy(ctx context.Context, w *work) outcome {
	now, changed, err := setGuideline(ctx, w.api, w.spec.Privacy)
	if err != nil {
		return s.failed(w, err, false) // a repeat does no harm: it is read and compared first
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

// setGuideline writes the guideline that is wanted, if that is not what is there; nil leaves it as it is.
func setGuideline(ctx context.Context, api *wechat.Authorizer, wanted *PrivacySpec) (now wechat.Privacy, changed bool, err error) {
	now, err = api.Privacy(ctx, wechat.PrivacyDevelopment)
	if err != nil || wanted == nil || guidelineHas(now, wanted) {
		return now, false, err
	}
	if err := api.SetPrivacy(ctx, guidelineRequest(now, wanted)); err != nil {
		return now, false, err
	}
	if now, err = api.Privacy(ctx, wechat.PrivacyDevelopment); err != nil { // texts are lost without an errcode
		return now, true, err
	}
	if lost := textsLost(now, wanted); len(lost) > 0 {
		return now, true, &StepError{Code: "privacy_not_kept", Detail: namesOnly(strings.Join(lost, ", "))}
	}
	return now, true, nil
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

// textsLost lists the keys of wanted texts that the guideline does not hold after it was written. Wording is WeChat's
// to tidy, so it is not compared.
func textsLost(now wechat.Privacy, wanted *PrivacySpec) []string {
	var lost []string
	for _, p := range wanted.SettingList {
		if !slices.ContainsFunc(now.Settings, func(set wechat.PrivacyItem) bool { return set.Key == p.PrivacyKey && set.Text != "" }) {
			lost = append(lost, p.PrivacyKey)
		}
	}
	return lost
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

// sameOwner reports whether the merchant's own words already hold what is wanted.
func sameOwner(got wechat.OwnerSetting, wanted OwnerSetting) bool {
	merged := mergeOwner(got, wanted)
	return merged.ContactEmail == got.ContactEmail && merged.ContactPhone == got.ContactPhone &&
		merged.ContactQQ == got.ContactQQ && merged.ContactWeixin == got.ContactWeixin &&
		merged.NoticeMethod == got.NoticeMethod && merged.StoreExpireTimestamp == got.StoreExpireTimestamp
}

// mergeOwner lays what is wanted over what the merchant has, so that nothing of the merchant's own is blanked.
func mergeOwner(now wechat.OwnerSetting, wanted OwnerSetting) wechat.OwnerSetting {
	now.ContactEmail = cmp.Or(wanted.ContactEmail, now.ContactEmail)
	now.ContactPhone = cmp.Or(wanted.ContactPhone, now.ContactPhone)
	now.ContactQQ = cmp.Or(wanted.ContactQQ, now.ContactQQ)
	now.ContactWeixin = cmp.Or(wanted.ContactWeixin, now.ContactWeixin)
	now.NoticeMethod = cmp.Or(wanted.NoticeMethod, now.NoticeMethod)
	now.StoreExpireTimestamp = cmp.Or(wanted.StoreExpireTimestamp, now.StoreExpireTimestamp)
	now.ExtFileMediaID = cmp.Or(wanted.ExtFileMediaID, now.ExtFileMediaID)
	return now
}

// guidelineRequest lays the wanted texts over those that are there.
func guidelineRequest(now wechat.Privacy, wanted *PrivacySpec) wechat.PrivacyRequest {
	request := wechat.PrivacyRequest{
		Owner: mergeOwner(now.Owner, wanted.OwnerSetting),
		SDK:   now.SDK,
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
