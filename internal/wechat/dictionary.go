package wechat

import (
	_ "embed" // the dictionary
	"fmt"
	"strconv"
	"strings"
)

// dictionaryTSV holds one line for each code, or each code and operation, in numeric order: errcode, operation ("*" for
// any), class, cause and next step in Chinese and English.
//
// WeChat docs: https://developers.weixin.qq.com/doc/oplatform/Return_codes/Return_code_descriptions_new.html and the error
// tables of the pages named at each call.
//
//go:embed dictionary.tsv
var dictionaryTSV string

// Entry explains an errcode to an operator.
type Entry struct {
	Code           int
	Class          Class
	ZH, EN         string // what happened
	HintZH, HintEN string // what to do next
}

// Explain looks code up. op is the operation that was refused, e.g. "wxa/undocodeaudit", because some codes mean
// something else there; "" is any. A code that is not in the dictionary needs the operator, since WeChat adds codes for
// new duties of merchants without notice.
func Explain(code int, op string) Entry {
	if e, ok := lookup(code, op); ok {
		return e
	}
	if e, ok := lookup(code, "*"); ok {
		return e
	}
	const firstICP, lastICP = 86300, 86399
	if code >= firstICP && code <= lastICP {
		return Entry{
			Code: code, Class: ClassOperator,
			ZH:     fmt.Sprintf("小程序备案没有通过，微信返回 %d。", code),
			EN:     fmt.Sprintf("The ICP filing was refused with errcode %d.", code),
			HintZH: "请按 errmsg 的说明更正备案资料，仍不清楚时凭 rid 联系微信。",
			HintEN: "Correct the filing as errmsg says; if it is not clear, ask WeChat with the rid.",
		}
	}
	return Entry{
		Code: code, Class: ClassOperator,
		ZH:     fmt.Sprintf("微信拒绝了这次调用，错误码 %d 不在已知列表中。", code),
		EN:     fmt.Sprintf("WeChat refused the call with errcode %d, which is not a known one.", code),
		HintZH: fmt.Sprintf("请查看 errmsg，在微信文档中查找 %d；处理后再重试，或凭 rid 联系微信。", code),
		HintEN: fmt.Sprintf("Read errmsg, look %d up in WeChat's documentation, settle it and retry, or ask WeChat with the rid.", code),
	}
}

// lookup searches the text as it stands: it is short, and an index would be state of the package.
func lookup(code int, op string) (Entry, bool) {
	_, rest, ok := strings.Cut(dictionaryTSV, "\n"+strconv.Itoa(code)+"\t"+op+"\t")
	if !ok {
		return Entry{}, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	const columns = 5
	f := strings.SplitN(line, "\t", columns)
	if len(f) != columns {
		return Entry{}, false
	}
	return Entry{Code: code, Class: Class(f[0]), ZH: f[1], EN: f[2], HintZH: f[3], HintEN: f[4]}, true
}
