package component

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/wechat/msgcrypt"
)

// Keys in the settings table.
const (
	keyAppSecret    = "component.app_secret" //nolint:gosec // names a secret, is none
	keyMessageToken = "component.message_token"
	keyAESKey       = "component.encoding_aes_key"
	keyName         = "component.name"
	keyDescription  = "component.description"
	keyAllowlist    = "component.return_url_allowlist"
)

// earlierKept is how many message tokens and AES keys before the present one are kept: WeChat signs with the old one until the
// console is changed too, and one that was mistyped and corrected meanwhile must not push it out.
const earlierKept = 3

// earlierKeys are the keys in the settings table under which those before the present one are, the latest first.
func earlierKeys(key string) []string {
	names := make([]string, earlierKept)
	for i := range names {
		names[i] = key + "_previous"
		if i > 0 {
			names[i] += "_" + strconv.Itoa(i+1)
		}
	}
	return names
}

// Source tells where a credential comes from.
type Source string

// The sources of a credential.
const (
	SourceStored      Source = "stored"
	SourceEnvironment Source = "environment" // overrides what is stored
	SourceMissing     Source = "missing"
)

// Credentials tells where each credential comes from, never what it is.
type Credentials struct {
	AppSecret      Source `json:"app_secret" enum:"stored,environment,missing"`
	MessageToken   Source `json:"message_token" enum:"stored,environment,missing"`
	EncodingAESKey Source `json:"encoding_aes_key" enum:"stored,environment,missing"`
}

type credentials struct {
	appSecret, messageToken, aesKey sealed.Secret
	// What was in force before, the latest first; empty: never changed, or set by the environment.
	earlierTokens, earlierAESKeys []sealed.Secret
	sources                       Credentials
}

func (c credentials) status() Credentials { return c.sources }

// credentials reads what is in force now.
func (s *Service) credentials(ctx context.Context) (credentials, error) {
	var c credentials
	for _, item := range []struct {
		into    *sealed.Secret
		earlier *[]sealed.Secret // nil: none are kept
		source  *Source
		env     sealed.Secret
		key     string
	}{
		{&c.appSecret, nil, &c.sources.AppSecret, s.cfg.EnvSecret, keyAppSecret},
		{&c.messageToken, &c.earlierTokens, &c.sources.MessageToken, s.cfg.EnvMessageToken, keyMessageToken},
		{&c.aesKey, &c.earlierAESKeys, &c.sources.EncodingAESKey, s.cfg.EnvAESKey, keyAESKey},
	} {
		if !item.env.IsZero() {
			*item.into, *item.source = item.env, SourceEnvironment
			continue
		}
		value, ok, err := s.deps.Settings.GetSecret(ctx, item.key)
		if err != nil {
			return credentials{}, err
		}
		*item.into, *item.source = value, SourceMissing
		if ok && !value.IsZero() {
			*item.source = SourceStored
		}
		if item.earlier == nil {
			continue
		}
		if *item.earlier, err = s.earlier(ctx, s.deps.DB, item.key); err != nil {
			return credentials{}, err
		}
	}
	return c, nil
}

// earlier reads the secrets that were in force before the one of key, the latest first.
func (s *Service) earlier(ctx context.Context, db postgres.DB, key string) ([]sealed.Secret, error) {
	var list []sealed.Secret
	for _, name := range earlierKeys(key) {
		secret, ok, err := s.deps.Settings.GetSecretTx(ctx, db, name)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, secret)
		}
	}
	return list, nil
}

// Profile is what operators write about the platform.
type Profile struct {
	Name, Description  string
	Color              string // #rrggbb of buttons on our pages; empty: ours
	LogoID             string // of the picture that Logo reads; empty: none
	ReturnURLAllowlist []string
}

// Profile reads it; everything is empty at first.
func (s *Service) Profile(ctx context.Context) (Profile, error) {
	var p Profile
	for _, item := range []struct {
		into *string
		key  string
	}{{&p.Name, keyName}, {&p.Description, keyDescription}, {&p.Color, keyColor}, {&p.LogoID, keyLogoID}} {
		var err error
		if *item.into, _, err = s.deps.Settings.Get(ctx, item.key); err != nil {
			return Profile{}, err
		}
	}
	var err error
	p.ReturnURLAllowlist, err = s.allowlist(ctx)
	return p, err
}

