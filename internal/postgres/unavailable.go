package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// IsUnavailable reports whether err means that the database is away for now (not reachable, starting, shutting down,
// full of connections, demoted to a standby, out of disk), so that the same call may succeed later. A wrong password, a missing
// database or the caller's own cancellation are not that.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "57P01", "57P02", "57P03", "57P05", // ended by an administrator, by a crash; starting or stopping; idle for too long
			"53300",          // too many connections
			"53100", "53200", // out of disk, out of memory
			"58030", // the disk fails
			"25006": // read-only: this server has become a standby, or its disk runs full
			return true
		case "55000": // while connecting: this database takes no connections for now
			_, connecting := errors.AsType[*pgconn.ConnectError](err)
			return connecting
		default:
			return strings.HasPrefix(pgErr.Code, "08")
		}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, puddle.ErrClosedPool, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return !errors.Is(err, context.DeadlineExceeded) && pgconn.SafeToRetry(err)
}
