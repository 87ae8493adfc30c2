package component

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

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

const (
	// confirmWait is how long a request waits for the database before it is served what was read last, or goes on to the proxy.
	confirmWait = 500 * time.Millisecond
	// confirmPause is how long the database is left alone after it did not answer in time.
	confirmPause = 5 * time.Second
)

// confirmCache lets requests share one look at the kept file, and remembers it for when the database is away. It serves nobody
// from memory otherwise: WeChat asks for a new file right after it was kept, perhaps at another replica.
type confirmCache struct {
	looks singleflight.Group

	mu       sync.Mutex
	last     wechat.ConfirmFile
	failedAt time.Time // zero unless the last look failed
}

// confirmFile is the kept file, the one read last if the database does not answer soon.
func (s *Service) confirmFile(ctx context.Context) wechat.ConfirmFile {
	c := &s.confirm
	c.mu.Lock()
	last, since := c.last, s.now().Sub(c.failedAt)
	c.mu.Unlock()
	if since >= 0 && since < confirmPause {
		return last
	}
	look := c.looks.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWait)
		defer cancel()
		f, err := s.keptConfirmFile(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			s.log.WarnContext(ctx, "confirm file not read", "error", err)
			c.failedAt = s.now()
			return c.last, nil
		}
		c.last, c.failedAt = f, time.Time{}
		return f, nil
	})
	select {
	case <-ctx.Done():
		return last
	case r := <-look:
		return r.Val.(wechat.ConfirmFile)
	}
}

// confirmFileAt is the file's content if it is what a request asks for. Trouble with the database is none of whoever asks
// for another file.
func (s *Service) confirmFileAt(r *http.Request) (content string, ok bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !confirmPath.MatchString(r.URL.Path) {
		return "", false
	}
	f := s.confirmFile(r.Context())
	return f.Content, f.Name != "" && r.URL.Path == "/"+f.Name
}

// confirmURL is where we serve it.
func (s *Service) confirmURL(name string) string { return s.cfg.PublicURL.JoinPath(name).String() }
