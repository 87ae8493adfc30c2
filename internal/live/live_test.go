package live_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

const wait = 20 * time.Second

func connector(pool *pgxpool.Pool) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		config := pool.Config().ConnConfig
		config.RuntimeParams["application_name"] = "hub"
		return pgx.ConnectConfig(ctx, config)
	}
}

// start runs a hub with one subscriber that has seen its first Resync: it listens.
func start(t *testing.T, connect func(context.Context) (*pgx.Conn, error)) (*live.Hub, <-chan live.Event) {
	t.Helper()
	hub := live.NewHub(connect, slog.New(slog.DiscardHandler))
	events, cancel := hub.Subscribe()
	t.Cleanup(cancel)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- hub.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	require.Equal(t, live.Event{Kind: live.Resync}, next(t, events))
	return hub, events
}

func next(t *testing.T, events <-chan live.Event) live.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(wait):
		t.Fatal("no event")
		return live.Event{}
	}
}

func TestPublish(t *testing.T) {
	ctx, pool := t.Context(), postgrestest.New(t)
	_, events := start(t, connector(pool))
	_, others := start(t, connector(pool))

	t.Run("an event reaches every replica as it was", func(t *testing.T) {
		e := live.Event{Kind: "submission", ID: "7", AppID: "wx1", State: "auditing"}
		require.NoError(t, live.Publish(ctx, pool, e))
		require.Equal(t, e, next(t, events))
		require.Equal(t, e, next(t, others))
	})
	t.Run("it is seen after the commit, never after a rollback", func(t *testing.T) {
		rollback := errors.New("roll back")
		require.ErrorIs(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			require.NoError(t, live.Publish(ctx, tx, live.Event{Kind: "link", ID: "rolled back"}))
			return rollback
		}), rollback)
		require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			require.NoError(t, live.Publish(ctx, tx, live.Event{Kind: "link", ID: "committed"}))
			require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "link", ID: "before the commit"}))
			require.Equal(t, "before the commit", next(t, events).ID)
			return nil
		}))
		require.Equal(t, "committed", next(t, events).ID)
	})
	t.Run("an event that is too large is refused and does not spoil the transaction", func(t *testing.T) {
		require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			require.Error(t, live.Publish(ctx, tx, live.Event{Kind: "link", ID: strings.Repeat("x", 8000)}))
			return live.Publish(ctx, tx, live.Event{Kind: "link", ID: "small"})
		}))
		require.Equal(t, "small", next(t, events).ID)
	})
	t.Run("what is not an event is passed over", func(t *testing.T) {
		_, err := pool.Exec(ctx, `NOTIFY wxsteward_live, 'nonsense'`)
		require.NoError(t, err)
		require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "link", ID: "after nonsense"}))
		require.Equal(t, "after nonsense", next(t, events).ID)
	})
}

func TestSlowSubscriberGetsResyncAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), postgrestest.New(t)
	hub, quick := start(t, connector(pool))
	slow, cancel := hub.Subscribe()
	defer cancel()
	for range 1000 {
		require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "message", ID: "1"}))
		require.Equal(t, "message", next(t, quick).Kind)
	}
	require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "ticket", ID: "last"}))
	require.Equal(t, "last", next(t, quick).ID)

	resyncs := 0
	for e := next(t, slow); e.ID != "last"; e = next(t, slow) {
		if e.Kind == live.Resync {
			resyncs++
		}
	}
	require.Positive(t, resyncs, "events were lost and nobody said so")
}

func TestCancelledSubscriberIsGone(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), postgrestest.New(t)
	hub, events := start(t, connector(pool))
	other, cancel := hub.Subscribe()
	cancel()
	cancel()
	_, open := <-other
	require.False(t, open)
	require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "ticket", ID: "1"}))
	require.Equal(t, "1", next(t, events).ID)
}

func TestLostConnectionIsOpenedAgainAndSubscribersAreTold(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), postgrestest.New(t)
	var refuse atomic.Int32
	connect := connector(pool)
	_, events := start(t, func(ctx context.Context) (*pgx.Conn, error) {
		if refuse.Add(-1) >= 0 {
			return nil, errors.New("the database is away")
		}
		return connect(ctx)
	})
	refuse.Store(2)
	var killed bool
	const q = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hub' AND datname = current_database()`
	require.NoError(t, pool.QueryRow(ctx, q).Scan(&killed))
	require.True(t, killed)
	require.Equal(t, live.Event{Kind: live.Resync}, next(t, events))
	require.NoError(t, live.Publish(ctx, pool, live.Event{Kind: "ticket", ID: "after"}))
	require.Equal(t, "after", next(t, events).ID)
}

func TestEventShape(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "m", "e", live.Event{Kind: "ticket", ID: "wx1"})
	require.Contains(t, out.String(), `{"kind":"ticket","id":"wx1"}`)
}
