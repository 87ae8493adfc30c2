package wechatfake

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// controlRoutes is the control API, for a page that plays merchant and reviewer and for tests in other processes.
// Bodies and answers are JSON; an empty body counts as {}. Success is 200 (with {"ok":true} when there is nothing to
// tell), a refusal 400 {"error":"…"}, an unknown merchant 404. It must not be reachable for strangers.
//
//	GET    /_control/state                          View: everything
//	GET    /_control/settings                       Settings
//	PATCH  /_control/settings                       any part of Settings; answers the whole
//	PUT    /_control/addresses                      {event_url, message_url, launch_host}; absent = unchanged
//	POST   /_control/announce                       AnnounceAuthorized → {announced:n}
//
//	GET    /_control/merchants                      [MerchantView]
//	POST   /_control/merchants                      Merchant: add or replace its traits
//	GET    /_control/merchants/{appid}              MerchantView
//	PATCH  /_control/merchants/{appid}              any part of Merchant, e.g. {"icp_status":1024}
//	POST   /_control/merchants/{appid}/authorize    Authorize {scopes?,pre_auth_code?,redirect_uri?,order?,delay?} → Authorization
//	POST   /_control/merchants/{appid}/revoke       cancel the authorization
//	POST   /_control/merchants/{appid}/scopes       {scopes:[18,…]}: change what is granted (updateauthorized)
//	POST   /_control/merchants/{appid}/approve      reviewer: approve the running audit
//	POST   /_control/merchants/{appid}/reject       {reason, screenshots:n}
//	POST   /_control/merchants/{appid}/delay        {reason}
//	POST   /_control/merchants/{appid}/console-submit   the merchant submits in its own console
//	POST   /_control/merchants/{appid}/console-decide   {status:0|1|3|4, reason}: ended outside the API, no event
//	POST   /_control/merchants/{appid}/console-commit   {user_version,user_desc}: code uploaded over ours
//	POST   /_control/merchants/{appid}/console-release  the merchant releases the approved version itself
//	POST   /_control/merchants/{appid}/console-gray     {status:1|2|4, percentage}: gray release resumed, paused, canceled or widened
//	POST   /_control/merchants/{appid}/live         {user_version,user_desc,pages}: put a version online from nowhere
//	POST   /_control/merchants/{appid}/privacy-api  {api_name,granted,reason}: decide an application
//	POST   /_control/merchants/{appid}/message      {fields:{MsgType:"text",Content:"…"}}: push a 消息与事件, order kept
//	POST   /_control/merchants/{appid}/login-code   {openid} → {code}
//	POST   /_control/merchants/{appid}/phone-code   {phone} → {code}
//
//	POST   /_control/merchants/{appid}/nickname     {passed,reason}: decide on the name under review
//	POST   /_control/merchants/{appid}/category     {first,second,passed,reason}: decide on a category
//
//	GET    /_control/registrations                  [Registration]
//	POST   /_control/registrations/{task}/confirm   Confirm {appid?,events?,twice?} → {appid}: the owner has agreed
//	POST   /_control/registrations/{task}/fail      {status,result,msg}
//
//	GET    /_control/cloud-envs                     [CloudEnv]
//	POST   /_control/cloud-envs/{env}/confirm       {appid}: its administrator has agreed to use it
//
//	POST   /_control/drafts                         Draft → {draft_id}
//	POST   /_control/templates                      Template → {template_id}
//	PUT    /_control/platform-domains               {server:[host],webview:[host]}: both copies
//
//	POST   /_control/ticket                         push a new ticket now
//	DELETE /_control/ticket                         forget all tickets, stop pushing
//	POST   /_control/cloud-token                    a new cloudbase_access_token → {token}
//	POST   /_control/probe                          {xml:bool}: CheckContainerPath to both push addresses → [Probe]
//	POST   /_control/event                          {fields:{InfoType:"…",…}}: push any 授权事件
//	POST   /_control/next-events                    {modes:["lose","duplicate","early","usual"]}: for the next audit events
//	POST   /_control/tokens/expire                  {appid: "" component | appid | "*" all merchants, refused: 40001 instead of 42001} → {expired:n}
//
//	POST   /_control/faults                         Fault {path?,appid?,skip?,times?,mode,code?,delay?,names?} → {id}
//	DELETE /_control/faults                         clear
//	GET    /_control/calls?path=&appid=             [Call]
//	DELETE /_control/calls                          clear the log
//	GET    /_control/effective?path=&appid=         {count}
//	GET    /_control/pushes                         [Push]
//	GET    /_control/unknown                        {path: n}
//	GET    /_control/messages                       [SentMessage]
//	GET    /_control/secrets                        every secret issued, for leak tests
func (s *Server) controlRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	s.controlMerchants(mux)
	s.controlWeChat(mux)
	s.controlLogs(mux)
	s.controlRegistrations(mux)
	s.controlCloudEnvs(mux)
	return mux
}

