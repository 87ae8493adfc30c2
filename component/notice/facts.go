package notice

import (
	"path"
	"slices"
	"time"

	"github.com/wxsteward/wxsteward/component"
)

// maxItems is how many merchants a notice names; the others are only counted.
const maxItems = 10

// facts are what a notice tells, as stored.
type facts struct {
	Path    string         `json:"path,omitempty"`
	AppID   string         `json:"appid,omitempty"` // empty when it is about several merchants
	Subject string         `json:"subject,omitempty"`
	Outcome string         `json:"outcome,omitempty"`
	Count   int            `json:"count"` // at least 1
	Since   time.Time      `json:"since,omitzero"`
	Reason  component.Text `json:"reason,omitzero"`
	Items   []item         `json:"items,omitempty"` // the first maxItems merchants
}

// item is one merchant of a notice about several.
type item struct {
	AppID  string         `json:"appid"`
	Name   string         `json:"name,omitempty"`
	Reason component.Text `json:"reason,omitzero"`
}

func factsOf(a component.Announcement) facts {
	f := facts{
		Path: a.Path, AppID: a.AppID, Subject: a.Subject, Outcome: a.Outcome, Count: max(a.Count, 1), Since: a.Since.UTC(), Reason: a.Reason,
	}
	if a.AppID != "" {
		f.Items = []item{{AppID: a.AppID, Name: a.Merchant, Reason: a.Reason}}
	}
	return f
}

// and adds later news of the same kind.
func (f facts) and(later facts) facts {
	sum := later
	sum.Count = f.Count + later.Count
	if f.Path != later.Path { // two pages: the one above both
		sum.Path = path.Dir(later.Path)
	}
	if f.AppID != later.AppID {
		sum.AppID = ""
	}
	sum.Items = append(slices.Clip(f.Items), later.Items...)
	if len(sum.Items) > maxItems {
		sum.Items = sum.Items[:maxItems]
	}
	if !f.Since.IsZero() {
		sum.Since = f.Since
	}
	return sum
}
