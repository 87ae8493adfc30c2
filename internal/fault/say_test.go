package fault_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestSentencesFollowTheReader(t *testing.T) {
	t.Parallel()
	reason := fault.New(fault.Validation, "the host is missing")
	tests := []struct {
		name   string
		err    *fault.Error
		zh, en string
	}{
		{"without arguments", fault.New(fault.NotFound, "There is no such user."), "没有这个用户。", "There is no such user."},
		{"with arguments", fault.New(fault.NotFound, "There is no user %s.", "li"), "没有名为 li 的用户。", "There is no user li."},
		{
			"with arguments in another order", fault.New(fault.Conflict, "audit %d of version %s is under way", 7, "1.2"),
			"版本 1.2 正在审核中（审核单 7）", "audit 7 of version 1.2 is under way",
		},
		{
			"with an argument that is a sentence itself", fault.Invalid("body.return_url", "The return URL is not a plain http(s) address: %s.", nil, reason),
			"返回地址不是合法的 http(s) 地址：缺少域名。", "The return URL is not a plain http(s) address: the host is missing.",
		},
		{"one nobody translated", fault.New(fault.Conflict, "Mixed %s.", "up"), "Mixed up.", "Mixed up."},
		{"a percent sign without arguments", fault.New(fault.Conflict, "100% sure."), "100% sure.", "100% sure."},
		{"none: the kind speaks", fault.New(fault.Forbidden, ""), "当前账号没有权限执行此操作。", "You may not do this. Ask an administrator."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for lang, want := range map[string]string{fault.Chinese: tt.zh, fault.English: tt.en} {
				p := fault.ProblemFor(tt.err, lang)
				require.Equal(t, want, p.Detail)
				for _, f := range p.Errors {
					require.Equal(t, want, f.Message)
				}
			}
		})
	}
}

func TestTheLogReadsEnglish(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	require.EqualError(t, fault.Wrap(cause, fault.NotFound, "There is no user %s.", "li"), "There is no user li.: cause")
	require.EqualError(t, fault.Wrap(cause, fault.Internal, ""), "internal: cause")
}

func TestCollector(t *testing.T) {
	t.Parallel()
	var wrong fault.Collector
	require.NoError(t, wrong.Err())
	wrong.Add("body.server", "There are at most %d domains.", nil, 3)
	wrong.Add("body.name", "The name has at most 100 characters.", "x")
	p := fault.ProblemFor(wrong.Err(), fault.Chinese)
	require.Equal(t, fault.Validation, p.Code)
	require.Equal(t, "最多 3 个域名。", p.Detail)
	require.Equal(t, []fault.Field{
		{Location: "body.server", Message: "最多 3 个域名。"}, {Location: "body.name", Message: "名称最多 100 个字符。", Value: "x"},
	}, p.Errors)
}
