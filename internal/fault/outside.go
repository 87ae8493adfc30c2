package fault

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// outside recognises failures that are not ours.
func outside(err error, lang string) Problem {
	if refusal, ok := errors.AsType[*wechat.APIError](err); ok {
		p := refused(refusal, lang)
		p.RetryAfter = wechat.RetryAfter(err, time.Now())
		return p
	}
	if cloud, ok := errors.AsType[*wechat.CloudTokenError](err); ok {
		return ProblemOf(WeChatUnavailable, cloud.In(lang), lang)
	}
	if silence, ok := errors.AsType[*wechat.TransportError](err); ok {
		p := ProblemOf(WeChatUnavailable, silence.Explain(lang), lang)
		p.RetryAfter = wechat.RetryAfter(err, time.Now())
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return ProblemOf(TooLarge, "", lang)
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "22021", "22P05": // a character that PostgreSQL's text cannot hold: U+0000
			return ProblemOf(Validation, pick(lang, "输入中含有不允许的空字符（U+0000）。", "The input holds a NUL character (U+0000), which is not allowed."), lang)
		case "53100", "58030": // disk full, or failing
			return ProblemOf(Unavailable, pick(lang, "数据库磁盘已满或故障，暂时无法写入；腾出空间后会自动恢复。",
				"The database's disk is full or failing, so nothing can be stored. It goes on by itself when there is room."), lang)
		case "25006": // read-only
			return ProblemOf(Unavailable, pick(lang, "数据库目前只读（备库，或云数据库因磁盘将满而锁定），暂时无法写入；恢复可写后会自动继续。",
				"The database is read-only at present (a standby, or locked because its disk runs full), so nothing can be stored. It goes on by itself."), lang)
		case "57014", "55P03", "40001", "40P01": // statement or lock time-out, serialization, deadlock
			return ProblemOf(Unavailable, "", lang)
		}
	}
	if postgres.IsUnavailable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ProblemOf(Unavailable, "", lang)
	}
	return ProblemOf(Internal, "", lang)
}

// refused shows what WeChat said. Where the same call may succeed later by itself, WeChat counts as unavailable.
func refused(refusal *wechat.APIError, lang string) Problem {
	entry := refusal.Explain()
	kind := WeChatRefused
	if entry.Class == wechat.ClassTransient {
		kind = WeChatUnavailable
	}
	hint := pick(lang, entry.HintZH, entry.HintEN)
	p := ProblemOf(kind, hint, lang)
	p.WeChat = &WeChat{ErrCode: refusal.Code, ErrMsg: refusal.Msg, RID: refusal.RID, Hint: hint}
	return p
}
