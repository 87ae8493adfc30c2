package wechatfake

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// The modes of Fault. "Executed" means that the call took effect although the caller is not told.
const (
	FaultErrcode         = "errcode"          // answers Code, not executed
	FaultErrcodeExecuted = "errcode_executed" // executed, answers Code
	FaultHTTP            = "http"             // HTTP status Code (0 = 500), not executed
	FaultHTTPExecuted    = "http_executed"    // executed, HTTP status Code
	FaultGarbage         = "garbage"          // HTTP 200 with something that is not JSON, not executed
	FaultSlow            = "slow"             // executed at once, answered after Delay
	FaultSlowBefore      = "slow_before"      // executed and answered after Delay, even when the caller has gone
	FaultCutBefore       = "cut_before"       // connection cut, not executed
	FaultCutAfter        = "cut_after"        // executed, connection cut
	FaultAsyncAccepted   = "9402205_accepted" // answers 9402205, executed
	FaultAsyncLost       = "9402205_not"      // answers 9402205, not executed
	// FaultSilentDrop answers errcode 0 and does nothing; for modify_domain it drops only Names (or the last request
	// domain) without saying so.
	FaultSilentDrop = "silent_drop"
	// FaultNotListed stands in the call log for a path that is not in OpenAPIWhitelist; FailNext does not take it.
	FaultNotListed = "not_listed"
)

// Fault is bad luck for the next calls that match it. Faults are tried in the order they were added, after the token
// was accepted.
type Fault struct {
	ID    int    `json:"id"`
	Path  string `json:"path"`  // e.g. "/wxa/commit"; empty = every path
	AppID string `json:"appid"` // merchant; empty = any, also component calls
	Skip  int    `json:"skip"`  // calls let through first
	Times int    `json:"times"` // calls hit; 0 = 1, negative = until cleared
	// Percent of the calls are hit, at random; 0 = all.
	Percent int      `json:"percent,omitempty"`
	Mode    string   `json:"mode"`
	Code    int      `json:"code"`  // errcode or HTTP status
	Msg     string   `json:"msg"`   // replaces the usual errmsg
	Delay   Duration `json:"delay"` // of the slow modes
	Names   []string `json:"names"` // of silent_drop
}

// FailNext makes the next calls that match f fail in its way and returns the fault's id.
func (s *Server) FailNext(f Fault) (int, error) {
	modes := []string{FaultErrcode, FaultErrcodeExecuted, FaultHTTP, FaultHTTPExecuted, FaultGarbage, FaultSlow, FaultSlowBefore, FaultCutBefore, FaultCutAfter, FaultAsyncAccepted, FaultAsyncLost, FaultSilentDrop}
	if !slices.Contains(modes, f.Mode) {
		return 0, fmt.Errorf("wechatfake: unknown fault mode %q", f.Mode)
	}
	if (f.Mode == FaultErrcode || f.Mode == FaultErrcodeExecuted) && f.Code == 0 {
		return 0, fmt.Errorf("wechatfake: fault mode %q needs a code", f.Mode)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.st.NextFault++
	f.ID = s.st.NextFault
	s.st.Faults = append(s.st.Faults, &f)
	return f.ID, nil
}

// ClearFaults removes all faults that have not struck yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.st.Faults = nil
}

// takeFault finds the fault that strikes this call, under mu.
func (s *Server) takeFault(c *call) *Fault {
	for i, f := range s.st.Faults {
		if (f.Path != "" && f.Path != c.path) || (f.AppID != "" && f.AppID != c.appid()) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Percent > 0 && rand.IntN(100) >= f.Percent { //nolint:gosec // bad luck, nothing to guess
			continue
		}
		hit := *f
		if f.Times > 0 {
			f.Times--
			if f.Times == 0 {
				s.st.Faults = slices.Delete(s.st.Faults, i, i+1)
			}
		}
		return &hit
	}
	return nil
}

func (s *Server) serveFault(w http.ResponseWriter, c *call) {
	f := c.fault
	code := f.Code
	switch f.Mode {
	case FaultErrcode:
		s.answer(w, c, reply{code: code, msg: f.Msg}, false)
	case FaultErrcodeExecuted:
		s.answerInstead(w, c, reply{code: code, msg: f.Msg})
	case FaultAsyncAccepted:
		s.answerInstead(w, c, fail(9402205))
	case FaultAsyncLost:
		s.answer(w, c, fail(9402205), false)
	case FaultHTTP, FaultHTTPExecuted:
		executed := false
		rep := reply{}
		if f.Mode == FaultHTTPExecuted {
			rep, executed = s.execute(c)
		}
		if code == 0 {
			code = http.StatusInternalServerError
		}
		s.render(c, rep, executed)
		http.Error(w, "<html><body>upstream error</body></html>", code)
	case FaultGarbage:
		s.render(c, reply{}, false)
		_, _ = w.Write([]byte("<html>\x00 bad gateway {"))
	case FaultSlow:
		rep, executed := s.execute(c)
		s.pauseFor(c, time.Duration(f.Delay))
		s.answer(w, c, rep, executed)
	case FaultSlowBefore:
		if !s.pause(time.Duration(f.Delay)) {
			return
		}
		rep, executed := s.execute(c)
		s.answer(w, c, rep, executed)
	case FaultCutBefore:
		s.render(c, reply{}, false)
		panic(http.ErrAbortHandler)
	case FaultCutAfter:
		rep, executed := s.execute(c)
		s.render(c, rep, executed)
		panic(http.ErrAbortHandler)
	case FaultSilentDrop:
		if isModifyDomain(c.path) {
			rep, executed := s.execute(c)
			s.answer(w, c, rep, executed)
			return
		}
		s.answer(w, c, reply{}, false)
	}
}

// answerInstead executes the call and answers something else; a call that is refused anyway answers its own refusal.
func (s *Server) answerInstead(w http.ResponseWriter, c *call, instead reply) {
	rep, executed := s.execute(c)
	if rep.code != 0 {
		s.answer(w, c, rep, false)
		return
	}
	s.answer(w, c, instead, executed)
}

// pauseFor waits for d, or until the caller has gone.
func (s *Server) pauseFor(c *call, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.done:
	case <-c.r.Context().Done():
	}
}
