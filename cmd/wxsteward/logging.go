package main

import (
	"log/slog"
	"os"

	"golang.org/x/term"
)

// newLogger writes to standard output, where Cloud Run collects.
func newLogger(c config, io streams) *slog.Logger {
	format := c.logFormat
	if format == "" {
		format = "json"
		if f, ok := io.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			format = "text"
		}
	}
	options := &slog.HandlerOptions{Level: c.logLevel}
	if format == "text" {
		return slog.New(slog.NewTextHandler(io.out, options))
	}
	return slog.New(slog.NewJSONHandler(io.out, options))
}

// attrs is the configuration in force, for the log; secrets only say whether they are set.
func (c config) attrs() []any {
	set := func(is bool) string {
		if is {
			return "set"
		}
		return "not set"
	}
	database := "private under " + c.dataDir
	if !c.databaseURL.IsZero() {
		database = "DATABASE_URL"
	}
	return []any{
		slog.String("appid", c.appid), slog.String("mode", c.mode), slog.String("transport", string(c.transport)),
		slog.String("public_url", c.publicURL.String()), slog.String("listen_addr", c.listenAddr), slog.String("inner_addr", c.innerAddr),
		slog.String("business_upstream", c.upstream), slog.Bool("allow_private_targets", c.allowPrivate),
		slog.String("database", database), slog.String("timezone", c.location.String()), slog.String("api_base", c.apiBase),
		slog.String("wx_app_secret", set(!c.envSecret.IsZero())), slog.String("wx_message_token", set(!c.envToken.IsZero())),
		slog.String("wx_encoding_aes_key", set(!c.envAESKey.IsZero())), slog.String("forwarder_token", set(!c.forwardToken.IsZero())),
		slog.String("master_key", set(!c.masterKey.IsZero())),
	}
}
