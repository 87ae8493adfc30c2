package wechatfake

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

type extJSON struct {
	ExtAppID    *string                    `json:"extAppid"`
	Pages       *[]string                  `json:"pages"`
	SubPackages *[]subPackage              `json:"subPackages"`
	ExtPages    map[string]json.RawMessage `json:"extPages"`
	TabBar      *struct {
		List []struct {
			PagePath string `json:"pagePath"`
		} `json:"list"`
	} `json:"tabBar"`
	RequiredPrivateInfos *[]string                  `json:"requiredPrivateInfos"`
	NavigateTo           *[]string                  `json:"navigateToMiniProgramAppIdList"`
	Ext                  map[string]json.RawMessage `json:"ext"`
	Window               map[string]json.RawMessage `json:"window"`
}

type subPackage struct {
	Root  string   `json:"root"`
	Pages []string `json:"pages"`
}

// assemble merges ext_json into a template as WeChat does and returns the code, or the errcode of commit: 85048 not
// JSON, 85013 wrong types or another merchant's extAppid (modelled), 85047 empty pages, 85045 pages the template lacks,
// 85046 and 800059 tabBar, 85310…85312 requiredPrivateInfos, 9402203 too much for a standard template.
func assemble(t Template, text string, a *account) (code, int) {
	none := code{}
	if !json.Valid([]byte(text)) {
		return none, 85048
	}
	var ext extJSON
	if !strings.HasPrefix(strings.TrimSpace(text), "{") || json.Unmarshal([]byte(text), &ext) != nil {
		return none, 85013
	}
	if ext.ExtAppID != nil && *ext.ExtAppID != a.AppID {
		return none, 85013
	}
	if t.Standard && !only(text, "extAppid", "ext", "window") {
		return none, 9402203
	}
	pages, errcode := ext.pages(t)
	if errcode != 0 {
		return none, errcode
	}
	if errcode := ext.checkTabBar(pages); errcode != 0 {
		return none, errcode
	}
	declared := t.RequiredPrivateInfos
	if ext.RequiredPrivateInfos != nil {
		declared = *ext.RequiredPrivateInfos
		if errcode := checkPrivateInfos(declared, a); errcode != 0 {
			return none, errcode
		}
	}
	return code{
		TemplateID: t.TemplateID, ExtJSON: text, Pages: pages, Declared: declared,
		PrivateAPIs: union(t.PrivateAPIs, a.PrivateAPIs), PrivacyKeys: union(t.PrivacyKeys, a.PrivacyKeys),
		Unlisted: t.Navigates && (ext.NavigateTo == nil || len(*ext.NavigateTo) == 0),
	}, 0
}

func only(text string, keys ...string) bool {
	var all map[string]json.RawMessage
	if json.NewDecoder(bytes.NewBufferString(text)).Decode(&all) != nil {
		return false
	}
	for key := range maps.Keys(all) {
		if !slices.Contains(keys, key) {
			return false
		}
	}
	return true
}

// pages applies the selection of pages and sub packages.
func (ext extJSON) pages(t Template) ([]string, int) {
	pages, sub := slices.Clone(t.Pages), slices.Clone(t.SubPages)
	if ext.Pages != nil {
		if len(*ext.Pages) == 0 {
			return nil, 85047
		}
		for _, page := range *ext.Pages {
			if !slices.Contains(t.Pages, page) {
				return nil, 85045
			}
		}
		pages = *ext.Pages
	}
	if ext.SubPackages != nil {
		sub = nil
		for _, pkg := range *ext.SubPackages {
			for _, page := range pkg.Pages {
				full := strings.TrimSuffix(pkg.Root, "/") + "/" + page
				if !slices.Contains(t.SubPages, full) {
					return nil, 85045
				}
				sub = append(sub, full)
			}
		}
	}
	all := slices.Concat(pages, sub)
	for page := range ext.ExtPages {
		if !slices.Contains(all, trimPage(page)) {
			return nil, 85045
		}
	}
	return all, 0
}

func (ext extJSON) checkTabBar(pages []string) int {
	if ext.TabBar == nil {
		return 0
	}
	for _, item := range ext.TabBar.List {
		switch {
		case item.PagePath == "":
			return 85046
		case !slices.Contains(pages, item.PagePath):
			return 800059
		}
	}
	return 0
}

func checkPrivateInfos(names []string, a *account) int {
	precise := []string{"getLocation", "onLocationChange", "startLocationUpdate", "startLocationUpdateBackground"}
	known := append([]string{"getFuzzyLocation", "chooseLocation", "choosePoi", "chooseAddress"}, precise...)
	fuzzy, exact, unpermitted := false, false, false
	for _, name := range names {
		if !slices.Contains(known, name) {
			return 85310
		}
		fuzzy = fuzzy || name == "getFuzzyLocation"
		exact = exact || slices.Contains(precise, name)
		unpermitted = unpermitted || !a.mayUse("wx."+name)
	}
	switch {
	case fuzzy && exact:
		return 85311
	case unpermitted:
		return 85312
	}
	return 0
}

// union joins two lists without repetition, keeping the order.
func union(a, b []string) []string {
	joined := slices.Clone(a)
	for _, item := range b {
		if !slices.Contains(joined, item) {
			joined = append(joined, item)
		}
	}
	return joined
}
