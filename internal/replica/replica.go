// Package replica knows the processes that serve on one database: each keeps a row that says it lives, which version it is and
// with which master keys it works, and by that row a running process is handed another master key.
package replica

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
)

const (
	// every is how often a process writes that it lives; changeEvery while the master key changes.
	every       = 5 * time.Second
	changeEvery = 250 * time.Millisecond
	// LiveFor is how long ago a process may have written its row and still count as living.
	LiveFor = 20 * time.Second
	// forgetAfter removes the rows of processes that ended without a word.
	forgetAfter = 10 * time.Minute
)

// Config says who this process is.
type Config struct {
	Version, Commit string
	Keys            *sealed.Keyring
	Logger          *slog.Logger
}

// Service keeps this process's row and its keyring in step with the database.
type Service struct {
	db      postgres.DB
	cfg     Config
	row     Replica
	private hpke.PrivateKey
}

// Replica is a process that serves.
type Replica struct {
	ID, Host, Version, Commit string
	StartedAt, SeenAt         time.Time
	// Keys are the ids of the master keys it can open with; the first seals.
	Keys []string
	// Live tells whether it was seen within LiveFor.
	Live bool
}

// New makes the Service of this process. It does not touch the database.
func New(db postgres.DB, cfg Config) (*Service, error) {
	private, err := kem().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key to be handed master keys with: %w", err)
	}
	host, _ := os.Hostname() // it is only shown
	return &Service{db: db, cfg: cfg, private: private, row: Replica{
		ID: rand.Text(), Host: host, Version: cfg.Version, Commit: cfg.Commit, StartedAt: time.Now().UTC(),
	}}, nil
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// ID is this process's.
func (s *Service) ID() string { return s.row.ID }

// Register brings the keyring in step and writes the row. Call it before anything is sealed or opened. It fails with
// settings.ErrWrongMasterKey when the database has been given a key that this process does not know.
func (s *Service) Register(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Not while the secrets are being sealed anew: who does it has counted whom it must tell.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared(`+changeLock+`)`); err != nil {
			return fmt.Errorf("register this process: %w", err)
		}
		if _, err := s.follow(ctx, tx); err != nil {
			return err
		}
		public, err := s.cfg.Keys.Seal(sealed.New(string(s.private.PublicKey().Bytes())), publicPurpose(s.row.ID))
		if err != nil {
			return err
		}
		return register(ctx, tx, s.row, s.cfg.Keys.KeyIDs(), public)
	})
}

// Run keeps the row until ctx ends, and removes it then. It fails only when the master key was changed while this process could
// not be told, which is its end: it must be started again with the key that counts.
func (s *Service) Run(ctx context.Context) error {
	away := false
	for {
		pause, err := s.beat(ctx)
		switch {
		case ctx.Err() != nil:
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			return quiet(remove(last, s.db, s.row.ID))
		case errors.Is(err, settings.ErrWrongMasterKey):
			return err
		case err != nil && !away:
			s.cfg.Logger.WarnContext(ctx, "cannot write that this process lives", slog.Any("error", err))
		}
		away = err != nil
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// quiet drops the error of a farewell: the row is forgotten by its age too.
func quiet(error) error { return nil }

func (s *Service) beat(ctx context.Context) (pause time.Duration, err error) {
	pause = every
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	changing, err := s.follow(ctx, s.db)
	if err != nil {
		return pause, err
	}
	if changing {
		pause = changeEvery
	}
	known, err := touch(ctx, s.db, s.row.ID, s.cfg.Keys.KeyIDs())
	if err != nil || known {
		return pause, err
	}
	return pause, s.Register(ctx) // this process was thought dead
}

// follow takes a key that is offered and seals with the one that counts; changing tells that a change is under way.
func (s *Service) follow(ctx context.Context, db postgres.DB) (changing bool, err error) {
	change, changing, err := readChange(ctx, db)
	if err != nil {
		return false, err
	}
	if changing {
		if err := s.learn(ctx, db, change); err != nil {
			return false, err
		}
	}
	counts, err := settings.MasterKeyID(ctx, db)
	if err != nil || counts == "" || counts == s.cfg.Keys.CurrentKeyID() {
		return changing, err
	}
	if s.cfg.Keys.Use(counts) != nil {
		return false, settings.ErrWrongMasterKey
	}
	s.cfg.Logger.InfoContext(ctx, "sealing with another master key from now on", slog.String("key_id", counts))
	return changing, nil
}

// learn takes the keys of a change that is under way as far as they are meant for this process.
func (s *Service) learn(ctx context.Context, db postgres.DB, c change) error {
	if c.previous != nil && s.cfg.Keys.Holds(c.to) && !s.cfg.Keys.Holds(c.from) {
		old, err := s.cfg.Keys.Open(c.previous, previousPurpose)
		if err != nil {
			return fmt.Errorf("open the previous master key: %w", err)
		}
		if err := s.cfg.Keys.Accept(old); err != nil {
			return fmt.Errorf("take the previous master key: %w", err)
		}
	}
	if s.cfg.Keys.Holds(c.to) {
		return nil
	}
	offer, err := readOffer(ctx, db, s.row.ID)
	if err != nil || offer == nil {
		return err
	}
	box, err := s.cfg.Keys.Open(offer, offerPurpose(s.row.ID))
	if err != nil {
		return fmt.Errorf("open the offered master key: %w", err)
	}
	key, err := hpke.Open(s.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(offerPurpose(s.row.ID)), []byte(box.Reveal()))
	if err != nil {
		return fmt.Errorf("open the offered master key: %w", err)
	}
	if err := s.cfg.Keys.Accept(sealed.New(string(key))); err != nil {
		return fmt.Errorf("take the offered master key: %w", err)
	}
	return nil
}

// List names the processes that were seen lately, the longest running first.
func (s *Service) List(ctx context.Context) ([]Replica, error) { return list(ctx, s.db) }

// ChangeUnfinished tells since when a change of the master key is under way; the zero time if none is.
func (s *Service) ChangeUnfinished(ctx context.Context) (time.Time, error) {
	c, _, err := readChange(ctx, s.db)
	return c.startedAt, err
}
