package takeover

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	connectTimeout = 10 * time.Second
	readTimeout    = 2 * time.Minute
	// pageSize rows are read at a time.
	pageSize = 500
	// defaultZone is in which 服务商微管家 writes its times; loc= in the DSN names another.
	defaultZone = "Asia/Shanghai"
)

// open connects to the database of 服务商微管家. No error holds the DSN, in which there is a password.
func open(ctx context.Context, dsn sealed.Secret) (*sql.DB, error) {
	const example = `e.g. --mysql-dsn "user:password@tcp(10.0.0.5:3306)/wxcomponent"`
	cfg, err := mysql.ParseDSN(dsn.Reveal())
	if err != nil || cfg.DBName == "" {
		return nil, errors.New("--mysql-dsn cannot be read: it names user, password, address and database, " + example)
	}
	cfg.ParseTime = true
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = connectTimeout, readTimeout, connectTimeout
	cfg.Logger = silent{}
	if !strings.Contains(dsn.Reveal(), "loc=") {
		if cfg.Loc, err = time.LoadLocation(defaultZone); err != nil {
			return nil, err
		}
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("--mysql-dsn cannot be used, " + example)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("the database of 服务商微管家 at %s cannot be reached: %w", cfg.Addr, err)
	}
	return db, nil
}

// silent keeps the driver from writing to stderr by itself.
type silent struct{}

func (silent) Print(...any) {}

// pages reads rows in the order of their ids, a page at a time. q selects the id first, takes the last id before the page and ends with
// ORDER BY id LIMIT; scan reads one row, take is given each page.
func pages[T any](ctx context.Context, db *sql.DB, q string, args []any, scan func(rows *sql.Rows, id *int64) (T, error), take func(page []T) error) error {
	for after := int64(0); ; {
		page, last, err := onePage(ctx, db, q, append([]any{after}, args...), scan)
		if err != nil {
			return err
		}
		if len(page) > 0 {
			if err := take(page); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = last
	}
}

func onePage[T any](ctx context.Context, db *sql.DB, q string, args []any, scan func(rows *sql.Rows, id *int64) (T, error)) (page []T, last int64, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("%s ORDER BY id LIMIT %d", q, pageSize), args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		item, err := scan(rows, &last)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, item)
	}
	return page, last, rows.Err()
}
