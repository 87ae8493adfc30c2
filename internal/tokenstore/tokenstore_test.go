package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
)

const key = "authorizer:wx1"

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// wechat hands out numbered tokens.
type wechat struct {
	calls    atomic.Int64
	delay    time.Duration
	err      error
	lifetime time.Duration
	refresh  string // returned refresh token
	got      sync.Map
}

func (w *wechat) refresher(ctx context.Context, refresh sealed.Secret) (tokenstore.Grant, error) {
	n := w.calls.Add(1)
	w.got.Store(n, refresh.Reveal())
	if w.delay > 0 {
		select {
		case <-ctx.Done():
			return tokenstore.Grant{}, ctx.Err()
		case <-time.After(w.delay):
		}
	}
	if w.err != nil {
		return tokenstore.Grant{}, w.err
	}
	return tokenstore.Grant{
		Access: sealed.New(fmt.Sprintf("access-%d", n)), ExpiresIn: max(w.lifetime, time.Second), Refresh: sealed.New(w.refresh),
	}, nil
}

func newWechat() *wechat { return &wechat{lifetime: 2 * time.Hour} }

type fixture struct {
	pool  *pgxpool.Pool
	url   string
	clock *clock
	keys  *sealed.Keyring
	store *tokenstore.Store
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	keys, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	f := &fixture{url: postgrestest.URL(t), clock: &clock{}, keys: keys}
	f.pool = postgrestest.Open(t, f.url)
	f.store = f.another(f.pool)
	return f
}

// another is the Store of one more process.
func (f *fixture) another(db postgres.DB) *tokenstore.Store {
	return tokenstore.New(db, f.keys, f.clock.now, slog.New(slog.DiscardHandler))
}

func (f *fixture) put(t *testing.T, access string, expiresIn time.Duration) {
	t.Helper()
	g := tokenstore.Grant{Access: sealed.New(access), ExpiresIn: expiresIn, Refresh: sealed.New("refresh-0")}
	require.NoError(t, f.store.Put(t.Context(), f.pool, key, g))
}

func requireToken(t *testing.T, want string, got tokenstore.Token, err error) {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, want, got.Access.Reveal())
}

