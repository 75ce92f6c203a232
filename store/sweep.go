package store

import (
	"context"
	"time"

	"example.com/hardy/session"
)

// Sweep implements session.Sweeper. A step goes on from part to part until it has looked at limit
// records, each part whole; a part in which nothing is due costs nothing.
func (m *Memory) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	m.sweeping.Lock()
	defer m.sweeping.Unlock()
	moment := instantOf(now)
	for limit = max(limit, 1); limit > 0 && m.at < len(m.shards); m.at++ {
		if err := ctx.Err(); err != nil {
			return swept, true, err
		}
		limit -= m.sweepShard(&m.shards[m.at], moment, &swept)
	}
	if more = m.at < len(m.shards); !more {
		m.at = 0
	}
	return swept, more, ctx.Err()
}

// sweepShard sweeps a whole shard and returns how many records it looked at.
func (m *Memory) sweepShard(s *shard, now instant, swept *session.Swept) (looked int) {
	var lapsed []*entry
	s.mu.Lock()
	if s.due <= now {
		looked = s.n
		due, dead := latest, int64(latest)
		for i := 0; i < len(s.slots); {
			e := s.slots[i]
			if e == nil {
				i++
				continue
			}
			if e.purge <= now {
				lapsed = m.forget(s, i, lapsed)
				swept.Forgotten++
				continue // another one may have moved into the slot
			}
			if blank(e, now) {
				swept.Blanked++
			}
			due, dead = min(due, e.due()), min(dead, int64(e.deadAt()))
			i++
		}
		s.due, s.next, s.cursor = due, latest, 0
		s.dead.Store(dead)
		s.fit(m.seed)
	}
	s.mu.Unlock()
	m.users.remove(lapsed...)
	return looked
}

// sweepInPassing looks at a few slots of a shard that a write has locked anyway. It returns what it
// forgot and the index still has.
func (m *Memory) sweepInPassing(s *shard, now instant) (lapsed []*entry) {
	if s.due > now {
		return nil
	}
	for range stride {
		if s.cursor >= len(s.slots) {
			s.due, s.next, s.cursor = s.next, latest, 0
			break
		}
		e := s.slots[s.cursor]
		switch {
		case e == nil:
			s.cursor++
		case e.purge <= now:
			lapsed = m.forget(s, s.cursor, lapsed)
		default:
			blank(e, now)
			s.next = min(s.next, e.due())
			s.cursor++
		}
	}
	s.fit(m.seed)
	return lapsed
}

// blank drops the Data of a dead record and says whether there was any.
func blank(e *entry, now instant) bool {
	if e.data == nil || e.blankAt() > now {
		return false
	}
	e.data = nil
	return true
}

// forget removes the entry in slot i. Where the index has it, it is added to lapsed.
func (m *Memory) forget(s *shard, i int, lapsed []*entry) []*entry {
	e := s.slots[i]
	if e.rest != nil && e.rest.user != "" && !e.hasEnded() {
		lapsed = append(lapsed, e)
	}
	s.remove(m.seed, i)
	m.count.Add(-1)
	return lapsed
}

// makeRoom forgets one dead record, and says whether there was one. Shards in which nobody can be dead
// by now are passed over without their lock.
func (m *Memory) makeRoom(now instant) bool {
	m.room.Lock()
	defer m.room.Unlock()
	for range m.shards {
		if s := &m.shards[m.roomy]; s.dead.Load() <= int64(now) {
			if lapsed, ok := m.forgetOne(s, now); ok {
				m.users.remove(lapsed...)
				return true
			}
		}
		m.roomy = (m.roomy + 1) % len(m.shards)
	}
	return false
}

// forgetOne forgets the record of a shard that is nearest to its Purge among the dead.
func (m *Memory) forgetOne(s *shard, now instant) (lapsed []*entry, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, dead := -1, int64(latest)
	for i, e := range s.slots {
		switch {
		case e == nil:
		case e.deadAt() > now && e.purge > now:
			dead = min(dead, int64(e.deadAt()))
		case found < 0:
			found = i
		case e.purge < s.slots[found].purge:
			found, dead = i, int64(earliest) // and the one before stays dead
		default:
			dead = int64(earliest)
		}
	}
	s.dead.Store(dead)
	if found < 0 {
		return nil, false
	}
	lapsed = m.forget(s, found, nil)
	s.fit(m.seed)
	return lapsed, true
}
