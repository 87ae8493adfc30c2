package wechatfake

// pageHTML holds the browser pages: phone width first, no script, no outside resources.
const pageHTML = `{{define "head"}}<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{{.}}</title>
<style>
*{box-sizing:border-box}
body{margin:0;background:#ededed;color:#191919;font:16px/1.5 -apple-system,BlinkMacSystemFont,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
.fake{background:#ffe9b8;color:#6b4a00;text-align:center;padding:8px 12px;font-size:14px}
main{max-width:560px;margin:0 auto;padding:16px 12px 40px}
h1{font-size:20px;margin:8px 4px 4px}
.sub{color:#6b6b6b;font-size:14px;margin:0 4px 12px}
fieldset{border:0;margin:0 0 14px;padding:4px 14px 10px;background:#fff;border-radius:10px}
legend{float:left;width:100%;padding:10px 0 4px;font-size:14px;color:#6b6b6b}
legend+*{clear:both}
label{display:flex;align-items:center;gap:12px;min-height:44px;padding:6px 0;border-top:1px solid #f0f0f0;cursor:pointer}
legend+label{border-top:0}
label img{width:40px;height:40px;border-radius:8px;flex:none}
label input{width:20px;height:20px;flex:none;accent-color:#07c160}
label span{flex:1;min-width:0}
small{display:block;color:#7a7a7a;font-size:13px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.tag{font-style:normal;font-size:12px;color:#07a150;border:1px solid #9ad8b5;border-radius:4px;padding:0 4px;margin-left:6px}
.error{background:#fdecee;color:#b3222f;border-radius:10px;padding:10px 14px;margin:0 0 14px}
.scan{background:#fff;border-radius:10px;padding:16px;margin-bottom:14px;text-align:center;color:#6b6b6b;font-size:14px}
.scan b{display:block;color:#191919;font-size:16px;margin-bottom:4px}
.bar{display:flex;gap:12px;position:sticky;bottom:0;background:#ededed;padding:12px 0}
button{flex:1;min-height:48px;border:0;border-radius:10px;font:inherit;cursor:pointer}
#agree{background:#07c160;color:#fff;font-weight:600;order:2}
#cancel{background:#fff;color:#191919}
button:focus-visible,label:focus-within{outline:2px solid #0a7cff;outline-offset:2px}
.card{background:#fff;border-radius:10px;padding:28px 20px;text-align:center}
</style></head><body><div class="fake" role="note">模拟微信 · 这不是真实的微信页面</div><main>{{end}}

{{define "consent"}}{{template "head" "授权第三方平台"}}
<h1>授权第三方平台</h1>
{{if .PC}}<p class="sub">真实的微信在这里显示二维码，由账号管理员用微信扫描。</p>
<div class="scan"><b>模拟扫码</b>选择以哪个账号管理员的身份扫码，并在“手机上”确认授权</div>
{{else}}<p class="sub">选择要授权的账号，确认授予的权限。</p>{{end}}
{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
<form id="consent" method="post" action="{{.Base}}/consent">
<input type="hidden" name="consent" value="{{.ID}}">
<fieldset><legend>{{if .PC}}扫码的账号{{else}}选择账号{{end}}</legend>
{{range .Accounts}}<label><input type="radio" name="appid" value="{{.AppID}}"{{if .Checked}} checked{{end}}>
<img src="{{.Avatar}}" alt="" width="40" height="40"><span>{{.NickName}}<i class="tag">{{.Kind}}</i>{{if .Authorized}}<i class="tag">已授权</i>{{end}}<small>{{.Principal}}</small></span></label>
{{end}}</fieldset>
{{range .Groups}}<fieldset><legend>{{.Title}}</legend>
{{range .Scopes}}<label><input type="checkbox" name="func" value="{{.ID}}" checked><span>{{.Name}}</span></label>
{{end}}</fieldset>{{end}}
<div class="bar"><button id="agree" type="submit" name="decision" value="agree">同意授权</button>
<button id="cancel" type="submit" name="decision" value="cancel">取消</button></div>
</form></main></body></html>{{end}}

{{define "notice"}}{{template "head" .Title}}<div class="card"><h1>{{.Title}}</h1><p>{{.Text}}</p></div></main></body></html>{{end}}

{{define "register"}}{{template "head" "注册小程序"}}<div class="card"><h1>注册小程序</h1><p>服务商请您确认以「{{.Name}}」注册小程序，并授权其代为管理。</p>
<form method="post" action="{{.Base}}/register/{{.Key}}"><button>确认注册</button></form></div></main></body></html>{{end}}

{{define "voucher"}}{{template "head" .Title}}<h1>{{.Title}}</h1>
<p class="sub">真实的微信在这里显示二维码，由账号管理员用微信扫描。</p>
<form id="voucher" method="post" action="{{.Address}}"><div class="scan"><b>{{.Name}}</b>{{.Ask}}</div>
<div class="bar"><button id="agree" type="submit" name="decision" value="agree">确认</button>
<button id="cancel" type="submit" name="decision" value="cancel">取消</button></div></form></main></body></html>{{end}}

{{define "cloudshare"}}{{template "head" "使用云环境"}}<div class="card"><h1>使用云环境</h1><p>服务商请您确认小程序「{{.Name}}」使用其云环境 {{.Env}}。</p>
<form method="post" action="{{.Base}}/cloud-share/{{.Key}}"><button>确认使用</button></form></div></main></body></html>{{end}}`
