package postgrestest

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const dirPrefix = "wxsteward-test-"

// roomy is where the server keeps its files: in memory where Linux has room for it. A database is several hundred files, and
// making and removing them for each test costs some file systems more than the tests cost anything else.
func roomy() string {
	const memory, enough = "/dev/shm", 2 << 30
	var free syscall.Statfs_t
	if syscall.Statfs(memory, &free) == nil && free.Bavail*uint64(free.Bsize) >= enough { //nolint:gosec // no block is that large
		return memory
	}
	return os.TempDir()
}

// sweep removes what test runs that were killed have left. A directory younger than ten minutes may be about to be
// used, one that is locked is.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, dirPrefix+"*")) // a fixed, correct pattern
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < 10*time.Minute {
			continue
		}
		lock, err := os.Open(filepath.Join(dir, "postgres.lock")) //nolint:gosec // a directory of ours
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir) // may belong to another user
		}
		_ = lock.Close() // only a lock
	}
}
