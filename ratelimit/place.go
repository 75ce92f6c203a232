package ratelimit

import (
	"sync"

	"example.com/hardy/ratelimit/internal/gcra"
)

// A place is where the timestamps of a key lie in one group's table, with their lock held and the time
// read under it. Each group has one place, hence one lock, and groups are locked in their order, so that
// two decisions never wait for each other.
type place struct {
	mu       *sync.Mutex
	full     []int64 // one for each policy of the group: when its bucket is full
	now      gcra.Ticks
	fp       uint64
	examined int // entries, to make room
	overflow bool
	wide     uint8 // bits of the network that an address counted by, where these were made fewer; else 0
}

// lock finds the key's entry in the group, or makes one, or falls back on wider networks and at last on
// a shared bucket.
func (l *Limiter) lock(at *place, g *group, k *Key) {
	t := &g.table
	fp := l.hash.fingerprint(k, g.by)
	s := t.shard(fp)
	s.mu.Lock()
	if i := s.find(fp, t.stride); i >= 0 {
		at.hold(&s.mu, &s.last, s.words[i+1:i+t.stride], l.clock(), fp)
		return
	}
	l.newcomer(at, g, k, s, fp)
}

// newcomer is lock for a key that its shard, locked, does not hold.
func (l *Limiter) newcomer(at *place, g *group, k *Key, s *shard, fp uint64) {
	t, wide := &g.table, *k
	byAddr := g.by == 0 || g.by&ByAddr != 0
	for i, step := range [...]struct {
		bits int     // to be tried next
		part float64 // of the shard that may be in use for what came before
	}{{56, wideFrom}, {48, widerFrom}} {
		next, ok := widened(wide.Addr, step.bits)
		if !byAddr || !ok {
			continue
		}
		room, most := int(float64(t.perShard)*step.part), maxSwept-at.examined
		if int(s.used) >= room { // then the next network will be tried as well
			most -= bothBins * (2 - i)
		}
		if at.enter(l, t, s, fp, room, most) {
			return
		}
		s.mu.Unlock()
		wide.Addr, at.wide = next, uint8(step.bits)
		fp = l.hash.fingerprint(&wide, g.by)
		s = t.shard(fp)
		s.mu.Lock()
	}
	if at.enter(l, t, s, fp, t.perShard, maxSwept-at.examined) {
		return
	}
	s.mu.Unlock()
	at.share(l, t, fp)
}

// share holds one of the overflow's buckets.
func (at *place) share(l *Limiter, t *table, fp uint64) {
	o := t.shared(fp)
	o.mu.Lock()
	at.hold(&o.mu, &o.last, o.full, l.clock(), fp)
	at.overflow = true
}

// enter finds or claims an entry in a locked shard; false where there is no room. To make some, it examines
// at most so many entries.
func (at *place) enter(l *Limiter, t *table, s *shard, fp uint64, room, most int) bool {
	now := s.read(l)
	i := s.find(fp, t.stride)
	if i < 0 && most >= bothBins {
		i = s.claim(fp, t, now, room, most)
		at.examined += int(s.swept)
	}
	if i < 0 {
		return false
	}
	at.hold(&s.mu, &s.last, s.words[i+1:i+t.stride], now, fp)
	return true
}

// read is the time in a locked shard.
func (s *shard) read(l *Limiter) gcra.Ticks {
	s.last = max(s.last, l.clock())
	return s.last
}

func (at *place) hold(mu *sync.Mutex, last *gcra.Ticks, full []int64, now gcra.Ticks, fp uint64) {
	*last = max(*last, now)
	at.mu, at.full, at.now, at.fp, at.overflow = mu, full, *last, fp, false
}

// level of a cell's bucket.
func (at *place) level(c *cell) gcra.Ticks {
	return c.Level(gcra.Ticks(at.full[c.policy.slot]), at.now)
}

// again locks a place that was held before. Where the entry has been forgotten since, its buckets are
// full: then full is nil, or with claim an entry is made for it, or while there is no room a shared bucket serves.
func (l *Limiter) again(at *place, g *group, claim bool) {
	t := &g.table
	if at.overflow {
		at.share(l, t, at.fp)
		return
	}
	s := t.shard(at.fp)
	s.mu.Lock()
	i := s.find(at.fp, t.stride)
	if i < 0 && claim {
		if i = s.claim(at.fp, t, s.read(l), t.perShard, maxSwept); i < 0 {
			s.mu.Unlock()
			at.share(l, t, at.fp)
			return
		}
	}
	var full []int64
	if i >= 0 {
		full = s.words[i+1 : i+t.stride]
	}
	at.hold(&s.mu, &s.last, full, l.clock(), at.fp)
}
