package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(func(name string) string { return map[string]string{"CBR_ENV_ID": "wxabc-1-2"}[name] })
	require.NoError(t, err)
	require.Equal(t, "wxabc", c.appid)
	require.Equal(t, "server", c.mode)
	require.Equal(t, wechat.TransportToken, c.transport)
	require.Empty(t, c.roots(), "outside Cloud Run nobody else may pretend to be WeChat")
	require.Equal(t, ":8080", c.listenAddr)
	require.Equal(t, "127.0.0.1:8081", c.innerAddr)
	require.Equal(t, "http://localhost:8080", c.publicURL.String())
	require.Equal(t, "Asia/Shanghai", c.location.String())
	require.Empty(t, c.upstream)
	require.False(t, c.allowPrivate)
	c, err = loadConfig(func(name string) string { return map[string]string{"WX_MODE": "cloudrun"}[name] })
	require.NoError(t, err)
	require.True(t, c.allowPrivate, "the business service is on 127.0.0.1 there")
	require.Equal(t, wechat.TransportOpenAPI, c.transport)
	require.Equal(t, "/.tencentcloudbase/wx/cloudbase_access_token", c.cloudToken)
	require.Equal(t, "/app/cert/certificate.crt", c.roots())
}

func TestWrongConfigIsToldInOneLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value string }{
		{"WX_APPID", "wx 1"},
		{"WX_APPID", "wx\u30001"},
		{"WX_MODE", "cloud"},
		{"WX_COMPONENT_TRANSPORT", "carrier pigeon"},
		{"WX_API_BASE_URL", "api.weixin.qq.com"},
		{"WX_ENCODING_AES_KEY", "short"},
		{"FORWARDER_CIDRS", "127.0.0.1/99"},
		{"DATABASE_URL", "mysql://localhost/x"},
		{"DATABASE_URL", "postgres://localhost:port/x"},
		{"MASTER_KEY", "secret"},
		{"LISTEN_ADDR", "8080"},
		{"LISTEN_ADDR", ":http-ish-port"},
		{"INNER_LISTEN_ADDR", "nowhere"},
		{"PUBLIC_URL", "steward.example.com"},
		{"PUBLIC_URL", "https://steward.example.com/path"},
		{"PUBLIC_URL", "http://:8080"},
		{"ADMIN_USERNAME", "first admin"},
		{"ADMIN_PASSWORD", "short"},
		{"TRUSTED_PROXIES", "everybody"},
		{"TIMEZONE", "Mars/Olympus"},
		{"WECHAT_RATE", "0"},
		{"WECHAT_RATE", "NaN"},
		{"WECHAT_CONCURRENCY", "1.5"},
		{"DETECTION_POLL", "60"},
		{"AUDIT_POLL", "-1s"},
		{"WECHAT_RETRY_BASE", "0s"},
		{"DELIVERY_RETRY_BASE", "soon"},
		{"MESSAGE_RETENTION_DAYS", "0"},
		{"MESSAGE_RETENTION_DAYS", "213504"}, // a time.Duration ends before
		{"ALLOW_PRIVATE_TARGETS", "perhaps"},
		{"BUSINESS_UPSTREAM", "127.0.0.1:8090"},
		{"BUSINESS_UPSTREAM", "http://user:password@127.0.0.1:8090"},
		{"TICKET_STALE_AFTER", "half an hour"},
		{"SHUTDOWN_TIMEOUT", "x"},
		{"LOG_LEVEL", "loud"},
		{"LOG_FORMAT", "xml"},
	} {
		_, err := loadConfig(func(name string) string { return map[string]string{test.name: test.value}[name] })
		require.Error(t, err, test.name)
		line := err.Error()
		require.True(t, strings.HasPrefix(line, test.name+" "), line)
		require.Contains(t, line, "e.g. ", line)
		require.NotContains(t, line, "\n")
	}
	_, err := loadConfig(func(name string) string {
		return map[string]string{"DATABASE_URL": "postgres://localhost/x"}[name]
	})
	require.ErrorContains(t, err, "MASTER_KEY")
}

func TestCloudTokenFileIsChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct{ file, want string }{
		{dir, "directory"},
		{"relative/token", "absolute"},
		{dir + "/not-there-yet", ""}, // WeChat Cloud Run writes it later
		{"", ""},
	} {
		_, err := loadConfig(func(name string) string {
			return map[string]string{"WX_COMPONENT_TRANSPORT": "cloudtoken", "WX_CLOUD_TOKEN_FILE": test.file}[name]
		})
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, err, "WX_CLOUD_TOKEN_FILE ")
		require.ErrorContains(t, err, "e.g. ")
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestDurationsHaveNoMinimum(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(func(name string) string {
		return map[string]string{"DETECTION_POLL": "1ms", "MASTER_KEY": sealed.GenerateKey()}[name]
	})
	require.NoError(t, err)
	require.EqualValues(t, 1e6, c.detectionPoll)
}

func TestServeNeedsAnAppID(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), nil, func(string) string { return "" }, streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	require.ErrorContains(t, err, "WX_APPID")
}
