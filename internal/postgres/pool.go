package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	connectTimeout = 5 * time.Second
	// statementTimeout is far above what any of our statements takes; it ends those that wait for a lost lock.
	statementTimeout = "30s"
	// A transaction may be held open over one slow call to WeChat, no longer.
	idleInTransactionTimeout = "2min"
	defaultMaxConns          = 20
)

// PoolConfig are the few things that differ between programs.
type PoolConfig struct {
	// MaxConns is the most connections at once; 0 means 20.
	MaxConns int32
	// AppName is shown in pg_stat_activity; empty means "wxsteward".
	AppName string
	// Tracer hears of every query; nil: nobody does.
	Tracer pgx.QueryTracer
}

// Open makes a pool for a database URL (postgres://…, or keywords and values). It fails only when the URL is wrong:
// the server need not be up, connections are made when they are needed. Times are read as UTC. What the URL says
// about time-outs, pool size or name goes before ours.
func Open(ctx context.Context, url sealed.Secret, cfg PoolConfig) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		// pgx hides the password where it can find it; a URL it cannot take apart is better not shown at all.
		return nil, errors.New("the database URL is not valid, it looks like postgres://user:password@host:5432/name?sslmode=require")
	}
	if !given(url, "pool_max_conns") {
		config.MaxConns = defaultMaxConns
		if cfg.MaxConns > 0 {
			config.MaxConns = cfg.MaxConns
		}
	}
	params := config.ConnConfig.RuntimeParams
	for name, value := range map[string]string{
		"application_name":                    appName(cfg.AppName),
		"timezone":                            "UTC",
		"statement_timeout":                   statementTimeout,
		"idle_in_transaction_session_timeout": idleInTransactionTimeout,
	} {
		if _, ok := params[name]; !ok {
			params[name] = value
		}
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.ConnConfig.DialFunc = dial
	config.ConnConfig.Tracer = cfg.Tracer
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		readTimesAsUTC(conn.TypeMap())
		conn.PgConn().CustomData()[connectedAt] = time.Now()
		return nil
	}
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) { return writes(conn) || isNew(conn), nil }
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database pool: %w", err)
	}
	return pool, nil
}

// writes has a connection dropped whose server says that it only reads: it was demoted, and a new connection may find the server
// that was promoted in its place.
func writes(conn *pgx.Conn) bool {
	server := conn.PgConn()
	return server.ParameterStatus("in_hot_standby") != "on" && server.ParameterStatus("default_transaction_read_only") != "on"
}

// connectedAt is where a connection has the time at which it was made.
const connectedAt = "wxsteward.connected_at"

// isNew keeps a server that only reads in use for reading, while it is tried every second whether another writes.
func isNew(conn *pgx.Conn) bool {
	at, ok := conn.PgConn().CustomData()[connectedAt].(time.Time)
	return ok && time.Since(at) < time.Second
}

func appName(name string) string {
	if name == "" {
		return "wxsteward"
	}
	return name
}

// dial notices a peer that has vanished without a word within half a minute.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	return d.DialContext(ctx, network, addr)
}

// readTimesAsUTC keeps the machine's time zone out of what is shown and compared.
func readTimesAsUTC(m *pgtype.Map) {
	one := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	m.RegisterType(one)
	m.RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
}

// given reports whether the URL sets one of the pool's own parameters, which ParseConfig takes out of it.
func given(url sealed.Secret, name string) bool {
	config, err := pgconn.ParseConfig(url.Reveal())
	if err != nil {
		return false
	}
	_, ok := config.RuntimeParams[name]
	return ok
}