func (s *Service) allowlist(ctx context.Context) ([]string, error) {
	text, ok, err := s.deps.Settings.Get(ctx, keyAllowlist)
	if err != nil || !ok {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("setting %s: %w", keyAllowlist, err)
	}
	return list, nil
}

// Change is what an administrator wants changed; nil means left as it is.
type Change struct {
	AppSecret, MessageToken, EncodingAESKey *sealed.Secret
	Name, Description                       *string
	Color                                   *string // #rrggbb, or empty for ours
	Logo                                    *string // data URL of a PNG or JPEG picture, or empty for none
	ReturnURLAllowlist                      *[]string
}

// HasCredentials reports whether a credential is to change, for which one must be admin.
func (c Change) HasCredentials() bool {
	return c.AppSecret != nil || c.MessageToken != nil || c.EncodingAESKey != nil
}

// Change stores all of c or nothing. A changed message token or AES key leaves the last three before it valid for
// reading. It fails with fault.Validation, and with fault.Conflict for a credential that the environment sets.
func (s *Service) Change(ctx context.Context, c Change, by string) error {
	if err := s.validate(&c); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, s.deps.DB, func(tx pgx.Tx) error {
		if err := lockSettings(ctx, tx); err != nil {
			return err
		}
		if err := s.putSecrets(ctx, tx, c, by); err != nil {
			return err
		}
		return s.putProfile(ctx, tx, c, by)
	})
	if err != nil {
		return fmt.Errorf("change platform settings: %w", err)
	}
	s.ciphers.forget()
	return nil
}

func (s *Service) putSecrets(ctx context.Context, tx pgx.Tx, c Change, by string) error {
	for _, item := range []struct {
		value *sealed.Secret
		key   string
		keep  bool // what was in force before
	}{
		{c.AppSecret, keyAppSecret, false},
		{c.MessageToken, keyMessageToken, true},
		{c.EncodingAESKey, keyAESKey, true},
	} {
		if item.value == nil {
			continue
		}
		old, ok, err := s.deps.Settings.GetSecretTx(ctx, tx, item.key)
		if err != nil {
			return err
		}
		if ok && old.Equal(*item.value) {
			continue // typed in once more: those before stay as they are
		}
		if ok && item.keep {
			if err := s.keepEarlier(ctx, tx, item.key, old, *item.value, by); err != nil {
				return err
			}
		}
		if err := s.deps.Settings.PutSecret(ctx, tx, item.key, *item.value, by); err != nil {
			return err
		}
	}
	return nil
}

