package wechatfake

import (
	"maps"
	"slices"
	"time"
)

// Call is one API call as WeChat saw it. Secrets in Body are hidden.
type Call struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"`
	AppID    string    `json:"appid"` // merchant of the token; empty for the component's own calls
	ErrCode  int       `json:"errcode"`
	RID      string    `json:"rid"`
	Executed bool      `json:"executed"` // it changed something
	Fault    string    `json:"fault,omitempty"`
	Via      string    `json:"via,omitempty"` // ViaOpenAPI or ViaCloudToken; empty: by a token of its own, or none was needed
	Body     string    `json:"body,omitempty"`
	Millis   int64     `json:"ms"`
}

type requestInfo struct {
	RID      string `json:"rid"`
	AppID    string `json:"appid"`
	At       int64  `json:"at"`
	Path     string `json:"path"`
	Request  string `json:"request"`
	Response string `json:"response"`
	IP       string `json:"ip"`
	Millis   int64  `json:"ms"`
}

const (
	keptCalls = 5000
	keptRIDs  = 500
	keptBody  = 4096
)

func (s *Server) record(c *call, code int, rid string, executed bool, answer []byte) {
	query := c.r.URL.Query()
	query.Del("access_token")
	query.Del("component_access_token")
	query.Del("cloudbase_access_token")
	body := "[file]"
	if !c.ep.upload {
		body = s.redact(clip(string(c.body), keptBody))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.NextCall++
	entry := Call{
		Seq: s.st.NextCall, At: c.started, Method: c.r.Method, Path: c.path, Query: s.redact(query.Encode()), AppID: c.appid(),
		ErrCode: code, RID: rid, Executed: executed, Via: c.via, Body: body, Millis: s.now().Sub(c.started).Milliseconds(),
	}
	if c.fault != nil {
		entry.Fault = c.fault.Mode
	}
	s.st.Calls = tail(append(s.st.Calls, entry), keptCalls)
	if code != 0 {
		s.st.RIDs = tail(append(s.st.RIDs, requestInfo{
			RID: rid, AppID: c.appid(), At: c.started.Unix(), Path: c.path, Request: body, Response: s.redact(clip(string(answer), keptBody)),
			IP: c.r.RemoteAddr, Millis: entry.Millis,
		}), keptRIDs)
	}
	s.changed()
}

func clip(text string, limit int) string {
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}

// tail keeps the last n items. It copies only when the backing array has grown to twice that.
func tail[T any](items []T, n int) []T {
	if len(items) < 2*n {
		return items
	}
	return slices.Clone(items[len(items)-n:])
}

// Calls returns the calls of one path, oldest first; empty means every path. At least the last 5000 calls are kept.
func (s *Server) Calls(path string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callsLocked(path, "")
}

func (s *Server) callsLocked(path, appid string) []Call {
	var found []Call
	for _, call := range s.st.Calls {
		if (path == "" || call.Path == path) && (appid == "" || call.AppID == appid) {
			found = append(found, call)
		}
	}
	return found
}

// ClearCalls empties the call log; the counts of Effective stay.
func (s *Server) ClearCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Calls = nil
}

// Effective counts the calls of a path for a merchant that took effect, also those whose answer was lost. appid is
// empty for component calls.
func (s *Server) Effective(path, appid string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Effective[effectKey(path, appid)]
}

func effectKey(path, appid string) string { return path + "|" + appid }

// Unknown returns how often each path was asked for that this WeChat does not have. Empty in a correct run.
func (s *Server) Unknown() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.st.Unknown)
}
