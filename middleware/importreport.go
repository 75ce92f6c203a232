package middleware

import (
	"hash/maphash"
	"sync"
	"time"
)

// ImportReport is how far a move has come, as one process has seen it.
type ImportReport struct {
	Imported int // old sessions of which a session was made
	Ended    int // of these, those that were ended in the old system since
	// Remaining are those of Imported that this process has not ended and that have not expired: in the old
	// system they open something still.
	Remaining int
	// Last is when an old credential last came. Once that is longer ago than the longest of them lives, drop the Import.
	Last time.Time
}

// Report says how far the move has come, since this process began. It follows a million sessions; of more, Ended and
// Remaining are too few.
func (i *Import) Report() ImportReport { return i.tally.report(time.Now()) }

// maxFollowed bounds what a tally takes: 16 bytes each and their place in the map.
const maxFollowed = 1_000_000

// tally counts what was carried over, by a hash of the credential.
type tally struct {
	mu            sync.Mutex
	imports, ends int
	last          time.Time
	left          map[uint64]int64 // when it expires, in seconds since 1970
}

var tallySeed = maphash.MakeSeed()

func (t *tally) seen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
}

func (t *tally) made(credential string, expires time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.imports++
	if t.left == nil {
		t.left = map[uint64]int64{}
	}
	if len(t.left) < maxFollowed {
		t.left[maphash.String(tallySeed, credential)] = expires.Unix()
	}
}

func (t *tally) ended(credential string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := maphash.String(tallySeed, credential)
	if _, ok := t.left[key]; ok { // else another process has made it, or it was ended before
		delete(t.left, key)
		t.ends++
	}
}

func (t *tally) report(now time.Time) ImportReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, expires := range t.left {
		if expires < now.Unix() {
			delete(t.left, key)
		}
	}
	return ImportReport{Imported: t.imports, Ended: t.ends, Remaining: len(t.left), Last: t.last}
}