func TestGetRefreshesOnce(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, "old", 2*time.Hour)
	f.clock.advance(3 * time.Hour)
	w := newWechat()
	w.delay = time.Second
	stores := []*tokenstore.Store{f.store, f.another(postgrestest.Open(t, f.url))}
	var wg sync.WaitGroup
	errs := make(chan error, 200)
	for i := range 200 {
		wg.Go(func() {
			got, err := stores[i%2].Get(t.Context(), key, w.refresher)
			if err == nil && got.Access.Reveal() != "access-1" {
				err = errors.New("another token than the first refresh gave")
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, w.calls.Load())
}

func TestGet(t *testing.T) {
	t.Parallel()
	t.Run("a token that is good for long is not refreshed", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", 2*time.Hour)
		f.clock.advance(2*time.Hour - 5*time.Minute - time.Second)
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "old", got, err)
		f.clock.advance(2 * time.Second)
		got, err = f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-1", got, err)
	})
	t.Run("a token from a clock that was ahead is refreshed", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.clock.advance(24 * time.Hour)
		f.put(t, "old", 2*time.Hour)
		f.clock.advance(-24 * time.Hour)
		w.err = errors.New("not now")
		_, err := f.store.Get(t.Context(), key, w.refresher)
		require.ErrorIs(t, err, w.err, "nobody knows whether the old one is still good")
		w.err = nil
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-2", got, err)
		require.WithinDuration(t, f.clock.now().Add(w.lifetime), got.ExpiresAt, time.Minute)
		got, err = f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-2", got, err)
	})
	t.Run("clocks of two processes need not agree to the second", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", 2*time.Hour)
		f.clock.advance(-50 * time.Second)
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "old", got, err)
	})
	t.Run("a token of short life is used for half of it", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", 4*time.Minute)
		f.clock.advance(2*time.Minute - 2*time.Second)
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "old", got, err)
		f.clock.advance(3 * time.Second)
		got, err = f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-1", got, err)
	})
	t.Run("expires_in is obeyed", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		w.lifetime = 90 * time.Minute
		before := f.clock.now()
		got, err := f.store.Get(t.Context(), "component:wx", w.refresher)
		requireToken(t, "access-1", got, err)
		require.WithinRange(t, got.ExpiresAt, before.Add(90*time.Minute), f.clock.now().Add(90*time.Minute))
		stored, ok, err := f.store.Peek(t.Context(), "component:wx")
		require.NoError(t, err)
		require.True(t, ok)
		require.WithinDuration(t, got.ExpiresAt, stored.ExpiresAt, time.Millisecond)
	})
	t.Run("who refreshes and who reads it later tell the same end", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Hour)
		f.clock.advance(2*time.Hour + 123*time.Nanosecond)
		refreshed, err := f.store.Get(t.Context(), key, w.refresher)
		require.NoError(t, err)
		read, err := f.store.Get(t.Context(), key, w.refresher)
		require.NoError(t, err)
		require.EqualValues(t, 1, w.calls.Load())
		require.Equal(t, read.ExpiresAt.UTC(), refreshed.ExpiresAt.UTC())
	})
	t.Run("a refresh token not returned stays, a returned one replaces it", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Nanosecond)
		for i, returned := range []string{"", "refresh-2", ""} {
			w.refresh = returned
			_, err := f.store.Get(t.Context(), key, w.refresher)
			require.NoError(t, err)
			f.clock.advance(3 * time.Hour)
			got, _ := w.got.Load(int64(i + 1))
			require.Equal(t, []string{"refresh-0", "refresh-0", "refresh-2"}[i], got)
		}
	})
	t.Run("a failure is shared by those who wait for it and not remembered", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		w.delay, w.err = 300*time.Millisecond, errors.New("invalid refresh_token")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := f.store.Get(t.Context(), key, w.refresher)
				if !errors.Is(err, w.err) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		failed := w.calls.Load()
		require.Less(t, failed, int64(20))
		stored, err := f.store.RefreshToken(t.Context(), key)
		require.NoError(t, err)
		require.False(t, !stored.Secret.IsZero())

		ok := newWechat()
		got, err := f.store.Get(t.Context(), key, ok.refresher)
		requireToken(t, "access-1", got, err)
	})
	t.Run("a refresh that fails leaves a token in use that is still good, not one that is not", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		w.err = errors.New("system busy")
		f.put(t, "old", 2*time.Hour)
		f.clock.advance(2*time.Hour - time.Minute)
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "old", got, err)
		require.EqualValues(t, 1, w.calls.Load())
		f.clock.advance(40 * time.Second)
		_, err = f.store.Get(t.Context(), key, w.refresher)
		require.ErrorIs(t, err, w.err)
	})
	t.Run("an answer without a token is a failure", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		for _, g := range []tokenstore.Grant{{}, {Access: sealed.New("a")}, {ExpiresIn: time.Hour}} {
			_, err := f.store.Get(t.Context(), key, func(context.Context, sealed.Secret) (tokenstore.Grant, error) { return g, nil })
			require.Error(t, err)
		}
	})
	t.Run("a refresher that panics fails and the next one works", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		_, err := f.store.Get(t.Context(), key, func(context.Context, sealed.Secret) (tokenstore.Grant, error) { panic("boom") })
		require.ErrorContains(t, err, "panicked")
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-1", got, err)
	})
	t.Run("who gives up does not take the refresh from the others", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		entered, goOn := make(chan struct{}), make(chan struct{})
		slow := func(ctx context.Context, refresh sealed.Secret) (tokenstore.Grant, error) {
			close(entered)
			<-goOn
			if ctx.Err() != nil {
				return tokenstore.Grant{}, ctx.Err()
			}
			return w.refresher(ctx, refresh)
		}
		first, cancel := context.WithCancel(t.Context())
		gone, got := make(chan error), make(chan error)
		go func() {
			_, err := f.store.Get(first, key, slow)
			gone <- err
		}()
		<-entered
		go func() {
			token, err := f.store.Get(t.Context(), key, slow)
			if err == nil && token.Access.Reveal() != "access-1" {
				err = errors.New("wrong token")
			}
			got <- err
		}()
		cancel()
		require.ErrorIs(t, <-gone, context.Canceled)
		close(goOn)
		require.NoError(t, <-got)
		require.EqualValues(t, 1, w.calls.Load())
	})
	t.Run("many merchants that all wait for the component's token do not block each other", func(t *testing.T) {
		t.Parallel()
		f, component := setUp(t), newWechat()
		component.delay = 100 * time.Millisecond
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				merchant := newWechat()
				_, err := f.store.Get(t.Context(), fmt.Sprintf("authorizer:wx%d", i), func(ctx context.Context, r sealed.Secret) (tokenstore.Grant, error) {
					if _, err := f.store.Get(ctx, "component:wx", component.refresher); err != nil {
						return tokenstore.Grant{}, err
					}
					return merchant.refresher(ctx, r)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, component.calls.Load())
	})
}

