package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/authorize"
	"github.com/wxsteward/wxsteward/authorize/register"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/component/forward"
	"github.com/wxsteward/wxsteward/component/notice"
	"github.com/wxsteward/wxsteward/internal/adminauth"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/rekey"
	"github.com/wxsteward/wxsteward/internal/replica"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/migrations"
)

// sealedColumns is every place with secrets. Settings come last, since many look at them: their rows are held only for the end of
// the transaction.
func sealedColumns() []sealed.Column {
	return slices.Concat(component.SealedColumns(), tokenstore.SealedColumns(), authorize.SealedColumns(), adminauth.SealedColumns(),
		notice.SealedColumns(), register.SealedColumns(), forward.SealedColumns(), replica.SealedColumns(), settings.SealedColumns())
}

func rekeyDatabase(ctx context.Context, env environment, io streams) error {
	c, err := loadConfig(env)
	if err != nil {
		return err
	}
	if c.newKey.IsZero() {
		line, err := readLine(io, "New master key: ")
		if err != nil {
			return errors.New(`the new key is missing: set NEW_MASTER_KEY or give it as one line on stdin, e.g. NEW_MASTER_KEY="$(wxsteward genkey)"`)
		}
		if _, err := sealed.NewKeyring(line); err != nil {
			return fmt.Errorf("the new key cannot be used: %w", err)
		}
		c.newKey = sealed.New(line)
	}
	if c.masterKey.IsZero() {
		if _, err := os.Stat(filepath.Join(c.dataDir, keyFileName)); err != nil {
			return badDataDir("it has no "+keyFileName+" to change", err)
		}
	}
	from, err := masterKey(c)
	if err != nil {
		return err
	}
	logger := newLogger(c, streams{io.in, io.err, io.err})
	var report rekey.Report
	err = withDatabase(ctx, c, logger, func(ctx context.Context, pool *pgxpool.Pool) error {
		done, err := migrations.Done(ctx, pool)
		if err != nil {
			return err
		}
		if !done {
			return errors.New("the database is not of this version: run wxsteward migrate, or start this version once, and let no older version run meanwhile")
		}
		if c.masterKey.IsZero() {
			if err := keepNextKey(c); err != nil {
				return err
			}
		}
		report, err = rekey.Run(ctx, pool, postgres.NewLocker(pool), rekey.Config{
			From: from, To: c.newKey, Columns: sealedColumns(), Settle: rekey.Settle, Logger: logger,
		})
		return err
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(io.err, "%d secrets are sealed with the new key; %d running processes were handed it.\n", report.Secrets, report.Replicas)
	if c.masterKey.IsZero() {
		if err := settleKeyFile(c, nil); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(io.err, "%s holds it now.\n", filepath.Join(c.dataDir, keyFileName))
		return nil
	}
	_, _ = fmt.Fprintln(io.err, "Set MASTER_KEY to it everywhere before a process is started again. The old key opens only backups made until now.")
	return nil
}

// keepNextKey writes the new key down before anything is sealed with it.
func keepNextKey(c config) error {
	path := filepath.Join(c.dataDir, nextKeyFileName)
	tmp, err := os.CreateTemp(c.dataDir, nextKeyFileName+".*") // 0600
	if err != nil {
		return badDataDir("the new master key cannot be written", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // renamed or useless by then
	_, err = tmp.WriteString(c.newKey.Reveal() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return badDataDir("the new master key cannot be written", err)
	}
	return nil
}

// settleKeyFile gives the new key its place in DATA_DIR if it is the one that keys, unless nil, seal with.
func settleKeyFile(c config, keys *sealed.Keyring) error {
	if !c.masterKey.IsZero() {
		return nil
	}
	path := filepath.Join(c.dataDir, nextKeyFileName)
	text, err := os.ReadFile(path) //nolint:gosec // DATA_DIR is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && keys != nil {
		next, parseErr := sealed.NewKeyring(string(text))
		if parseErr != nil || next.CurrentKeyID() != keys.CurrentKeyID() {
			return nil //nolint:nilerr // it does not count
		}
	}
	if err == nil {
		err = os.Rename(path, filepath.Join(c.dataDir, keyFileName))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return badDataDir("the new master key cannot take its place", err)
	}
	return nil
}