// do answers what fn returns; fn reads its arguments with read.
func do(fn func(r *http.Request, read func(any) error) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		read := func(into any) error {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
			if err != nil || len(body) == 0 {
				return err
			}
			return json.Unmarshal(body, into)
		}
		answer, err := fn(r, read)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, errUnknownMerchant) {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
			answer = map[string]string{"error": err.Error()}
		} else if answer == nil {
			answer = map[string]bool{"ok": true}
		}
		_, _ = w.Write(encode(answer))
	}
}

func (s *Server) controlMerchants(mux *http.ServeMux) {
	mux.HandleFunc("GET /_control/merchants", do(func(*http.Request, func(any) error) (any, error) {
		return s.State().Merchants, nil
	}))
	mux.HandleFunc("POST /_control/merchants", do(func(_ *http.Request, read func(any) error) (any, error) {
		var m Merchant
		if err := read(&m); err != nil {
			return nil, err
		}
		return nil, s.AddMerchant(m)
	}))
	mux.HandleFunc("GET /_control/merchants/{appid}", do(func(r *http.Request, _ func(any) error) (any, error) {
		return s.Merchant(r.PathValue("appid"))
	}))
	mux.HandleFunc("PATCH /_control/merchants/{appid}", do(func(r *http.Request, read func(any) error) (any, error) {
		var patch json.RawMessage
		if err := read(&patch); err != nil {
			return nil, err
		}
		var wrong error
		err := s.ChangeMerchant(r.PathValue("appid"), func(m *Merchant) { wrong = json.Unmarshal(patch, m) })
		return nil, errors.Join(wrong, err)
	}))
	type arguments struct {
		Authorize
		Reason      string   `json:"reason"`
		Screenshots int      `json:"screenshots"`
		Status      int      `json:"status"`
		Percentage  int      `json:"percentage"`
		UserVersion string   `json:"user_version"`
		UserDesc    string   `json:"user_desc"`
		Pages       []string `json:"pages"`
		APIName     string   `json:"api_name"`
		Granted     bool     `json:"granted"`
		Fields      Message  `json:"fields"`
		OpenID      string   `json:"openid"`
		Phone       string   `json:"phone"`
	}
	code := func(value string, err error) (any, error) { return map[string]string{"code": value}, err }
	actions := map[string]func(appid string, in arguments) (any, error){
		"authorize":      func(appid string, in arguments) (any, error) { return s.AuthorizeMerchant(appid, in.Authorize) },
		"revoke":         func(appid string, _ arguments) (any, error) { return nil, s.Revoke(appid) },
		"scopes":         func(appid string, in arguments) (any, error) { return nil, s.UpdateScopes(appid, in.Scopes) },
		"approve":        func(appid string, _ arguments) (any, error) { return nil, s.Approve(appid) },
		"reject":         func(appid string, in arguments) (any, error) { return nil, s.Reject(appid, in.Reason, in.Screenshots) },
		"delay":          func(appid string, in arguments) (any, error) { return nil, s.Delay(appid, in.Reason) },
		"console-submit": func(appid string, _ arguments) (any, error) { return nil, s.ConsoleSubmit(appid) },
		"console-decide": func(appid string, in arguments) (any, error) {
			return nil, s.ConsoleDecide(appid, in.Status, in.Reason)
		},
		"console-commit": func(appid string, in arguments) (any, error) {
			return nil, s.ConsoleCommit(appid, in.UserVersion, in.UserDesc)
		},
		"console-release": func(appid string, _ arguments) (any, error) { return nil, s.ConsoleRelease(appid) },
		"console-gray": func(appid string, in arguments) (any, error) {
			return nil, s.ConsoleGray(appid, in.Status, in.Percentage)
		},
		"live": func(appid string, in arguments) (any, error) {
			return nil, s.PutLive(appid, in.UserVersion, in.UserDesc, in.Pages, s.now())
		},
		"privacy-api": func(appid string, in arguments) (any, error) {
			return nil, s.DecidePrivacyAPI(appid, in.APIName, in.Granted, in.Reason)
		},
		"message":    func(appid string, in arguments) (any, error) { return nil, s.PushMessage(appid, in.Fields) },
		"login-code": func(appid string, in arguments) (any, error) { return code(s.NewLoginCode(appid, in.OpenID)) },
		"phone-code": func(appid string, in arguments) (any, error) { return code(s.NewPhoneCode(appid, in.Phone)) },
	}
	for name, action := range actions {
		mux.HandleFunc("POST /_control/merchants/{appid}/"+name, do(func(r *http.Request, read func(any) error) (any, error) {
			var in arguments
			if err := read(&in); err != nil {
				return nil, err
			}
			return action(r.PathValue("appid"), in)
		}))
	}
}

