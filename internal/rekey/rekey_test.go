package rekey_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/rekey"
	"github.com/wxsteward/wxsteward/internal/replica"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
	"github.com/wxsteward/wxsteward/internal/tokenstore"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

func ring(t *testing.T, current string, more ...string) *sealed.Keyring {
	t.Helper()
	k, err := sealed.NewKeyring(current, more...)
	require.NoError(t, err)
	return k
}

// place is a database with some secrets, sealed with key.
type place struct {
	t        *testing.T
	pool     *pgxpool.Pool
	old, new string
}

func newPlace(t *testing.T, secrets int) *place {
	t.Helper()
	p := &place{t: t, pool: postgrestest.New(t), old: sealed.GenerateKey(), new: sealed.GenerateKey()}
	keys := ring(t, p.old)
	require.NoError(t, settings.CheckMasterKey(t.Context(), p.pool, keys))
	for i := range secrets {
		p.put(keys, i)
	}
	return p
}

func (p *place) put(keys *sealed.Keyring, i int) {
	p.t.Helper()
	require.NoError(p.t, settings.New(p.pool, keys).PutSecret(p.t.Context(), p.pool, fmt.Sprint("secret", i), sealed.New(fmt.Sprint("text", i)), ""))
}

func (p *place) config() rekey.Config {
	return rekey.Config{
		From: sealed.New(p.old), To: sealed.New(p.new), Logger: slog.New(slog.DiscardHandler),
		Columns: append(append(settings.SealedColumns(), tokenstore.SealedColumns()...), replica.SealedColumns()...),
	}
}

func (p *place) run() (rekey.Report, error) {
	p.t.Helper()
	return rekey.Run(p.t.Context(), p.pool, postgres.NewLocker(p.pool), p.config())
}

// sealedWith counts the settings that a key has sealed.
func (p *place) sealedWith(key string) (n int) {
	p.t.Helper()
	const q = `SELECT count(*) FROM setting WHERE substring(sealed FROM 2 FOR 8) = decode($1, 'hex')`
	require.NoError(p.t, p.pool.QueryRow(p.t.Context(), q, ring(p.t, key).CurrentKeyID()).Scan(&n))
	return n
}

func (p *place) read(keys *sealed.Keyring, i int) string {
	p.t.Helper()
	s, ok, err := settings.New(p.pool, keys).GetSecret(p.t.Context(), fmt.Sprint("secret", i))
	require.NoError(p.t, err)
	require.True(p.t, ok)
	return s.Reveal()
}

