package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

const testPassword = "correct-horse-battery"

// operator calls the program over HTTP as its users do, and keeps every answer for the leak test.
type operator struct {
	t      testing.TB
	base   string
	client *http.Client
	csrf   string
	once   string // Idempotency-Key of the calls to come

	mu   sync.Mutex
	seen bytes.Buffer // bodies of error answers
}

func newOperator(tb testing.TB, base string) *operator {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(tb, err)
	return &operator{t: tb, base: base, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// try makes one call of the API; the error is for a program that is away.
func (o *operator) try(ctx context.Context, method, path string, body, out any) (int, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, o.base+"/api/v1"+path, reader)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if o.once != "" {
		req.Header.Set("Idempotency-Key", o.once)
	}
	if o.csrf != "" {
		req.Header.Set("X-CSRF-Token", o.csrf)
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= 400 {
		o.mu.Lock()
		fmt.Fprintf(&o.seen, "%s %s: %d %s\n", method, path, resp.StatusCode, text)
		o.mu.Unlock()
		if out != nil {
			return resp.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
		}
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = text
		return resp.StatusCode, nil
	}
	if out != nil {
		return resp.StatusCode, json.Unmarshal(text, out)
	}
	return resp.StatusCode, nil
}

// call is try that must succeed.
func (o *operator) call(method, path string, body, out any) {
	o.t.Helper()
	if out == nil {
		out = new([]byte)
	}
	_, err := o.try(o.t.Context(), method, path, body, out)
	require.NoError(o.t, err)
}

func (o *operator) signIn() {
	o.t.Helper()
	o.signInAs("admin")
}

func (o *operator) signInAs(user string) {
	o.t.Helper()
	o.call(http.MethodPost, "/session", map[string]string{"username": user, "password": testPassword}, nil)
	u, err := url.Parse(o.base)
	require.NoError(o.t, err)
	for _, c := range o.client.Jar.Cookies(u) {
		if c.Name == "csrf" {
			o.csrf = c.Value
		}
	}
	require.NotEmpty(o.t, o.csrf, "sign-in sets a csrf cookie")
}

// eventually asks until ok, at most a minute; a program that is away is asked again.
func eventually(tb testing.TB, what string, ok func() (bool, string)) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	last := ""
	for time.Now().Before(deadline) {
		var done bool
		if done, last = ok(); done {
			return
		}
		select {
		case <-tb.Context().Done():
			tb.Fatalf("%s: test ended; last seen: %s", what, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
	tb.Fatalf("%s did not happen; last seen: %s", what, last)
}

type linkAnswer struct {
	ID, URL, Status string
	AuthorizerAppID string `json:"authorizer_appid"`
}

type submissionAnswer struct {
	ID, AppID, State, Reason string
	AuditID                  string `json:"audit_id"`
	Screenshots              []string
	Error                    *struct{ Code, Detail, Hint, ErrMsg, RID string }
	Steps                    []struct {
		Name, State, Detail, Hint string
		ErrCode                   int
	}
}

type page[T any] struct {
	Items []T
	Total *int
}

func (o *operator) createLink(bizID string) linkAnswer {
	o.t.Helper()
	var link linkAnswer
	o.call(http.MethodPost, "/authorization-links", map[string]any{"biz_id": bizID, "kind": "miniprogram"}, &link)
	return link
}

// waitSubmission waits for a merchant's newest submission to come to one of states.
func (o *operator) waitSubmission(appid string, states ...string) submissionAnswer {
	o.t.Helper()
	var found submissionAnswer
	eventually(o.t, appid+" "+strings.Join(states, " or "), func() (bool, string) {
		var list page[submissionAnswer]
		if _, err := o.try(o.t.Context(), http.MethodGet, "/submissions?appid="+appid, nil, &list); err != nil || len(list.Items) == 0 {
			return false, fmt.Sprint(err)
		}
		if _, err := o.try(o.t.Context(), http.MethodGet, "/submissions/"+list.Items[0].ID, nil, &found); err != nil {
			return false, err.Error()
		}
		if slices.Contains(states, found.State) {
			return true, ""
		}
		return false, fmt.Sprintf("%s %+v", found.State, found.Error)
	})
	return found
}

// merchantBrowser plays a merchant with an ordinary browser, which sends Referers.
type merchantBrowser struct {
	t      testing.TB
	client *http.Client
}

func newMerchantBrowser(tb testing.TB) *merchantBrowser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(tb, err)
	return &merchantBrowser{t: tb, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (b *merchantBrowser) get(address, referer string) (visit, error) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	if referer != "" {
		req.Header.Set("Referer", referer)
	}
	return b.do(req)
}

// visit is a page as it was reached, after redirects.
type visit struct {
	text   string
	status int
	at     *url.URL
}

func (b *merchantBrowser) do(req *http.Request) (visit, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return visit{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	return visit{string(text), resp.StatusCode, resp.Request.URL}, err
}

// consent opens a link, follows it to WeChat, says yes as appid and ends on our result page, whose text it returns.
// It gives up with an error when the program or WeChat is away.
func (b *merchantBrowser) consent(linkURL, appid string) (string, error) {
	page, err := b.get(linkURL, "")
	if err != nil {
		return "", err
	}
	if page.status != http.StatusOK {
		return page.text, fmt.Errorf("launch page: %d", page.status)
	}
	goTo := elementAttr(page.text, "a", "go", "href")
	if goTo == "" {
		return page.text, fmt.Errorf("launch page has no link to WeChat: %s", page.text)
	}
	target, err := page.at.Parse(goTo)
	require.NoError(b.t, err)
	if page, err = b.get(target.String(), linkURL); err != nil {
		return "", err
	}
	if elementAttr(page.text, "form", "consent", "method") == "" {
		return page.text, fmt.Errorf("WeChat shows no consent form: %s", page.text)
	}
	action, err := page.at.Parse(elementAttr(page.text, "form", "consent", "action"))
	require.NoError(b.t, err)
	values := url.Values{"appid": {appid}, "decision": {"agree"}}
	for name, list := range inputs(page.text) {
		if name != "appid" {
			values[name] = list
		}
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Referer", page.at.String())
	page, err = b.do(req)
	return page.text, err
}

// elementAttr finds the element with an id and returns one of its attributes.
func elementAttr(page, tag, id, attr string) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return ""
	}
	for node := range doc.Descendants() {
		if node.Type != html.ElementNode || node.Data != tag {
			continue
		}
		attrs := map[string]string{}
		for _, a := range node.Attr {
			attrs[a.Key] = a.Val
		}
		if attrs["id"] == id {
			return attrs[attr]
		}
	}
	return ""
}

// inputs are the values a form would send if its boxes stay as they are.
func inputs(page string) url.Values {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil
	}
	values := url.Values{}
	for node := range doc.Descendants() {
		if node.Type != html.ElementNode || node.Data != "input" {
			continue
		}
		attrs := map[string]string{}
		for _, a := range node.Attr {
			attrs[a.Key] = a.Val
		}
		_, checked := attrs["checked"]
		if attrs["type"] == "radio" || (attrs["type"] == "checkbox" && !checked) {
			continue
		}
		values.Add(attrs["name"], attrs["value"])
	}
	return values
}

var tags = regexp.MustCompile(`(?s)<(script|style).*?</(script|style)>|<[^>]*>`)

func plainText(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}

// refusal is the problem that a call is answered with; the zero one if it is not refused.
type refusal struct {
	Status       int
	Code, Detail string
}

func (o *operator) refusal(method, path string, body any) (r refusal) {
	o.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(o.t, err)
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.base+"/api/v1"+path, bytes.NewReader(text))
	require.NoError(o.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Csrf-Token", o.csrf)
	req.Header.Set("Accept-Language", "en")
	resp, err := o.client.Do(req)
	if err != nil {
		return refusal{Detail: err.Error()}
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	if resp.StatusCode >= http.StatusBadRequest {
		_ = json.NewDecoder(resp.Body).Decode(&r) // the zero one fails the test
	}
	return r
}
