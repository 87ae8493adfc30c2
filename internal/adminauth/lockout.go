package adminauth

import (
	"context"
	"net/netip"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
)

const (
	maxTries    = 10
	triesWindow = 15 * time.Minute
)

// client is where a call comes from.
type client struct {
	ip        netip.Addr
	userAgent string
}

// reserve counts a try under the user name and under the address before its password is compared, so that a burst
// over any number of replicas gets no more than maxTries compared. forget takes it back when the password was right.
func (s *Service) reserve(ctx context.Context, username string, ip netip.Addr) (try []int64, err error) {
	select {
	case s.reserving <- struct{}{}:
		defer func() { <-s.reserving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// In this order everywhere, since each is locked.
	subjects := []string{"ip:" + addressBlock(ip), "user:" + username}
	now := s.now()
	try, freeAt, err := s.insertTry(ctx, subjects, now)
	if err != nil {
		return nil, err
	}
	if try == nil {
		return nil, tooMany(freeAt.Sub(now))
	}
	return try, nil
}

func tooMany(after time.Duration) error {
	return &fault.Error{
		Kind: fault.TooMany, Format: "Too many tries to sign in. Wait for the time in Retry-After; open sessions go on.",
		RetryAfter: max(after, time.Second),
	}
}

// addressBlock is what counts as one address: of IPv6 the /64, which is what one subscriber gets.
func addressBlock(ip netip.Addr) string {
	if !ip.IsValid() || ip.Is4() {
		return ip.String()
	}
	block, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return block.String()
}