// serve runs a process with keys, as far as this package sees it.
func (p *place) serve(keys *sealed.Keyring) (ended <-chan error) {
	p.t.Helper()
	s, err := replica.New(p.pool, replica.Config{Version: "test", Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(p.t, err)
	require.NoError(p.t, s.Register(p.t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.t.Cleanup(cancel)
	return done
}

func TestEverythingIsSealedAnew(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 1200) // more than two batches
	keys := ring(t, p.old)
	store := tokenstore.New(p.pool, keys, time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, store.Put(t.Context(), p.pool, "authorizer:wx1", tokenstore.Grant{Access: sealed.New("a"), Refresh: sealed.New("r"), ExpiresIn: time.Hour}))

	report, err := p.run()
	require.NoError(t, err)
	require.Equal(t, 1200+1+2, report.Secrets)
	require.Zero(t, p.sealedWith(p.old))
	fresh := ring(t, p.new)
	require.NoError(t, settings.CheckMasterKey(t.Context(), p.pool, fresh))
	require.ErrorIs(t, settings.CheckMasterKey(t.Context(), p.pool, keys), settings.ErrWrongMasterKey)
	require.Equal(t, "text1199", p.read(fresh, 1199))
	token, err := tokenstore.New(p.pool, fresh, time.Now, slog.New(slog.DiscardHandler)).RefreshToken(t.Context(), "authorizer:wx1")
	require.NoError(t, err)
	require.Equal(t, "r", token.Secret.Reveal())

	report, err = p.run()
	require.NoError(t, err)
	require.Zero(t, report.Secrets, "once more changes nothing")

	p.old, p.new = p.new, sealed.GenerateKey()
	_, err = p.run()
	require.NoError(t, err, "from then on it is the present key")
	require.Equal(t, "text7", p.read(ring(t, p.new), 7))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 3)
	cfg, locks := p.config(), postgres.NewLocker(p.pool)
	cfg.From = sealed.New(sealed.GenerateKey())
	_, err := rekey.Run(t.Context(), p.pool, locks, cfg)
	require.ErrorIs(t, err, settings.ErrWrongMasterKey)
	cfg = p.config()
	cfg.To = cfg.From
	_, err = rekey.Run(t.Context(), p.pool, locks, cfg)
	require.ErrorIs(t, err, rekey.ErrSameKey)
	require.NoError(t, locks.Do(t.Context(), "rekey", func(ctx context.Context) error {
		_, err := rekey.Run(ctx, p.pool, locks, p.config())
		require.ErrorIs(t, err, rekey.ErrRunning)
		return nil
	}))
	_, err = rekey.Run(t.Context(), postgrestest.New(t), locks, p.config())
	require.ErrorIs(t, err, rekey.ErrNothingSealed)
	require.Equal(t, 4, p.sealedWith(p.old), "nothing was touched")
}

// TestDamageChangesNothing: one box that does not open, and all stays as it was.
func TestDamageChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 20)
	keys := ring(t, p.old)
	p.serve(keys)
	_, err := p.pool.Exec(t.Context(), `UPDATE setting SET sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 1) WHERE key = 'secret7'`)
	require.NoError(t, err)
	_, err = p.run()
	require.ErrorIs(t, err, sealed.ErrDamaged)
	require.ErrorContains(t, err, "secret7", "it says where")
	require.Equal(t, 21, p.sealedWith(p.old))
	var unfinished bool
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM rekey) OR EXISTS (SELECT FROM replica WHERE offer IS NOT NULL)`).Scan(&unfinished))
	require.False(t, unfinished, "nobody goes on waiting for the new key")
	require.Equal(t, "text3", p.read(keys, 3))
}

// TestRunningProcessesGoOn: processes that know only the old key read everything at every moment, and seal with the new one after.
func TestRunningProcessesGoOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 400)
	processes := []*sealed.Keyring{ring(t, p.old), ring(t, p.old)}
	stop := make(chan struct{})
	failed := make(chan error, 2*len(processes))
	for n, keys := range processes {
		ended := p.serve(keys)
		go func() {
			store := settings.New(p.pool, keys)
			for i := 0; ; i++ {
				select {
				case err := <-ended:
					failed <- fmt.Errorf("process ended: %w", err)
					return
				case <-stop:
					failed <- nil
					return
				default:
				}
				if _, _, err := store.GetSecret(context.Background(), fmt.Sprint("secret", i%400)); err != nil {
					failed <- err
					return
				}
				if err := store.PutSecret(context.Background(), p.pool, fmt.Sprint("fresh", n, "-", i), sealed.New("x"), ""); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	cfg := p.config()
	cfg.Settle = time.Second
	report, err := rekey.Run(t.Context(), p.pool, postgres.NewLocker(p.pool), cfg)
	require.NoError(t, err)
	require.Equal(t, 2, report.Replicas)
	require.GreaterOrEqual(t, report.Secrets, 401)
	close(stop)
	for range processes {
		require.NoError(t, <-failed)
	}
	require.Zero(t, p.sealedWith(p.old))
	for _, keys := range processes {
		require.Equal(t, ring(t, p.new).CurrentKeyID(), keys.CurrentKeyID())
	}
	var offers int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM replica WHERE offer IS NOT NULL`).Scan(&offers))
	require.Zero(t, offers)
}

