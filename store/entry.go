package store

import (
	"bytes"
	"strings"
	"time"
	"unsafe"

	"example.com/hardy/session"
)

// entry is a record as Memory keeps it: 144 bytes, with everything that an anonymous session has. It is
// guarded by the lock of its shard, but for id and handle, which never change.
type entry struct {
	id      key
	version uint64

	created, seen, expires, deadline, purge instant
	idle                                    time.Duration

	data   []byte
	rest   *rest // nil: none of it is set. Never nil, and never another one, where there is a user
	handle [22]byte
	length uint8 // of handle; 0: it is in rest, or empty
}

// rest is what most anonymous sessions do not have.
type rest struct {
	user     string // never changes
	handle   string // where it is longer than entry.handle; never changes
	meta     []byte
	authTime instant
	ended    session.Reason
	endedAt  instant
	next     string
	place    int // in the user's list; -1: not there. Guarded by the lock of the user's part of the index
}

// newEntry copies what r holds but the bytes of Data and Meta, which nobody changes.
func newEntry(k key, r *session.Record) *entry {
	e := &entry{
		id: k, version: r.Version,
		created: instantOf(r.Created), seen: instantOf(r.Seen), expires: instantOf(r.Expires),
		deadline: instantOf(r.Deadline), purge: instantOf(r.Purge),
		idle: r.Idle, data: owned(r.Data),
	}
	if len(r.Handle) <= len(e.handle) {
		e.length = uint8(copy(e.handle[:], r.Handle))
	} else {
		e.more().handle = strings.Clone(r.Handle)
	}
	if r.User != "" || len(r.Meta) != 0 || !r.AuthTime.IsZero() || r.Ended != "" || !r.EndedAt.IsZero() || r.Next != "" {
		m := e.more()
		m.user, m.meta, m.authTime = strings.Clone(r.User), owned(r.Meta), instantOf(r.AuthTime)
		m.ended, m.endedAt, m.next = known(r.Ended), instantOf(r.EndedAt), strings.Clone(r.Next)
	}
	return e
}

func (e *entry) more() *rest {
	if e.rest == nil {
		e.rest = &rest{authTime: noInstant, endedAt: noInstant, place: -1}
	}
	return e.rest
}

// record writes the entry to an empty r, under id, which is its own. It allocates nothing: the handle's
// string shares the entry's bytes, which are written once, before the entry is seen by anyone else.
func (e *entry) record(r *session.Record, id string) {
	r.ID, r.Handle, r.Data, r.Version, r.Idle = id, e.name(), e.data, e.version, e.idle
	r.Created, r.Seen, r.Expires = e.created.time(), e.seen.time(), e.expires.time()
	r.Deadline, r.Purge = e.deadline.time(), e.purge.time()
	if m := e.rest; m != nil {
		r.User, r.Meta, r.AuthTime = m.user, m.meta, m.authTime.time()
		r.Ended, r.EndedAt, r.Next = m.ended, m.endedAt.time(), m.next
	}
}

func (e *entry) name() string {
	if e.length == 0 && e.rest != nil {
		return e.rest.handle
	}
	return unsafe.String(&e.handle[0], e.length)
}

func (e *entry) hasEnded() bool { return e.rest != nil && e.rest.ended != "" }

// writable says whether a request at now may still write: rules 3 and 4 of the contract.
func (e *entry) writable(now instant) bool { return !e.hasEnded() && e.expires > now }

// forward is rule 5: no moment moves back.
func (e *entry) forward(seen, expires, purge instant) {
	e.seen, e.expires, e.purge = max(e.seen, seen), max(e.expires, expires), max(e.purge, purge)
}

func (e *entry) replace(r *session.Record) {
	e.version, e.data = r.Version, owned(r.Data)
	e.idle, e.deadline = r.Idle, instantOf(r.Deadline)
	if had := e.rest != nil; had && !bytes.Equal(e.rest.meta, r.Meta) || !had && len(r.Meta) != 0 {
		e.more().meta = owned(r.Meta)
	}
	e.forward(instantOf(r.Seen), instantOf(r.Expires), instantOf(r.Purge))
}

func (e *entry) end(how *session.End) {
	m := e.more()
	m.ended, m.endedAt, m.next = known(how.Reason), instantOf(how.At), strings.Clone(how.Next)
	e.purge = max(e.purge, instantOf(how.Purge))
	if !how.KeepData {
		e.data = nil
	}
}

// due is when a sweep has something to do here.
func (e *entry) due() instant {
	if e.data == nil {
		return e.purge
	}
	return min(e.purge, e.blankAt())
}

// blankAt is when the Data of a dead record serves nobody any more.
func (e *entry) blankAt() instant {
	if e.hasEnded() {
		return min(e.expires, e.rest.endedAt.add(session.Grace+1))
	}
	return e.expires
}

// deadAt is from when on the record may go where the store is full. One that was rotated still serves
// requests in the Grace.
func (e *entry) deadAt() instant {
	if e.hasEnded() && e.data == nil {
		return earliest
	}
	return e.blankAt()
}

// owned returns bytes to keep. Nobody changes them, so they need not be copied unless the array behind
// them is much larger. No append reaches what lies behind them.
func owned(b []byte) []byte {
	if b == nil || cap(b)-len(b) <= 16+len(b)/8 && len(b) > 0 {
		return b[:len(b):len(b)]
	}
	return append(make([]byte, 0, len(b)), b...)
}

// known returns the constant where the reason is one, so that no caller's string is kept.
func known(r session.Reason) session.Reason {
	switch r {
	case "":
		return ""
	case session.ReasonLogout:
		return session.ReasonLogout
	case session.ReasonRotated:
		return session.ReasonRotated
	case session.ReasonRevoked:
		return session.ReasonRevoked
	case session.ReasonEvicted:
		return session.ReasonEvicted
	}
	return session.Reason(strings.Clone(string(r)))
}
