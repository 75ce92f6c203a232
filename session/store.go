package session

import (
	"context"
	"errors"
	"time"
)

// What a Store answers beside nil. Every other error means that the store could not be asked: the
// manager wraps it and the middleware answers 503, never with a blank session.
var (
	// ErrNotFound: no such record, or, from Replace and Touch, one that has ended or expired.
	ErrNotFound = errors.New("session: no such record")
	// ErrExists: Create and Import met a record under the same id.
	ErrExists = errors.New("session: a record with this id exists")
	// ErrConflict: Replace met another version than the one before its own.
	ErrConflict = errors.New("session: the record has another version")
	// ErrFull: the store holds as many live records as it may. Nothing live was removed to make room.
	ErrFull = errors.New("session: the store is full of live sessions")
	// ErrCapped: CreateWithin without evict met as many live sessions of the user as allowed.
	ErrCapped = errors.New("session: the user has as many sessions as allowed")
)

const (
	// Grace is how long after a rotation the old token still opens a read-only view, so that requests
	// which were under way with it do not fail.
	Grace = 10 * time.Second
	// Tombstone is how long the record of an ended session is kept, so that its cookie meets "ended"
	// and not "unknown".
	Tombstone = 24 * time.Hour
	// SweepLag is how far a sweep stays behind the clock. Clocks of processes differ: what has expired by the one may
	// still be renewed by a request on the other, and must not have lost its Data by then.
	SweepLag = 5 * time.Second
)

// Record is what a store keeps of one session. It holds no token and no readable value.
//
// A record is live until it has ended (Ended is not "") or expired (Expires is not after now). Expiry
// needs no write: the record is its own tombstone until Purge.
//
// Neither side changes the bytes of Data or Meta once a record has passed between them; a store may
// keep and return the slices as they are.
type Record struct {
	ID     string // 43 characters of base64url (32 bytes), derived from the token, which it does not reveal
	Handle string // random and public: for lists, logs and revocation; kept over a rotation
	User   string // "" is anonymous; fixed at Create; indexed
	Data   []byte // opaque: the sealed values; nil once the record is only a tombstone
	Meta   []byte // opaque, readable to who reads the store; returned by List

	Version uint64 // 1 at Create, one more at each Replace, unchanged by Touch and End

	Created  time.Time // when the session was first created; kept over a rotation
	AuthTime time.Time // when its user signed in; zero where anonymous
	Seen     time.Time // last activity
	Expires  time.Time // the earlier of Seen + Idle + Idle/30 and Deadline (Touch comes once in Idle/30)
	Deadline time.Time // end of the lifetime
	Purge    time.Time // the record may be forgotten after this

	Idle time.Duration // this record's own idle timeout; 0: none but the Deadline

	Ended   Reason    // "" while it has not been ended
	EndedAt time.Time // when it was
	Next    string    // id of the successor, after a rotation
}

// End says how a record ends.
type End struct {
	Reason   Reason
	At       time.Time
	Purge    time.Time // the record's Purge moves here where this is later
	Next     string    // the successor's id where Reason is ReasonRotated
	KeepData bool      // keep Data for the Grace (a rotation of the same user); a sweep drops it afterwards
}

