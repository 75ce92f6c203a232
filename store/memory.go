package store

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

// MemoryOptions are the choices of a Memory. nil and the zero value mean the defaults.
type MemoryOptions struct {
	// MaxRecords bounds the records held, tombstones among them; 0 means no bound. At the bound a Create
	// makes room by forgetting a dead record before its Purge (its cookie then meets "unknown" instead of
	// the reason), but for one that was rotated within the Grace. Where all are live it answers
	// session.ErrFull: a live session is never removed to make room. Each takes about 420 bytes and its
	// values beyond 250, so a million need some 450 MB.
	MaxRecords int
}

// Memory is a session.Store in this process's memory, with all five optional interfaces: session.Capper,
// Scanner, Importer, Watcher and Sweeper. It is safe for concurrent use, and for one process: what it
// holds is lost when that ends, and no other process sees it. Use it in tests, for programs that run once, and
// where signing in again after a restart is no harm; else a store on disk or on a server.
//
// It starts no goroutine. Each Create and Replace sweeps a few records in passing, session.SweepLag before its
// own Seen, so that memory is bounded by traffic; manager.Run sweeps all of it. What is swept is given back, tables and
// all. No operation waits for a sweep longer than a pass over one of 2,048 parts.
//
// Ids are 43 characters of canonical base64url. Create and Import refuse any other with an error, and
// nothing is found under one. Moments lie between the years 1678 and 2262; what lies outside is moved to
// the nearer end, the zero time stays zero. Data and Meta are kept as they come, without a copy, which
// the contract allows.
type Memory struct {
	seed   maphash.Seed
	shards []shard
	users  users
	count  atomic.Int64
	max    int64
	news   news

	room  sync.Mutex // one Create at a time looks for dead records where the store is full
	roomy int        // the shard in which it found the last one

	sweeping sync.Mutex
	at       int // the shard at which Sweep goes on
}

var (
	_ session.Store    = (*Memory)(nil)
	_ session.Capper   = (*Memory)(nil)
	_ session.Scanner  = (*Memory)(nil)
	_ session.Importer = (*Memory)(nil)
	_ session.Watcher  = (*Memory)(nil)
	_ session.Sweeper  = (*Memory)(nil)
)

// NewMemory returns an empty Memory. It panics where MaxRecords is negative.
func NewMemory(o *MemoryOptions) *Memory {
	if o == nil {
		o = &MemoryOptions{}
	}
	if o.MaxRecords < 0 {
		panic(fmt.Sprintf("store: MemoryOptions.MaxRecords is %d; use 0 for no bound", o.MaxRecords))
	}
	m := &Memory{seed: maphash.MakeSeed(), shards: make([]shard, shardCount), max: int64(o.MaxRecords)}
	for i := range m.shards {
		m.shards[i].init()
	}
	m.users.init()
	return m
}

// locate returns the shard of a key, locked, and the entry there, nil if there is none.
func (m *Memory) locate(k *key) (*shard, hash, *entry) {
	h := hashOf(m.seed, k)
	s := &m.shards[h.shard()]
	s.mu.Lock()
	return s, h, s.find(h, k)
}

// Create implements session.Store. Where the store is full of live records it answers session.ErrFull.
func (m *Memory) Create(ctx context.Context, r session.Record) error {
	return m.add(ctx, &r, stride)
}

// Import implements session.Importer. It makes room for r as Create does.
func (m *Memory) Import(ctx context.Context, r session.Record) error {
	return m.add(ctx, &r, 0) // no sweep: its Seen may be long ago, or anything
}

func (m *Memory) add(ctx context.Context, r *session.Record, sweep int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := m.admit(r)
	if err != nil {
		return err
	}
	var lapsed []*entry
	if r.User == "" || r.Ended != "" {
		lapsed, err = m.insert(e, sweep)
	} else {
		u := m.users.lock(r.User)
		if lapsed, err = m.insert(e, sweep); err == nil {
			u.add(e)
		}
		u.mu.Unlock()
	}
	m.users.remove(lapsed...)
	return err
}

