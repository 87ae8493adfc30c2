package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
)

// floorURL makes the test binary the floor: a program of Echo and pgx that takes pushes and does nothing with them but what no
// receiver can do without. It reads the body, inserts it, and answers after the commit, which those that wait share. It proves no
// sender, reads no message, knows no copies and has no index to search by.
const floorURL = "WXSTEWARD_BENCH_FLOOR"

const floorTable = `CREATE TABLE IF NOT EXISTS bench_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)`

// floorRow is a push that waits for its commit.
type floorRow struct {
	body string
	done chan struct{}
}

type floorService struct {
	db      *pgxpool.Pool
	mu      sync.Mutex
	waiting []floorRow
	busy    bool
}

func (s *floorService) push(c echo.Context) error {
	body := make([]byte, c.Request().ContentLength)
	if _, err := io.ReadFull(c.Request().Body, body); err != nil {
		return err
	}
	row := floorRow{string(body), make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, row)
	lead := !s.busy
	s.busy = true
	s.mu.Unlock()
	if lead {
		s.commit(s.next())
		go func() {
			for rows := s.next(); len(rows) > 0; rows = s.next() {
				s.commit(rows)
			}
		}()
	}
	<-row.done
	return c.String(http.StatusOK, "success")
}

func (s *floorService) next() (rows []floorRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, s.waiting = s.waiting, nil
	s.busy = len(rows) > 0
	return rows
}

func (s *floorService) commit(rows []floorRow) {
	var err error
	if len(rows) == 1 {
		_, err = s.db.Exec(context.Background(), `INSERT INTO bench_row (body) VALUES ($1)`, rows[0].body)
	} else {
		bodies := make([]string, len(rows))
		for i, row := range rows {
			bodies[i] = row.body
		}
		_, err = s.db.Exec(context.Background(), `INSERT INTO bench_row (body) SELECT unnest($1::text[])`, bodies)
	}
	if err != nil {
		panic(err)
	}
	for _, row := range rows {
		close(row.done)
	}
}

func TestFloorTakesPushes(t *testing.T) { //nolint:paralleltest // a process of its own
	databaseURL := os.Getenv(floorURL)
	if databaseURL == "" {
		t.Skip("is run by BenchmarkPush")
	}
	db, err := pgxpool.New(t.Context(), databaseURL)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), floorTable)
	require.NoError(t, err)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST("/wxcallback/biz/:appid", (&floorService{db: db}).push)
	e.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fmt.Printf("at %s\n", e.Listener.Addr())
	require.NoError(t, e.Start("")) // until it is killed
}

// floor starts that program on the same database.
func (w *benchWorld) floor(b *testing.B) *benchWorld {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.Command(self, "-test.run", "^TestFloorTakesPushes$", "-test.timeout", "0") //nolint:gosec,noctx // this very binary, ended below
	cmd.Env = append(os.Environ(), floorURL+"="+w.databaseURL)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	cmd.Stderr = os.Stderr
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	address, found := strings.CutPrefix(strings.TrimSpace(line), "at ")
	require.True(b, found, line)
	floor := &benchWorld{address: address, dataDir: w.dataDir, databaseURL: w.databaseURL, program: cmd}
	floor.number.Store(w.number.Load())
	return floor
}