func (s *Server) controlWeChat(mux *http.ServeMux) {
	mux.HandleFunc("GET /_control/state", do(func(*http.Request, func(any) error) (any, error) { return s.State(), nil }))
	mux.HandleFunc("GET /_control/settings", do(func(*http.Request, func(any) error) (any, error) { return s.Settings(), nil }))
	mux.HandleFunc("PATCH /_control/settings", do(func(_ *http.Request, read func(any) error) (any, error) {
		var patch json.RawMessage
		if err := read(&patch); err != nil {
			return nil, err
		}
		var wrong error
		s.Set(func(set *Settings) {
			changed := deepCopy(*set)
			if wrong = json.Unmarshal(patch, &changed); wrong == nil {
				*set = changed
			}
		})
		return s.Settings(), wrong
	}))
	mux.HandleFunc("PUT /_control/addresses", do(func(_ *http.Request, read func(any) error) (any, error) {
		s.mu.Lock()
		in := struct {
			Event   string `json:"event_url"`
			Message string `json:"message_url"`
			Launch  string `json:"launch_host"`
		}{s.event, s.biz, s.launch}
		s.mu.Unlock()
		if err := read(&in); err != nil {
			return nil, err
		}
		s.SetPushURLs(in.Event, in.Message)
		s.SetLaunchHost(in.Launch)
		return in, nil
	}))
	mux.HandleFunc("POST /_control/announce", do(func(r *http.Request, _ func(any) error) (any, error) {
		return map[string]int{"announced": s.AnnounceAuthorized(r.Context())}, nil
	}))
	mux.HandleFunc("POST /_control/drafts", do(func(_ *http.Request, read func(any) error) (any, error) {
		var d Draft
		if err := read(&d); err != nil {
			return nil, err
		}
		id, err := s.AddDraft(d)
		return map[string]int64{"draft_id": id}, err
	}))
	mux.HandleFunc("POST /_control/templates", do(func(_ *http.Request, read func(any) error) (any, error) {
		var t Template
		if err := read(&t); err != nil {
			return nil, err
		}
		id, err := s.AddTemplate(t)
		return map[string]int64{"template_id": id}, err
	}))
	mux.HandleFunc("PUT /_control/platform-domains", do(func(_ *http.Request, read func(any) error) (any, error) {
		var in struct {
			Server  []string `json:"server"`
			Webview []string `json:"webview"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		s.SetPlatformDomains(in.Server, in.Webview)
		return in, nil
	}))
	mux.HandleFunc("POST /_control/ticket", do(func(*http.Request, func(any) error) (any, error) { s.PushTicket(); return nil, nil }))
	mux.HandleFunc("DELETE /_control/ticket", do(func(*http.Request, func(any) error) (any, error) { s.DropTickets(); return nil, nil }))
	mux.HandleFunc("POST /_control/cloud-token", do(func(*http.Request, func(any) error) (any, error) {
		return map[string]string{"token": s.NewCloudToken()}, nil
	}))
	mux.HandleFunc("POST /_control/probe", do(func(r *http.Request, read func(any) error) (any, error) {
		var in struct {
			XML bool `json:"xml"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return s.CheckContainerPath(r.Context(), in.XML), nil
	}))
	mux.HandleFunc("POST /_control/event", do(func(_ *http.Request, read func(any) error) (any, error) {
		var in struct {
			Fields Message `json:"fields"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		s.PushComponentEvent(in.Fields)
		return nil, nil
	}))
	mux.HandleFunc("POST /_control/next-events", do(func(_ *http.Request, read func(any) error) (any, error) {
		var in struct {
			Modes []string `json:"modes"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return nil, s.NextEvent(in.Modes...)
	}))
	mux.HandleFunc("POST /_control/tokens/expire", do(func(_ *http.Request, read func(any) error) (any, error) {
		var in struct {
			AppID   string `json:"appid"`
			Refused bool   `json:"refused"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return map[string]int{"expired": s.ExpireTokens(in.AppID, in.Refused)}, nil
	}))
}

func (s *Server) controlLogs(mux *http.ServeMux) {
	mux.HandleFunc("POST /_control/faults", do(func(_ *http.Request, read func(any) error) (any, error) {
		var f Fault
		if err := read(&f); err != nil {
			return nil, err
		}
		id, err := s.FailNext(f)
		return map[string]int{"id": id}, err
	}))
	mux.HandleFunc("DELETE /_control/faults", do(func(*http.Request, func(any) error) (any, error) { s.ClearFaults(); return nil, nil }))
	mux.HandleFunc("GET /_control/calls", do(func(r *http.Request, _ func(any) error) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return list(s.callsLocked(r.URL.Query().Get("path"), r.URL.Query().Get("appid"))), nil
	}))
	mux.HandleFunc("DELETE /_control/calls", do(func(*http.Request, func(any) error) (any, error) { s.ClearCalls(); return nil, nil }))
	mux.HandleFunc("GET /_control/effective", do(func(r *http.Request, _ func(any) error) (any, error) {
		return map[string]int{"count": s.Effective(r.URL.Query().Get("path"), r.URL.Query().Get("appid"))}, nil
	}))
	mux.HandleFunc("GET /_control/pushes", do(func(*http.Request, func(any) error) (any, error) { return s.Pushes(), nil }))
	mux.HandleFunc("GET /_control/unknown", do(func(*http.Request, func(any) error) (any, error) { return s.Unknown(), nil }))
	mux.HandleFunc("GET /_control/messages", do(func(*http.Request, func(any) error) (any, error) { return list(s.Messages()), nil }))
	mux.HandleFunc("GET /_control/secrets", do(func(*http.Request, func(any) error) (any, error) { return s.Secrets(), nil }))
}
