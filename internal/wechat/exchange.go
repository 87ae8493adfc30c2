package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// maxAnswer bounds what is read of an answer, in bytes. Permanent images may have 10 MB; no JSON comes near.
const maxAnswer = 32 << 20

// empty is the body of a POST without parameters: WeChat refuses a body of no bytes with 44002.
type empty struct{}

// request is one call without its token.
type request struct {
	op      string // path without the leading slash
	get     bool
	query   url.Values
	body    any // JSON, for a POST
	upload  *upload
	timeout time.Duration // 0 means defaultTimeout
	file    bool          // the answer is an image or other file, or JSON when WeChat refuses
	effect  bool          // a GET that changes something and must never be repeated silently
	partial bool          // decode the answer of a refusal too
	secrets []sealed.Secret
	// tokenParam names the query parameter of the token; "" means access_token.
	tokenParam string
}

// upload is a multipart form with one file.
type upload struct {
	field, name string
	data        []byte
}

// file is an answer that is not JSON.
type file struct {
	data        []byte
	contentType string
}

// exchange sends one request, once, and tells the observer.
func (c *Client) exchange(ctx context.Context, cred credential, r request, out any) (file, error) {
	release, err := c.admit(ctx)
	if err != nil {
		err = &TransportError{Op: r.op, Via: cred.via, Err: err}
		c.observe(ctx, Call{Op: r.op, AppID: cred.appid, Via: cred.via, Err: err})
		return file{}, err
	}
	defer release()
	start := time.Now()
	f, err := c.send(ctx, cred, r, out)
	call := Call{Op: r.op, AppID: cred.appid, Via: cred.via, Err: err, Duration: time.Since(start)}
	if refusal, ok := errors.AsType[*APIError](err); ok {
		call.ErrCode = refusal.Code
	}
	c.observe(ctx, call)
	return f, err
}

// admit waits for a free slot, then for the rate limit, so that calls leave at the rate whatever the slots do.
func (c *Client) admit(ctx context.Context) (release func(), err error) {
	select {
	case c.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.limiter.Wait(ctx); err != nil {
		<-c.gate
		return nil, err
	}
	return func() { <-c.gate }, nil
}

func (c *Client) send(ctx context.Context, cred credential, r request, out any) (file, error) {
	timeout := r.timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	// A connection was at hand: from here on WeChat may have read the request.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	hide := newRedactor(append([]sealed.Secret{cred.token}, r.secrets...))
	fail := func(err error) (file, error) {
		return file{}, &TransportError{Op: r.op, Via: cred.via, Sent: sent.Load(), Err: hide.error(err)}
	}

	req, err := newRequest(ctx, cred, r)
	if err != nil {
		return fail(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	sent.Store(true) // an http.RoundTripper of the caller may not trace
	if cred.via == TransportOpenAPI && cred.base == c.base {
		c.throughOpenAPI.Store(resp.Header.Get(seqHeader) != "")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fail(fmt.Errorf("reading the answer: %w", err))
	}
	if len(body) > maxAnswer {
		return fail(fmt.Errorf("the answer is longer than %d bytes", maxAnswer))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return file{}, &TransportError{
			Op: r.op, Via: cred.via, Sent: true, Status: resp.StatusCode, Err: fmt.Errorf("answered HTTP status %d", resp.StatusCode),
		}
	}
	f, err := decode(r, body, resp.Header.Get("Content-Type"), out)
	if refusal, ok := errors.AsType[*APIError](err); ok {
		refusal.Msg, refusal.Via = hide.text(refusal.Msg), cred.via
		return f, refusal
	}
	if err != nil {
		return fail(err)
	}
	return f, nil
}

func newRequest(ctx context.Context, cred credential, r request) (*http.Request, error) {
	query := url.Values{}
	maps.Copy(query, r.query)
	if !cred.token.IsZero() {
		param := cred.param
		if cred.via == TransportToken && r.tokenParam != "" {
			param = r.tokenParam
		}
		query.Set(param, cred.token.Reveal())
	}
	target := cred.base + r.op
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	if r.get {
		var body io.Reader
		if r.effect {
			// net/http repeats a GET by itself when a kept connection breaks, unless its body cannot be replayed. A second
			// rollback goes back two versions, so the body has to look that way; nothing is sent.
			body = struct{ io.Reader }{http.NoBody}
		}
		return http.NewRequestWithContext(ctx, http.MethodGet, target, body)
	}
	body, contentType, err := r.payload()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return req, nil
}

func (r request) payload() (body []byte, contentType string, err error) {
	if r.upload == nil {
		body, err = encode(r.body)
		return body, "application/json", err
	}
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition(r.upload.field, r.upload.name))
	header.Set("Content-Type", http.DetectContentType(r.upload.data))
	part, err := form.CreatePart(header)
	if err == nil {
		_, err = part.Write(r.upload.data)
	}
	if err == nil {
		err = form.Close()
	}
	return buf.Bytes(), form.FormDataContentType(), err
}

// decode tells a refusal from an answer. A file is one when its bytes say so; the Content-Type alone is not trusted,
// since WeChat reports errors with HTTP 200 and images now and then without a fitting header.
func decode(r request, body []byte, contentType string, out any) (file, error) {
	trimmed := bytes.TrimSpace(body)
	if r.file && !bytes.HasPrefix(trimmed, []byte("{")) {
		sniffed := http.DetectContentType(body)
		kind, _, _ := strings.Cut(sniffed, "/")
		if kind == "image" || kind == "video" || kind == "audio" {
			return file{data: body, contentType: sniffed}, nil
		}
		declared, _, _ := mime.ParseMediaType(contentType)
		return file{}, fmt.Errorf("the answer is neither an image nor JSON (%d bytes, declared as %q)", len(body), declared)
	}
	var envelope struct {
		ErrCode Int  `json:"errcode"`
		ErrMsg  text `json:"errmsg"`
	}
	if err := json.Unmarshal(trimmed, &envelope); err != nil {
		return file{}, fmt.Errorf("the answer is not the JSON it should be (%d bytes): %w", len(body), err)
	}
	if envelope.ErrCode != 0 {
		if r.partial && out != nil {
			_ = json.Unmarshal(trimmed, out) // only to explain the refusal better
		}
		return file{}, newAPIError(r.op, int(envelope.ErrCode), string(envelope.ErrMsg))
	}
	if r.file {
		return file{}, errors.New("the answer is JSON without an error code, not an image")
	}
	if out != nil {
		if err := json.Unmarshal(trimmed, out); err != nil {
			return file{}, fmt.Errorf("the answer has an unexpected shape: %w", err)
		}
	}
	return file{}, nil
}

// redactor keeps secrets out of error texts, should WeChat or net/http quote them.
type redactor struct{ secrets []sealed.Secret }

func newRedactor(secrets []sealed.Secret) redactor { return redactor{secrets} }

func (r redactor) text(s string) string {
	for _, secret := range r.secrets {
		if raw := secret.Reveal(); raw != "" {
			s = strings.ReplaceAll(s, raw, "[redacted]")
			s = strings.ReplaceAll(s, url.QueryEscape(raw), "[redacted]")
		}
	}
	return s
}

// error takes the URL out of err, and the chain too if a secret is left in its text.
func (r redactor) error(err error) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if clean := r.text(err.Error()); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}
