package store

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
)

const (
	// shardCount is fixed: at a million records a shard holds some 500, so that one pass over it under its
	// lock takes tens of microseconds, and giving memory back means to rebuild a table of that size.
	shardCount = 2048
	smallest   = 8 // slots of a table
	// stride is how many slots a write looks at in passing: more than it fills, so that sweeping keeps ahead.
	stride = 8
)

// shard is one part of the records: a hash table with linear probing, 9 bytes a slot, filled to at most
// four fifths. A Go map would take 50 bytes more for each record and never shrink.
type shard struct {
	mu    sync.Mutex
	slots []*entry
	tags  []uint8 // of the entry in the same slot; 0: empty
	n     int

	due    instant // nothing here is due to be swept before this; it may be too early, never too late
	cursor int     // the slot at which sweeping in passing goes on
	next   instant // what due will be when the cursor has been everywhere

	dead atomic.Int64 // as due, of deadAt; read without the lock
}

func (s *shard) init() { s.due, s.next = latest, latest; s.dead.Store(math.MaxInt64) }

// hash places the key h says: the low bits choose the shard, the next ones the slot, the top byte is the tag.
type hash uint64

func hashOf(seed maphash.Seed, k *key) hash { return hash(maphash.Bytes(seed, k[:])) }

func (h hash) shard() int        { return int(h % shardCount) }
func (h hash) slot(size int) int { return int(h/shardCount) & (size - 1) }
func (h hash) tag() uint8        { return uint8(h>>56) | 1 }

func (s *shard) find(h hash, k *key) *entry {
	if len(s.slots) == 0 {
		return nil
	}
	for i, mask := h.slot(len(s.slots)), len(s.slots)-1; ; i = (i + 1) & mask {
		switch s.tags[i] {
		case 0:
			return nil
		case h.tag():
			if e := s.slots[i]; e.id == *k {
				return e
			}
		}
	}
}

// insert puts in an entry whose key is not there.
func (s *shard) insert(seed maphash.Seed, h hash, e *entry) {
	if (s.n+1)*5 > len(s.slots)*4 {
		s.resize(seed, max(smallest, 2*len(s.slots)))
	}
	s.put(h, e)
	s.n++
	s.lower(e)
}

func (s *shard) put(h hash, e *entry) {
	i, mask := h.slot(len(s.slots)), len(s.slots)-1
	for s.tags[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i], s.tags[i] = e, h.tag()
}

// lower lets the next sweep know that e may be due earlier than all others.
func (s *shard) lower(e *entry) {
	due := e.due()
	s.due, s.next = min(s.due, due), min(s.next, due)
	if dead := int64(e.deadAt()); dead < s.dead.Load() {
		s.dead.Store(dead)
	}
}

// resize moves the entries into a table of size slots, a power of two, or 0.
func (s *shard) resize(seed maphash.Seed, size int) {
	old := s.slots
	s.slots, s.tags = nil, nil
	if size > 0 {
		s.slots, s.tags = make([]*entry, size), make([]uint8, size)
	}
	for _, e := range old {
		if e != nil {
			s.put(hashOf(seed, &e.id), e)
		}
	}
	s.cursor, s.next = 0, latest // the slots are others now: begin the round again
}

// fit gives memory back where the table has become far too large.
func (s *shard) fit(seed maphash.Seed) {
	size := len(s.slots)
	if s.n*8 >= size {
		return
	}
	for size > 0 && (size/2)*4 >= s.n*5 && (size > smallest || s.n == 0) {
		size /= 2
	}
	if size != len(s.slots) {
		s.resize(seed, size)
	}
}

// remove empties slot i and closes the gap, so that no probe stops there too early.
func (s *shard) remove(seed maphash.Seed, i int) {
	mask := len(s.slots) - 1
	s.slots[i].data = nil // whoever still holds the handle's string holds the entry
	for j := (i + 1) & mask; s.tags[j] != 0; j = (j + 1) & mask {
		home := hashOf(seed, &s.slots[j].id).slot(len(s.slots))
		if (j-home)&mask >= (j-i)&mask {
			s.slots[i], s.tags[i] = s.slots[j], s.tags[j]
			if i < s.cursor && j >= s.cursor {
				s.next = min(s.next, s.slots[i].due()) // the cursor will not meet it any more in this round
			}
			i = j
		}
	}
	s.slots[i], s.tags[i] = nil, 0
	s.n--
}
