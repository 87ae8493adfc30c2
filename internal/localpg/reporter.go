package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// reporter passes on what the server prints and keeps the end of it, which says why it did not start.
type reporter struct {
	logger *slog.Logger

	mu   sync.Mutex
	rest []byte
	tail []string
}

const tailLines = 20

func (r *reporter) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, p...)
	for {
		i := bytes.IndexByte(r.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := strings.TrimSpace(string(r.rest[:i]))
		r.rest = r.rest[i+1:]
		if line == "" {
			continue
		}
		r.tail = append(r.tail, line)
		if len(r.tail) > tailLines {
			r.tail = r.tail[1:]
		}
		r.logger.Log(context.Background(), levelOf(line), "local postgres", "line", line)
	}
}

func levelOf(line string) slog.Level {
	// What our own asking whether it is there brings about at every first start.
	if strings.HasSuffix(line, "the database system is starting up") || strings.HasSuffix(line, "database \""+database+"\" does not exist") {
		return slog.LevelDebug
	}
	switch word, _, _ := strings.Cut(line, ":"); word {
	case "PANIC":
		return slog.LevelError
	case "FATAL", "WARNING":
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}

// why makes an error from how the server ended.
func (r *reporter) why(err error) error {
	if err == nil {
		return errors.New("PostgreSQL ended: something else told it to stop")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Errorf("PostgreSQL ended: %s (%w)", lastReport(strings.Join(r.tail, "\n"), err), err)
}