// admit makes an entry of r and counts it. Whoever does not insert it calls m.count.Add(-1).
func (m *Memory) admit(r *session.Record) (*entry, error) {
	k, ok := parseKey(r.ID)
	if !ok {
		return nil, errID
	}
	if m.count.Add(1) > m.max && m.max > 0 {
		s, _, there := m.locate(&k)
		s.mu.Unlock()
		switch {
		case there != nil:
			m.count.Add(-1)
			return nil, session.ErrExists
		case !m.makeRoom(instantOf(r.Seen)):
			m.count.Add(-1)
			return nil, session.ErrFull
		}
	}
	return newEntry(k, r), nil
}

// insert puts in an entry that was admitted, and sweeps in passing. It returns what that forgot and the
// index still has; the caller removes it there once it holds no lock.
func (m *Memory) insert(e *entry, sweep int) (lapsed []*entry, err error) {
	s, h, there := m.locate(&e.id)
	defer s.mu.Unlock()
	if there != nil {
		m.count.Add(-1)
		return nil, session.ErrExists
	}
	s.insert(m.seed, h, e)
	if sweep == 0 {
		return nil, nil
	}
	return m.sweepInPassing(s, e.seen.add(-session.SweepLag)), nil
}

// Load implements session.Store. It allocates nothing.
func (m *Memory) Load(ctx context.Context, id string) (r session.Record, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	k, ok := parseKey(id)
	if !ok {
		return r, session.ErrNotFound
	}
	s, _, e := m.locate(&k)
	if e == nil {
		s.mu.Unlock()
		return r, session.ErrNotFound
	}
	e.record(&r, id)
	s.mu.Unlock()
	return r, nil
}

// Replace implements session.Store.
func (m *Memory) Replace(ctx context.Context, r session.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, ok := parseKey(r.ID)
	if !ok {
		return session.ErrNotFound
	}
	now := instantOf(r.Seen)
	s, _, e := m.locate(&k)
	switch {
	case e == nil || !e.writable(now):
		s.mu.Unlock()
		return session.ErrNotFound
	case r.Version != e.version+1:
		s.mu.Unlock()
		return session.ErrConflict
	}
	e.replace(&r)
	s.lower(e) // it may have had no Data before
	lapsed := m.sweepInPassing(s, now.add(-session.SweepLag))
	s.mu.Unlock()
	m.users.remove(lapsed...)
	return nil
}

// Touch implements session.Store.
func (m *Memory) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, ok := parseKey(id)
	if !ok {
		return session.ErrNotFound
	}
	s, _, e := m.locate(&k)
	defer s.mu.Unlock()
	if e == nil || !e.writable(instantOf(seen)) {
		return session.ErrNotFound
	}
	e.forward(instantOf(seen), instantOf(expires), instantOf(purge))
	return nil
}

// End implements session.Store.
func (m *Memory) End(ctx context.Context, id string, how session.End) (session.Record, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	k, ok := parseKey(id)
	if !ok {
		return session.Record{}, session.ErrNotFound
	}
	e, last, first := m.end(&k, id, &how)
	if e == nil {
		return last, session.ErrNotFound
	}
	if first && last.User != "" {
		m.users.remove(e)
	}
	return last, nil
}

// end ends a record and tells the watchers. first says that it had not ended before.
func (m *Memory) end(k *key, id string, how *session.End) (e *entry, last session.Record, first bool) {
	s, _, e := m.locate(k)
	if e == nil {
		s.mu.Unlock()
		return nil, last, false
	}
	e.record(&last, id)
	if first = !e.hasEnded(); first {
		e.end(how)
		s.lower(e)
	}
	s.mu.Unlock()
	if first {
		m.news.tell(session.Ended{ID: id, Reason: how.Reason, At: how.At, Next: how.Next})
	}
	return e, last, first
}
