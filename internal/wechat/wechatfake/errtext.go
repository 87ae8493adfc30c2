package wechatfake

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
)

// newRID makes a request id of WeChat's form: three groups of eight hexadecimal digits, the first one the time.
func newRID(at time.Time) string {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	return fmt.Sprintf("%08x-%08x-%08x", uint32(at.Unix()), //nolint:gosec // a timestamp of 32 bits is WeChat's own form
		binary.BigEndian.Uint32(raw[:4]), binary.BigEndian.Uint32(raw[4:]))
}

// errText is the errmsg WeChat sends with a code. A code not listed is one a test made up.
func errText(code int) string {
	if text, ok := errTexts()[code]; ok {
		return text
	}
	return fmt.Sprintf("unknown error %d", code)
}

func errTexts() map[int]string {
	return map[int]string{
		-1: "system error", -1000: "system error",
		40001: "invalid credential, access_token is invalid or not latest", 40002: "invalid grant_type",
		40003: "invalid openid", 40004: "invalid media type", 40005: "invalid file type", 40006: "invalid media size",
		40007: "invalid media_id", 40013: "invalid appid", 40014: "invalid access_token", 40029: "invalid code",
		40030: "invalid refresh_token", 40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
		40035: "invalid args", 40097: "invalid args", 40125: "invalid appsecret", 40126: "invalid txt file size",
		40159: "invalid length for path, or the data is not json string", 40163: "code been used",
		40164: "invalid ip, not in whitelist", 40169: "invalid length for scene, or the data is not json string",
		40170: "args count exceed count limit", 41001: "access_token missing", 41002: "appid missing",
		41003: "refresh_token missing", 41004: "appsecret missing", 41005: "media data missing", 41006: "media_id missing",
		41008: "missing code", 41018: "missing component_appid", 41021: "missing component_access_token",
		41030: "invalid page", 42001: "access_token expired", 42003: "code expired", 42006: "component_access_token expired",
		42007: "access_token and refresh_token exception", 43001: "require GET method", 43002: "require POST method", 43003: "require https",
		43007: "require bizuser authorize", 43016: "require verify", 44002: "empty post data", 45009: "reach max api daily quota limit",
		45011: "api minute-quota reach limit, must slower, retry next minute", 45029: "qrcode count out of limit",
		45082: "need icp license for the url domain", 45104: "reach max domain quota limit", 47001: "data format error",
		47002: "data format error, do NOT use json unicode encode (\\uxxxx\\uxxxx), please use utf8 encoded text instead!",
		48001: "api unauthorized", 48004: "api forbidden for irregularities", 48006: "forbid to clear quota because of reaching the limit",
		46001: "media data no exist", 53010: "invalid nickname", 53013: "nickname is used", 53200: "modify signature quota limit exceed",
		53201: "signature in black list, can not use", 53202: "modify avatar quota limit exceed", 53204: "signature invalid",
		53301: "category count limit exceed", 53302: "category not allowed for this principal", 53303: "invalid category args",
		53304: "category exists", 53306: "only certificates can be modified", 53307: "only refused category can be modified",
		53308: "category under review cannot be deleted", 53311: "certificates needed",
		89249: "task running", 89250: "task not found", 89253: "lack of some params", 89255: "invalid code",
		91002: "nickname cannot be changed after release", 91003: "invalid rename state", 91004: "invalid nickname", 91007: "nickname is used",
		91009: "nickname need proof", 91011: "audit not found", 91021: "not a beta weapp",
		50002: "user limited", 61003: "component is not authorized by this account", 61004: "access clientip is not registered",
		61005: "component ticket is expired", 61006: "component ticket is invalid", 61007: "api is unauthorized to component",
		61009: "code is invalid", 61010: "code is expired", 61011: "invalid component", 61012: "invalid option name",
		61013: "invalid option value", 61014: "must use component token for component api",
		61015: "must use biz account token for not component api", 61023: "refresh_token is invalid", 61028: "component is unpublished",
		61031: "last submission is under review", 61032: "video must be mp4", 61034: "invalid args", 61035: "the api not need apply",
		61036: "category not match", 61039: "code privacy check is not finished, try again after one minute",
		61040: "code contains privacy api without permission or configuration", 76001: "rid not found", 76002: "invalid rid",
		76003: "cgi_path not found, please check", 76021: "cgi_path not found", 76022: "could not use this cgi_path, no permission",
		800059: "tabbar pagePath not exist", 85001: "user not exist or user cannot be searched",
		85002: "number of tester reach bind limit", 85004: "user already bound", 85006: "invalid tag", 85007: "invalid page address",
		85008: "category not match or not approved", 85009: "already submit a version under auditing", 85010: "missing required data in item_list",
		85011: "invalid title", 85012: "invalid audit id", 85013: "invalid version, ext_json error", 85014: "template not exist",
		85015: "it is not a mini program", 85016: "domain count exceed limit", 85017: "no domain to modify after filtering, please confirm the domain has been set in miniprogram or open platform",
		85018: "domain not be set in open platform, or cannot be used", 85019: "no version is under auditing", 85020: "status not allowed",
		85021: "status not allowed", 85022: "action not allowed", 85023: "item size not in [1, 5]", 85043: "template error",
		85044: "package exceed max limit", 85045: "ext_json path not exist", 85046: "tabbar path missing", 85047: "pages are empty",
		85048: "parse ext_json failed", 85051: "version_desc or preview_info too large", 85052: "app is already released",
		85058: "no valid audit_id exist", 85064: "template not found", 85065: "template list is full",
		85074: "mini program not released", 85077: "category withdrawn, choose again", 85079: "miniprogram has no online release",
		85080: "miniprogram not approved", 85081: "invalid gray percentage", 85082: "gray percentage must be greater than before",
		85083: "search status is banned", 85084: "search status must be 0 or 1", 85085: "submit audit reach limit pls try later",
		85086: "must commit before submit audit", 85087: "navigatetominiprogram appid list empty", 85092: "preview_info format error",
		85093: "preview_info size invalid", 85094: "need add ugc declare", 85301: "some domains are invalid", 85302: "some domains have no icp",
		85303: "some domains are invalid and some have no icp", 85310: "invalid requiredPrivateInfos", 85311: "requiredPrivateInfos are mutually exclusive",
		85312: "requiredPrivateInfos without permission", 86000: "should be called only from third party",
		86001: "component experience version not exists", 86002: "miniprogram has not completed init procedure",
		86007: "miniprogram is banned from submitting", 86008: "provider is banned", 86009: "provider is banned from submitting new miniprograms",
		86010: "provider is banned from submitting iterations", 86069: "owner_setting is required", 86070: "notice_method is required",
		86072: "store_expire_timestamp error", 86073: "ext_file_media_id error", 86074: "no online privacy setting",
		86075: "cannot modify ext file of the online version", 86100: "invalid scheme", 86101: "domain not allowed", 86102: "reach modify limit of this month",
		86103: "check confirm file fail", 87006: "can not submit game", 87011: "gray release is running, cannot revert",
		87012: "forbid revert this version release", 87013: "undo audit quota reached limit", 89014: "invalid support version",
		89019: "no change about webviewdomain", 89020: "webview domain of component is not set", 89021: "webview domain not be set in component",
		89022: "webview domain to delete not exist", 89029: "webview domain exceeds limit", 89033: "invalid wechatid", 89034: "invalid userstr",
		89231: "personal mini program is not supported", 89402: "not in the audit queue", 89403: "cannot speed up this kind",
		89404: "already sped up", 89405: "speed up quota reached limit", 9400001: "unbind the live right first",
		9402202: "concurrent limit", 9402203: "standard template ext_json error", 9402205: "in async processing, query after 1 minute",
		9420000: "reach modify limit of this month", 9420001: "invalid domain", 9420002: "size limit",
	}
}
