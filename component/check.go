package component

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Check is one answer to "does this work?". Hint says what to do; it is empty where all is well, and a warning where OK is
// true all the same.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// RunChecks tries what the platform account depends on. A check that fails is an answer, not an error.
func (s *Service) RunChecks(ctx context.Context) []Check {
	checks := []Check{s.checkDatabase(ctx)}
	if !checks[0].OK {
		return checks // everything else would say the same
	}
	ticket, err := s.TicketStatus(ctx)
	checks = append(checks, s.checkCredentials(ctx), s.checkTicket(ctx, ticket, err), s.checkToken(ctx))
	checks = append(checks, s.checkCalls(ctx)...)
	callback := s.checkCallback(ctx)
	if ticket.Present { // it came there; nothing else shows from inside that WeChat reaches the address
		age := ticket.Age.Round(time.Second)
		callback.Detail += say(ctx, fmt.Sprintf("（微信最近一次推送 ticket：%s 前）", age), fmt.Sprintf(" (WeChat last pushed a ticket %s ago)", age))
	}
	checks = append(checks, callback)
	for _, check := range s.checks {
		checks = append(checks, check(ctx))
	}
	return checks
}

// AddCheck adds a check of another package. Call it before anything is served.
func (s *Service) AddCheck(check func(ctx context.Context) Check) { s.checks = append(s.checks, check) }

func failed(ctx context.Context, name string, err error) Check {
	p := fault.ProblemFor(err, fault.LangFrom(ctx))
	c := Check{Name: name, Detail: p.Detail}
	if silence, ok := errors.AsType[*wechat.TransportError](err); ok && silence.Explain(fault.LangFrom(ctx)) != "" {
		c.Detail, c.Hint = fault.ProblemOf(fault.WeChatUnavailable, "", fault.LangFrom(ctx)).Detail, silence.Explain(fault.LangFrom(ctx))
	}
	if p.WeChat != nil {
		c.Detail = fmt.Sprintf("errcode %d: %s", p.WeChat.ErrCode, p.WeChat.ErrMsg)
		if p.WeChat.RID != "" {
			c.Detail += " (rid " + p.WeChat.RID + ")"
		}
		c.Hint = p.WeChat.Hint
	}
	return c
}

func (s *Service) checkDatabase(ctx context.Context) Check {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	version, err := ping(ctx, s.deps.DB)
	if err != nil {
		c := failed(ctx, "database", err)
		c.Hint = say(ctx, "请检查 PostgreSQL 是否在运行以及 DATABASE_URL。", "Check that PostgreSQL runs, and DATABASE_URL.")
		return c
	}
	return Check{Name: "database", OK: true, Detail: "PostgreSQL " + version}
}

func (s *Service) checkCredentials(ctx context.Context) Check {
	c := Check{Name: "credentials"}
	creds, err := s.credentials(ctx)
	if err != nil {
		return failed(ctx, c.Name, err)
	}
	var missing []string
	for _, item := range []struct {
		source Source
		name   string
	}{
		{creds.sources.AppSecret, "AppSecret"},
		{creds.sources.MessageToken, "消息校验Token"},
		{creds.sources.EncodingAESKey, "消息加解密Key"},
	} {
		if item.source == SourceMissing {
			missing = append(missing, item.name)
		}
	}
	if len(missing) == 0 {
		c.OK, c.Detail = true, say(ctx, "均已设置", "All are set")
		return c
	}
	c.Detail = say(ctx, fmt.Sprintf("未设置：%v", missing), fmt.Sprintf("Not set: %v", missing))
	c.Hint = say(ctx, "请从微信开放平台的开发资料中复制并填写到平台设置。", "Copy them from 开发资料 in WeChat's open platform console into the platform settings.")
	return c
}

