package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/live"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

// OnAuthorized adds fn, which is called in the transaction that puts a merchant on record as authorized, anew or again.
// Call it before anything starts.
func (s *Service) OnAuthorized(fn func(ctx context.Context, tx pgx.Tx, appid string) error) {
	s.authorized = append(s.authorized, fn)
}

func (s *Service) tellAuthorized(ctx context.Context, tx pgx.Tx, appid string) error {
	for _, tell := range s.authorized {
		if err := tell(ctx, tx, appid); err != nil {
			return err
		}
	}
	return nil
}

// CheckAuthorized fails with fault.NotFound for an account that is not on record and with fault.Unauthorized for one that
// has withdrawn its authorization.
func (s *Service) CheckAuthorized(ctx context.Context, appid string) error {
	if !storable(appid) {
		return noSuchAuthorizer()
	}
	a, err := readStanding(ctx, s.db, appid)
	if errors.Is(err, pgx.ErrNoRows) {
		return noSuchAuthorizer()
	}
	if err != nil {
		return fmt.Errorf("read merchant %s: %w", appid, err)
	}
	if a.Status != statusAuthorized {
		return withdrawnFault()
	}
	return nil
}

// ReceiveCode has an authorization code exchanged that WeChat itself has brought for an account at the time given, other
// than by the events this package hears: with the news that a mini program was registered. The same code may come by
// those too, in any order.
func (s *Service) ReceiveCode(ctx context.Context, appid string, code sealed.Secret, at time.Time) error {
	if !plausibleCode(code.Reveal()) {
		return nil
	}
	_, err := s.receive(ctx, arrival{code: code, expiresAt: s.Now().Add(codeLife), event: true, appid: appid, eventAt: at})
	if err != nil {
		return fmt.Errorf("keep authorization of %s: %w", appid, err)
	}
	return nil
}

// Bind gives a merchant on record a further biz id and further labels, in the caller's transaction.
func (s *Service) Bind(ctx context.Context, tx pgx.Tx, appid, bizID string, labels []string) error {
	now := s.Now()
	if bizID != "" {
		if err := insertBizID(ctx, tx, appid, bizID, "", now); err != nil {
			return err
		}
	}
	for _, label := range labels {
		if err := insertLabel(ctx, tx, appid, label); err != nil {
			return err
		}
	}
	if err := touchAuthorizer(ctx, tx, appid, now); err != nil {
		return err
	}
	return live.Publish(ctx, tx, live.Event{Kind: "authorizer", ID: appid, AppID: appid, State: statusAuthorized})
}

// RefreshSoon has a merchant's details read again, in the background.
func (s *Service) RefreshSoon(ctx context.Context, tx pgx.Tx, appid string) error {
	return s.enqueueDetails(ctx, tx, appid)
}

// Newcomers lists merchants put on record since a time and authorized now, whose accounts were made in one of the ways
// given (register_type), oldest first, at most 100.
func (s *Service) Newcomers(ctx context.Context, since time.Time, registerTypes []int) ([]Authorizer, error) {
	list, err := listNewcomers(ctx, s.db, since, registerTypes)
	if err != nil {
		return nil, fmt.Errorf("find new merchants: %w", err)
	}
	return list, nil
}

// CheckBizID fails with fault.Validation about the field at location.
func CheckBizID(location, id string) error { return checkBizID(location, id) }

// CheckLabels fails with fault.Validation, and gives the labels as they are kept.
func CheckLabels(labels []string) ([]string, error) {
	c := Change{Labels: &labels}
	if err := c.check(); err != nil {
		return nil, err
	}
	return *c.Labels, nil
}

// QRCode draws a QR code of text as a PNG, size pixels wide.
func QRCode(text string, size int) ([]byte, error) { return qrPNG(text, size) }
