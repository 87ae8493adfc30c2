package authorize

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// generalCodes are the codes of WeChat's general tables and of those about platforms: any call may give them.
func generalCodes() []int {
	codes := []int{
		-1, -1000, 40001, 40002, 40003, 40007, 40013, 40014, 40029, 40030, 40033, 40035, 40066, 40090, 40091, 40094, 40097, 40099, 40125, 40163,
		40164, 40170, 41001, 41002, 41003, 41004, 41006, 41008, 41018, 41021, 42001, 42002, 42003, 42005, 42006, 42007, 43001, 43002, 43003,
		43007, 43016, 44002, 45009, 45011, 45035, 46001, 47001, 47002, 48001, 48002, 48003, 48004, 48006, 50001, 50002, 50003, 50004, 50007,
		76001, 76002, 76003, 76021, 76022, 86000,
	}
	for code := 89501; code <= 89507; code++ {
		codes = append(codes, code)
	}
	for code := 61000; code <= 61070; code++ {
		if wechat.Explain(code, "").ZH != wechat.Explain(7654321, "").ZH {
			codes = append(codes, code)
		}
	}
	return codes
}

// renewed are refusals of the platform's token, which is renewed and the call repeated before anybody notices.
func renewed(code int) bool { return slices.Contains([]int{40001, 40014, 42001, 42006, 40094}, code) }

func (e *env) refuse(path string, code int) {
	e.t.Helper()
	e.wechat.Fake.ClearFaults()
	_, err := e.wechat.Fake.FailNext(wechatfake.Fault{Path: path, Mode: wechatfake.FaultErrcode, Code: code})
	require.NoError(e.t, err)
}

// TestErrcodesOfThePreAuthCode: a merchant who opens a link while WeChat refuses is told so, the provider is told what to
// do, and the link works on.
func TestErrcodesOfThePreAuthCode(t *testing.T) {
	e := newEnv(t, idle(true))
	for _, code := range generalCodes() {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			e.t = t
			l := e.link(NewLink{})
			e.refuse(pathPreAuth, code)
			p := e.get("/authorize/"+l.ID, onDesktop)
			entry := wechat.Explain(code, "cgi-bin/component/api_create_preauthcode")
			if renewed(code) {
				require.Equal(t, http.StatusOK, p.status, p.body)
				return
			}
			require.Equal(t, http.StatusServiceUnavailable, p.status)
			require.Contains(t, p.body, fmt.Sprintf("errcode %d", code))
			require.Contains(t, html.UnescapeString(p.body), entry.HintZH)
			wait := "600" // somebody has to act, or a quota to begin anew
			if entry.Class == wechat.ClassTransient {
				wait = "30"
			}
			require.Equal(t, wait, p.header.Get("Retry-After"))
			require.Equal(t, wait, p.header.Get("Refresh"))
			require.Equal(t, linkPending, e.reread(l).Status)
			e.open(l)
		})
	}
}

// TestErrcodesOfTheExchange: what may pass is tried again while the code lives, what cannot ends it; either way the link
// says what is wrong and works on.
func TestErrcodesOfTheExchange(t *testing.T) {
	e := newEnv(t, idle(true))
	for i, code := range generalCodes() {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			e.t = t
			appid := e.merchant(fmt.Sprintf("wxexchange%08d", i))
			l := e.link(NewLink{BizID: "b", SingleUse: true})
			given := e.agree(l, appid, noOrder)
			e.refuse(pathQueryAuth, code)
			x, err := e.receive(t.Context(), arrival{code: sealed.New(given.Code), linkID: l.ID, expiresAt: e.Now().Add(codeLife)})
			require.NoError(t, err)
			again, err := e.work(t.Context(), x.Fingerprint)
			require.NoError(t, err)
			entry := wechat.Explain(code, "cgi-bin/component/api_query_auth")
			x = e.state(x.Fingerprint)
			switch {
			case renewed(code), code == -1: // -1: the outcome is read back, and the code sent again, in one go
				require.Equal(t, exchangeDone, x.State)
				e.bound(appid, "b")
				return
			case entry.Class == wechat.ClassPermanent:
				require.Zero(t, again)
				require.Equal(t, exchangeFailed, x.State)
				require.Equal(t, linkOpened, e.reread(l).Status)
				require.Contains(t, e.reread(l).Error(fault.Chinese), fmt.Sprintf("errcode %d", code))
				// The merchant tries once more.
				p := e.reread(l)
				require.True(t, p.openable())
			default:
				require.Positive(t, again)
				require.Equal(t, exchangePending, x.State, "the code was not used up")
			}
			text := x.Trouble.In(fault.Chinese)
			require.Contains(t, text, fmt.Sprintf("errcode %d", code))
			if !slices.Contains([]int{codeInvalid, codeExpired, notAuthorized}, code) { // these have words of their own
				require.Contains(t, text, entry.HintZH)
				require.Contains(t, x.Trouble.In(fault.English), entry.HintEN)
			}
			if again > 0 {
				_, err = e.work(t.Context(), x.Fingerprint)
				require.NoError(t, err)
				e.bound(appid, "b")
				require.Equal(t, linkAuthorized, e.reread(l).Status)
			}
		})
	}
	effective, _ := e.exchanged()
	require.Equal(t, e.count(`SELECT count(*) FROM authorizer`), effective)
}

