package authorize

import "sync"

// maxTotals bounds how many searches are remembered.
const maxTotals = 256

// totals remembers what searches have found that are not counted in the database, for as long as nothing in the directory has
// changed: what is remembered is what a reader would find.
type totals struct {
	mu    sync.Mutex
	known map[Filter]found
}

// found is what a search found when the directory had changed so many times.
type found struct {
	changes, total int64
	first          []string // appids of the first page and one more; nil: not known
}

// get is false where the directory has changed since.
func (t *totals) get(f Filter, changes int64) (found, bool) {
	f.After = Position{}
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.known[f]
	return last, ok && last.changes == changes
}

func (t *totals) put(f Filter, changes int64, what found) {
	if f.BizID != "" { // few are found, and no change of a biz id is counted
		return
	}
	f.After, what.changes = Position{}, changes
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxTotals || t.known == nil {
		t.known = map[Filter]found{}
	}
	t.known[f] = what
}
