package adminauth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/sealed"
)

const (
	idempotencyLifetime = 24 * time.Hour
	// abandonedAfter is when a call without an answer must have died with its process; no call lives so long.
	abandonedAfter = 5 * time.Minute
	// atomicTimeout keeps calls well below that.
	atomicTimeout = 2 * time.Minute
)

// idempotent is one call with an Idempotency-Key.
type idempotent struct {
	service            *Service
	userID, route, key string
	bodyHash           []byte
	// atomic: the answer is stored in the transaction that does the work (SaveAnswer), so no answer means no work done.
	atomic bool
}

// answer is what a call was answered.
type answer struct {
	status      int
	contentType string
	body        []byte
}

func hashRequest(query string, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(query))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)
}

func (i *idempotent) purpose() string { return "idempotency:" + i.userID + ":" + i.route + ":" + i.key }

// begin returns the first answer if there was one, nil if the call is ours to do, Conflict if it runs elsewhere or the
// key belongs to another request.
func (i *idempotent) begin(ctx context.Context) (*answer, error) {
	for range 3 {
		mine, err := i.service.claimKey(ctx, i)
		if err != nil || mine {
			return nil, err
		}
		row, found, err := i.service.loadKey(ctx, i)
		if err != nil {
			return nil, err
		}
		switch {
		case !found: // it failed and was given back this very moment
		case string(row.bodyHash) != string(i.bodyHash):
			return nil, fault.New(fault.Conflict, "This Idempotency-Key was used for another request. Take a new one.")
		case row.status == nil:
			return nil, fault.New(fault.Conflict,
				"The first call with this Idempotency-Key has not ended. Try again; if it stays so, look whether the call "+
					"took effect before repeating it under a new key.")
		default:
			body, err := i.service.keys.Open(row.response, i.purpose())
			if err != nil {
				return nil, fmt.Errorf("open stored answer: %w", err)
			}
			return &answer{*row.status, row.contentType, []byte(body.Reveal())}, nil
		}
	}
	return nil, fault.New(fault.Conflict, "Another call with this Idempotency-Key is running. Try again.")
}

// finish keeps the answer of a call that succeeded; one that failed may be repeated.
func (i *idempotent) finish(ctx context.Context, a answer) error {
	if a.status < 200 || a.status > 299 {
		return i.service.dropKey(ctx, i)
	}
	return i.store(ctx, i.service.db, a)
}

func (i *idempotent) store(ctx context.Context, db postgres.DB, a answer) error {
	box, err := i.service.keys.Seal(sealed.New(string(a.body)), i.purpose())
	if err != nil {
		return fmt.Errorf("seal answer: %w", err)
	}
	return i.service.storeAnswer(ctx, db, i, a, box)
}

// SaveAnswer stores, in the transaction that does the work, what the call will be answered if the process dies before
// it can be told: a repeated call with the same Idempotency-Key then gets it. It does nothing without such a key. Mark
// the operation with Atomic.
func SaveAnswer(ctx context.Context, tx postgres.DB, status int, body any) error {
	c := callFrom(ctx)
	if c == nil || c.idem == nil {
		return nil
	}
	text, err := httpserver.MarshalBody(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return c.idem.store(ctx, tx, answer{status, "application/json", text})
}
