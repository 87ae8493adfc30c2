package wechatfake

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The kinds of Registration.
const (
	RegisterEnterprise = "enterprise"
	RegisterPersonal   = "personal"
	RegisterUpgrade    = "personal_upgrade"
	RegisterTrial      = "trial"
	ConvertEnterprise  = "trial_enterprise" // a trial mini program becomes a company's
	ConvertUpgrade     = "trial_upgrade"    // a trial mini program becomes a person's, upgraded
)

// Registration is one task that waits for somebody to confirm in WeChat, for 24 hours.
type Registration struct {
	Task    string            `json:"task"`
	Kind    string            `json:"kind"`
	Fields  map[string]string `json:"fields"`
	Status  int               `json:"status"` // as WeChat's query tells it
	AppID   string            `json:"appid"`
	Created time.Time         `json:"created"`
	Key     string            `json:"key"` // in the address of the page
}

const registrationLife = 24 * time.Hour

func (r *Registration) open(now time.Time) bool {
	ended := slices.Contains([]int{1, 2, 5, 8, 11, 12, 13, 14}, r.Status) || r.Status >= 1001
	return !ended && now.Sub(r.Created) < registrationLife
}

// same tells two tasks of one owner, which WeChat lets run one after the other.
func (r *Registration) same(kind string, in map[string]string) bool {
	if r.Kind != kind {
		return false
	}
	for _, name := range []string{"code", "wxuser", "openid", "appid"} {
		if in[name] != "" || r.Fields[name] != "" {
			return in[name] == r.Fields[name]
		}
	}
	return false
}

// registration is the handler of a call that creates a task and, where it has taskid, tells about one. The address is
// where the owner confirms.
func (s *Server) registration(kind string, required ...string) func(c *call) reply {
	return func(c *call) reply {
		var raw map[string]any
		if rep := c.decode(&raw); rep.code != 0 {
			return rep
		}
		if nested, ok := raw["verify_info"].(map[string]any); ok { // modelled: fields inside and outside of it count
			maps.Copy(raw, nested)
		}
		in := map[string]string{}
		for name, value := range raw {
			if text, ok := value.(string); ok {
				in[name] = text
			}
		}
		action := c.query.Get("action")
		if action != "" && action != "create" && action != "createtask" && action != "query" && action != "search" {
			return fail(40097)
		}
		if action == "query" || in["taskid"] != "" {
			c.ep.reads = true
			return s.queryRegistration(kind, in["taskid"], c)
		}
		if raw["new_version"] != true && kind != RegisterTrial {
			return fail(-1) // the versions before were switched off on 2026-04-30
		}
		for _, name := range required {
			if strings.TrimSpace(in[name]) == "" {
				return fail(89253)
			}
		}
		if code, has := in["code"]; has && kind != RegisterTrial && !regexp.MustCompile(`^[0-9A-Z]{18}$`).MatchString(code) {
			return fail(89255)
		}
		if kind == RegisterTrial && !wellFormedName(in["name"]) {
			return fail(53010)
		}
		if c.acct != nil {
			if c.acct.ServiceType != 12 {
				return fail(91021)
			}
			in["appid"] = c.acct.AppID
		}
		now := s.now()
		for _, other := range s.st.Registrations {
			if other.same(kind, in) && other.open(now) && kind != RegisterTrial {
				return fail(89249)
			}
		}
		r := &Registration{Task: random(12), Kind: kind, Fields: in, Created: now, Key: s.secret("regkey")}
		s.st.Registrations = append(s.st.Registrations, r)
		if kind == RegisterTrial {
			return ok(fields{"unique_id": r.Task, "authorize_url": s.registrationURL(r)})
		}
		return ok(fields{"taskid": r.Task, "authorize_url": s.registrationURL(r), "status": r.Status})
	}
}

func (s *Server) registrationURL(r *Registration) string {
	if s.launch != "" {
		return "http://" + s.launch + s.cfg.BasePath + "/register/" + r.Key
	}
	return "https://mp.weixin.qq.com/wxopen/fastregister?key=" + r.Key
}

