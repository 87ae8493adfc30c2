package wechatfake

import "net/http"

// endpoints is every API this WeChat has. Anything else is HTTP 404 and counted.
func (s *Server) endpoints() map[string]endpoint {
	const get, post = http.MethodGet, http.MethodPost
	dev := []int{18}           // 小程序开发与数据分析
	devOrCode := []int{18, 86} // get_qrcode
	codes := []int{17, 58}     // 获取小程序码
	basic := []int{30}         // 小程序基本信息管理
	filing := []int{18, 156}   // 小程序备案
	material := []int{11, 18}  // modelled: 素材管理, or 18 for rejection screenshots
	service := []int{1, 7, 19} // 消息管理, 群发与通知, 小程序客服
	cloud := []int{49}         // 小程序云开发管理
	query := endpoint{reads: true}

	component := func(handle func(*call) reply) endpoint {
		return endpoint{method: post, token: componentToken, handle: handle}
	}
	read := func(method string, scopes []int, handle func(*call) reply) endpoint {
		e := query
		e.method, e.token, e.scopes, e.handle = method, authorizerToken, scopes, handle
		return e
	}
	write := func(scopes []int, handle func(*call) reply) endpoint {
		return endpoint{method: post, token: authorizerToken, scopes: scopes, handle: handle}
	}
	exclusive := func(method string, handle func(*call) reply) endpoint {
		return endpoint{method: method, token: authorizerToken, scopes: dev, exclusive: true, durable: true, handle: handle}
	}
	reading := func(e endpoint) endpoint { e.reads = true; return e }
	durable := func(e endpoint) endpoint { e.durable = true; return e }

	return map[string]endpoint{
		// tokens and authorizers
		"/cgi-bin/component/api_start_push_ticket":     {method: post, handle: s.startPushTicket},
		"/cgi-bin/component/api_component_token":       {method: post, durable: true, handle: s.componentToken},
		"/cgi-bin/component/api_create_preauthcode":    durable(component(s.createPreAuthCode)),
		"/cgi-bin/component/api_query_auth":            durable(component(s.queryAuth)),
		"/cgi-bin/component/api_authorizer_token":      durable(component(s.authorizerToken)),
		"/cgi-bin/component/api_get_authorizer_info":   reading(component(s.authorizerInfo)),
		"/cgi-bin/component/api_get_authorizer_list":   reading(component(s.authorizerList)),
		"/cgi-bin/component/api_get_authorizer_option": reading(component(s.getOptionByComponent)),
		"/cgi-bin/component/api_set_authorizer_option": component(s.setOptionByComponent),
		"/cgi-bin/component/get_authorizer_option":     read(post, nil, s.getOption),
		"/cgi-bin/component/set_authorizer_option":     write(nil, s.setOption),

		// quotas
		"/cgi-bin/clear_quota":              {method: post, token: anyToken, handle: s.clearQuota},
		"/cgi-bin/component/clear_quota":    component(s.clearComponentQuota),
		"/cgi-bin/component/clear_quota/v2": {method: post, handle: s.clearQuotaBySecret},
		"/cgi-bin/openapi/quota/clear":      {method: post, token: anyToken, handle: s.clearOneQuota},
		"/cgi-bin/openapi/quota/get":        {method: post, token: anyToken, reads: true, handle: s.quotaGet},
		"/cgi-bin/openapi/rid/get":          {method: post, token: anyToken, reads: true, handle: s.ridGet},

		// templates
		"/wxa/gettemplatedraftlist": {method: get, token: componentToken, reads: true, handle: s.draftList},
		"/wxa/addtotemplate":        durable(component(s.addToTemplate)),
		"/wxa/gettemplatelist":      {method: get, token: componentToken, reads: true, handle: s.templateList},
		"/wxa/deletetemplate":       component(s.deleteTemplate),

		// code
		"/wxa/commit":                            exclusive(post, s.commit),
		"/wxa/security/get_code_privacy_info":    read(get, dev, s.codePrivacyInfo),
		"/wxa/get_page":                          read(get, dev, s.getPage),
		"/wxa/get_qrcode":                        read(get, devOrCode, s.trialQRCode),
		"/wxa/get_category":                      read(get, dev, s.getCategory),
		"/cgi-bin/wxopen/getcategory":            read(get, basic, s.wxopenCategories),
		"/wxa/uploadmedia":                       {method: post, token: authorizerToken, scopes: dev, upload: true, handle: s.uploadAuditMedia},
		"/cgi-bin/media/upload":                  {method: post, token: authorizerToken, upload: true, handle: s.uploadTempMedia},
		"/cgi-bin/material/get_material":         read(post, material, s.getMaterial),
		"/wxa/submit_audit":                      exclusive(post, s.submitAudit),
		"/wxa/get_auditstatus":                   read(post, dev, s.auditStatus),
		"/wxa/get_latest_auditstatus":            read(get, dev, s.latestAuditStatus),
		"/wxa/undocodeaudit":                     exclusive(get, s.undoAudit),
		"/wxa/speedupaudit":                      write(dev, s.speedUpAudit),
		"/wxa/queryquota":                        read(get, dev, s.queryQuota),
		"/wxa/release":                           exclusive(post, s.release),
		"/wxa/revertcoderelease":                 exclusive(get, s.revertRelease),
		"/wxa/grayrelease":                       exclusive(post, s.grayRelease),
		"/wxa/revertgrayrelease":                 exclusive(get, s.revertGray),
		"/wxa/getgrayreleaseplan":                read(get, dev, s.grayPlanInfo),
		"/wxa/change_visitstatus":                write(dev, s.changeVisitStatus),
		"/wxa/getvisitstatus":                    read(post, dev, s.visitStatus),
		"/cgi-bin/wxopen/getweappsupportversion": read(post, dev, s.supportVersion),
		"/cgi-bin/wxopen/setweappsupportversion": write(dev, s.setSupportVersion),
		"/wxa/getversioninfo":                    read(post, dev, s.versionInfo),
		"/wxa/changewxasearchstatus":             write(dev, s.setSearchStatus),
		"/wxa/getwxasearchstatus":                read(get, dev, s.searchStatus),
		"/wxa/getwxacodeunlimit":                 read(post, codes, s.wxaCodeUnlimited),
		"/wxa/getwxacode":                        read(post, codes, s.wxaCode),
		"/cgi-bin/wxaapp/createwxaqrcode":        read(post, codes, s.wxaCode),

		// domains
		"/cgi-bin/component/modify_wxa_server_domain": durable(component(s.modifyServerDomain)),
		"/cgi-bin/component/modify_wxa_jump_domain":   durable(component(s.modifyJumpDomain)),
		"/cgi-bin/component/get_domain_confirmfile":   reading(component(s.confirmFile)),
		"/wxa/modify_domain":                          write(dev, s.modifyDomain),
		"/wxa/modify_domain_directly":                 write(dev, s.modifyDomainDirectly),
		"/wxa/setwebviewdomain":                       write(dev, s.setWebviewDomain),
		"/wxa/setwebviewdomain_directly":              write(dev, s.setWebviewDomainDirectly),
		"/wxa/get_webviewdomain_confirmfile":          read(post, dev, s.confirmFile),
		"/wxa/get_effective_domain":                   read(post, dev, s.effectiveDomain),
		"/wxa/get_effective_webviewdomain":            read(post, dev, s.effectiveWebviewDomain),
		"/wxa/get_prefetchdnsdomain":                  read(get, dev, s.prefetchDomains),
		"/wxa/set_prefetchdnsdomain":                  write(dev, s.setPrefetchDomains),

		// privacy
		"/cgi-bin/component/setprivacysetting":    write(dev, s.setPrivacy),
		"/cgi-bin/component/getprivacysetting":    read(post, dev, s.getPrivacy),
		"/cgi-bin/component/uploadprivacyextfile": {method: post, token: authorizerToken, scopes: dev, upload: true, handle: s.uploadPrivacyFile},
		"/wxa/security/get_privacy_interface":     read(get, dev, s.privacyInterfaces),
		"/wxa/security/apply_privacy_interface":   write(dev, s.applyPrivacyInterface),

		// basic information and categories
		"/cgi-bin/account/getaccountbasicinfo":    read(get, basic, s.basicInfo),
		"/cgi-bin/wxverify/checkwxverifynickname": read(post, []int{30, 31}, s.checkNickname),
		"/wxa/setnickname":                        durable(write(basic, s.setNickname)),
		"/wxa/api_wxa_querynickname":              read(post, basic, s.queryNickname),
		"/cgi-bin/account/modifyheadimage":        durable(write(basic, s.setAvatar)),
		"/cgi-bin/account/modifysignature":        durable(write(basic, s.setSignature)),
		"/cgi-bin/wxopen/getallcategories":        read(get, basic, s.allCategories),
		"/cgi-bin/wxopen/addcategory":             durable(write(basic, s.addCategories)),
		"/cgi-bin/wxopen/deletecategory":          durable(write(basic, s.deleteCategory)),
		"/cgi-bin/wxopen/modifycategory":          durable(write(basic, s.modifyCategory)),

		// registration
		"/cgi-bin/component/fastregisterweapp":        component(s.retired),
		"/wxa/component/fastregisterenterpriseweapp":  durable(component(s.registration(RegisterEnterprise, "name", "code", "component_phone"))),
		"/wxa/component/fastregisterpersonalweapp":    durable(component(s.registration(RegisterPersonal, "idname", "wxuser"))),
		"/wxa/component/fastregistertransactionweapp": durable(component(s.registration(RegisterUpgrade, "openid", "component_phone"))),
		"/wxa/component/fastregisterbetaweapp":        durable(component(s.registration(RegisterTrial, "name", "openid"))),
		"/wxa/verifybetaweapp":                        durable(write(dev, s.registration(ConvertEnterprise, "enterprise_name", "code", "component_phone"))),
		"/wxa/component/fastnormalizebetaweapp":       durable(write([]int{18, 30, 76, 81, 85}, s.registration(ConvertUpgrade, "component_phone"))),
		"/cgi-bin/account/fastregister":               durable(write([]int{27}, s.fastRegister)),
		"/cgi-bin/account/componentrebindadmin":       durable(write(basic, s.rebindAdmin)),
		"/wxa/setbetaweappnickname":                   write(dev, s.renameTrial),

		// cloud environments
		"/componenttcb/describeenvs":               reading(component(s.describeEnvs)),
		"/componenttcb/describecloudbaserunenvs":   reading(component(s.describeRunEnvs)),
		"/componenttcb/createenv":                  durable(component(s.createEnv(false))),
		"/componenttcb/createcloudbaserunenv":      durable(component(s.createEnv(true))),
		"/componenttcb/batchgetenvid":              reading(component(s.envsOf)),
		"/componenttcb/getcslist":                  reading(component(s.cloudServices)),
		"/componenttcb/getcsversionlist":           reading(component(s.cloudVersions)),
		"/componenttcb/batchsetcspropotion":        component(s.setCloudTraffic),
		"/componenttcb/releasecloudbaserunversion": component(s.releaseCloudVersion),
		"/componenttcb/batchshareenv":              durable(component(s.shareEnv)),
		"/tcb/usecloudaccesstoken":                 component(s.useCloudToken),
		"/tcb/getcallbackconfig":                   read(post, cloud, s.callbackConfig),
		"/tcb/setcallbackconfig":                   write(cloud, s.setCallbackConfig),

		// members, filing, users
		"/wxa/bind_tester":                 write(dev, s.bindTester),
		"/wxa/unbind_tester":               write(dev, s.unbindTester),
		"/wxa/memberauth":                  read(post, dev, s.testers),
		"/wxa/icp/get_icp_entrance_info":   read(get, filing, s.icpEntranceInfo),
		"/sns/component/jscode2session":    {method: get, token: componentToken, handle: s.jsCodeToSession},
		"/wxa/business/getuserphonenumber": write(dev, s.userPhoneNumber),
		"/wxa/getopendata":                 reading(component(s.openData)),
		"/cgi-bin/message/custom/send":     write(service, s.customSend),
	}
}
