package codesubmit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/internal/fault"
)

func TestStoredFailureIsReadInBothLanguages(t *testing.T) {
	t.Parallel()
	stored, err := json.Marshal(StepError{Code: "icp_missing", Detail: allOf([]*StepError{
		{Code: "icp_missing", Detail: factOf("ICP filing status is %d, 6 is wanted", 1)},
		{Code: "privacy_missing", Detail: namesOnly("UserInfo")},
	})})
	require.NoError(t, err)
	var f StepError
	require.NoError(t, json.Unmarshal(stored, &f))
	require.Equal(t, "icp_missing: ICP filing status is 1, 6 is wanted; privacy_missing: UserInfo", f.Detail.In(fault.English))
	require.Equal(t, "icp_missing：备案状态为 1，须为 6（已备案）；privacy_missing：UserInfo", f.Detail.In(fault.Chinese))
}

func TestFactFromAnError(t *testing.T) {
	t.Parallel()
	_, err := renderExtJSON(json.RawMessage(`{"a":"{{label}}"}`), authorize.Target{})
	require.Equal(t, Fact{
		EN: "ext_json uses {{label}}, but this merchant has no label", ZH: "ext_json 用到 {{label}}，但该商户没有标签",
	}, factFrom(err))
}

func TestWhatIsWrongWithASpecIsSaidInBothLanguages(t *testing.T) {
	t.Parallel()
	spec := Spec{
		UserVersion: "1", Targets: Targets{All: true}, ExtJSON: json.RawMessage(`{"a":"{{shop}}"}`),
		Domains: &DomainSpec{Request: []string{"http://a.com"}},
	}
	spec.normalise()
	zh, en := fault.ProblemFor(spec.check(), fault.Chinese), fault.ProblemFor(spec.check(), fault.English)
	require.Equal(t, "ext_json 中有不认识的占位符 {{shop}}，可用的有 {{appid}}, {{biz_id}}, {{label}}, {{nick_name}}", zh.Errors[0].Message)
	require.Equal(t, "ext_json uses the unknown placeholder {{shop}}; known are {{appid}}, {{biz_id}}, {{label}}, {{nick_name}}", en.Errors[0].Message)
	require.Equal(t, "此处的域名格式为 https://域名[:端口]，不带路径。", zh.Errors[1].Message)
	require.Equal(t, "A domain here is https://host[:port] without path.", en.Errors[1].Message)
}

func TestEveryWordHasAChineseName(t *testing.T) {
	t.Parallel()
	for _, s := range States() {
		require.NotEqual(t, string(s), s.In(fault.Chinese))
		require.Equal(t, string(s), s.In(fault.English))
	}
}