func (s *Server) queryRegistration(kind, task string, c *call) reply {
	for _, r := range s.st.Registrations {
		if r.Task != task || r.Kind != kind || c.acct != nil && r.Fields["appid"] != c.acct.AppID {
			continue
		}
		if r.Status == 0 && !r.open(s.now()) {
			r.Status = 1
		}
		return ok(fields{"taskid": r.Task, "authorize_url": s.registrationURL(r), "status": r.Status})
	}
	return fail(89250)
}

// retired answers fastregisterweapp, which WeChat switched off on 2026-04-30.
func (s *Server) retired(*call) reply { return fail(-1) }

func (s *Server) renameTrial(c *call) reply {
	var in struct {
		Name string `json:"name"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	switch {
	case c.acct.ServiceType != 12:
		return fail(91021)
	case !wellFormedName(in.Name):
		return fail(53010)
	}
	c.acct.NickName = in.Name + trialSuffix
	return ok(nil)
}

const trialSuffix = "的体验小程序"

// Registrations lists the tasks, oldest first.
func (s *Server) Registrations() []Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Registration, 0, len(s.st.Registrations))
	for _, r := range s.st.Registrations {
		list = append(list, *r)
	}
	return list
}

var errNoRegistration = errors.New("wechatfake: no such registration waits")

func (s *Server) waiting(task string) (*Registration, error) {
	at := slices.IndexFunc(s.st.Registrations, func(r *Registration) bool { return r.Task == task && r.open(s.now()) })
	if at < 0 {
		return nil, errNoRegistration
	}
	return s.st.Registrations[at], nil
}

// Confirm says how a registration ends well.
type Confirm struct {
	AppID string `json:"appid"` // of the new mini program; empty: one is made up
	// Events are what is pushed: "both" (or empty), "registered" for the registration's own event alone, "authorized" for
	// the ordinary one alone, "none".
	Events string `json:"events"`
	Twice  bool   `json:"twice"` // each of them twice
}

// ConfirmRegistration plays the owner confirming: the mini program is there and has authorized the platform.
func (s *Server) ConfirmRegistration(task string, how Confirm) (appid string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.waiting(task)
	if err != nil {
		return "", err
	}
	return s.confirmLocked(r, how)
}

func (s *Server) confirmLocked(r *Registration, how Confirm) (appid string, err error) {
	defer s.changed()
	r.Status = 12
	if r.Kind == ConvertEnterprise || r.Kind == ConvertUpgrade {
		a, err := s.merchant(r.Fields["appid"])
		if err != nil {
			return "", err
		}
		r.AppID, a.ServiceType, a.RegisterType = a.AppID, 0, 19
		if name := r.Fields["enterprise_name"]; name != "" {
			a.Principal = name
		}
		if how.Events != "none" && r.Kind == ConvertEnterprise {
			s.tellRegistered(r, "notify_third_fastverifybetaapp", 0, "OK", "", how.Twice)
		}
		return a.AppID, nil
	}
	if r.AppID = how.AppID; r.AppID == "" {
		r.AppID = "wx" + digest(r.Task)[:16]
	}
	a, known := s.st.Merchants[r.AppID]
	if !known {
		m := Merchant{AppID: r.AppID, Principal: r.Fields["name"], VerifyType: -1, Categories: []Category{}, NoBasicInfo: true, RegisterType: 6}
		switch r.Kind {
		case RegisterPersonal:
			m.RegisterType, m.Principal, m.Personal = 16, r.Fields["idname"], true
		case RegisterUpgrade:
			m.RegisterType, m.Principal, m.Personal = 17, "个人", true
		case RegisterTrial:
			m.RegisterType, m.ServiceType, m.NickName, m.Principal, m.Personal = 13, 12, r.Fields["name"]+trialSuffix, "个人", true
		}
		if err := m.complete(); err != nil {
			return "", err
		}
		a = &account{Merchant: m, MinLib: "2.10.4"}
		s.st.Merchants[r.AppID] = a
		s.st.Order = append(s.st.Order, r.AppID)
		s.st.fill()
	}
	preAuth, _ := s.newPreAuthCode()
	given := s.grantLocked(a, s.usualScopes(a), preAuth)
	if how.Events == "" || how.Events == "both" || how.Events == "registered" {
		event, code := "notify_third_fasteregister", given.Code
		if r.Kind == RegisterTrial {
			event, code = "notify_third_fastregisterbetaapp", "" // the code comes by authorized alone
		}
		s.tellRegistered(r, event, 0, "OK", code, how.Twice)
	}
	if how.Events == "" || how.Events == "both" || how.Events == "authorized" {
		given.Event = "authorized"
		event := s.authorizedEvent(a, given)
		s.pushComponent(a.AppID, event)
		if how.Twice {
			s.pushComponent(a.AppID, event)
		}
	}
	return r.AppID, nil
}

// FailRegistration plays a registration that comes to nothing: status as the query tells it, result as the event does;
// result 0 pushes no event.
func (s *Server) FailRegistration(task string, status, result int, msg string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	r, err := s.waiting(task)
	if err != nil {
		return err
	}
	r.Status = status
	if result == 0 {
		return nil
	}
	event := "notify_third_fasteregister"
	switch r.Kind {
	case RegisterTrial:
		event = "notify_third_fastregisterbetaapp"
	case ConvertEnterprise, ConvertUpgrade:
		event = "notify_third_fastverifybetaapp"
	}
	s.tellRegistered(r, event, result, msg, "", false)
	return nil
}

// tellRegistered pushes a registration's event; its element names are lower-case, and it names no task but a trial's.
func (s *Server) tellRegistered(r *Registration, infoType string, status int, msg, code string, twice bool) {
	message := Message{{"AppId", s.cfg.ComponentAppID}, {"CreateTime", s.now().Unix()}, {"InfoType", infoType}}
	if status == 0 || infoType == "notify_third_fastverifybetaapp" {
		message = append(message, Field{"appid", r.AppID})
		if r.AppID == "" {
			message[len(message)-1].Value = r.Fields["appid"]
		}
	}
	message = append(message, Field{"status", status})
	if code != "" {
		message = append(message, Field{"auth_code", code})
	}
	message = append(message, Field{"msg", msg})
	info := Message{}
	switch r.Kind {
	case RegisterTrial:
		info = append(info, Field{"unique_id", r.Task}, Field{"name", r.Fields["name"]})
	case RegisterPersonal:
		info = append(info, Field{"wxuser", r.Fields["wxuser"]}, Field{"idname", r.Fields["idname"]}, Field{"component_phone", r.Fields["component_phone"]})
	case ConvertEnterprise:
		info = append(info, Field{"name", r.Fields["enterprise_name"]}, Field{"code", r.Fields["code"]}, Field{"component_phone", r.Fields["component_phone"]})
	default:
		info = append(info, Field{"name", r.Fields["name"]}, Field{"code", r.Fields["code"]}, Field{"component_phone", r.Fields["component_phone"]})
	}
	message = append(message, Field{"info", info})
	s.pushComponent(r.AppID, message)
	if twice {
		s.pushComponent(r.AppID, message)
	}
}

// registrationPage is what the owner of a future mini program sees after scanning the code.
func (s *Server) registrationPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	at := slices.IndexFunc(s.st.Registrations, func(one *Registration) bool { return one.Key == r.PathValue("key") && one.open(s.now()) })
	if at < 0 {
		s.mu.Unlock()
		s.show(w, r, "notice", noticePage{Title: "链接已失效", Text: "请向服务商索取新的注册链接。"})
		return
	}
	found := s.st.Registrations[at]
	if r.Method != http.MethodPost {
		page := struct{ Base, Key, Name string }{s.cfg.BasePath, found.Key, found.title()}
		s.mu.Unlock()
		s.show(w, r, "register", page)
		return
	}
	_, err := s.confirmLocked(found, Confirm{})
	s.mu.Unlock()
	if err != nil {
		s.showRefusal(w, r, err.Error())
		return
	}
	s.show(w, r, "notice", noticePage{Title: "注册成功", Text: "小程序已创建，并已授权给服务商。可以关闭本页面。"})
}

func (r *Registration) title() string {
	for _, name := range []string{"name", "enterprise_name", "idname", "openid"} {
		if r.Fields[name] != "" {
			return r.Fields[name]
		}
	}
	return r.Task
}

func (s *Server) controlRegistrations(mux *http.ServeMux) {
	mux.HandleFunc("GET /_control/registrations", do(func(*http.Request, func(any) error) (any, error) { return s.Registrations(), nil }))
	mux.HandleFunc("POST /_control/registrations/{task}/confirm", do(func(r *http.Request, read func(any) error) (any, error) {
		var how Confirm
		if err := read(&how); err != nil {
			return nil, err
		}
		appid, err := s.ConfirmRegistration(r.PathValue("task"), how)
		return map[string]string{"appid": appid}, err
	}))
	mux.HandleFunc("POST /_control/registrations/{task}/fail", do(func(r *http.Request, read func(any) error) (any, error) {
		var in struct {
			Status int    `json:"status"`
			Result int    `json:"result"`
			Msg    string `json:"msg"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return nil, s.FailRegistration(r.PathValue("task"), in.Status, in.Result, in.Msg)
	}))
	type decision struct {
		Passed bool   `json:"passed"`
		Reason string `json:"reason"`
		First  int    `json:"first"`
		Second int    `json:"second"`
	}
	mux.HandleFunc("POST /_control/merchants/{appid}/nickname", do(func(r *http.Request, read func(any) error) (any, error) {
		var in decision
		if err := read(&in); err != nil {
			return nil, err
		}
		return nil, s.DecideNickname(r.PathValue("appid"), in.Passed, in.Reason)
	}))
	mux.HandleFunc("POST /_control/merchants/{appid}/category", do(func(r *http.Request, read func(any) error) (any, error) {
		var in decision
		if err := read(&in); err != nil {
			return nil, err
		}
		return nil, s.DecideCategory(r.PathValue("appid"), in.First, in.Second, in.Passed, in.Reason)
	}))
}

