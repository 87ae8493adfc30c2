package wechatfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

type tokenKind int

const (
	noToken tokenKind = iota
	componentToken
	authorizerToken
	anyToken
)

// endpoint is one API: who may call it and what it does. handle runs under Server.mu.
type endpoint struct {
	method    string
	token     tokenKind
	scopes    []int // permission sets, any of which is enough; none = no set needed
	upload    bool  // the body is multipart
	exclusive bool  // one at a time per appid, see call.overlaps
	durable   bool  // the state is on disk before the answer goes out
	reads     bool  // changes nothing
	handle    func(*call) reply
}

// call is one API call under way.
type call struct {
	r        *http.Request
	path     string
	ep       endpoint
	query    url.Values
	body     []byte
	tooLarge bool
	file     *upload
	via      string   // ViaOpenAPI, ViaCloudToken or empty
	acct     *account // of the token; nil for component calls
	overlaps bool     // another exclusive call for this appid is under way
	fault    *Fault
	started  time.Time
}

type upload struct {
	field, filename, contentType string
	data                         []byte
}

// reply is what a handler answers. The zero reply is errcode 0.
type reply struct {
	code   int
	msg    string // replaces the usual text of code
	fields fields
	bare   bool // success without errcode, as the older component APIs do
	plain  bool // sent as text/plain
	blob   *blob
}

type fields map[string]any

type blob struct {
	data                  []byte
	contentType, filename string
}

func ok(f fields) reply                 { return reply{fields: f} }
func bare(f fields) reply               { return reply{fields: f, bare: true} }
func fail(code int) reply               { return reply{code: code} }
func failWith(code int, f fields) reply { return reply{code: code, fields: f} }

const maxBody = 12 << 20

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	ep, known := s.api[path]
	if !known {
		s.mu.Lock()
		s.st.Unknown[path]++
		s.changed()
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	c := &call{r: r, path: path, ep: ep, query: r.URL.Query(), started: s.now()}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return // the caller went away while sending; nothing was executed
	}
	c.body, c.tooLarge = body, len(body) > maxBody

	s.mu.Lock()
	c.via = s.viaCloud(c.query)
	if !s.openAPI(w, c) {
		c.fault = &Fault{Mode: FaultNotListed}
		s.mu.Unlock()
		s.render(c, reply{}, false)
		http.Error(w, "<html><head><title>502 Bad Gateway</title></head></html>", http.StatusBadGateway)
		return
	}
	rep := s.admit(c)
	if rep.code == 0 {
		c.fault = s.takeFault(c)
	}
	release := s.occupy(c)
	wait := s.latency(path)
	s.mu.Unlock()
	defer release()
	if rep.code != 0 {
		s.answer(w, c, rep, false)
		return
	}
	if !s.pause(wait) {
		return
	}
	if c.fault == nil {
		rep, executed := s.execute(c)
		s.answer(w, c, rep, executed)
		return
	}
	s.serveFault(w, c)
}

// execute does what the call asks and reports whether it took effect.
func (s *Server) execute(c *call) (reply, bool) {
	s.mu.Lock()
	rep := s.check(c)
	if rep.code == 0 {
		rep = c.ep.handle(c)
	}
	executed := rep.code == 0 && !c.ep.reads
	if executed {
		s.st.Effective[effectKey(c.path, c.appid())]++
	}
	s.changed()
	s.mu.Unlock()
	if executed && c.ep.durable {
		if err := s.save(); err != nil {
			s.log.ErrorContext(c.r.Context(), "state not saved", "error", err)
		}
	}
	return rep, executed
}

func (c *call) appid() string {
	if c.acct == nil {
		return ""
	}
	return c.acct.AppID
}

// admit is the first half of the order of checks: token, address and permission set, then the call quotas.
func (s *Server) admit(c *call) reply {
	if s.st.Settings.RequireHTTPS && c.r.TLS == nil && !s.st.Settings.OpenAPI {
		return fail(43003)
	}
	if rep := s.authenticate(c); rep.code != 0 {
		return rep
	}
	if rep := s.checkAddress(c); rep.code != 0 {
		return rep
	}
	if c.acct != nil && c.ep.token == authorizerToken {
		switch {
		case !c.acct.has(c.ep.scopes):
			return fail(61007)
		case slices.Contains(c.acct.NoAPI, c.path), c.acct.Kind == Official && miniProgramOnly(c.path):
			return fail(48001)
		}
	}
	return s.checkCallQuota(c)
}

