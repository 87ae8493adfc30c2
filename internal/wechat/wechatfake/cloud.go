package wechatfake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// How a call of a program inside WeChat Cloud Run proved itself, see Call.Via.
const (
	ViaOpenAPI    = "openapi"    // the open-API service (开放接口服务) added the token
	ViaCloudToken = "cloudtoken" // it carried the cloudbase_access_token
)

// viaCloud tells how a call without a token of its own is let in, if it is. A token that is attached is left as it is.
func (s *Server) viaCloud(query map[string][]string) string {
	has := func(name string) bool { return len(query[name]) > 0 && query[name][0] != "" }
	switch {
	case has("access_token"), has("component_access_token"):
		return ""
	case has("cloudbase_access_token"):
		return ViaCloudToken
	case s.st.Settings.OpenAPI:
		return ViaOpenAPI
	}
	return ""
}

// listed reports whether 微信令牌权限配置 holds the path.
func (s *Server) listed(path string) bool {
	return slices.ContainsFunc(s.st.Settings.OpenAPIWhitelist, func(entry string) bool {
		prefix, all := strings.CutSuffix(entry, "*")
		return entry == path || all && strings.HasPrefix(path, prefix)
	})
}

// openAPI stands in front of a call as the open-API service does, under mu: everything that passes it is marked, and what
// it is to add a token to must be in its whitelist. It reports whether the call may go on.
func (s *Server) openAPI(w http.ResponseWriter, c *call) bool {
	if !s.st.Settings.OpenAPI {
		return true
	}
	w.Header().Set("X-Openapi-Seqid", newRID(s.now()))
	return c.via != ViaOpenAPI || s.listed(c.path)
}

// cloudToken checks the token of 微信令牌. What WeChat answers for a path that is not in the configuration is not documented;
// 48001 is our guess.
func (s *Server) cloudToken(c *call) reply {
	expires, known := s.st.CloudTokens[c.query.Get("cloudbase_access_token")]
	switch {
	case !known:
		return fail(40001)
	case !s.now().Before(expires):
		return fail(42001)
	case len(s.st.Settings.OpenAPIWhitelist) > 0 && !s.listed(c.path):
		return fail(48001)
	}
	return reply{}
}

// NewCloudToken makes a cloudbase_access_token, which counts as the platform's. It is good for 30 minutes; earlier ones stay
// good for the rest of theirs.
func (s *Server) NewCloudToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	now := s.now()
	for old, expires := range s.st.CloudTokens {
		if now.Sub(expires) > time.Hour {
			delete(s.st.CloudTokens, old)
		}
	}
	value := s.secret("91_")
	s.st.CloudTokens[value] = now.Add(time.Duration(s.st.Settings.CloudTokenExpires))
	return value
}

// EndCloudTokens makes every cloudbase_access_token so far an expired one.
func (s *Server) EndCloudTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	for value := range s.st.CloudTokens {
		s.st.CloudTokens[value] = s.now()
	}
}

// PushCloudToken writes a new cloudbase_access_token into file, in place, as WeChat Cloud Run does every 10 minutes.
func (s *Server) PushCloudToken(file string) (token string, err error) {
	token = s.NewCloudToken()
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("wechatfake: push the cloud token: %w", err)
	}
	return token, nil
}

// Probe is what an address answered to CheckContainerPath.
type Probe struct {
	URL    string `json:"url"`
	OK     bool   `json:"ok"` // 200 with success or nothing
	Status int    `json:"status"`
	Body   string `json:"body"`
	Error  string `json:"error,omitempty"`
}

// CheckContainerPath asks both push addresses what WeChat asks when a message push into Cloud Run is saved in the console.
// asXML is for the format XML instead of JSON.
func (s *Server) CheckContainerPath(ctx context.Context, asXML bool) []Probe {
	s.mu.Lock()
	addresses := []string{s.event, strings.ReplaceAll(s.biz, "$APPID$", s.cfg.ComponentAppID)}
	s.mu.Unlock()
	body, contentType := `{"action":"CheckContainerPath"}`, "application/json"
	if asXML {
		body, contentType = `<xml><action>CheckContainerPath</action></xml>`, "text/xml"
	}
	probes := make([]Probe, 0, len(addresses))
	for _, address := range addresses {
		probe := Probe{URL: address}
		if err := s.probe(ctx, &probe, body, contentType); err != nil {
			probe.Error = err.Error()
		}
		text := strings.TrimSpace(probe.Body)
		probe.OK = probe.Error == "" && probe.Status == http.StatusOK && (text == "" || text == "success")
		probes = append(probes, probe)
	}
	return probes
}

func (s *Server) probe(ctx context.Context, into *Probe, body, contentType string) error {
	if into.URL == "" {
		return errors.New("no address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, into.URL, bytes.NewReader([]byte(body))) //nolint:gosec,nolintlint // the platform's own setting
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Wx-Source", "wx_push")
	resp, err := s.client.Do(req) //nolint:gosec,nolintlint // the platform's own setting
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	into.Status, into.Body = resp.StatusCode, string(answer)
	return err
}
