package component

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// settingConfirmFile keeps the file that proves who owns a web-view domain, so that every replica serves it.
const settingConfirmFile = "component.confirm_file"

// confirmPath is the address of such a file: a plain name at the root.
var confirmPath = regexp.MustCompile(`^/[A-Za-z0-9_-]{1,100}\.(txt|html)$`)

// ConfirmFile asks WeChat for the file that must lie at the root of each web-view domain, and keeps it: from then on it
// is served under PUBLIC_URL.
func (s *Service) ConfirmFile(ctx context.Context) (wechat.ConfirmFile, error) {
	f, err := s.API().DomainConfirmFile(ctx)
	if err != nil {
		return f, fmt.Errorf("platform confirm file: %w", err)
	}
	kept, err := s.keptConfirmFile(ctx)
	if err != nil || kept == f {
		return f, err
	}
	text, err := json.Marshal(f)
	if err != nil {
		return f, err
	}
	return f, s.deps.Settings.Put(ctx, s.deps.DB, settingConfirmFile, string(text), "")
}

// provideConfirmFile has the file served before WeChat looks for it. The domains may well be others than ours, so that it
// is no reason to stop when that fails.
func (s *Service) provideConfirmFile(ctx context.Context) {
	if _, err := s.ConfirmFile(ctx); err != nil {
		s.log.WarnContext(ctx, "confirm file not fetched", "error", err)
	}
}

// keptConfirmFile is the file that was asked for last; zero if it never was.
func (s *Service) keptConfirmFile(ctx context.Context) (wechat.ConfirmFile, error) {
	var f wechat.ConfirmFile
	text, ok, err := s.deps.Settings.Get(ctx, settingConfirmFile)
	if err != nil || !ok {
		return f, err
	}
	return f, json.Unmarshal([]byte(text), &f)
}

// confirmFileAt is the file's content if it is what a request asks for. Trouble with the database is none of whoever asks
// for another file.
func (s *Service) confirmFileAt(r *http.Request) (content string, ok bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !confirmPath.MatchString(r.URL.Path) {
		return "", false
	}
	f, err := s.keptConfirmFile(r.Context())
	if err != nil {
		s.log.WarnContext(r.Context(), "confirm file not read", "error", err)
	}
	return f.Content, err == nil && f.Name != "" && r.URL.Path == "/"+f.Name
}

// confirmURL is where we serve it.
func (s *Service) confirmURL(name string) string { return s.cfg.PublicURL.JoinPath(name).String() }
