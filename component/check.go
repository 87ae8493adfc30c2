package component

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Check is one answer to "does this work?". Hint says what to do; it is empty where all is well.
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
	checks = append(checks, s.checkCredentials(ctx), s.checkTicket(ctx), s.checkToken(ctx))
	checks = append(checks, s.checkCalls(ctx)...)
	checks = append(checks, s.checkCallback(ctx))
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

func (s *Service) checkTicket(ctx context.Context) Check {
	c := Check{Name: "ticket"}
	status, err := s.TicketStatus(ctx)
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
		return c
	}
	c.Hint = say(ctx, "微信每 10 分钟推送一次。请检查开放平台里的授权事件接收URL、消息校验Token 和消息加解密Key，然后重新启动推送。",
		"WeChat pushes one every ten minutes. Check 授权事件接收URL, token and AES key in the console, then restart the push.")
	return c
}

func (s *Service) checkToken(ctx context.Context) Check {
	c := Check{Name: "access_token"}
	token, err := s.AccessToken(ctx)
	if err != nil {
		return failed(ctx, c.Name, err)
	}
	c.OK = true
	left := token.ExpiresAt.Sub(s.now()).Round(time.Second)
	c.Detail = say(ctx, fmt.Sprintf("有效期还有 %s", left), fmt.Sprintf("Good for another %s", left))
	return c
}

// checkCalls makes calls as the platform: they show whether WeChat takes them from our address, and the domains.
func (s *Service) checkCalls(ctx context.Context) []Check {
	list := Check{Name: "ip_whitelist"}
	d, err := s.Domains(ctx)
	domains := failed(ctx, "domains", err)
	refusal, refused := errors.AsType[*wechat.APIError](err)
	switch {
	case err == nil:
		domains = Check{Name: "domains", OK: true}
		domains.Detail = say(ctx, fmt.Sprintf("%d 个服务器域名，%d 个业务域名", len(d.Server), len(d.Webview)),
			fmt.Sprintf("%d server domains, %d web-view domains", len(d.Server), len(d.Webview)))
		list.OK = true
	case refused && notListed(refusal.Code):
		list = failed(ctx, list.Name, err)
		return []Check{list, domains}
	case refused:
		list.OK = true
	}
	if list.OK {
		list.Detail = say(ctx, "微信接受了来自本机地址的调用", "WeChat took a call from our address")
		return []Check{list, domains}
	}
	list.Detail = say(ctx, "其他问题解决后才能得知", "Not known before the other problems are solved")
	list.Hint = say(ctx, "请先处理 access_token 一项，然后再次检查。", "See to access_token first, then check again.")
	return []Check{list, domains}
}

// notListed reports whether a code says that our address is not in 白名单IP地址列表.
func notListed(code int) bool { return code == 61004 || code == 40164 || code == 45035 }

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