func TestReject(t *testing.T) {
	t.Parallel()
	t.Run("the token used is dropped, and its refresh token stays", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", 2*time.Hour)
		require.NoError(t, f.store.Reject(t.Context(), key, sealed.New("old")))
		_, ok, err := f.store.Peek(t.Context(), key)
		require.NoError(t, err)
		require.False(t, ok)
		got, err := f.store.Get(t.Context(), key, w.refresher)
		requireToken(t, "access-1", got, err)
		refresh, _ := w.got.Load(int64(1))
		require.Equal(t, "refresh-0", refresh)
	})
	t.Run("a newer token stays", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.put(t, "newer", 2*time.Hour)
		require.NoError(t, f.store.Reject(t.Context(), key, sealed.New("old")))
		require.NoError(t, f.store.Reject(t.Context(), key, sealed.Secret{}))
		got, ok, err := f.store.Peek(t.Context(), key)
		require.True(t, ok)
		requireToken(t, "newer", got, err)
	})
	t.Run("nothing stored is no error", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, setUp(t).store.Reject(t.Context(), key, sealed.New("old")))
	})
	t.Run("a hundred callers with one refused token cause one refresh", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		w.delay = 100 * time.Millisecond
		f.put(t, "old", 2*time.Hour)
		other := f.another(postgrestest.Open(t, f.url))
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				store := []*tokenstore.Store{f.store, other}[i%2]
				if err := store.Reject(t.Context(), key, sealed.New("old")); err != nil {
					t.Error(err)
				}
				if got, err := store.Get(t.Context(), key, w.refresher); err != nil || got.Access.Reveal() != "access-1" {
					t.Error("not the fresh token", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.calls.Load())
	})
}

func TestPutAndDelete(t *testing.T) {
	t.Parallel()
	t.Run("an exchange replaces both tokens, with its transaction or not at all", func(t *testing.T) {
		t.Parallel()
		f, w := setUp(t), newWechat()
		f.put(t, "old", time.Hour)
		rollback := errors.New("roll back")
		fresh := tokenstore.Grant{Access: sealed.New("new"), ExpiresIn: time.Hour, Refresh: sealed.New("refresh-new")}
		require.ErrorIs(t, pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
			require.NoError(t, f.store.Put(t.Context(), tx, key, fresh))
			return rollback
		}), rollback)
		got, _, err := f.store.Peek(t.Context(), key)
		requireToken(t, "old", got, err)
		require.NoError(t, f.store.Put(t.Context(), f.pool, key, fresh))
		got, _, err = f.store.Peek(t.Context(), key)
		requireToken(t, "new", got, err)
		f.clock.advance(2 * time.Hour)
		_, err = f.store.Get(t.Context(), key, w.refresher)
		require.NoError(t, err)
		refresh, _ := w.got.Load(int64(1))
		require.Equal(t, "refresh-new", refresh)
	})
	t.Run("an exchange during a refresh wins", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.put(t, "old", time.Nanosecond)
		entered, put, flown := make(chan struct{}), make(chan error), make(chan error)
		go func() {
			_, err := f.store.Get(t.Context(), key, func(context.Context, sealed.Secret) (tokenstore.Grant, error) {
				close(entered)
				time.Sleep(300 * time.Millisecond)
				return tokenstore.Grant{Access: sealed.New("refreshed"), ExpiresIn: time.Hour}, nil
			})
			flown <- err
		}()
		<-entered
		go func() {
			put <- f.store.Put(t.Context(), f.pool, key, tokenstore.Grant{Access: sealed.New("exchanged"), ExpiresIn: time.Hour, Refresh: sealed.New("r")})
		}()
		require.NoError(t, <-put)
		require.NoError(t, <-flown)
		got, _, err := f.store.Peek(t.Context(), key)
		requireToken(t, "exchanged", got, err)
	})
	t.Run("a refresh token found again drops the access token", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.put(t, "old", time.Hour)
		require.NoError(t, f.store.PutRefresh(t.Context(), f.pool, key, sealed.New("found")))
		_, ok, err := f.store.Peek(t.Context(), key)
		require.NoError(t, err)
		require.False(t, ok)
		stored, err := f.store.RefreshToken(t.Context(), key)
		require.NoError(t, err)
		require.True(t, !stored.Secret.IsZero())
	})
	t.Run("after a delete nothing is left, and deleting again is no error", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.put(t, "old", time.Hour)
		for range 2 {
			require.NoError(t, f.store.Delete(t.Context(), f.pool, key))
		}
		stored, err := f.store.RefreshToken(t.Context(), key)
		require.NoError(t, err)
		require.False(t, !stored.Secret.IsZero())
	})
	t.Run("tokens are sealed in the table and cannot be moved to another row", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.put(t, "clear-text-token", time.Hour)
		var found bool
		const q = `SELECT EXISTS (SELECT FROM token t WHERE position('clear-text-token'::bytea IN access_token) > 0 OR position('refresh-0'::bytea IN refresh_token) > 0)`
		require.NoError(t, f.pool.QueryRow(t.Context(), q).Scan(&found))
		require.False(t, found)
		_, err := f.pool.Exec(t.Context(), `UPDATE token SET key = 'authorizer:wx2'`)
		require.NoError(t, err)
		_, _, err = f.store.Peek(t.Context(), "authorizer:wx2")
		require.ErrorIs(t, err, sealed.ErrDamaged)
	})
}

