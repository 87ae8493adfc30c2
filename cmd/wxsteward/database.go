package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/migrations"
)

// keyring takes MASTER_KEY, or the key that the private database was first started with. While the key is being changed it holds
// the new one too, so that a process which starts then serves whichever counts.
func keyring(c config) (*sealed.Keyring, error) {
	key, err := masterKey(c)
	if err != nil {
		return nil, err
	}
	ring, err := sealed.NewKeyring(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: put the key back that was made with this DATA_DIR", filepath.Join(c.dataDir, keyFileName))
	}
	next, err := nextKey(c)
	if err != nil || next.IsZero() {
		return ring, err
	}
	return ring, ring.Accept(next)
}

const (
	keyFileName = "master.key"
	// nextKeyFileName holds the new key while rekey is at work.
	nextKeyFileName = "master.key.new"
)

func masterKey(c config) (sealed.Secret, error) {
	if !c.masterKey.IsZero() {
		return c.masterKey, nil
	}
	text, err := keyFile(filepath.Join(c.dataDir, keyFileName))
	return sealed.New(text), err
}

// nextKey is the key to which the present one is being changed; zero if it is not.
func nextKey(c config) (sealed.Secret, error) {
	if !c.newKey.IsZero() || !c.masterKey.IsZero() {
		return c.newKey, nil
	}
	text, err := os.ReadFile(filepath.Join(c.dataDir, nextKeyFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return sealed.Secret{}, nil
	}
	if err != nil {
		return sealed.Secret{}, badDataDir("the new master key cannot be read", err)
	}
	return sealed.New(strings.TrimSpace(string(text))), nil
}

// keyFile reads the key, or makes it once: of several that start together one wins, and a crash leaves no half file.
func keyFile(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // DATA_DIR is the operator's
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", badDataDir("the master key cannot be read", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the database's user must be able to pass
		return "", badDataDir("it cannot be made", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "master.key.*") // 0600
	if err != nil {
		return "", badDataDir("it cannot be written to", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // linked or useless by then
	_, err = tmp.WriteString(sealed.GenerateKey() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", badDataDir("the master key cannot be written", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", badDataDir("the master key cannot be written", err)
	}
	return keyFile(path)
}

func badDataDir(what string, err error) error {
	return fmt.Errorf("DATA_DIR cannot be used, %s (%w): give it a directory of ours, e.g. DATA_DIR=./data", what, err)
}

// withDatabase runs fn with the database of DATABASE_URL, of a running wxsteward on DATA_DIR, or of a private one
// started for the time being.
func withDatabase(ctx context.Context, c config, logger *slog.Logger, fn func(ctx context.Context, pool *pgxpool.Pool) error) error {
	url := c.databaseURL
	if url.IsZero() {
		running, err := localpg.Find(c.dataDir)
		if err != nil {
			return err
		}
		if running == "" {
			server, err := localpg.Start(ctx, localpg.Config{DataDir: c.dataDir, Logger: logger})
			if err != nil {
				return err
			}
			defer func() {
				stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.shutdownTimeout)
				defer cancel()
				if err := server.Stop(stopCtx); err != nil {
					logger.ErrorContext(stopCtx, "private database did not stop in order", slog.Any("error", err))
				}
			}()
			running = server.URL()
		}
		url = sealed.New(running)
	}
	pool, err := postgres.Open(ctx, url, postgres.PoolConfig{MaxConns: 4})
	if err != nil {
		return err
	}
	defer pool.Close()
	return fn(ctx, pool)
}

func migrate(ctx context.Context, args []string, env environment, io streams) error {
	c, err := loadConfig(env)
	if err != nil {
		return err
	}
	what := "up"
	if len(args) > 0 {
		what = args[0]
	}
	if what != "up" && what != "status" {
		return fmt.Errorf("migrate takes up or status, not %q", what)
	}
	logger := newLogger(c, io)
	return withDatabase(ctx, c, logger, func(ctx context.Context, pool *pgxpool.Pool) error {
		if what == "up" {
			if err := migrations.Up(ctx, pool, logger); err != nil {
				return err
			}
		}
		list, err := migrations.Status(ctx, pool)
		if err != nil {
			return err
		}
		for _, m := range list {
			when := "pending"
			if !m.AppliedAt.IsZero() {
				when = m.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
			}
			_, _ = fmt.Fprintf(io.out, "%-20s  %-9s  %5d  %s\n", when, m.Source, m.Version, m.Name)
		}
		return nil
	})
}

func passwd(ctx context.Context, args []string, env environment, io streams) error {
	const flag = "--reset-totp"
	resetTOTP := slices.Contains(args, flag)
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == flag })
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return errors.New("passwd takes the user's name, e.g. wxsteward passwd admin, and --reset-totp to take the second factor away")
	}
	c, err := loadConfig(env)
	if err != nil {
		return err
	}
	password, err := readPassword(args[0], io)
	if err != nil {
		return err
	}
	keys, err := keyring(c)
	if err != nil {
		return err
	}
	return withDatabase(ctx, c, newLogger(c, io), func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := settings.CheckMasterKey(ctx, pool, keys); err != nil {
			return err
		}
		auth := adminauth.New(adminauth.Config{DB: pool, Keys: keys})
		if err := auth.SetPassword(ctx, args[0], password, resetTOTP); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(io.err, "The password of "+args[0]+" is changed; running sessions have ended.")
		if resetTOTP {
			_, _ = fmt.Fprintln(io.err, "The second factor and its recovery codes are gone.")
		}
		return nil
	})
}
