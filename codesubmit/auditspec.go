package codesubmit

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// AuditSpec is what goes to WeChat's reviewers. Limits are those of WeChat's page about submit_audit.
type AuditSpec struct {
	Submit           string             `json:"submit,omitempty" enum:"auto,manual" default:"auto"`
	ItemList         []wechat.AuditItem `json:"item_list,omitempty" maxItems:"5" doc:"Pages with their category and tags; each merchant must have the categories. Empty: WeChat uses the merchant's own."`
	PreviewInfo      *PreviewSpec       `json:"preview_info,omitempty" doc:"Pictures and videos that show the reviewers how it works."`
	VersionDesc      string             `json:"version_desc,omitempty" doc:"Release notes; the place for a test account."`
	FeedbackInfo     string             `json:"feedback_info,omitempty" maxLength:"200" doc:"An answer to the reviewers; WeChat reads it only after a rejection."`
	FeedbackStuff    []string           `json:"feedback_stuff,omitempty" maxItems:"5" doc:"Pictures that go with feedback_info: ids of POST /audit-media."`
	PrivacyAPINotUse bool               `json:"privacy_api_not_use,omitempty"`
	UGCDeclare       *wechat.UGCDeclare `json:"ugc_declare,omitempty"`
	OrderPath        string             `json:"order_path,omitempty" maxLength:"512" doc:"Page of the user's orders (订单中心 path)."`
	SpeedUpLabels    []string           `json:"speed_up_labels,omitempty" maxItems:"50" doc:"Audits of merchants with one of these labels are sped up by themselves, as long as this month's quota lasts."`
}

// PreviewSpec names files that were uploaded with POST /audit-media.
type PreviewSpec struct {
	PicIDList   []string `json:"pic_id_list,omitempty" maxItems:"10" doc:"Ids of pictures."`
	VideoIDList []string `json:"video_id_list,omitempty" maxItems:"10" doc:"Ids of videos."`
}

// AuditChange is what is different when a submission goes to the reviewers again; nil leaves a part alone.
type AuditChange struct {
	ItemList         *[]wechat.AuditItem `json:"item_list,omitempty" maxItems:"5"`
	PreviewInfo      *PreviewSpec        `json:"preview_info,omitempty"`
	VersionDesc      *string             `json:"version_desc,omitempty"`
	FeedbackInfo     *string             `json:"feedback_info,omitempty" maxLength:"200"`
	FeedbackStuff    *[]string           `json:"feedback_stuff,omitempty" maxItems:"5"`
	PrivacyAPINotUse *bool               `json:"privacy_api_not_use,omitempty"`
	UGCDeclare       *wechat.UGCDeclare  `json:"ugc_declare,omitempty"`
	OrderPath        *string             `json:"order_path,omitempty" maxLength:"512"`
}

