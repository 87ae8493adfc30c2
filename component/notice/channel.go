package notice

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// The purposes that bind what is sealed to its column.
const (
	urlPurpose    = "notice_channel/url"
	secretPurpose = "notice_channel/secret"
)

const (
	maxChannels = 50
	maxName     = 100
	maxSecret   = 200
	maxURL      = 2000
)

// The values of Channel.Language.
const (
	LanguageChinese = "zh-CN"
	LanguageEnglish = "en"
)

// Channel is a place where staff are told.
type Channel struct {
	ID       int64
	Name     string
	Kind     string // KindWeCom, KindDingTalk, KindFeishu or KindWebhook
	Enabled  bool
	Language string
	Events   []string // what is told, in the order of events
	Address  string   // what may be shown of the URL

	HasSecret    bool
	NextAt       time.Time // nothing is sent before
	FailingSince time.Time // zero: the last try went well
	Failures     int       // in a row
	LastError    failure
	LastSentAt   time.Time // zero: never
	Waiting      int64     // notices that wait
	CreatedBy    string
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (c Channel) lang() string {
	if c.Language == LanguageEnglish {
		return fault.English
	}
	return fault.Chinese
}

// Change is what somebody wants to be different about a channel; nil: as it is.
type Change struct {
	Name, Language *string
	Enabled        *bool
	Events         *[]string
	URL            *sealed.Secret
	Secret         *sealed.Secret // the zero Secret: none any more
}

// newSecret makes a secret as Standard Webhooks wants it: 32 random bytes in base64 behind whsec_.
func newSecret() sealed.Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, it ends the process instead
	return sealed.New("whsec_" + base64.StdEncoding.EncodeToString(key[:]))
}

// Create makes a channel. A webhook's secret is made here and given this once.
func (s *Service) Create(ctx context.Context, kind string, c Change, by string) (Channel, sealed.Secret, error) {
	now := s.now().UTC()
	stored := storedChannel{Channel: Channel{
		Kind: kind, Enabled: true, Language: LanguageChinese, Events: events(), NextAt: now, CreatedBy: by, CreatedAt: now, UpdatedAt: now,
	}}
	if c.URL == nil {
		c.URL = new(sealed.Secret)
	}
	if err := s.apply(ctx, &stored, c); err != nil {
		return Channel{}, sealed.Secret{}, err
	}
	var secret sealed.Secret
	if kind == KindWebhook {
		secret = newSecret()
		if err := s.sealSecret(&stored, secret); err != nil {
			return Channel{}, sealed.Secret{}, err
		}
	}
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		n, err := countChannels(ctx, tx)
		if err != nil {
			return err
		}
		if n >= maxChannels {
			return fault.New(fault.Conflict, "There are %d notice channels already, and no more than that are possible. Delete some first.", maxChannels)
		}
		if stored.ID, err = insertChannel(ctx, tx, stored); err != nil {
			return err
		}
		return publishChannel(ctx, tx)
	})
	if err != nil {
		return Channel{}, sealed.Secret{}, err
	}
	return stored.Channel, secret, nil
}

