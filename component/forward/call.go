package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/wxsteward/wxsteward/component"
)

const (
	// excerptBytes is how much of an answer an attempt keeps, testBytes how much a test shows.
	excerptBytes = 1 << 10
	testBytes    = 4 << 10
	// maxReply is far above any passive reply.
	maxReply = 64 << 10
	// drainBytes more are read so that the connection can be used again.
	drainBytes = 64 << 10
)

// outcome is what became of one call.
type outcome struct {
	at       time.Time
	status   int // 0: no answer
	duration time.Duration
	failure  failure // empty: taken
	answer   []byte  // the beginning of it
	sent     http.Header
}

func (o outcome) ok() bool { return o.failure == "" }

// render writes a message in a format.
func render(format string, m component.Message) ([]byte, error) {
	if format == FormatXML {
		return component.XML(m)
	}
	return component.CloudRunJSON(m)
}

// call sends a message under the id of a delivery and reads at most limit bytes of the answer. 2xx is success. ctx being
// cancelled is a failure like others; the caller knows better.
func (s *Service) call(ctx context.Context, r *armed, id string, m component.Message, limit int) (o outcome) {
	o.at = s.now()
	body, err := render(r.Format, m)
	if err != nil {
		o.failure = failed(failUnreadable, r.Format)
		return o
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	began := time.Now()
	defer func() { o.duration = time.Since(began) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target(m.AppID), bytes.NewReader(body))
	if err == nil {
		err = r.keys.sign(req.Header, id, o.at, body)
	}
	if err != nil {
		o.failure = failed(failAddress, "")
		return o
	}
	req.Header.Set("Content-Type", "application/json")
	if r.Format == FormatXML {
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	req.Header.Set("User-Agent", "wxsteward")
	req.Header.Set("X-Wxsteward-Appid", m.AppID)
	req.Header.Set("X-Wxsteward-Channel", m.Channel)
	o.sent = req.Header
	allowed := strconv.FormatInt(r.timeout().Milliseconds(), 10)
	res, err := s.client.Do(req)
	if err != nil {
		o.failure = failureOf(err, allowed)
		return o
	}
	defer func() { _ = res.Body.Close() }() // nothing is left to lose
	o.status = res.StatusCode
	o.answer, err = io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch status := strconv.Itoa(res.StatusCode); {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		o.failure = failed(failRedirect, status)
	case res.StatusCode < 200 || res.StatusCode >= 300:
		o.failure = failed(failStatus, status)
	case r.Mode == ModeRelay && err != nil: // a delivery is taken, whatever comes behind the status
		o.failure = failureOf(err, allowed)
	case r.Mode == ModeRelay && limit == maxReply && len(o.answer) > limit:
		o.failure = failed(failTooLarge, strconv.Itoa(limit))
	}
	if len(o.answer) > limit {
		o.answer = o.answer[:limit]
		_, _ = io.CopyN(io.Discard, res.Body, drainBytes) // only for the sake of the connection
	}
	return o
}

// gone reports a message that is not there any more.
func gone(err error) bool { return errors.Is(err, component.ErrNoMessage) }