func (s *Service) checkTicket(ctx context.Context, status TicketStatus, err error) Check {
	c := Check{Name: "ticket"}
	if err != nil {
		return failed(ctx, c.Name, err)
	}
	age := status.Age.Round(time.Second)
	switch {
	case !status.Present:
		c.Detail = say(ctx, "还没有收到 ticket", "No ticket has come yet")
	case status.Stale:
		c.Detail = say(ctx, fmt.Sprintf("最近一次 ticket 在 %s 前收到", age), fmt.Sprintf("The last ticket came %s ago", age))
	default:
		c.OK = true
		c.Detail = say(ctx, fmt.Sprintf("%s 前收到", age), fmt.Sprintf("Received %s ago", age))
		if status.Health == TicketWarn {
			_, stale, _ := s.ticketLimits()
			c.Hint = say(ctx, fmt.Sprintf("微信每 10 分钟推送一次，这次晚了；超过 %s 会自动重新启动推送。", stale),
				fmt.Sprintf("WeChat pushes one every ten minutes, so this is late. After %s the push is restarted by itself.", stale))
		}
		return c
	}
	c.Hint = say(ctx, "微信每 10 分钟推送一次。请检查开放平台里的授权事件接收URL、消息校验Token 和消息加解密Key，然后重新启动推送。",
		"WeChat pushes one every ten minutes. Check 授权事件接收URL, token and AES key in the console, then restart the push.")
	return c
}

func (s *Service) checkToken(ctx context.Context) Check {
	c := Check{Name: "access_token"}
	if s.cfg.Transport != wechat.TransportToken {
		c.OK = true
		c.Detail = say(ctx, fmt.Sprintf("当前方式（%s）调用平台接口不用它；业务系统来取时才向微信获取", s.cfg.Transport),
			fmt.Sprintf("Not needed for calls by %s; it is got from WeChat when a business system asks for one", s.cfg.Transport))
		return c
	}
	token, err := s.AccessToken(ctx)
	if err != nil {
		return failed(ctx, c.Name, err)
	}
	c.OK = true
	left := token.ExpiresAt.Sub(s.now()).Round(time.Second)
	c.Detail = say(ctx, fmt.Sprintf("有效期还有 %s", left), fmt.Sprintf("Good for another %s", left))
	return c
}

// checkCalls makes calls as the platform: they show whether the transport works, whether WeChat takes calls from our
// address, and the domains.
func (s *Service) checkCalls(ctx context.Context) []Check {
	d, err := s.Domains(ctx)
	domains := failed(ctx, "domains", err)
	if err == nil {
		domains = Check{Name: "domains", OK: true}
		domains.Detail = say(ctx, fmt.Sprintf("%d 个服务器域名，%d 个业务域名", len(d.Server), len(d.Webview)),
			fmt.Sprintf("%d server domains, %d web-view domains", len(d.Server), len(d.Webview)))
	}
	switch s.cfg.Transport {
	case wechat.TransportOpenAPI:
		return []Check{s.checkOpenAPI(ctx, err), s.checkAddress(ctx, err), domains}
	case wechat.TransportCloudToken:
		return []Check{s.checkCloudToken(ctx), s.checkAddress(ctx, err), domains}
	case wechat.TransportToken:
	}
	return []Check{s.checkAddress(ctx, err), domains}
}

// checkOpenAPI tells whether the open-API service is at work; err is of a call without a token.
func (s *Service) checkOpenAPI(ctx context.Context, err error) Check {
	const tokenMissing = 41001
	c := Check{Name: "open_api"}
	refusal, refused := errors.AsType[*wechat.APIError](err)
	switch {
	case err != nil && !refused, refused && refusal.Code == tokenMissing:
		return failed(ctx, c.Name, err)
	case s.deps.WeChat.ThroughOpenAPI():
		c.OK = true
		c.Detail = say(ctx, "开放接口服务已生效（应答带有 x-openapi-seqid）", "The open-API service is at work (answers carry x-openapi-seqid)")
	case err == nil:
		c.OK = true
		c.Detail = say(ctx, "微信接受了不带令牌的调用", "WeChat took a call without a token")
	default:
		return failed(ctx, c.Name, err)
	}
	return c
}

func (s *Service) checkCloudToken(ctx context.Context) Check {
	const life = 30 * time.Minute
	c := Check{Name: "cloud_token"}
	changed, err := s.deps.WeChat.CloudToken(ctx)
	if err != nil {
		return failed(ctx, c.Name, err)
	}
	age := max(0, s.now().Sub(changed)).Round(time.Second)
	c.OK = age <= life
	c.Detail = say(ctx, fmt.Sprintf("%s 在 %s 前更新", s.cfg.CloudTokenFile, age), fmt.Sprintf("%s changed %s ago", s.cfg.CloudTokenFile, age))
	if !c.OK {
		c.Hint = say(ctx, "令牌有效期 30 分钟，微信每 10 分钟更新一次文件。请检查云托管控制台 → 云调用里的微信令牌，并确认 WX_CLOUD_TOKEN_FILE 指向正确的文件。",
			"The token is good for 30 minutes and WeChat renews the file every 10. Look at 微信令牌 in the Cloud Run console (云调用), and see that WX_CLOUD_TOKEN_FILE names the right file.")
	}
	return c
}

