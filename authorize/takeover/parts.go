package takeover

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/component/forward"
	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// checkPlatform refuses the tables of another platform: its tickets and merchants would be useless here.
func (t *taking) checkPlatform(ctx context.Context) error {
	const q = "SELECT postbody FROM wxcallback_component WHERE infotype = 'component_verify_ticket' ORDER BY id DESC LIMIT 1"
	var body struct{ AppId string } //nolint:revive // WeChat's spelling
	var text string
	err := t.db.QueryRowContext(ctx, q).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) || missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the tables of 服务商微管家: %w", err)
	}
	if json.Unmarshal([]byte(text), &body) == nil && body.AppId != "" && body.AppId != t.AppID {
		return fmt.Errorf("these tables belong to the platform %q, but WX_APPID is %q", body.AppId, t.AppID)
	}
	return nil
}

// setting reads a row of the table of settings; ok is false without one.
func (t *taking) setting(ctx context.Context, key string) (value string, at time.Time, ok bool, err error) {
	var seconds int64
	// An instant, whatever the time zone of the session is: the database itself wrote it.
	err = t.db.QueryRowContext(ctx, "SELECT value, UNIX_TIMESTAMP(updatetime) FROM comm WHERE `key` = ?", key).Scan(&value, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, false, nil
	}
	return value, time.Unix(seconds, 0), err == nil, err
}

// ticketLife is how long WeChat takes a ticket.
const ticketLife = 12 * time.Hour

func (t *taking) ticket(ctx context.Context, p *Part) error {
	value, at, ok, err := t.setting(ctx, "ticket")
	if err != nil || !ok || value == "" {
		return err
	}
	p.Found = 1
	if t.Now().Sub(at) > ticketLife {
		p.fail("ticket", fmt.Errorf("it is from %s and no longer good; WeChat pushes the next one within ten minutes", at.UTC().Format(time.RFC3339)))
		return nil
	}
	adopted, err := t.Platform.AdoptTicket(ctx, sealed.New(value), at, t.DryRun)
	p.count(adopted)
	return err
}

func (p *Part) count(isNew bool) {
	if isNew {
		p.New++
	} else {
		p.Already++
	}
}

func (t *taking) merchants(ctx context.Context, p *Part) error {
	const q = `SELECT id, appid, apptype, servicetype, nickname, username, headimg, qrcodeurl, principalname, refreshtoken, funcinfo, verifyinfo, authtime
		FROM authorizers WHERE id > ?`
	scan := func(rows *sql.Rows, id *int64) (authorize.Predecessor, error) {
		var m authorize.Predecessor
		var appType int
		var refresh, scopes string
		var at sql.NullTime
		err := rows.Scan(id, &m.AppID, &appType, &m.ServiceType, &m.NickName, &m.UserName, &m.HeadImg, &m.QRCodeURL, &m.PrincipalName,
			&refresh, &scopes, &m.VerifyType, &at)
		m.Kind = "miniprogram"
		if appType != 0 {
			m.Kind = "official"
		}
		m.Refresh, m.FuncScopes, m.AuthorizedAt = sealed.New(refresh), numbers(scopes), at.Time
		return m, err
	}
	return pages(ctx, t.db, q, nil, scan, func(page []authorize.Predecessor) error {
		fresh, refused, err := t.Merchants.TakeOver(ctx, page, t.DryRun)
		for i, why := range refused {
			p.fail("merchant "+strconv.Quote(page[i].AppID), why)
		}
		p.add(len(page), fresh, len(refused))
		return err
	})
}

func (p *Part) add(found, fresh, refused int) {
	p.Found += found
	p.New += fresh
	p.Already += found - fresh - refused
}

