package wechat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// Transport says how the calls of the platform itself prove who makes them. Calls for merchants carry the merchant's own
// authorizer_access_token in every transport: WeChat takes them without one only for mini programs that share the platform's
// cloud environment.
//
// WeChat docs: https://developers.weixin.qq.com/miniprogram/dev/wxcloudrun/src/guide/weixin/open.html
type Transport string

// The transports. "" counts as TransportToken.
const (
	// TransportToken sends the component_access_token. Our address must be on the platform's whitelist (白名单IP地址列表).
	TransportToken Transport = "token"
	// TransportOpenAPI sends no token: in WeChat Cloud Run the open-API service (开放接口服务) beside the program adds it. It
	// takes plain HTTP, and only the paths on its own list (云调用 → 微信令牌权限配置), see PlatformPaths.
	TransportOpenAPI Transport = "openapi"
	// TransportCloudToken sends the cloudbase_access_token that WeChat Cloud Run keeps in a file (微信令牌).
	TransportCloudToken Transport = "cloudtoken"
)

const (
	plainBaseURL = "http://api.weixin.qq.com"
	// seqHeader is on every answer that came through the open-API service.
	seqHeader = "X-Openapi-Seqid"
)

// credential is what one exchange proves itself with, and where it goes.
type credential struct {
	appid string
	token sealed.Secret // zero: none
	param string        // name of the token in the query
	base  string        // with a slash at the end
	via   Transport
}

// bare is for the calls that prove themselves by a secret in their body. They take the encrypted way in every transport:
// while the open-API service is not there, plain HTTP would carry the app secret through the internet.
func (c *Client) bare() credential {
	return credential{appid: c.appid, base: c.secureBase, via: c.transport}
}

// credential is for a call of this account.
func (a account) credential(token sealed.Secret) credential {
	cred := credential{appid: a.appid, token: token, param: "access_token", base: a.client.secureBase, via: TransportToken}
	if !a.component {
		return cred
	}
	cred.base, cred.via = a.client.base, a.client.transport
	if cred.via == TransportCloudToken {
		cred.param = "cloudbase_access_token"
	}
	return cred
}

// tokenless reports whether the open-API service adds the token to the calls of this account.
func (a account) tokenless() bool { return a.component && a.client.transport == TransportOpenAPI }

// ThroughOpenAPI reports whether the last answer to a call without a token came through the open-API service, by the
// header x-openapi-seqid; false before the first answer.
func (c *Client) ThroughOpenAPI() bool { return c.throughOpenAPI.Load() }

// CloudToken reads the file of TransportCloudToken. It fails with *CloudTokenError. changedAt is the time of its last change.
func (c *Client) CloudToken(ctx context.Context) (changedAt time.Time, err error) {
	if _, err := c.cloud.Token(ctx); err != nil {
		return time.Time{}, err
	}
	info, err := os.Stat(c.cloud.file)
	if err != nil {
		return time.Time{}, &CloudTokenError{File: c.cloud.file, Problem: CloudTokenUnreadable, Err: err}
	}
	return info.ModTime(), nil
}

// newPool is the client's own connection pool. roots, if there is such a file, holds certificates trusted beside the
// system's: with the open-API service on, https://api.weixin.qq.com is answered by it, under a certificate of its own.
func newPool(concurrency int, roots string) *http.Transport {
	pool := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        concurrency,
		MaxIdleConnsPerHost: concurrency,
		IdleConnTimeout:     30 * time.Second, // shorter than the peer's, so that few calls meet a closing connection
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if roots == "" {
		return pool
	}
	more, err := os.ReadFile(roots) //nolint:gosec // the operator's machine says which
	if err != nil {
		return pool // the service is off, then nothing is answered under it
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		trusted = x509.NewCertPool()
	}
	trusted.AppendCertsFromPEM(more)
	pool.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	return pool
}
