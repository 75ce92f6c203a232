package scsstore

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

// turns lets the writers of one session in this process go one after another, and remembers for a moment what was
// last seen of a row, so that a write need not ask again for what this process has just read or written.
type turns struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu   sync.Mutex
	held map[string]*turn // an entry for each id that is being written

	writes         uint64          // how many have ended: a read that began before one of them may be out of date
	looks, earlier map[string]look // two generations, dropped by turns
	turned         time.Time
}

// turn is a lock that a context can give up waiting for. Its holder and all who wait are its users.
type turn struct {
	users int
	free  chan struct{} // holds one item while users wait and none of them has the turn
}

// look is a row as it was found or written.
type look struct {
	row []byte
	// Until when it is as good as asking again: for a write, and for an end, which comes behind the write of a new row where a
	// token is replaced, and has nothing to bring back.
	write, end time.Time
}

const (
	writeLook   = 4  // times as long as the question took
	endLook     = 16 // a write to a disk takes ten times as long as a question
	longestLook = 10 * time.Millisecond
	quick       = 5 * time.Microsecond // an engine that answers within may as well be asked again
)

func newTurns() *turns {
	t := &turns{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].held = make(map[string]*turn)
	}
	return t
}

func (t *turns) shard(id string) *shard {
	return &t.shards[maphash.String(t.seed, id)%uint64(len(t.shards))]
}

// enter waits for the turn to write id. After a nil error leave must be called.
func (s *shard) enter(ctx context.Context, id string) error {
	s.mu.Lock()
	own := s.held[id]
	if own == nil {
		s.held[id] = &turn{users: 1, free: make(chan struct{}, 1)}
		s.mu.Unlock()
		return nil
	}
	own.users++
	s.mu.Unlock()
	select {
	case <-own.free:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retire(id, own)
	return ctx.Err()
}

func (s *shard) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.held[id]
	if s.retire(id, own); own.users > 0 {
		own.free <- struct{}{}
	}
}

func (s *shard) retire(id string, own *turn) {
	if own.users--; own.users == 0 {
		delete(s.held, id)
	}
}

// asked is called before a question to the store.
func (s *shard) asked() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// found remembers a row that was read between begin and now, unless somebody here wrote meanwhile. An older look goes in either
// case: another process may have written since, and a write that trusted it would undo that.
func (s *shard) found(id string, row []byte, asked uint64, begin time.Time) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes == asked && now.Sub(begin) >= quick {
		s.remember(strings.Clone(id), row, begin, now)
		return
	}
	delete(s.looks, id)
	delete(s.earlier, id)
}

// wrote remembers a row that was written between begin and now; nil: what lies there is not known. id is kept.
func (s *shard) wrote(id string, row []byte, begin time.Time) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if now.Sub(begin) < quick {
		delete(s.looks, id)
		delete(s.earlier, id)
		return
	}
	s.remember(id, row, begin, now)
}

func (s *shard) remember(id string, row []byte, begin, now time.Time) {
	if now.Sub(s.turned) > longestLook {
		s.earlier, s.looks, s.turned = s.looks, nil, now
	}
	if s.looks == nil {
		s.looks = make(map[string]look)
	}
	took := now.Sub(begin)
	s.looks[id] = look{row, now.Add(min(writeLook*took, longestLook)), now.Add(min(endLook*took, longestLook))}
}

// seen returns the row under id where this process has just seen it. ends says what for.
func (s *shard) seen(id string, ends bool) []byte {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.looks[id]
	if !ok {
		l = s.earlier[id]
	}
	until := l.write
	if ends {
		until = l.end
	}
	if !now.Before(until) {
		return nil
	}
	return l.row
}
