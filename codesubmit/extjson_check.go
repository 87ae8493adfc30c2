package codesubmit

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// appJSON are the parts of an ext_json that WeChat compares with the template.
type appJSON struct {
	ExtAppID    *string   `json:"extAppid"`
	Pages       *[]string `json:"pages"`
	SubPackages *[]struct {
		Root  string   `json:"root"`
		Pages []string `json:"pages"`
	} `json:"subPackages"`
	ExtPages map[string]json.RawMessage `json:"extPages"`
	TabBar   struct {
		List []struct {
			PagePath string `json:"pagePath"`
		} `json:"list"`
	} `json:"tabBar"`
	RequiredPrivateInfos []string `json:"requiredPrivateInfos"`
}

// faultsOfExtJSON tells what commit would refuse in a merchant's finished ext_json: another account's extAppid (85013), no
// pages (85047) or some that the template lacks (85045), tabs without or with a wrong path (85046, 800059), location
// interfaces that exclude each other (85311). pages are the template's; nil: not known, so they are not compared.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/code-management/api_commit.html
func faultsOfExtJSON(text, appid string, pages []string) Fact {
	var app appJSON
	err := json.Unmarshal([]byte(text), &app)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return factOf("ext_json.%s cannot be a JSON %s", wrong.Field, wrong.Value)
	}
	switch {
	case err != nil:
		return namesOnly(err.Error())
	case app.ExtAppID != nil && *app.ExtAppID != appid:
		return factOf("ext_json.extAppid is %s, the merchant is %s", *app.ExtAppID, appid)
	case app.Pages != nil && len(*app.Pages) == 0:
		return factOf("ext_json.pages is empty")
	}
	if wrong := app.faultsOfTabs(pages); !wrong.IsZero() {
		return wrong
	}
	if lacking := app.lacking(pages); len(lacking) > 0 {
		return factOf("the template has no page %s", strings.Join(lacking, ", "))
	}
	return app.faultsOfLocation()
}

func (app *appJSON) faultsOfTabs(pages []string) Fact {
	if app.Pages != nil {
		pages = *app.Pages
	}
	for _, tab := range app.TabBar.List {
		if tab.PagePath == "" {
			return factOf("a tab of ext_json.tabBar has no pagePath")
		}
		if pages != nil && !slices.Contains(pages, tab.PagePath) {
			return factOf("a tab of ext_json.tabBar leads to %s, which is none of the pages", tab.PagePath)
		}
	}
	return Fact{}
}

// lacking lists pages that are named and that the template does not have.
func (app *appJSON) lacking(pages []string) []string {
	if pages == nil {
		return nil
	}
	var named []string
	if app.Pages != nil {
		named = *app.Pages
	}
	if app.SubPackages != nil {
		for _, p := range *app.SubPackages {
			for _, page := range p.Pages {
				named = append(named, strings.Trim(p.Root, "/")+"/"+strings.TrimPrefix(page, "/"))
			}
		}
	}
	for _, page := range slices.Sorted(maps.Keys(app.ExtPages)) {
		named = append(named, strings.TrimPrefix(page, "/"))
	}
	return slices.DeleteFunc(named, func(page string) bool { return slices.Contains(pages, page) })
}

func (app *appJSON) faultsOfLocation() Fact {
	const fuzzy = "getFuzzyLocation"
	if !slices.Contains(app.RequiredPrivateInfos, fuzzy) {
		return Fact{}
	}
	for _, exact := range []string{"getLocation", "onLocationChange", "startLocationUpdate", "startLocationUpdateBackground"} {
		if slices.Contains(app.RequiredPrivateInfos, exact) {
			return factOf("ext_json.requiredPrivateInfos cannot have both %s and %s", fuzzy, exact)
		}
	}
	return Fact{}
}

// selectsPages reports whether the pages of a commit with this ext_json are other ones than the template's.
func selectsPages(text string) bool {
	var app appJSON
	return json.Unmarshal([]byte(text), &app) != nil || app.Pages != nil || app.SubPackages != nil
}