// apply checks the change and makes it.
func (s *Service) apply(ctx context.Context, stored *storedChannel, c Change) error {
	var wrong fault.Collector
	if c.Name != nil {
		stored.Name = strings.TrimSpace(*c.Name)
	}
	if n := utf8.RuneCountInString(stored.Name); n == 0 || n > maxName || strings.ContainsFunc(stored.Name, unicode.IsControl) {
		wrong.Add("body.name", "A name has 1 to %d characters, none of them control characters.", nil, maxName)
	}
	if c.Language != nil {
		stored.Language = *c.Language
	}
	if c.Enabled != nil {
		stored.Enabled = *c.Enabled
	}
	if c.Events != nil {
		stored.Events = make([]string, 0, len(*c.Events))
		for _, event := range events() {
			if slices.Contains(*c.Events, event) {
				stored.Events = append(stored.Events, event)
			}
		}
		if len(stored.Events) == 0 {
			wrong.Add("body.events", "Choose at least one event that is told here.", nil)
		}
	}
	if c.Secret != nil {
		checkSecret(&wrong, stored.Kind, *c.Secret)
	}
	if c.URL != nil {
		checkShape(&wrong, stored.Kind, c.URL.Reveal())
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	if c.URL != nil {
		if err := s.cfg.Guard.CheckField(ctx, "body.url", c.URL.Reveal()); err != nil {
			return err
		}
		box, err := s.deps.Keys.Seal(*c.URL, urlPurpose)
		if err != nil {
			return fmt.Errorf("seal address: %w", err)
		}
		stored.url, stored.Address = box, masked(c.URL.Reveal())
	}
	if c.Secret != nil {
		return s.sealSecret(stored, *c.Secret)
	}
	return nil
}

func (s *Service) sealSecret(stored *storedChannel, secret sealed.Secret) error {
	stored.secret, stored.HasSecret = nil, !secret.IsZero() && secret.Reveal() != ""
	if !stored.HasSecret {
		return nil
	}
	box, err := s.deps.Keys.Seal(secret, secretPurpose)
	if err != nil {
		return fmt.Errorf("seal secret: %w", err)
	}
	stored.secret = box
	return nil
}

func checkSecret(wrong *fault.Collector, kind string, secret sealed.Secret) {
	text := secret.Reveal()
	switch {
	case kind == KindWeCom && text != "":
		wrong.Add("body.secret", "Robots of WeCom have no secret: the key in the address is all.", nil)
	case kind == KindWebhook:
		wrong.Add("body.secret", "The secret of a webhook is made here; ask for a new one instead.", nil)
	case len(text) > maxSecret || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		wrong.Add("body.secret", "A secret has at most %d characters and no spaces.", nil, maxSecret)
	}
}

// checkShape refuses an address that is not of this kind of robot, which is nearly always one that was pasted in part.
// Which host it is does not matter: there are installations of their own.
func checkShape(wrong *fault.Collector, kind, address string) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURL { // the guard says the rest
		wrong.Add("body.url", "Enter a full address, e.g. https://shop.example.com/wechat", nil)
		return
	}
	switch kind {
	case KindWeCom:
		if u.Query().Get("key") == "" {
			wrong.Add("body.url", "The address of a WeCom robot is like https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…", nil)
		}
	case KindDingTalk:
		if u.Query().Get("access_token") == "" {
			wrong.Add("body.url", "The address of a DingTalk robot is like https://oapi.dingtalk.com/robot/send?access_token=…", nil)
		}
	case KindFeishu:
		if _, token, found := strings.Cut(u.Path, "/hook/"); !found || token == "" {
			wrong.Add("body.url", "The address of a Feishu robot is like https://open.feishu.cn/open-apis/bot/v2/hook/…", nil)
		}
	}
}

func noChannel() error { return fault.New(fault.NotFound, "There is no such notice channel.") }

// publishChannel tells pages and other replicas that channels have changed.
func publishChannel(ctx context.Context, tx pgx.Tx) error {
	return live.Publish(ctx, tx, live.Event{Kind: eventNotice, State: "channel"})
}

// change locks a channel, lets fn change it and writes it back.
func (s *Service) change(ctx context.Context, id int64, fn func(tx pgx.Tx, c *storedChannel) error) (Channel, error) {
	var c storedChannel
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) (err error) {
		if c, err = lockChannel(ctx, tx, id); err != nil {
			return err
		}
		if err := fn(tx, &c); err != nil {
			return err
		}
		c.UpdatedAt = s.now().UTC()
		if err := updateChannel(ctx, tx, c); err != nil {
			return err
		}
		return publishChannel(ctx, tx)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Channel{}, noChannel()
	}
	return c.Channel, err
}

// Update changes a channel. What waits is sent as it says from now on, and at once where the channel had failed; switching
// it off gives up what waits.
func (s *Service) Update(ctx context.Context, id int64, c Change) (Channel, error) {
	return s.change(ctx, id, func(tx pgx.Tx, stored *storedChannel) error {
		was := stored.Enabled
		if err := s.apply(ctx, stored, c); err != nil {
			return err
		}
		if c.URL != nil || c.Secret != nil || (c.Enabled != nil && stored.Enabled && !was) {
			s.forgive(stored)
		}
		if was && !stored.Enabled {
			return giveUp(ctx, tx, id, string(failed(failDisabled, "")))
		}
		return nil
	})
}