// numbers reads "|1|17|18".
func numbers(list string) []int {
	out := []int{}
	for word := range strings.SplitSeq(list, "|") {
		if n, err := strconv.Atoi(strings.TrimSpace(word)); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// target is a service in the container of 服务商微管家.
type target struct {
	Open bool   `json:"open"`
	Port int    `json:"port"`
	Path string `json:"path"`
}

func (g target) url() string { return "http://127.0.0.1:" + strconv.Itoa(g.Port) + g.Path }

// refusal says why something there cannot be taken over.
type refusal string

func (r refusal) Error() string { return string(r) }

// settle counts one thing. What is wrong with the thing itself is noted; any other error is given back.
func (p *Part) settle(what string, made bool, err error) error {
	_, wrong := errors.AsType[*fault.Error](err)
	_, refused := errors.AsType[refusal](err)
	switch {
	case wrong || refused:
		p.fail(what, err)
	case err != nil:
		return err
	default:
		p.count(made)
	}
	return nil
}

// peerRule is a row of wxcallback_rules.
type peerRule struct {
	name, infoType, msgType, event, info string
	open                                 bool
}

func (t *taking) rules(ctx context.Context, p *Part) error {
	const q = `SELECT id, name, infotype, msgtype, event, open, info FROM wxcallback_rules WHERE id > ?`
	scan := func(rows *sql.Rows, id *int64) (r peerRule, err error) {
		err = rows.Scan(id, &r.name, &r.infoType, &r.msgType, &r.event, &r.open, &r.info)
		return r, err
	}
	return pages(ctx, t.db, q, nil, scan, func(page []peerRule) error {
		for _, r := range page {
			p.Found++
			made, err := t.rule(ctx, r)
			if err := p.settle("rule "+strconv.Quote(r.name), made, err); err != nil {
				return err
			}
		}
		return nil
	})
}

// rule takes over one. The answer to a message of a merchant's users went to WeChat, hence relay; there is no answer to the others.
func (t *taking) rule(ctx context.Context, r peerRule) (made bool, err error) {
	var to target
	if err := json.Unmarshal([]byte(r.info), &to); err != nil || to.Port == 0 {
		return false, refusal("its target cannot be read")
	}
	channel, mode := component.ChannelComponent, forward.ModeDeliver
	if r.infoType == "" {
		if r.msgType == "" {
			return false, refusal("no message was ever for it: it names neither InfoType nor MsgType")
		}
		channel, mode = component.ChannelBiz, forward.ModeRelay
	}
	name := strings.TrimSpace(r.name)
	if name == "" {
		name = strings.TrimSpace(r.infoType + " " + r.msgType + " " + r.event)
	}
	return t.Rules.Adopt(ctx, forward.Change{
		Name: &name, Channel: &channel, InfoType: &r.infoType, MsgType: &r.msgType, Event: &r.event, TargetURL: new(to.url()), Mode: &mode, Enabled: &r.open,
	}, by, t.DryRun)
}

func (t *taking) proxy(ctx context.Context, p *Part) error {
	value, _, ok, err := t.setting(ctx, "proxy")
	if err != nil || !ok {
		return err
	}
	var to target
	readable := json.Unmarshal([]byte(value), &to) == nil
	if readable && !to.Open {
		return nil
	}
	p.Found = 1
	if !readable {
		return p.settle("proxy", false, refusal("its setting cannot be read"))
	}
	made, err := t.Proxy.Adopt(ctx, to.url(), by, t.DryRun)
	return p.settle("proxy", made, err)
}

func (t *taking) componentMessages(ctx context.Context, p *Part) error {
	const q = `SELECT id, receivetime, '', postbody FROM wxcallback_component WHERE id > ? AND receivetime >= ?`
	return t.messages(ctx, p, component.ChannelComponent, q)
}

func (t *taking) bizMessages(ctx context.Context, p *Part) error {
	const q = `SELECT id, receivetime, appid, postbody FROM wxcallback_biz WHERE id > ? AND receivetime >= ?`
	return t.messages(ctx, p, component.ChannelBiz, q)
}

// kept is a message and the id it has there.
type kept struct {
	component.Record

	id int64
}

func (t *taking) messages(ctx context.Context, p *Part, channel, q string) error {
	now := t.Now()
	scan := func(rows *sql.Rows, id *int64) (k kept, err error) {
		k.Channel = channel
		err = rows.Scan(id, &k.ReceivedAt, &k.AppID, &k.Body)
		k.id = *id
		if k.ReceivedAt.After(now) {
			k.ReceivedAt = now
		}
		return k, err
	}
	return pages(ctx, t.db, q, []any{now.Add(-t.Keep)}, scan, func(page []kept) error {
		records := make([]component.Record, len(page))
		for i, k := range page {
			records[i] = k.Record
		}
		fresh, refused, err := t.Platform.KeepHistory(ctx, records, t.DryRun)
		for i, why := range refused {
			p.fail("message "+strconv.FormatInt(page[i].id, 10), why)
		}
		p.add(len(page), fresh, len(refused))
		return err
	})
}