// TestLockedRowsAreNotWaitedFor: somebody holds a row for as long as the transaction takes; nobody waits for anybody, and the row
// is sealed anew as soon as it is free.
func TestLockedRowsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 10)
	tx, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM setting WHERE key = 'secret4' FOR UPDATE`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := p.run()
		done <- err
	}()
	require.Eventually(t, func() bool { return p.sealedWith(p.new) == 10 }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, 1, p.sealedWith(p.old))
	fresh := ring(t, p.new)
	s, err := replica.New(p.pool, replica.Config{Keys: fresh, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, s.Register(t.Context()))
	require.Equal(t, "text4", p.read(fresh, 4), "a process that starts with the new key reads what is left of the old one")
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-done)
	require.Equal(t, "text4", p.read(ring(t, p.new), 4))
}

// TestKilledAfterTheSwitch: the command dies when the new key counts already. Both ways to go on lead to the end.
func TestKilledAfterTheSwitch(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"the same keys again", "the next change"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, 5)
			ctx, kill := context.WithCancel(t.Context())
			holding, err := p.pool.Begin(t.Context())
			require.NoError(t, err)
			_, err = holding.Exec(t.Context(), `SELECT FROM setting WHERE key = 'secret4' FOR UPDATE`)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() {
				_, err := rekey.Run(ctx, p.pool, postgres.NewLocker(p.pool), p.config())
				done <- err
			}()
			require.Eventually(t, func() bool { return p.sealedWith(p.new) == 5 }, 20*time.Second, 10*time.Millisecond)
			kill()
			require.Error(t, <-done)
			require.NoError(t, holding.Rollback(t.Context()))
			require.Equal(t, 1, p.sealedWith(p.old))

			if way == "the next change" {
				first := p.old
				p.old, p.new = p.new, sealed.GenerateKey()
				_, err = p.run()
				require.NoError(t, err)
				require.Zero(t, p.sealedWith(first))
			} else {
				report, err := p.run()
				require.NoError(t, err)
				require.Equal(t, 1, report.Secrets)
			}
			require.Equal(t, "text4", p.read(ring(t, p.new), 4))
		})
	}
}

// TestProcessThatWasAway: it was not told of the new key, so it ends rather than answer with errors or seal with the old one.
func TestProcessThatWasAway(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 2)
	keys := ring(t, p.old)
	s, err := replica.New(p.pool, replica.Config{Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, s.Register(t.Context()))
	_, err = p.pool.Exec(t.Context(), `UPDATE replica SET seen_at = seen_at - interval '1 hour'`)
	require.NoError(t, err)
	_, err = p.run()
	require.NoError(t, err)
	require.ErrorIs(t, s.Run(t.Context()), settings.ErrWrongMasterKey)

	late, err := replica.New(p.pool, replica.Config{Keys: ring(t, p.old), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.ErrorIs(t, late.Register(t.Context()), settings.ErrWrongMasterKey)
	both := ring(t, p.old, p.new)
	prepared, err := replica.New(p.pool, replica.Config{Keys: both, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, prepared.Register(t.Context()), "one that was given both keys works with either")
	require.Equal(t, ring(t, p.new).CurrentKeyID(), both.CurrentKeyID())
}

// TestCopyOfTheDatabaseAndTheOldKey do not give the new key, however the change stands.
func TestCopyOfTheDatabaseAndTheOldKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t, 2)
	keys := ring(t, p.old)
	s, err := replica.New(p.pool, replica.Config{Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, s.Register(t.Context())) // it never looks, so that the offer lies there
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := rekey.Run(ctx, p.pool, postgres.NewLocker(p.pool), p.config())
		done <- err
	}()
	var id string
	var offer []byte
	require.Eventually(t, func() bool {
		err := p.pool.QueryRow(t.Context(), `SELECT id, offer FROM replica WHERE offer IS NOT NULL`).Scan(&id, &offer)
		return err != pgx.ErrNoRows && err == nil //nolint:errorlint // QueryRow returns it as it is
	}, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.Error(t, <-done)
	letter, err := keys.Open(offer, "replica/offer:"+id)
	require.NoError(t, err)
	require.NotContains(t, letter.Reveal(), p.new)
	require.Equal(t, 3, p.sealedWith(p.old), "a process that does not take the key keeps everything as it is")
}