// keepEarlier puts old, which next replaces, before those that were in force before it. None is kept twice.
func (s *Service) keepEarlier(ctx context.Context, tx pgx.Tx, key string, old, next sealed.Secret, by string) error {
	list, err := s.earlier(ctx, tx, key)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(was sealed.Secret) bool { return was.Equal(old) || was.Equal(next) })
	list = slices.Insert(list, 0, old)
	for i, name := range earlierKeys(key) {
		if i < len(list) {
			err = s.deps.Settings.PutSecret(ctx, tx, name, list[i], by)
		} else {
			err = s.deps.Settings.Delete(ctx, tx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) putProfile(ctx context.Context, tx pgx.Tx, c Change, by string) error {
	type text struct {
		key   string
		value *string
	}
	texts := []text{{keyName, c.Name}, {keyDescription, c.Description}, {keyColor, c.Color}, {keyLogo, c.Logo}}
	if c.Logo != nil {
		id := ""
		if *c.Logo != "" {
			logo, err := parseLogo(*c.Logo)
			if err != nil {
				return err
			}
			id = logo.ID
		}
		texts = append(texts, text{keyLogoID, &id})
	}
	if c.ReturnURLAllowlist != nil {
		list, err := json.Marshal(*c.ReturnURLAllowlist)
		if err != nil {
			return err
		}
		texts = append(texts, text{keyAllowlist, new(string(list))})
	}
	for _, t := range texts {
		if t.value == nil {
			continue
		}
		if err := s.deps.Settings.Put(ctx, tx, t.key, *t.value, by); err != nil {
			return err
		}
	}
	return nil
}

// tokenPattern is the console's rule for 消息校验Token, aesKeyPattern that for 消息加解密Key.
var (
	tokenPattern  = regexp.MustCompile(`^[A-Za-z0-9]{3,32}$`)
	aesKeyPattern = regexp.MustCompile(`^[A-Za-z0-9]{43}$`)
)

// validate collects everything that is wrong and brings the rest into the form that is stored.
func (s *Service) validate(c *Change) error {
	var wrong fault.Collector
	for _, item := range []struct {
		location string
		value    *sealed.Secret
		env      sealed.Secret
		variable string
	}{
		{"app_secret", c.AppSecret, s.cfg.EnvSecret, "WX_APP_SECRET"},
		{"message_token", c.MessageToken, s.cfg.EnvMessageToken, "WX_MESSAGE_TOKEN"},
		{"encoding_aes_key", c.EncodingAESKey, s.cfg.EnvAESKey, "WX_ENCODING_AES_KEY"},
	} {
		if item.value != nil && !item.env.IsZero() {
			f := fault.Invalid("body."+item.location, "%s is set by the environment variable %s. Change it there.", nil, item.location, item.variable)
			f.Kind = fault.Conflict
			return f
		}
	}
	if c.AppSecret != nil {
		text := c.AppSecret.Reveal()
		if text == "" || len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			wrong.Add("body.app_secret", "The app secret must not be empty or contain spaces.", nil)
		}
	}
	if c.MessageToken != nil && !tokenPattern.MatchString(c.MessageToken.Reveal()) {
		wrong.Add("body.message_token", "The message token has 3 to 32 letters or digits.", nil)
	}
	if c.EncodingAESKey != nil && !validAESKey(c.EncodingAESKey.Reveal()) {
		wrong.Add("body.encoding_aes_key", "The message AES key has exactly 43 letters or digits.", nil)
	}
	if c.Name != nil {
		*c.Name = strings.TrimSpace(legible([]byte(*c.Name)))
		if utf8.RuneCountInString(*c.Name) > 100 {
			wrong.Add("body.name", "The name has at most 100 characters.", nil)
		}
	}
	if c.Description != nil {
		*c.Description = strings.TrimSpace(legible([]byte(*c.Description)))
		if utf8.RuneCountInString(*c.Description) > 1000 {
			wrong.Add("body.description", "The description has at most 1000 characters.", nil)
		}
	}
	if c.Color != nil {
		*c.Color = strings.ToLower(strings.TrimSpace(*c.Color))
		if *c.Color != "" && !colorPattern.MatchString(*c.Color) {
			wrong.Add("body.color", "The colour is # and six hexadecimal digits, e.g. #0052d9, or empty.", nil)
		}
	}
	if c.Logo != nil && *c.Logo != "" {
		logo, err := parseLogo(*c.Logo)
		if err != nil {
			wrong.Add("body.logo", "The logo is a data URL of a PNG or JPEG picture of at most %d KiB and %d × %d pixels.", nil,
				maxLogoBytes>>10, maxLogoPixels, maxLogoPixels)
		} else {
			*c.Logo = logo.dataURL()
		}
	}
	if c.ReturnURLAllowlist != nil {
		list := []string{}
		for i, entry := range *c.ReturnURLAllowlist {
			origin, err := parseAllowed(strings.TrimSpace(entry))
			if err != nil || i >= 200 {
				wrong.Add(fmt.Sprintf("body.return_url_allowlist[%d]", i),
					"An entry is https://host[:port][/path prefix] without a query; there are at most 200.", entry)
				continue
			}
			list = append(list, origin.String())
		}
		c.ReturnURLAllowlist = &list
	}
	return wrong.Err()
}

func validAESKey(text string) bool {
	if !aesKeyPattern.MatchString(text) {
		return false
	}
	_, err := msgcrypt.NewKey("token", text)
	return err == nil
}

// say picks the language of whoever asked.
func say(ctx context.Context, zh, en string) string {
	if fault.LangFrom(ctx) == fault.English {
		return en
	}
	return zh
}
