package codesubmit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReasonsAreCleanedOfHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ html, want string }{
		"line breaks stay":                {"1:账号信息:<br>(1):头像<br/>(2):名称<BR />", "1:账号信息:\n(1):头像\n(2):名称"},
		"paragraphs are lines":            {"<p>one</p><p>two</p>", "one\ntwo"},
		"links lose their tag":            {`see <a href="https://a.com?x=1&amp;y=2">this</a>`, "see this"},
		"scripts are only text":           {"<script>alert(1)</script>x", "alert(1)x"},
		"entities are characters":         {"a&nbsp;&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; &hellip;", `a <b> & "c" 'd' …`},
		"less-than is no tag":             {"price <100, stock > 3", "price <100, stock > 3"},
		"a tag that never closes is text": {"see <a href=", "see <a href="},
		"control characters go":           {"a\x00b\x07c", "abc"},
		"empty stays empty":               {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, plainReason(c.html))
		})
	}
}

func TestSameReasonIsOneGroup(t *testing.T) {
	t.Parallel()
	one := groupOf("1:小程序「花店」不符合规范:\n(1):单号 20261101，appid wx1", "wx1", "花店")
	two := groupOf("1:小程序「水果店」不符合规范:\n  (1):单号 20261102，appid wx2", "wx2", "水果店")
	require.Equal(t, one, two)
	require.NotEqual(t, one, groupOf("1:小程序「花店」不符合规范:\n(2):头像", "wx1", "花店"), "another clause is another reason")
	require.NotPanics(t, func() { groupOf(strings.Repeat("长", 5000), "wx1", "") })
}

func TestRemediesFollowTheReason(t *testing.T) {
	t.Parallel()
	for reason, word := range map[string]string{
		"1:用户隐私保护指引:\n(1):小程序使用了以下用户信息但未在隐私保护指引中声明用途：UserInfo": "privacy guideline",
		"1:小程序备案:\n(1):小程序尚未完成备案":                              "ICP filing",
		"请提供可用的测试账号和密码":                                        "test account",
		"1:账号信息不符合规范:\n(1):头像":                                 "avatar",
		"订单中心 path 未设置":                                        "orders",
		"所选类目与内容不符":                                            "categories",
		"境外主体须填写 store_region":                                 "where data are stored",
	} {
		require.Contains(t, strings.Join(remediesFor(reason, "en"), "\n"), word, reason)
	}
	require.Len(t, remediesFor("something nobody has seen", "zh"), 1, "there is always something to do")
	require.Empty(t, remediesFor("", "en"))
	for _, r := range remedies() {
		require.NotEmpty(t, r.words)
		require.NotEmpty(t, r.text.zh)
		require.NotEmpty(t, r.text.en)
		require.NotContains(t, r.text.en, "请")
	}
}
