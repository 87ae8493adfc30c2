// Package refusal keeps why WeChat said no, so that it can be explained later to whoever looks, in their language.
package refusal

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Refusal is WeChat's errcode with what came along. The zero Refusal is none; without a code WeChat gave no usable answer.
type Refusal struct {
	Op   string `json:"op,omitempty"`
	Code int    `json:"code,omitempty"`
	Msg  string `json:"msg,omitempty"`
	RID  string `json:"rid,omitempty"`
	Away bool   `json:"away,omitempty"` // no usable answer
}

// Of is what is kept of an error; nil is the zero Refusal.
func Of(err error) Refusal {
	if err == nil {
		return Refusal{}
	}
	if e, ok := errors.AsType[*wechat.APIError](err); ok {
		const limit = 300
		msg := []rune(e.Msg)
		return Refusal{Op: e.Op, Code: e.Code, Msg: string(msg[:min(len(msg), limit)]), RID: e.RID}
	}
	return Refusal{Away: true}
}

// None reports whether there is nothing to tell.
func (r Refusal) None() bool { return r == Refusal{} }

// View is a Refusal as the API shows it.
type View struct {
	Detail  string `json:"detail" doc:"What is wrong and what to do, for people."`
	ErrCode int    `json:"errcode" doc:"WeChat's code; 0 where WeChat gave no usable answer."`
	ErrMsg  string `json:"errmsg"`
	RID     string `json:"rid" doc:"WeChat's request id, for its support."`
}

// View explains r in lang; nil when there is nothing to tell.
func (r Refusal) View(lang string) *View {
	if r.None() {
		return nil
	}
	if r.Code == 0 {
		return &View{Detail: fault.ProblemOf(fault.WeChatUnavailable, "", lang).Detail}
	}
	e := (&wechat.APIError{Op: r.Op, Code: r.Code}).Explain()
	cause, hint := e.ZH, e.HintZH
	if lang == fault.English {
		cause, hint = e.EN+" ", e.HintEN
	}
	return &View{Detail: cause + hint, ErrCode: r.Code, ErrMsg: r.Msg, RID: r.RID}
}

// Value implements driver.Valuer for a column of jsonb.
func (r Refusal) Value() (driver.Value, error) {
	text, err := json.Marshal(r)
	return string(text), err
}

// Scan implements sql.Scanner.
func (r *Refusal) Scan(src any) error {
	*r = Refusal{}
	switch text := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(text), r)
	case []byte:
		return json.Unmarshal(text, r)
	}
	return fmt.Errorf("a refusal is not kept as %T", src)
}
