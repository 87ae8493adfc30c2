package component

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// RefusedAddress is an address of ours that WeChat has refused: it belongs into 白名单IP地址列表.
type RefusedAddress struct {
	Address string    `json:"address"`
	ErrCode int       `json:"errcode"`
	Path    string    `json:"path" doc:"Of the call that was refused last."`
	At      time.Time `json:"at"`
}

// refusedFor is how long a refusal is shown. The replica it met may be gone, and its address with it.
const refusedFor = 24 * time.Hour

// refusals is what this replica knows of its own address.
type refusals struct {
	some atomic.Bool // is refused; every call asks

	mu      sync.Mutex
	address netip.Addr
	notedAt time.Time
}

// Called looks at an exchange with WeChat: whether our address is refused, or taken again. It is for wechat.Config.Observe.
// Only trouble and its end cost anything.
func (s *Service) Called(c wechat.Call) {
	refusal, refused := errors.AsType[*wechat.APIError](c.Err)
	switch {
	case refused && refusal.ClientIP().IsValid():
		s.noteRefused(refusal)
	case c.Err == nil && c.Via == wechat.TransportToken && s.refused.some.Load():
		s.noteAccepted()
	}
}

// noteTimeout is for the little that is written about an address; the call has its answer already and waits.
const noteTimeout = 2 * time.Second

func (s *Service) noteRefused(refusal *wechat.APIError) {
	const pause = time.Minute // between two notes of one address
	s.refused.mu.Lock()
	defer s.refused.mu.Unlock()
	address, now := refusal.ClientIP(), s.now()
	if s.refused.address == address && now.Sub(s.refused.notedAt) < pause {
		return
	}
	s.refused.address, s.refused.notedAt = address, now
	s.refused.some.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	s.log.WarnContext(ctx, "WeChat refuses our address", "address", address.String(), "errcode", refusal.Code, "op", refusal.Op, "rid", refusal.RID)
	err := putRefused(ctx, s.deps.DB, s.cfg.AppID, RefusedAddress{Address: address.String(), ErrCode: refusal.Code, Path: "/" + refusal.Op, At: now})
	if err == nil {
		err = s.publishRefused(ctx)
	}
	if err != nil {
		s.log.WarnContext(ctx, "refused address not noted", "error", err)
	}
}

func (s *Service) noteAccepted() {
	s.refused.mu.Lock()
	defer s.refused.mu.Unlock()
	if !s.refused.some.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	_, err := s.deps.DB.Exec(ctx, `DELETE FROM refused_address WHERE appid = $1 AND address = $2`, s.cfg.AppID, s.refused.address.String())
	if err == nil {
		err = s.publishRefused(ctx)
	}
	if err != nil {
		s.log.WarnContext(ctx, "accepted address not noted", "error", err)
		return // the next call that is taken tries again
	}
	s.refused.some.Store(false)
	s.refused.address = netip.Addr{}
}

func (s *Service) publishRefused(ctx context.Context) error {
	return live.Publish(ctx, s.deps.DB, live.Event{Kind: "ticket", ID: s.cfg.AppID, State: "address_refused"})
}

// RefusedAddresses lists addresses of any replica that WeChat refused in the last 24 hours and has not taken since, the
// latest first.
func (s *Service) RefusedAddresses(ctx context.Context) ([]RefusedAddress, error) {
	const q = `SELECT address, errcode, path, at FROM refused_address WHERE appid = $1 AND at > $2 ORDER BY at DESC, address LIMIT 20`
	rows, err := s.deps.DB.Query(ctx, q, s.cfg.AppID, s.now().Add(-refusedFor))
	if err != nil {
		return nil, fmt.Errorf("refused addresses: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (RefusedAddress, error) {
		var r RefusedAddress
		err := row.Scan(&r.Address, &r.ErrCode, &r.Path, &r.At)
		r.At = r.At.UTC()
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("refused addresses: %w", err)
	}
	return list, nil
}

// putRefused notes a refusal and forgets those that are shown no longer.
func putRefused(ctx context.Context, db postgres.DB, appid string, r RefusedAddress) error {
	const q = `INSERT INTO refused_address AS r (appid, address, errcode, path, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (appid, address) DO UPDATE SET errcode = excluded.errcode, path = excluded.path, at = greatest(r.at, excluded.at)`
	if _, err := db.Exec(ctx, q, appid, r.Address, r.ErrCode, r.Path, r.At); err != nil {
		return err
	}
	_, err := db.Exec(ctx, `DELETE FROM refused_address WHERE at <= $1`, r.At.Add(-refusedFor))
	return err
}
