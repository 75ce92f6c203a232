package cookie

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/hardy/internal/cookieheader"
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
	came    bool // the request carries a cookie of this name, readable or not
	entries entries
	changed bool
	sent    bool
}

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
	entries, err := parseEntries(o.Plain, time.Now().Unix())
	if err != nil {
		j.spec.keys.Trace.undecodable(name, "", err)
		return
	}
	j.entries = entries
}

func (j *Jar) lookup(key string) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	e := j.entries.find(key)
	if e == nil || !e.live(time.Now().Unix()) {
		return nil, false
	}
	return e.value, true // never modified, so it may leave the lock
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
	next := make(entries, 0, len(values))
	for _, v := range values {
		if v.err != nil {
			return v.err
		}
		next.put(entry{v.key, expires, v.encoded})
	}
	return j.set(now.Unix(), next)
}

// end is when a value ends that is set now.
func end(now time.Time, d time.Duration) (expires int64, err error) {
	if d <= 0 || d > MaxLifetime {
		return 0, fmt.Errorf("%w, and %v is not; to remove one use Delete", ErrLifetime, d)
	}
	return ceilUnix(now.Add(d)), nil
}

// set puts next, of which no two have the same key, into the jar: all or none. The jar keeps next.
func (j *Jar) set(now int64, next entries) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sent {
		return ErrSent
	}
	j.open()
	j.entries.drop(now)
	if len(j.spec.Name())+len(version)+idLen+1+sealedLen(1+j.entries.sizeWith(next)) > cookieheader.MaxBytes {
		return ErrTooLarge
	}
	if len(j.entries) == 0 {
		j.entries = next
	} else {
		for _, e := range next {
			j.entries.put(e)
		}
	}
	j.changed = j.changed || len(next) > 0
	return nil
}

func (j *Jar) remove(key string) (was bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open()
	e := j.entries.find(key)
	if e == nil || !e.live(time.Now().Unix()) {
		return false, nil
	}
	if j.sent {
		return true, ErrSent
	}
	j.entries.remove(key)
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
	now := time.Now().Unix()
	keys := make([]string, 0, len(j.entries))
	for i := range j.entries {
		if j.entries[i].live(now) {
			keys = append(keys, j.entries[i].key)
		}
	}
	slices.Sort(keys)
	return keys
}
