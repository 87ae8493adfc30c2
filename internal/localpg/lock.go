package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	ownerLock  = "wxsteward.lock"
	serverLock = "postgres.lock"
)

// tryLock takes an exclusive lock that lasts as long as any process has this opening of the file, whichever way
// the process ends.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	default:
		return false, fmt.Errorf("%s cannot be locked: %w", file.Name(), err)
	}
}

// lockOwner makes this process the one that uses dataDir.
func lockOwner(dataDir string) (*os.File, error) {
	path := filepath.Join(dataDir, ownerLock)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's own DATA_DIR
	if err != nil {
		return nil, notWritable(dataDir, err)
	}
	free, err := tryLock(file)
	if err == nil && !free {
		pid, _ := readOwner(path)
		if pid == "" {
			pid = "unknown"
		}
		err = fmt.Errorf("%w: another wxsteward (process %s) already runs on %s; stop it, or give this one another directory, e.g. DATA_DIR=./data2",
			ErrInUse, pid, dataDir)
	}
	if err != nil {
		_ = file.Close() // the first error counts
		return nil, err
	}
	return file, nil
}

// lockServer waits until no process of an earlier server is left and returns the lock, to be handed down to the next.
// busy is called at each look that finds one.
func lockServer(ctx context.Context, dataDir string, busy func() error) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dataDir, serverLock), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // as above
	if err != nil {
		return nil, notWritable(dataDir, err)
	}
	for {
		free, err := tryLock(file)
		if free {
			return file, nil
		}
		if err == nil {
			err = busy()
		}
		if err == nil {
			select {
			case <-ctx.Done():
				err = fmt.Errorf("an earlier PostgreSQL still runs on %s: %w", dataDir, context.Cause(ctx))
			case <-time.After(10 * time.Millisecond):
				continue
			}
		}
		_ = file.Close() // the first error counts
		return nil, err
	}
}