func TestTokensInUse(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for k, life := range map[string]time.Duration{
		"authorizer:soon": 10 * time.Minute, "authorizer:over": time.Nanosecond, "authorizer:later": 2 * time.Hour, "authorizer:idle": time.Minute,
		"authorizer:long-ago": time.Minute, "component:soon": time.Minute,
	} {
		require.NoError(t, f.store.Put(t.Context(), f.pool, k, tokenstore.Grant{Access: sealed.New("a"), ExpiresIn: life, Refresh: sealed.New("r")}))
	}
	require.NoError(t, f.store.PutRefresh(t.Context(), f.pool, "authorizer:none", sealed.New("r")))
	require.NoError(t, f.store.Put(t.Context(), f.pool, "authorizer:lost", tokenstore.Grant{Access: sealed.New("a"), ExpiresIn: time.Minute}))
	f.clock.advance(-4 * 24 * time.Hour)
	require.NoError(t, f.store.Used(t.Context(), "authorizer:long-ago"))
	f.clock.advance(4 * 24 * time.Hour)
	for _, k := range []string{"authorizer:soon", "authorizer:over", "authorizer:later", "authorizer:none", "authorizer:lost", "component:soon"} {
		require.NoError(t, f.store.Used(t.Context(), k))
	}
	since := f.clock.now().Add(-3 * 24 * time.Hour)
	got, err := f.store.InUse(t.Context(), "authorizer:", since, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"authorizer:over", "authorizer:soon", "authorizer:none"}, got)
	got, err = f.store.InUse(t.Context(), "authorizer:", since, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"authorizer:over"}, got)
}

func TestUseIsNotedOnceAnHour(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	noted := func() (at time.Time) {
		require.NoError(t, f.store.Used(t.Context(), key))
		require.NoError(t, f.pool.QueryRow(t.Context(), `SELECT used_at FROM token_use WHERE key = $1`, key).Scan(&at))
		return at
	}
	first := noted()
	f.clock.advance(59 * time.Minute)
	require.Equal(t, first, noted())
	f.clock.advance(2 * time.Minute)
	require.Greater(t, noted(), first)
}

// TestAhead: what is good enough for a caller is refreshed for the next one.
func TestAhead(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	w := newWechat()
	got, err := f.store.Ahead(t.Context(), key, w.refresher)
	requireToken(t, "access-1", got, err)
	f.clock.advance(104 * time.Minute)
	got, err = f.store.Ahead(t.Context(), key, w.refresher)
	requireToken(t, "access-1", got, err)
	f.clock.advance(2 * time.Minute)
	got, err = f.store.Get(t.Context(), key, w.refresher)
	requireToken(t, "access-1", got, err)
	got, err = f.store.Ahead(t.Context(), key, w.refresher)
	requireToken(t, "access-2", got, err)
}

func TestReplaceRefresh(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	secret := func() string {
		stored, err := f.store.RefreshToken(t.Context(), key)
		require.NoError(t, err)
		return stored.Secret.Reveal()
	}
	none, err := f.store.RefreshToken(t.Context(), key)
	require.NoError(t, err)
	require.True(t, none.Secret.IsZero())
	replaced, err := f.store.ReplaceRefresh(t.Context(), f.pool, key, none, sealed.New("first"))
	require.NoError(t, err)
	require.True(t, replaced, "there was none")
	old, err := f.store.RefreshToken(t.Context(), key)
	require.NoError(t, err)
	require.NoError(t, f.store.Put(t.Context(), f.pool, key, tokenstore.Grant{Access: sealed.New("a"), ExpiresIn: time.Hour, Refresh: sealed.New("newer")}))
	for _, was := range []tokenstore.Stored{none, old} {
		replaced, err = f.store.ReplaceRefresh(t.Context(), f.pool, key, was, sealed.New("listed"))
		require.NoError(t, err)
		require.False(t, replaced, "another came meanwhile")
		require.Equal(t, "newer", secret())
	}
	now, err := f.store.RefreshToken(t.Context(), key)
	require.NoError(t, err)
	replaced, err = f.store.ReplaceRefresh(t.Context(), f.pool, key, now, sealed.New("listed"))
	require.NoError(t, err)
	require.True(t, replaced)
	require.Equal(t, "listed", secret())
	_, ok, err := f.store.Peek(t.Context(), key)
	require.NoError(t, err)
	require.False(t, ok, "the access token was that of the authorization before")
}