// miniProgramOnly tells the APIs an official account has no capability for; the domain calls have their own code 85015.
func miniProgramOnly(path string) bool {
	if strings.HasPrefix(path, "/wxa/modify_domain") {
		return false
	}
	return strings.HasPrefix(path, "/wxa/") || strings.HasPrefix(path, "/cgi-bin/wxopen/") || strings.HasSuffix(path, "privacysetting")
}

func (s *Server) checkAddress(c *call) reply {
	list := s.st.Settings.IPWhitelist
	if len(list) == 0 || c.via != "" { // what comes through WeChat Cloud Run needs no entry
		return reply{}
	}
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		host = c.r.RemoteAddr
	}
	if slices.Contains(list, host) {
		return reply{}
	}
	return reply{code: 61004, msg: "access clientip is not registered requestIP: " + host}
}

// check is the second half: verb, then body.
func (s *Server) check(c *call) reply {
	if c.r.Method != c.ep.method {
		if c.ep.method == http.MethodGet {
			return fail(43001)
		}
		return fail(43002)
	}
	switch {
	case c.ep.method == http.MethodGet:
		return reply{}
	case c.tooLarge:
		return fail(40006)
	case c.ep.upload:
		return c.readUpload()
	}
	return fail(checkJSON(c.path, c.body))
}

func (c *call) readUpload() reply {
	if len(c.body) == 0 {
		return fail(41005)
	}
	mediaType, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return fail(41005)
	}
	reader := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := reader.NextPart()
		if err != nil {
			return fail(41005)
		}
		if part.FileName() == "" {
			continue
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return fail(41005)
		}
		c.file = &upload{field: part.FormName(), filename: part.FileName(), contentType: http.DetectContentType(data), data: data}
		return reply{}
	}
}

// decode reads the body into a struct; a wrong JSON type is 47001.
func (c *call) decode(into any) reply {
	if json.Unmarshal(c.body, into) != nil {
		return fail(47001)
	}
	return reply{}
}

// occupy marks an exclusive call as under way until the returned function is called.
func (s *Server) occupy(c *call) func() {
	if !c.ep.exclusive || c.acct == nil {
		return func() {}
	}
	key := c.acct.AppID
	c.overlaps = s.busy[key] > 0
	s.busy[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy[key]--
	}
}

func (s *Server) latency(path string) time.Duration {
	if d, ok := s.st.Settings.Latency[path]; ok {
		return time.Duration(d)
	}
	return time.Duration(s.st.Settings.Latency["*"])
}

// answer logs the call and sends the reply: always HTTP 200, errors with a rid in errmsg.
func (s *Server) answer(w http.ResponseWriter, c *call, rep reply, executed bool) {
	body, contentType := s.render(c, rep, executed)
	header := w.Header()
	header.Set("Content-Type", contentType)
	if rep.code == 0 && rep.blob != nil && rep.blob.filename != "" {
		header.Set("Content-disposition", fmt.Sprintf("attachment; filename=%q", rep.blob.filename))
	}
	_, _ = w.Write(body) //nolint:gosec,nolintlint // JSON or an image; gosec's taint analysis notices it only in some runs
}

// render builds the answer and writes the call log; it is separate so that a cut connection is logged too.
func (s *Server) render(c *call, rep reply, executed bool) (body []byte, contentType string) {
	rid := newRID(s.now())
	switch {
	case rep.code == 0 && rep.blob != nil:
		body, contentType = rep.blob.data, rep.blob.contentType
	default:
		out := fields{}
		maps.Copy(out, rep.fields)
		switch {
		case rep.code != 0:
			msg := rep.msg
			if msg == "" {
				msg = errText(rep.code)
			}
			out["errcode"], out["errmsg"] = rep.code, msg+" rid: "+rid
		case !rep.bare:
			out["errcode"] = 0
			if out["errmsg"] == nil {
				out["errmsg"] = "ok"
			}
		}
		body, contentType = encode(out), "application/json; encoding=utf-8"
		if rep.plain {
			contentType = "text/plain"
		}
	}
	s.record(c, rep.code, rid, executed, body)
	return body, contentType
}

// encode writes JSON as WeChat does: UTF-8 without escapes for HTML.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"errcode":-1,"errmsg":"system error"}`)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