// forgive ends the pause after failures, not the one that the robot's limit asks for.
func (s *Service) forgive(c *storedChannel) {
	if c.Failures > 0 {
		c.NextAt = c.triedAt.Add(spacing(c.Kind))
	}
	c.FailingSince, c.Failures, c.LastError = time.Time{}, 0, ""
}

// Rotate gives a webhook a new secret, which is shown this once. A receiver that still has the one before answers with a
// failure and gets the notice again, so nothing is lost meanwhile.
func (s *Service) Rotate(ctx context.Context, id int64) (Channel, sealed.Secret, error) {
	secret := newSecret()
	c, err := s.change(ctx, id, func(_ pgx.Tx, stored *storedChannel) error {
		if stored.Kind != KindWebhook {
			return fault.New(fault.Conflict, "Only webhooks have a secret that is made here. Enter a robot's own secret instead.")
		}
		return s.sealSecret(stored, secret)
	})
	return c, secret, err
}

// Delete ends a channel; its notices go with it.
func (s *Service) Delete(ctx context.Context, id int64) error {
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		found, err := deleteChannel(ctx, tx, id)
		if err == nil && !found {
			err = noChannel()
		}
		if err != nil {
			return err
		}
		return publishChannel(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("delete notice channel %d: %w", id, err)
	}
	return nil
}

// Channel reads one channel.
func (s *Service) Channel(ctx context.Context, id int64) (Channel, error) {
	c, err := readChannel(ctx, s.deps.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Channel{}, noChannel()
	}
	return c.Channel, err
}

// open unseals a channel's address and secret.
func (s *Service) open(c storedChannel) (opened, error) {
	address, err := s.deps.Keys.Open(c.url, urlPurpose)
	if err != nil {
		return opened{}, fmt.Errorf("open address of notice channel %d: %w", c.ID, err)
	}
	o := opened{Channel: c.Channel, url: address}
	if c.secret != nil {
		if o.secret, err = s.deps.Keys.Open(c.secret, secretPurpose); err != nil {
			return opened{}, fmt.Errorf("open secret of notice channel %d: %w", c.ID, err)
		}
	}
	return o, nil
}

// Attempt is what came of a test.
type Attempt struct {
	Status   int // 0: no answer
	Duration time.Duration
	Failure  failure // empty: taken
	Response string  // the beginning of the answer
}

// Try sends a message that says that it is a test, whether the channel is enabled or not. It counts for the robot's limit.
// When it is taken, what waits for a channel that had failed is sent at once.
func (s *Service) Try(ctx context.Context, id int64) (Attempt, error) {
	stored, err := readChannel(ctx, s.deps.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Attempt{}, noChannel()
	}
	if err != nil {
		return Attempt{}, err
	}
	c, err := s.open(stored)
	if err != nil {
		s.log.ErrorContext(ctx, "notice channel cannot be opened", "channel_id", id, "error", err)
		return Attempt{Failure: failed(failSealed, "")}, nil
	}
	o := s.call(ctx, c, envelope{id: "test_" + formatID(id) + "_" + formatID(s.now().UnixMilli()), event: "test", at: s.now(), test: true})
	if o.status == 0 && ctx.Err() != nil {
		return Attempt{}, ctx.Err()
	}
	_, err = s.change(ctx, id, func(_ pgx.Tx, now *storedChannel) error {
		now.triedAt = o.at
		if o.verdict == taken {
			s.forgive(now)
		}
		if next := o.at.Add(spacing(now.Kind)); next.After(now.NextAt) {
			now.NextAt = next
		}
		return nil
	})
	if err != nil {
		return Attempt{}, err
	}
	s.poke()
	return Attempt{Status: o.status, Duration: o.duration, Failure: o.failure, Response: o.answer}, nil
}
