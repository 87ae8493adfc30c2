package authorize

import (
	"context"
	"fmt"

	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/fault"
)

// codeScope is the permission set without which nothing can be done for a mini program: 小程序开发与数据分析.
const codeScope = 18

// CheckScopes is a check of the platform: have all mini programs granted what their releases need?
func (s *Service) CheckScopes(ctx context.Context) component.Check {
	c := component.Check{Name: "permission_sets"}
	all, lacking, err := countLacking(ctx, s.db, codeScope)
	lang := fault.LangFrom(ctx)
	if err != nil {
		c.Detail = fault.ProblemFor(err, lang).Detail
		return c
	}
	c.OK = lacking == 0
	c.Detail = fmt.Sprintf("%d 个已授权的小程序中，%d 个没有授予权限集 %d", all, lacking, codeScope)
	if lang == fault.English {
		c.Detail = fmt.Sprintf("Of %d authorized mini programs, %d have not granted permission set %d", all, lacking, codeScope)
	}
	switch {
	case c.OK:
	case lang == fault.English:
		c.Hint = "Add the permission set to the platform in WeChat's console, then have these merchants authorize again."
	default:
		c.Hint = "请在开放平台为第三方平台勾选该权限集，然后请这些商户重新授权。"
	}
	return c
}

// scopeNames names permission sets for a merchant. New ones appear all the time, so an unknown one goes by its number.
func scopeNames(ids []int, lang string) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		zh, en := scopeName(id)
		switch {
		case lang == fault.English && en != "":
			names = append(names, en)
		case lang == fault.English:
			names = append(names, fmt.Sprintf("Permission set %d", id))
		case zh != "":
			names = append(names, zh)
		default:
			names = append(names, fmt.Sprintf("权限集 %d", id))
		}
	}
	return names
}

// scopeName names a selection of the permission sets (权限集): those that service providers ask for most.
func scopeName(id int) (zh, en string) {
	switch id {
	case 1:
		return "消息管理", "Messages"
	case 2:
		return "用户管理", "Users"
	case 3:
		return "账号服务", "Account services"
	case 4:
		return "网页服务", "Web services"
	case 6:
		return "微信多客服", "Customer service"
	case 7:
		return "群发与通知", "Broadcasts and notices"
	case 11:
		return "素材管理", "Media library"
	case 15:
		return "菜单管理", "Menus"
	case 17:
		return "获取小程序码", "Mini program codes"
	case 18:
		return "小程序开发与数据分析", "Mini program development and analytics"
	case 19:
		return "小程序客服管理", "Mini program customer service"
	case 24, 25:
		return "开放平台账号管理", "Open platform account"
	case 27:
		return "快速注册小程序", "Fast mini program registration"
	case 30:
		return "小程序基本信息管理", "Mini program basic information"
	case 31:
		return "小程序认证名称检测", "Mini program name check"
	case 33:
		return "小程序关联管理", "Linked mini programs"
	case 37:
		return "附近的小程序管理", "Nearby mini programs"
	case 40:
		return "小程序插件管理", "Mini program plug-ins"
	case 45:
		return "微信物流服务", "WeChat logistics"
	case 49:
		return "小程序云开发管理", "Mini program cloud base"
	case 51:
		return "小程序即时配送", "Instant delivery"
	case 52:
		return "小程序直播管理", "Live streams"
	case 57:
		return "小程序搜索", "Mini program search"
	case 65:
		return "小程序广告管理", "Advertising"
	case 73:
		return "标准版交易组件接入", "Trade component"
	case 76:
		return "小程序违规与交易投诉管理", "Violations and complaints"
	case 88:
		return "小程序链接管理", "Mini program links"
	case 142:
		return "小程序发货管理服务", "Shipping management"
	case 156:
		return "小程序备案", "ICP filing"
	}
	return "", ""
}
