package component

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

const (
	// textTime is how long one page looks for text; the next goes on from there.
	textTime = 600 * time.Millisecond
	// textStep is how many messages are looked through at a time.
	textStep = 10000
	// listTimeout ends lists that no index serves.
	listTimeout = 10 * time.Second
)

// MessageFilter selects messages; empty fields match everything.
type MessageFilter struct {
	Channel, AppID, InfoType, MsgType, Event, State string
	Since, Until                                    time.Time // of ReceivedAt; Until is not included
	Text                                            string    // in the body as viewers see it, whatever the case of ASCII letters
	Before                                          int64     // only ids below; 0: from the newest
	Limit                                           int
}

// condition is the part of a statement behind WHERE, with its arguments.
type condition struct {
	parts  []string
	args   []any
	equals int  // columns that must have a value
	narrow bool // in a few partitions
}

func (c *condition) add(part string, arg any) {
	c.args = append(c.args, arg)
	c.parts = append(c.parts, strings.ReplaceAll(part, "?", "$"+strconv.Itoa(len(c.args))))
}

func (c condition) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(c.parts, " AND ")
}

func (f MessageFilter) condition() condition {
	var c condition
	for _, equal := range []struct{ column, value string }{
		{"appid", f.AppID}, {"info_type", f.InfoType}, {"msg_type", f.MsgType}, {"event", f.Event},
	} {
		if equal.value == "" {
			continue
		}
		part := equal.column + " = ?"
		if equal.column != "appid" {
			part += " AND " + equal.column + " <> ''" // what its index is for
		}
		c.add(part, equal.value)
		c.equals++
	}
	switch f.Channel { // written out, because partial indexes serve constants only
	case "":
	case ChannelComponent:
		c.parts = append(c.parts, "channel = 'component'")
	default:
		c.add("channel = ?", f.Channel)
	}
	switch f.State {
	case "":
	case StateHandled:
		c.parts = append(c.parts, "state = 'handled'")
	default:
		c.add("state = ? AND state <> 'handled'", f.State)
	}
	if !f.Since.IsZero() {
		c.add("id >= ?", firstID(f.Since)) // finds the partitions
		c.add("received_at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		c.add("id < ?", firstID(f.Until)+1<<numberBits)
		c.add("received_at < ?", f.Until)
	}
	return c
}

// listMessages reads messages without bodies, newest first. next is where the next page begins, 0 after the last. With Text a
// page may hold fewer than Limit, even none, and yet have a next one: looking through bodies takes its time.
func listMessages(ctx context.Context, db postgres.DB, f MessageFilter) (messages []Message, next int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if f.Text != "" {
		return searchMessages(ctx, db, f)
	}
	// Most pages are full after a few days, and to prepare a look at every partition takes longer than to take it.
	top := time.Now()
	if f.Before > 0 {
		top = time.UnixMilli(f.Before >> numberBits)
	}
	const narrow, wider = 2 * 24 * time.Hour, 8
	before := f.Before
	for span := narrow; ; span *= wider {
		from := firstID(dayOf(top.Add(-span)))
		last := span > narrow*wider || !f.Since.IsZero() && from <= firstID(f.Since)
		c := f.condition()
		if before > 0 {
			c.add("id < ?", before)
		}
		if !last {
			c.add("id >= ?", from)
			c.narrow = true
		}
		found, err := selectMessages(ctx, db, c, f.Limit+1-len(messages))
		if err != nil {
			return nil, 0, err
		}
		messages = append(messages, found...)
		switch {
		case len(messages) > f.Limit:
			return messages[:f.Limit], messages[f.Limit-1].ID, nil
		case last:
			return messages, 0, nil
		}
		before = from
	}
}

// searchMessages looks through the bodies of what the other filters leave, step by step.
func searchMessages(ctx context.Context, db postgres.DB, f MessageFilter) (messages []Message, next int64, err error) {
	for began, before := time.Now(), f.Before; ; {
		step := f.condition()
		if before > 0 {
			step.add("id < ?", before)
		}
		var end int64 // of this step
		err := db.QueryRow(ctx, `SELECT id FROM message`+step.where()+` ORDER BY id DESC OFFSET `+strconv.Itoa(textStep-1)+` LIMIT 1`, step.args...).Scan(&end)
		last := errors.Is(err, pgx.ErrNoRows)
		if err != nil && !last {
			return nil, 0, err
		}
		step.add("id >= ?", end)
		operator := "LIKE"
		if strings.ToLower(f.Text) != strings.ToUpper(f.Text) {
			operator = "ILIKE"
		}
		step.add(`body COLLATE "C" `+operator+` ?`, "%"+escapeLike(f.Text)+"%")
		found, err := selectMessages(ctx, db, step, f.Limit+1-len(messages))
		if err != nil {
			return nil, 0, err
		}
		messages = append(messages, found...)
		switch {
		case len(messages) > f.Limit:
			return messages[:f.Limit], messages[f.Limit-1].ID, nil
		case last:
			return messages, 0, nil
		case time.Since(began) > textTime:
			return messages, end, nil
		}
		before = end
	}
}

func selectMessages(ctx context.Context, db postgres.DB, c condition, limit int) ([]Message, error) {
	args := append(slices.Clip(c.args), limit)
	if c.narrow || c.equals > 1 { // which index is the better one depends on the values, so the plan must not be one for all of them
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	rows, err := db.Query(ctx, `SELECT `+messageColumns+` FROM message`+c.where()+` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(c.args)+1), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Message, error) { return scanMessage(row) })
}

func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
