package scs

import (
	"hash/maphash"
	"sync"
	"time"
)

// cache holds, by id, what rows were last decoded into and when they were last renewed by this process. It is bounded:
// of two generations the older one goes when the younger is full.
type cache struct {
	seed   maphash.Seed
	shards []cacheShard
}

type cacheShard struct {
	mu           sync.Mutex
	young, older map[string]cached
}

type cached struct {
	decoded *decoded // nil: not remembered
	renewed time.Time
}

const (
	cacheShards    = 16
	cacheEntries   = 5000 // of a generation
	largestInCache = 4 << 10
)

func newCache() cache {
	return cache{seed: maphash.MakeSeed(), shards: make([]cacheShard, cacheShards)}
}

func (c *cache) shard(id string) *cacheShard {
	return &c.shards[maphash.String(c.seed, id)%cacheShards]
}

func (c *cache) get(id string) cached {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(id)
}

func (s *cacheShard) get(id string) cached {
	known, ok := s.young[id]
	if !ok {
		if known, ok = s.older[id]; ok {
			s.set(id, known)
		}
	}
	return known
}

func (s *cacheShard) set(id string, c cached) {
	if _, ok := s.young[id]; !ok && len(s.young) >= cacheEntries/cacheShards || s.young == nil {
		s.older, s.young = s.young, make(map[string]cached)
	}
	s.young[id] = c
}

func (c *cache) put(id string, d *decoded) {
	if len(d.row) > largestInCache {
		return
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(id, cached{d, s.get(id).renewed})
}

func (c *cache) touch(id string, at time.Time) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(id, cached{s.get(id).decoded, at})
}
