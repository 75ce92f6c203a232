package middleware

import (
	"sync"
	"time"
)

// ImportReport is how far a move has come, as one process has seen it.
type ImportReport struct {
	Imported int // old sessions of which a session was made
	Ended    int // old sessions that were ended, in the old store
	// Remaining are those of Imported that this process has not ended and that have not expired: in the old
	// system they open something still.
	Remaining int
	// Last is when an old credential last came. Once that is longer ago than the longest of them lives, drop the Import.
	Last time.Time
}

// Report says how far the move has come, since this process began.
func (i *Import) Report() ImportReport { return i.tally.report(time.Now()) }

// tally counts. Those that remain are counted by the hour in which they expire, so that a million of them take no more
// room than a thousand.
type tally struct {
	mu             sync.Mutex
	imports, ends  int
	last           time.Time
	expiringByHour map[int64]int
}

func hour(t time.Time) int64 { return t.Unix() / 3600 }

func (t *tally) seen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
}

func (t *tally) made(expires time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expiringByHour == nil {
		t.expiringByHour = map[int64]int{}
	}
	t.imports++
	t.expiringByHour[hour(expires)]++
}

func (t *tally) ended(expires time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends++
	if h := hour(expires); t.expiringByHour[h] > 0 { // less: another process has made it
		t.expiringByHour[h]--
	}
}

func (t *tally) report(now time.Time) ImportReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := ImportReport{Imported: t.imports, Ended: t.ends, Last: t.last}
	for h, n := range t.expiringByHour {
		if h < hour(now) {
			delete(t.expiringByHour, h)
			continue
		}
		r.Remaining += n
	}
	return r
}