// TestErrcodesOfTheDetails: a refusal leaves what is known as it is and is noted beside it with what to do.
func TestErrcodesOfTheDetails(t *testing.T) {
	e := newEnv(t)
	appid := e.have("wxdetails00000009", "b")
	e.stop()
	before, err := e.Get(t.Context(), appid)
	require.NoError(t, err)
	for _, code := range generalCodes() {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			e.t = t
			e.refuse(pathInfo, code)
			err := e.Refresh(t.Context(), appid)
			after, getErr := e.Get(t.Context(), appid)
			require.NoError(t, getErr)
			require.Equal(t, before.NickName, after.NickName)
			require.Equal(t, before.FuncScopes, after.FuncScopes)
			require.Equal(t, statusAuthorized, after.Status)
			if renewed(code) {
				require.NoError(t, err)
				require.Empty(t, after.InfoError(fault.Chinese))
				return
			}
			require.True(t, wechat.IsCode(err, code), "%v", err)
			require.Contains(t, after.InfoError(fault.Chinese), fmt.Sprintf("errcode %d", code))
			if !slices.Contains([]int{codeInvalid, codeExpired, notAuthorized}, code) {
				require.Contains(t, after.InfoError(fault.Chinese), wechat.Explain(code, "").HintZH)
			}
			require.NoError(t, e.Refresh(t.Context(), appid))
		})
	}
}

// TestErrcodesOfTheTokenRefresh: only refusals of the refresh token itself mark a merchant, the others are passed on with
// their hint.
func TestErrcodesOfTheTokenRefresh(t *testing.T) {
	e := newEnv(t)
	appid := e.have("wxtokens000000009", "b")
	e.stop()
	gone := []int{refreshInvalid, refreshExpired, refreshMissing, refreshUnknown, passwordChange, notAuthorized}
	for _, code := range generalCodes() {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			e.t = t
			require.NoError(t, e.drop(appid))
			e.refuse(pathToken, code)
			_, err := e.Token(t.Context(), appid)
			a, getErr := e.Get(t.Context(), appid)
			require.NoError(t, getErr)
			switch {
			case renewed(code):
				require.NoError(t, err)
			case slices.Contains(gone, code):
				require.Equal(t, fault.Unauthorized, kindOfFault(err))
				require.NotNil(t, a.ReauthorizeSince)
				require.Contains(t, a.InfoError(fault.English), "has to authorize again")
				e.ahead.Add(int64(reauthPause + time.Second))
			default:
				require.Error(t, err)
				require.Nil(t, a.ReauthorizeSince)
				problem := fault.ProblemFor(err, fault.Chinese)
				require.NotNil(t, problem.WeChat)
				require.Equal(t, code, problem.WeChat.ErrCode)
				require.Equal(t, wechat.Explain(code, "cgi-bin/component/api_authorizer_token").HintZH, problem.WeChat.Hint)
				if quotaUsedUp(err) {
					e.ahead.Add(int64(quotaHold + time.Second)) // WeChat is left alone for so long
				}
			}
			require.Equal(t, statusAuthorized, a.Status)
			_, err = e.Token(t.Context(), appid)
			require.NoError(t, err, "it works again when WeChat does")
		})
	}
}

// TestEveryErrcodeHasAHint: an operator never sees a bare number.
func TestEveryErrcodeHasAHint(t *testing.T) {
	t.Parallel()
	for _, code := range append(generalCodes(), 7654321) {
		kept := troubleOf(&wechat.APIError{Op: "cgi-bin/component/api_query_auth", Code: code, RID: "1-2-3"})
		for _, lang := range []string{fault.Chinese, fault.English} {
			text := parseTrouble(kept.String()).In(lang)
			require.Contains(t, text, fmt.Sprintf("errcode %d, rid 1-2-3", code))
			require.Greater(t, len([]rune(text)), 30, text)
		}
	}
	require.Equal(t, troubleUnavailable, troubleOf(errors.New("x")).Word)
}