// applyTo is the profile with the change in it.
func (c *AuditChange) applyTo(a AuditSpec) AuditSpec {
	set(&a.ItemList, c.ItemList)
	set(&a.VersionDesc, c.VersionDesc)
	set(&a.FeedbackInfo, c.FeedbackInfo)
	set(&a.FeedbackStuff, c.FeedbackStuff)
	set(&a.PrivacyAPINotUse, c.PrivacyAPINotUse)
	set(&a.OrderPath, c.OrderPath)
	if c.PreviewInfo != nil {
		a.PreviewInfo = c.PreviewInfo
	}
	if c.UGCDeclare != nil {
		a.UGCDeclare = c.UGCDeclare
	}
	return a
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// check finds what WeChat would refuse with 85006, 85010, 85011 or 40097, whoever the merchant is.
func (a *AuditSpec) check(wrong *fault.Collector) {
	for i, item := range a.ItemList {
		at := fmt.Sprintf("body.audit.item_list[%d]", i)
		if item.FirstClass == "" || item.SecondClass == "" || item.FirstID == 0 || item.SecondID == 0 {
			wrong.Add(at, "A category needs first_class, second_class, first_id and second_id, as WeChat lists them for the merchant.", nil)
		}
		tags := strings.Fields(item.Tag)
		if len(tags) > 10 || slices.ContainsFunc(tags, func(tag string) bool { return utf8.RuneCountInString(tag) > 20 }) {
			wrong.Add(at+".tag", "Tags are separated by spaces: at most 10, of at most 20 characters each.", item.Tag)
		}
		if utf8.RuneCountInString(item.Title) > 32 {
			wrong.Add(at+".title", "A title has at most 32 characters.", item.Title)
		}
		if strings.HasPrefix(item.Address, "/") || strings.Contains(item.Address, "?") {
			wrong.Add(at+".address", "A page is written without a slash in front and without a query, such as pages/index/index.", item.Address)
		}
	}
	if strings.HasPrefix(a.OrderPath, "/") {
		wrong.Add("body.audit.order_path", "A page is written without a slash in front and without a query, such as pages/index/index.", a.OrderPath)
	}
	if u := a.UGCDeclare; u != nil {
		checkUGC(u, wrong)
	}
	for _, id := range a.media() {
		if _, err := idNumber(id); err != nil {
			wrong.Add("body.audit", "There is no uploaded file with the id %q.", nil, id)
		}
	}
}

func checkUGC(u *wechat.UGCDeclare, wrong *fault.Collector) {
	const at = "body.audit.ugc_declare"
	outside := func(lowest, highest int) func(int) bool {
		return func(n int) bool { return n < lowest || n > highest }
	}
	none := slices.Contains(u.Scene, 0)
	switch {
	case len(u.Scene) == 0 || slices.ContainsFunc(u.Scene, outside(0, 5)) || none && len(u.Scene) > 1:
		wrong.Add(at+".scene", "Name where users publish: 1 profile, 2 pictures, 3 videos, 4 text, 5 audio, or 0 alone for nowhere.", u.Scene)
	case !none && len(u.Method) == 0 || slices.ContainsFunc(u.Method, outside(1, 4)):
		wrong.Add(at+".method", "Name how it is checked: 1 WeChat's security interfaces, 2 another product, 3 people, 4 not at all.", u.Method)
	}
	if u.HasAuditTeam != 0 && u.HasAuditTeam != 1 {
		wrong.Add(at+".has_audit_team", "This is 0 or 1.", u.HasAuditTeam)
	}
	if utf8.RuneCountInString(u.OtherSceneDesc) > 256 || utf8.RuneCountInString(u.AuditDesc) > 256 {
		wrong.Add(at, "Descriptions here have at most 256 characters.", nil)
	}
}

// media are the ids of all files that the profile names.
func (a *AuditSpec) media() []string {
	ids := slices.Clone(a.FeedbackStuff)
	if a.PreviewInfo != nil {
		ids = append(ids, a.PreviewInfo.PicIDList...)
		ids = append(ids, a.PreviewInfo.VideoIDList...)
	}
	return ids
}

// missingCategories names the categories of the profile that a merchant does not have; WeChat would answer 85008.
func (a *AuditSpec) missingCategories(has []wechat.Category) []string {
	var missing []string
	for _, item := range a.ItemList {
		name := item.FirstClass + "/" + item.SecondClass
		if item.ThirdClass != "" {
			name += "/" + item.ThirdClass
		}
		same := func(c wechat.Category) bool {
			return int64(c.FirstID) == item.FirstID && int64(c.SecondID) == item.SecondID && thirdOf(c.ThirdID) == thirdOf(item.ThirdID) &&
				c.FirstClass == item.FirstClass && c.SecondClass == item.SecondClass
		}
		if !slices.ContainsFunc(has, same) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// thirdOf is the id of a third level, 0 where there is none.
func thirdOf[T ~int64](id *T) int64 {
	if id == nil {
		return 0
	}
	return int64(*id)
}