// checkAddress tells whether WeChat takes calls from our addresses; err is of a call made just now.
func (s *Service) checkAddress(ctx context.Context, err error) Check {
	c := Check{Name: "ip_whitelist"}
	if refusal, ok := errors.AsType[*wechat.APIError](err); ok && refusal.AddressRefused() {
		c = failed(ctx, c.Name, err)
		if s.cfg.Mode == ModeCloudRun {
			c.Hint += say(ctx, "云托管的出口 IP 会变化，请改用 WX_COMPONENT_TRANSPORT=openapi 或 cloudtoken。",
				" The address changes in Cloud Run: set WX_COMPONENT_TRANSPORT=openapi or cloudtoken.")
		}
		return c
	}
	lately, readErr := s.RefusedAddresses(ctx)
	if readErr != nil {
		return failed(ctx, c.Name, readErr)
	}
	_, refused := errors.AsType[*wechat.APIError](err)
	switch {
	case len(lately) > 0:
		addresses := make([]string, len(lately))
		for i, r := range lately {
			addresses[i] = r.Address
		}
		list, last := strings.Join(addresses, "; "), lately[0]
		c.Detail = say(ctx, fmt.Sprintf("最近 24 小时微信拒绝过来自 %s 的调用（最后一次：%s，错误码 %d）", list, last.Path, last.ErrCode),
			fmt.Sprintf("In the last 24 hours WeChat refused calls from %s (last: %s, errcode %d)", list, last.Path, last.ErrCode))
		c.Hint = say(ctx, fmt.Sprintf("请把 %s 加入开放平台 → 第三方平台 → 开发资料的“白名单IP地址列表”。", list),
			fmt.Sprintf("Add %s to the platform's IP whitelist (白名单IP地址列表) in the open platform console.", list))
	case err != nil && !refused:
		c.Detail = say(ctx, "其他问题解决后才能得知", "Not known before the other problems are solved")
		c.Hint = say(ctx, "请先处理其他未通过的项目，然后再次检查。", "See to the other checks first, then check again.")
	case s.cfg.Transport != wechat.TransportToken:
		c.OK = true
		c.Detail = say(ctx, "经云托管的平台调用不需要白名单；用商户令牌的调用最近没有被拒绝", "Calls of the platform by way of Cloud Run need no entry; none with a merchant's token was refused lately")
	default:
		c.OK = true
		c.Detail = say(ctx, "微信接受了来自本机地址的调用", "WeChat took a call from our address")
	}
	return c
}

// checkCallback looks at the address WeChat is told to push to; it cannot see from here whether WeChat reaches it.
func (s *Service) checkCallback(ctx context.Context) Check {
	c := Check{Name: "callback_url", Detail: s.componentURL()}
	u := s.cfg.PublicURL
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	local := host == "localhost" || err == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast())
	port := u.Port()
	switch {
	case s.cfg.Mode == ModeCloudRun:
		c.OK = true
	case local:
		c.Hint = say(ctx, "微信无法访问本机或内网地址，请把 PUBLIC_URL 设为公网域名。",
			"WeChat cannot reach a local or private address. Set PUBLIC_URL to a public domain.")
	case port != "" && port != "80" && port != "443":
		c.Hint = say(ctx, "微信只推送到 80 和 443 端口。", "WeChat pushes to ports 80 and 443 only.")
	case u.Scheme != "http" && u.Scheme != "https":
		c.Hint = say(ctx, "PUBLIC_URL 须以 http:// 或 https:// 开头。", "PUBLIC_URL must begin with http:// or https://.")
	default:
		c.OK = true
	}
	return c
}

func (s *Service) componentURL() string {
	return s.cfg.PublicURL.JoinPath("wxcallback", "component").String()
}

// bizURL holds $APPID$, which WeChat replaces by the merchant's appid.
func (s *Service) bizURL() string {
	return s.cfg.PublicURL.JoinPath("wxcallback", "biz").String() + "/$APPID$"
}
