package cookie

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/hardy/internal/cookieheader"
	"example.com/hardy/internal/frame"
)

const (
	// DefaultLifetime is how long a value stays that Set puts into a jar.
	DefaultLifetime = 30 * 24 * time.Hour
	// MaxLifetime is the longest that a value may stay: browsers keep no cookie for longer than 400 days.
	MaxLifetime = 400 * 24 * time.Hour
)

// Jar is one encrypted cookie with named values in it, as one request sees it: what was set in this
// request reads back at once. It is safe for concurrent use by the goroutines of the request.
//
// The browser keeps it, and so it is no place for a counter, for credit or for rights: its owner can send back an
// older jar of theirs, and of two responses at once the one that arrives last replaces the other's jar as a
// whole. It holds about 2,200 bytes. Preferences and names are at home in it; the rest belongs into a
// session or a database.
type Jar struct {
	spec    *Spec
	request *http.Request

	mu      sync.Mutex
	opened  bool
	came    bool    // the request carries a cookie of this name, readable or not
	entries []entry // ascending by key
	changed bool
	sent    bool
}

type entry struct {
	key     string
	expires int64  // Unix seconds
	stored  []byte // expires as a uvarint, then CBOR
}

// value is the CBOR in it.
func (e *entry) value() []byte { return e.stored[varintLen(uint64(e.expires)):] }

func (e *entry) live(now time.Time) bool { return now.Unix() < e.expires }

// open reads the cookie once. j.mu is held.
func (j *Jar) open() {
	if j.opened {
		return
	}
	j.opened = true
	name := j.spec.Name()
	text, n := cookieheader.Find(j.request.Header, name)
	j.came = n > 0
	if n > 1 {
		j.spec.keys.Trace.duplicate(name, n)
	}
	if n != 1 {
		return
	}
	o, outcome := j.spec.sealer.Open(text)
	if outcome != OK {
		return
	}
	entries, err := parseEntries(o.Plain, time.Now())
	if err != nil {
		j.spec.keys.Trace.undecodable(name, "", err)
		return
	}
	j.entries = entries
}

// parseEntries leaves out what has expired, in a replayed cookie too.
func parseEntries(b []byte, now time.Time) ([]entry, error) {
	f, err := frame.Parse(b)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, 4)
	for key, b := range f.All() {
		expires, n := binary.Uvarint(b)
		if n != varintLen(expires) || expires > math.MaxInt64 {
			return nil, frame.ErrMalformed
		}
		if e := (entry{key, int64(expires), b}); e.live(now) {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// pack is the reverse of parseEntries.
func pack(entries []entry) []byte {
	changes := make([]frame.Change, 0, 8)
	for _, e := range entries {
		changes = append(changes, frame.Change{Key: e.key, Value: e.stored})
	}
	return frame.Apply(nil, changes)
}

// packedLen is what pack makes of one entry.
func (e *entry) packedLen() int {
	return varintLen(uint64(len(e.key))) + len(e.key) + varintLen(uint64(len(e.stored))) + len(e.stored)
}

// sizeWith returns the size of the cookie, its name included, once next is in the jar.
func (j *Jar) sizeWith(next []entry) int {
	n := 1
	for i := range j.entries {
		n += j.entries[i].packedLen()
	}
	for i := range next {
		n += next[i].packedLen()
		if at, ok := j.find(next[i].key); ok {
			n -= j.entries[at].packedLen()
		}
	}
	return len(j.spec.Name()) + len(version) + idLen + 1 + sealedLen(1+n)
}

func (j *Jar) dropDead(now time.Time) {
	j.entries = slices.DeleteFunc(j.entries, func(e entry) bool { return !e.live(now) })
}

func varintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// find returns where key is, or belongs. There are few, and so they are looked at in turn.
func (j *Jar) find(key string) (at int, found bool) {
	for i := range j.entries {
		if j.entries[i].key >= key {
			return i, j.entries[i].key == key
		}
	}
	return len(j.entries), false
}

func (j *Jar) lookup(key string) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	i, ok := j.find(key)
	if !ok || !j.entries[i].live(time.Now()) {
		return nil, false
	}
	return j.entries[i].value(), true // never modified, so it may leave the lock
}

// SetFor sets several values, made by Key.Value, that expire together after d, rounded up to a second:
//
//	err := jar.SetFor(3*24*time.Hour, name.Value("Bob"), age.Value(42))
//
// Either all are set or none is. Errors: ErrLifetime, ErrTooLarge, ErrSent, and that of a value that cannot be
// encoded.
func (j *Jar) SetFor(d time.Duration, values ...Value) error {
	now := time.Now()
	expires, err := end(now, d)
	if err != nil {
		return err
	}
	next := make([]entry, 0, len(values))
	for _, v := range values {
		if v.err != nil {
			return v.err
		}
		// Of two values of one key the later one counts.
		next = slices.DeleteFunc(next, func(e entry) bool { return e.key == v.key })
		next = append(next, entry{v.key, expires, append(binary.AppendUvarint(nil, uint64(expires)), v.encoded...)})
	}
	return j.set(now, next)
}

// end is when a value ends that is set now.
func end(now time.Time, d time.Duration) (expires int64, err error) {
	if d <= 0 || d > MaxLifetime {
		return 0, fmt.Errorf("%w, and %v is not; to remove one use Delete", ErrLifetime, d)
	}
	return ceilUnix(now.Add(d)), nil
}

// set puts next, of which no two have the same key, into the jar: all or none.
func (j *Jar) set(now time.Time, next []entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sent {
		return ErrSent
	}
	j.open()
	j.dropDead(now)
	if j.sizeWith(next) > cookieheader.MaxBytes {
		return ErrTooLarge
	}
	if j.entries == nil {
		j.entries = make([]entry, 0, max(4, len(next)))
	}
	for _, e := range next {
		if i, ok := j.find(e.key); ok {
			j.entries[i] = e
		} else {
			j.entries = slices.Insert(j.entries, i, e)
		}
	}
	j.changed = j.changed || len(next) > 0
	return nil
}

func (j *Jar) remove(key string) (was bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	i, ok := j.find(key)
	if !ok || !j.entries[i].live(time.Now()) {
		return false, nil
	}
	if j.sent {
		return true, ErrSent
	}
	j.entries = slices.Delete(j.entries, i, i+1)
	j.changed = true
	return true, nil
}

// Clear empties the jar, and the browser forgets the cookie. It returns ErrSent if the header has left and there was
// something to forget.
func (j *Jar) Clear() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	if !j.came && len(j.entries) == 0 {
		return nil
	}
	if j.sent {
		return ErrSent
	}
	j.entries = nil
	j.changed = true
	return nil
}

// Keys returns the names of the values in the jar, in ascending order.
func (j *Jar) Keys() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	now := time.Now()
	keys := make([]string, 0, len(j.entries))
	for i := range j.entries {
		if j.entries[i].live(now) {
			keys = append(keys, j.entries[i].key)
		}
	}
	return keys
}
