// Package rekey changes the master key of a database, also while processes serve on it.
package rekey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/replica"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
)

const (
	// patience is how long running processes may take to accept the new key.
	patience = time.Minute
	look     = 100 * time.Millisecond
	// Settle is how long a box may be on its way between being sealed and being stored: calls end sooner, or fail.
	Settle = 10 * time.Second
)

var (
	// ErrSameKey means that the new key is the old one.
	ErrSameKey = errors.New("the new master key is the present one: make another with \"wxsteward genkey\"")
	// ErrNothingSealed means that the database has never been used.
	ErrNothingSealed = errors.New("this database holds no secrets yet: just start with the new key as MASTER_KEY")
	// ErrRunning means that another rekey is at work.
	ErrRunning = errors.New("another rekey of this database is running")

	errNewcomer = errors.New("a process has started meanwhile")
)

// Config says what is to be done.
type Config struct {
	From, To sealed.Secret
	Columns  []sealed.Column
	Settle   time.Duration
	Logger   *slog.Logger
}

// Report tells what was done.
type Report struct {
	Secrets  int // sealed anew
	Replicas int // that were told while they run
}

// Run changes the key. Everything is sealed anew in one transaction: before it ends nothing has changed, and after it the new key
// counts. Processes that run are handed the new key before it and seal with it after it; what they stored with the old one in
// between is then sealed anew too. It may be killed and called again with the same keys at any time.
func Run(ctx context.Context, db postgres.DB, locks *postgres.Locker, cfg Config) (Report, error) {
	var r Report
	got, err := locks.Try(ctx, "rekey", func(ctx context.Context) error {
		var err error
		r, err = run(ctx, db, cfg)
		return err
	})
	if err == nil && !got {
		err = ErrRunning
	}
	return r, err
}

type worker struct {
	db     postgres.DB
	cfg    Config
	change replica.Change
	report Report
}

func run(ctx context.Context, db postgres.DB, cfg Config) (Report, error) {
	from, err := sealed.NewKeyring(cfg.From.Reveal())
	if err != nil {
		return Report{}, fmt.Errorf("present key: %w", err)
	}
	to, err := sealed.NewKeyring(cfg.To.Reveal())
	if err != nil {
		return Report{}, fmt.Errorf("new key: %w", err)
	}
	if from.CurrentKeyID() == to.CurrentKeyID() {
		return Report{}, ErrSameKey
	}
	both, err := sealed.NewKeyring(cfg.From.Reveal(), cfg.To.Reveal())
	if err != nil {
		return Report{}, err
	}
	w := &worker{db: db, cfg: cfg, change: replica.Change{
		Keys: both, From: cfg.From, To: cfg.To, FromID: from.CurrentKeyID(), ToID: to.CurrentKeyID(),
	}}
	counts, err := settings.MasterKeyID(ctx, db)
	switch {
	case err != nil:
		return Report{}, err
	case counts == "":
		return Report{}, ErrNothingSealed
	case counts == w.change.ToID: // it was killed, or is run again to be sure
		if err := w.change.Switched(ctx, db); err != nil {
			return Report{}, err
		}
		return w.report, w.finish(ctx)
	case counts != w.change.FromID:
		return Report{}, settings.ErrWrongMasterKey
	}
	if err := w.finishEarlier(ctx); err != nil {
		return Report{}, err
	}
	if err := w.switchKeys(ctx); err != nil {
		// Nothing has changed, and nobody shall go on waiting; unless the commit got through after all.
		if now, readErr := settings.MasterKeyID(context.WithoutCancel(ctx), db); readErr == nil && now == w.change.FromID {
			err = errors.Join(err, w.change.End(context.WithoutCancel(ctx), db))
		}
		return Report{}, err
	}
	return w.report, w.finish(ctx)
}

// finishEarlier ends a change to the key that counts now and that was left unfinished.
func (w *worker) finishEarlier(ctx context.Context) error {
	older, err := replica.Unfinished(ctx, w.db, w.change.Keys, w.change.FromID)
	if err != nil || older.IsZero() {
		return err
	}
	cfg := w.cfg
	cfg.From, cfg.To = older, w.cfg.From
	_, err = run(ctx, w.db, cfg)
	return err
}

// switchKeys hands the new key out and seals everything anew, again when somebody starts in between.
func (w *worker) switchKeys(ctx context.Context) error {
	if err := w.change.Announce(ctx, w.db); err != nil {
		return err
	}
	for {
		if err := w.handOut(ctx); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error { return w.sealAnew(ctx, tx) })
		if !errors.Is(err, errNewcomer) {
			return err
		}
	}
}

func (w *worker) handOut(ctx context.Context) error {
	began := time.Now()
	for {
		waiting, err := w.change.Offer(ctx, w.db)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			return nil
		}
		w.report.Replicas = max(w.report.Replicas, len(waiting))
		if time.Since(began) > patience {
			return fmt.Errorf("running processes do not take the new key, nothing was changed: %s", names(waiting))
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

func (w *worker) sealAnew(ctx context.Context, tx pgx.Tx) error {
	const patient = `SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`
	if _, err := tx.Exec(ctx, patient); err != nil {
		return err
	}
	without, err := w.change.Hold(ctx, tx)
	if err != nil {
		return err
	}
	if len(without) > 0 {
		return errNewcomer
	}
	if err := w.change.Keys.Use(w.change.ToID); err != nil {
		return err
	}
	w.report.Secrets = 0
	_, err = w.sweep(ctx, tx)
	if err == nil {
		err = w.change.Switched(ctx, tx)
	}
	if err == nil {
		var counts string
		if counts, err = settings.MasterKeyID(ctx, tx); err == nil && counts != w.change.ToID {
			err = errors.New("the proof of the master key is locked by somebody; try again")
		}
	}
	if err != nil {
		return errors.Join(err, w.change.Keys.Use(w.change.FromID))
	}
	return nil
}

// finish waits until every process seals with the new key, and seals anew what came with the old one until then.
func (w *worker) finish(ctx context.Context) error {
	if err := w.change.Keys.Use(w.change.ToID); err != nil {
		return err
	}
	settle := time.Duration(0)
	for {
		others, err := w.change.Unswitched(ctx, w.db)
		if err != nil {
			return err
		}
		if len(others) == 0 {
			break
		}
		settle = w.cfg.Settle
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
	if w.report.Replicas > 0 {
		settle = w.cfg.Settle
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	for {
		left, err := w.sweep(ctx, w.db)
		if err != nil {
			return err
		}
		if left == 0 {
			return w.change.End(ctx, w.db)
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func names(list []replica.Replica) string {
	var text []string
	for _, r := range list {
		text = append(text, r.Host+" (version "+r.Version+", since "+r.StartedAt.UTC().Format(time.RFC3339)+")")
	}
	return strings.Join(text, ", ")
}
