package tokenstore_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/localpg"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
	"github.com/wxsteward/wxsteward/migrations"
)

// killAll breaks every connection to the test's database but the one it uses.
func (f *fixture) killAll(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	const q = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	_, err = conn.Exec(t.Context(), q)
	require.NoError(t, err)
}

// commitFails is a pool whose next commits are lost: before the server has them, or after.
type commitFails struct {
	postgres.DB
	before, after atomic.Int32
}

var errCommit = errors.New("connection lost in commit")

func (c *commitFails) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := c.DB.Begin(ctx)
	return &failingTx{Tx: tx, c: c}, err
}

type failingTx struct {
	pgx.Tx
	c *commitFails
}

func (tx *failingTx) Commit(ctx context.Context) error {
	if tx.c.before.Add(-1) >= 0 {
		return errors.Join(errCommit, tx.Rollback(ctx))
	}
	err := tx.Tx.Commit(ctx)
	if tx.c.after.Add(-1) >= 0 {
		return errCommit
	}
	return err
}

func TestWhatWeChatGaveIsNotLost(t *testing.T) {
	t.Parallel()
	t.Run("connections broken while WeChat answers", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		w.refresh = "refresh-1"
		f.put(t, "old", time.Nanosecond)
		got, err := f.store.Get(t.Context(), key, func(ctx context.Context, r sealed.Secret) (tokenstore.Grant, error) {
			f.killAll(t)
			return w.refresher(ctx, r)
		})
		requireToken(t, "access-1", got, err)
		stored, _, err := f.store.Peek(t.Context(), key)
		requireToken(t, "access-1", stored, err)
		require.EqualValues(t, 1, w.calls.Load())

		f.clock.advance(3 * time.Hour)
		_, err = f.store.Get(t.Context(), key, w.refresher)
		require.NoError(t, err)
		refresh, _ := w.got.Load(int64(2))
		require.Equal(t, "refresh-1", refresh, "the refresh token that WeChat returned was lost")
	})
	t.Run("commit fails", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		db := &commitFails{DB: f.pool}
		db.before.Store(3)
		got, err := f.another(db).Get(t.Context(), "component:wx", w.refresher)
		requireToken(t, "access-1", got, err)
		stored, _, err := f.store.Peek(t.Context(), "component:wx")
		requireToken(t, "access-1", stored, err)
		require.EqualValues(t, 1, w.calls.Load())
	})
	t.Run("commit succeeds and its answer is lost", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Nanosecond)
		db := &commitFails{DB: f.pool}
		db.after.Store(1)
		got, err := f.another(db).Get(t.Context(), key, w.refresher)
		requireToken(t, "access-1", got, err)
		require.EqualValues(t, 1, w.calls.Load())
	})
	t.Run("an exchange while it could not be stored is newer", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Nanosecond)
		got, err := f.store.Get(t.Context(), key, func(ctx context.Context, r sealed.Secret) (tokenstore.Grant, error) {
			f.killAll(t) // frees the lock, so that the exchange goes first
			f.put(t, "exchanged", time.Hour)
			return w.refresher(ctx, r)
		})
		requireToken(t, "exchanged", got, err)
	})
	t.Run("a merchant who withdraws while it could not be stored stays without tokens", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Nanosecond)
		errNoRefresh := errors.New("no refresh token")
		_, err := f.store.Get(t.Context(), key, func(ctx context.Context, r sealed.Secret) (tokenstore.Grant, error) {
			if r.IsZero() {
				return tokenstore.Grant{}, errNoRefresh
			}
			f.killAll(t)
			if err := f.store.Delete(ctx, f.pool, key); err != nil {
				return tokenstore.Grant{}, err
			}
			return w.refresher(ctx, r)
		})
		require.ErrorIs(t, err, errNoRefresh)
		_, ok, err := f.store.Peek(t.Context(), key)
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestRefreshSurvivesARestartOfTheDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a PostgreSQL of its own")
	}
	ctx := t.Context()
	config := localpg.Config{DataDir: t.TempDir(), Fast: true}
	server, err := localpg.Start(ctx, config)
	require.NoError(t, err)
	restarted := make(chan *localpg.Server, 1)
	t.Cleanup(func() {
		select {
		case again := <-restarted:
			require.NoError(t, again.Stop(context.Background()))
		case <-time.After(10 * time.Second):
			t.Error("the database was not started again")
		}
	})
	pool := postgrestest.Open(t, server.URL())
	f := &fixture{pool: pool, clock: &clock{}}
	require.NoError(t, migrations.Up(ctx, pool, slog.New(slog.DiscardHandler)))
	f.keys, err = sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	f.store = f.another(pool)
	f.put(t, "old", time.Nanosecond)

	w := newWechat()
	w.refresh = "refresh-1"
	got, err := f.store.Get(ctx, key, func(ctx context.Context, r sealed.Secret) (tokenstore.Grant, error) {
		require.NoError(t, server.Stop(ctx))
		go func() {
			time.Sleep(time.Second) // away for a while
			again, err := localpg.Start(context.WithoutCancel(ctx), config)
			if err != nil {
				t.Error(err)
			}
			restarted <- again
		}()
		return w.refresher(ctx, r)
	})
	requireToken(t, "access-1", got, err)
	require.EqualValues(t, 1, w.calls.Load())
	stored, err := f.store.RefreshToken(ctx, key)
	require.NoError(t, err)
	require.True(t, !stored.Secret.IsZero())
}