// Store keeps records. Its methods are safe for concurrent use by many goroutines and, where the engine
// is shared, by many processes. The conformance suite store/storetest has a test for each rule:
//
//  1. Create inserts a record under an id that is not there, and answers ErrExists otherwise. Nothing
//     but Create (and CreateWithin, Import) brings an id into being.
//  2. Load returns the whole record, live, expired or ended, until its Purge; then ErrNotFound. It need
//     not return a record whose Purge has passed, and does not judge whether one has expired.
//  3. Replace stores Data, Meta, Idle and Deadline of r, and Version r.Version, if the stored Version is
//     r.Version-1, the record has not ended, and its stored Expires is after r.Seen. It answers
//     ErrNotFound for a record that is absent, ended or expired at r.Seen, else ErrConflict for one of
//     another version. ID, Handle, User, Created and AuthTime stay as Create stored them.
//  4. Touch moves Seen, Expires and Purge, and nothing else, under the same conditions but the version;
//     else it answers ErrNotFound.
//  5. Seen, Expires and Purge never move back: of the stored and the given moment the later one stays,
//     in Replace, Touch and End. (A Replace may shorten Deadline, not Expires.)
//  6. End is unconditional and the first one wins: it ends a record of any version, live or expired, and
//     returns it as it stood just before, Data included. Where the record had ended already it changes
//     nothing, and the returned record says so (Ended is not ""). ErrNotFound where there is none.
//  7. An ended record loses its Data, unless End.KeepData asks to keep it.
//  8. After End returns, no Load on any node shows the record without its end, and no Replace or Touch
//     succeeds. Nothing makes an ended record live again.
//  9. List returns the user's records that have not ended, expired ones among them, without Data, in any
//     order. It never misses a session that is rotated meanwhile: it shows the record or its successor. An
//     empty user has no list.
//  10. Where record and user index are two writes: the index entry comes before the record, and the record
//     ends before the entry goes. List skips an entry without a record, and removes it only after the
//     entry's own Deadline + 24 h; a longer Deadline updates the entry first.
//  11. Times come from the caller, with nanoseconds; a store reads no clock but to sweep. Locations need not be
//     kept, nor moments outside the years 1678 to 2262, but for the zero time.
//  12. Where ctx is done before an operation has begun, nothing happens and its error is returned,
//     wrapped or not. An operation whose answer is an error other than those above may or may not have
//     happened.
//  13. A store keeps no reference to the caller's strings and shares none of its own state through a
//     returned record but the bytes of Data and Meta, which nobody changes.
type Store interface {
	Create(ctx context.Context, r Record) error
	Load(ctx context.Context, id string) (Record, error)
	Replace(ctx context.Context, r Record) error
	Touch(ctx context.Context, id string, seen, expires, purge time.Time) error
	End(ctx context.Context, id string, e End) (last Record, err error)
	List(ctx context.Context, user string) ([]Record, error)
}

// Capper is a Store that can keep a user's sessions within a number, exactly, under concurrency and
// over all processes.
type Capper interface {
	// CreateWithin creates r and sees to it, as one atomic step for the user, that at most max live
	// sessions of r.User remain. Records that share a Handle are one session: beside the record of one that
	// is being rotated its successor lives for a moment, and so do the answers to a double click. Records
	// expired at r.Seen take no place and are not evicted; those that share r.Handle are not, either. With
	// evict, the sessions whose oldest record is the oldest by Created (then by ID) end, with all of
	// their live records, as ReasonEvicted at r.Seen; the records are returned as they stood before. Without
	// it, where there is no place, nothing is created and the error is ErrCapped. max is at least 1
	// and r.User not "".
	CreateWithin(ctx context.Context, r Record, max int, evict bool) (evicted []Record, err error)
}

// Scanner is a Store whose records can be read one page after another: for counting and moving.
type Scanner interface {
	// Scan returns up to limit whole records, dead ones too, and the cursor of the next page, "" after
	// the last one. It begins with cursor "". A record there from the first page to the last is returned
	// at least once; one that comes or goes meanwhile perhaps.
	Scan(ctx context.Context, cursor string, limit int) (page []Record, next string, err error)
	// Count returns the number of records, dead ones too, and may be an estimate.
	Count(ctx context.Context) (int, error)
}

// Importer is a Store that takes records over from another one.
type Importer interface {
	// Import inserts r exactly as it is, ended and expired ones too, at any Version; ErrExists where the
	// id is there.
	Import(ctx context.Context, r Record) error
}

// Ended is the news that a record ended.
type Ended struct {
	ID     string // "": ends may have been missed (a connection was lost); check again what matters
	Reason Reason
	At     time.Time
	Next   string
}

// Watcher is a Store that tells of ends as they happen, wherever they happen. Expiry is no event.
type Watcher interface {
	// Watch calls f, one call at a time, for each End and eviction that begins after Watch has called f
	// with the empty Ended, which it does first. It returns when ctx is done, with its error, or when
	// watching can't go on. f must not block.
	Watch(ctx context.Context, f func(Ended)) error
}

// Sweeper is a Store that has to be told to give back what dead records hold. Without it, Create and
// Replace still sweep a few records as they go, or the engine forgets them by itself.
type Sweeper interface {
	// Sweep looks at no more than limit records, or a small multiple of it: it drops the Data of those
	// that expired before now, or ended more than Grace before it, and forgets those whose Purge is not after now. It continues where the
	// last call stopped. more says that this round is not finished. The caller leaves SweepLag to the clock, as does a
	// store that sweeps as it goes.
	Sweep(ctx context.Context, now time.Time, limit int) (swept Swept, more bool, err error)
}

// Swept counts what a step of a sweep did.
type Swept struct {
	Blanked   int // records that lost their Data
	Forgotten int // records removed
}