// NewCloudID plays the phone number button in a mini program with cloud: an id that stands for a user's number.
func (s *Server) NewCloudID(appid, openid, phone string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.merchant(appid); err != nil {
		return "", err
	}
	defer s.changed()
	value := s.secret("jscode@@@cloud_")
	s.st.JSCodes[value] = &loginCode{AppID: appid, OpenID: openid, Phone: phone, Expires: s.now().Add(5 * time.Minute), Cloud: true}
	return value, nil
}

// openData tells what cloud ids of from_appid stand for, or of the environment's owner. Only WeChat Cloud Run lets it in; 48001
// for a token of another kind is our guess. A cloud id that is wrong, has expired or is another user's has an error inside
// (modelled; the call itself succeeds).
func (s *Server) openData(c *call) reply {
	var in struct {
		IDs []string `json:"cloudid_list"`
	}
	if rep := c.decode(&in); rep.code != 0 {
		return rep
	}
	openid, appid := c.query.Get("openid"), c.query.Get("from_appid")
	if appid == "" {
		appid = s.st.Settings.CloudOwner
	}
	switch {
	case c.via == "":
		return fail(48001)
	case openid == "":
		return fail(40003)
	case len(in.IDs) == 0:
		return fail(40097)
	}
	rows := []fields{}
	for _, id := range in.IDs {
		code := s.st.JSCodes[id]
		data := fields{"cloudID": id, "errCode": -601006, "errMsg": "cloudID invalid"}
		if code != nil && code.Cloud && code.AppID == appid && code.OpenID == openid && s.now().Before(code.Expires) {
			data = fields{"cloudID": id, "data": fields{
				"phoneNumber": code.Phone, "purePhoneNumber": code.Phone, "countryCode": "86",
				"watermark": fields{"timestamp": s.now().Unix(), "appid": code.AppID},
			}}
		}
		text, _ := json.Marshal(data) //nolint:errchkjson // of plain values
		rows = append(rows, fields{"cloud_id": id, "json": string(text)})
	}
	return ok(fields{"data_list": rows})
}
