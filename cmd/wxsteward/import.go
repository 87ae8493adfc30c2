package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/authorize/takeover"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/migrations"
)

const importUsage = `wxsteward import [--dry-run] [--mysql-dsn DSN]

Takes over what 服务商微管家 has stored in its MySQL database: the ticket, merchants with their refresh tokens, forward rules, the
proxy, and the messages of the last MESSAGE_RETENTION_DAYS. Then a synchronization compares all merchants with WeChat's list. It only
reads there, may run while either program serves, and may be repeated: what is here already, or newer here, stays. WX_APPID and the
database are set as for wxsteward serve.

  --mysql-dsn DSN   user:password@tcp(address:3306)/wxcomponent; - reads it as one line from stdin. Without it, MYSQL_USERNAME,
                    MYSQL_PASSWORD, MYSQL_ADDRESS and MYSQL_DATABASE (wxcomponent) say where, as they do for 服务商微管家
  --dry-run         says what would be done and writes nothing
`

// importPredecessor carries out wxsteward import.
func importPredecessor(ctx context.Context, args []string, env environment, io streams) error {
	dry, dsn, err := importArgs(args, env, io)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(io.out, importUsage)
		return nil
	}
	if err != nil {
		return err
	}
	c, err := loadConfig(env)
	if err != nil {
		return err
	}
	if err := c.needAppID(); err != nil {
		return err
	}
	c.logLevel = max(c.logLevel, slog.LevelWarn) // the report says the rest
	logger := newLogger(c, io)
	keys, err := keyring(c)
	if err != nil {
		return err
	}
	return withDatabase(ctx, c, logger, func(ctx context.Context, pool *pgxpool.Pool) error {
		a := &app{cfg: c, log: logger, errOut: io.err, pool: pool, keys: keys}
		if err := a.checkKey(ctx); err != nil {
			return err
		}
		if err := migrations.Up(ctx, pool, logger); err != nil {
			return err
		}
		if err := settings.CheckMasterKey(ctx, pool, keys); err != nil {
			return err
		}
		if err := a.build(); err != nil {
			return err
		}
		report, err := takeover.Run(ctx, takeover.Config{AppID: c.appid, Keep: c.retention, DryRun: dry, Now: time.Now}, a.takers, dsn)
		printImport(io.out, report, dry)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		if n := report.Failures(); n > 0 {
			return fmt.Errorf("%d could not be taken over, see above; everything else was. The same command may be repeated", n)
		}
		return nil
	})
}

func importArgs(args []string, env environment, io streams) (dry bool, dsn sealed.Secret, err error) {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	flags.SetOutput(nowhere{})
	flags.BoolVar(&dry, "dry-run", false, "")
	text := flags.String("mysql-dsn", "", "")
	if err := flags.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errors.New("import takes --mysql-dsn and --dry-run; see wxsteward import --help")
		}
		return false, sealed.Secret{}, err
	}
	switch {
	case flags.NArg() > 0:
		err = errors.New("import takes no further arguments; see wxsteward import --help")
	case *text == "-":
		line, readErr := bufio.NewReader(io.in).ReadString('\n')
		if *text = strings.TrimSpace(line); *text == "" {
			err = fmt.Errorf("no --mysql-dsn on stdin: %w", readErr)
		}
	case *text == "":
		*text, err = peerDSN(env)
	}
	return dry, sealed.New(*text), err
}

// nowhere keeps package flag from printing what was typed, which may hold a password.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// peerDSN is the database that WeChat Cloud Run has set up for 服务商微管家.
func peerDSN(env environment) (string, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = env("MYSQL_USERNAME"), env("MYSQL_PASSWORD"), "tcp", env("MYSQL_ADDRESS"), env("MYSQL_DATABASE")
	if c.User == "" || c.Addr == "" {
		return "", errors.New(`--mysql-dsn is missing, e.g. wxsteward import --mysql-dsn "user:password@tcp(10.0.0.5:3306)/wxcomponent"`)
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		c.Addr = net.JoinHostPort(c.Addr, "3306")
	}
	if c.DBName == "" {
		c.DBName = "wxcomponent"
	}
	return c.FormatDSN(), nil
}

// printImport tells everything that was found and lists every failure.
func printImport(out io.Writer, report takeover.Report, dry bool) {
	if len(report.Parts) == 0 {
		return
	}
	if dry {
		_, _ = fmt.Fprintln(out, "Dry run: nothing is written. What would be done:")
	}
	_, _ = fmt.Fprintf(out, "%-24s %9s %9s %9s %9s\n", "", "found", "new", "already", "failed")
	for _, p := range report.Parts {
		_, _ = fmt.Fprintf(out, "%-24s %9d %9d %9d %9d\n", p.Name, p.Found, p.New, p.Already, len(p.Failed))
	}
	for _, p := range report.Parts {
		for _, f := range p.Failed {
			_, _ = fmt.Fprintf(out, "failed: %s: %s\n", f.What, strings.ReplaceAll(f.Why, "\n", " "))
		}
	}
	if report.SyncID != "" {
		_, _ = fmt.Fprintf(out, "Synchronization %s with WeChat is queued; wxsteward serve works it and shows it on the page Merchants.\n", report.SyncID)
	}
}
