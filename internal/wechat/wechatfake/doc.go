// Package wechatfake is a WeChat with state behind http.Handler: the tests and `wxsteward simulate` talk to it as they
// would to api.weixin.qq.com, mp.weixin.qq.com and open.weixin.qq.com.
//
// It is written against the wire format and shares no code with the client, so that a mistake in the client cannot hide
// behind the same mistake here. It says no where WeChat says no: token kinds, verbs, bodies, permission sets, quotas and
// the three slots of a mini program (trial version, audit, live version) with the rules which call is legal when. Where
// WeChat's own documents are silent the choice made here is marked "modelled" in a comment.
//
// What a merchant, a reviewer or bad luck does is played through the methods of Server, or through the same as JSON
// under /_control/ (control_http.go).
package wechatfake
