package redisstore

import (
	"container/list"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

const (
	// deafAfter is how long a connection's records are served from memory without proof that it delivers what the
	// server tells: a half-open one tells of no end.
	deafAfter = 2 * time.Second
	// askAfter is when one of the reads goes to the server all the same, so that there is proof in time.
	askAfter = time.Second
	// entryCost is what an entry takes beside its key and its value, read once and decoded.
	entryCost = 800
)

// cache keeps what this process has read. The client passes on what was read, and what the server tells of changes.
// Each connection has a feed in it.
//
// What comes on a connection comes in order. So an answer to a read that was sent at some moment proves that all
// changes before that moment have been told; a ping would prove no more. And because one connection carries all
// that goes to one server, no read from before a write of this process is answered after it.
type cache struct {
	epoch time.Time // moments count from here; long ago
	max   int

	mu    sync.RWMutex
	feeds []*feed
	size  int
	queue *list.List // of *entry with a value: the front goes first
}

func newCache(max int) *cache {
	return &cache{epoch: time.Now().Add(-time.Hour), max: max, queue: list.New()}
}

// forget drops a key that this process has written.
func (c *cache) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.feeds {
		f.drop(f.entries[key])
	}
}

// evict makes room. What was read since its last turn gets another one. c.mu is held.
func (c *cache) evict() {
	for c.size > c.max {
		e := c.queue.Front().Value.(*entry)
		if e.read.Swap(false) {
			c.queue.MoveToBack(e.place)
			continue
		}
		e.feed.drop(e)
	}
}

// feed is one connection's part of the cache, as the client wants it.
type feed struct {
	c       *cache
	entries map[string]*entry // nil once the connection is closed
	proven  atomic.Int64      // the connection has delivered all from before this moment
	asked   atomic.Int64      // when a read was let through for the proof
}

var _ rueidis.CacheStore = (*feed)(nil)

// entry is a key that was read on this connection, or is being read. Its fields but read are c.mu's.
type entry struct {
	feed   *feed
	key    string
	value  []byte
	record atomic.Pointer[session.Record] // value, once somebody has asked for it
	place  *list.Element                  // in c.queue; nil: there is no value
	flying int                            // reads that were begun and not answered. One that was given up may be answered yet
	begun  int64                          // when the first of these was
	read   atomic.Bool                    // since the last time it might have been evicted
}

func (c *cache) newFeed(rueidis.CacheStoreOption) rueidis.CacheStore {
	f := &feed{c: c, entries: make(map[string]*entry)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feeds = append(c.feeds, f)
	return f
}

// get returns the record under key, where it is held.
func (c *cache) get(key []byte, id string) (session.Record, bool) {
	at := int64(time.Since(c.epoch))
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, f := range c.feeds {
		e := f.entries[string(key)]
		if e == nil || e.place == nil || !f.delivers(at) {
			continue
		}
		if !e.read.Load() {
			e.read.Store(true)
		}
		r := e.record.Load()
		if r == nil {
			decoded, err := decode("", e.value)
			if err != nil || reserved(e.value) {
				return session.Record{}, false
			}
			r = &decoded
			e.record.Store(r)
		}
		found := *r
		found.ID = id
		return found, true
	}
	return session.Record{}, false
}

// Flight hears that key is going to be read, and has nothing to say to it: get was asked before.
func (f *feed) Flight(key, _ string, _ time.Duration, now time.Time) (rueidis.RedisMessage, rueidis.CacheEntry) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if f.entries == nil {
		return rueidis.RedisMessage{}, nil
	}
	e := f.entries[key]
	if e == nil {
		e = &entry{feed: f, key: key}
		f.entries[key] = e
	}
	if e.flying == 0 {
		e.begun = int64(now.Sub(f.c.epoch))
	}
	e.flying++
	return rueidis.RedisMessage{}, nil
}

// delivers says whether a read at this moment may be answered from memory.
func (f *feed) delivers(at int64) bool {
	silence := time.Duration(at - f.proven.Load())
	if silence < askAfter {
		return true
	}
	asked := f.asked.Load()
	if time.Duration(at-asked) >= askAfter && f.asked.CompareAndSwap(asked, at) {
		return false
	}
	return silence < deafAfter
}

// Update takes the server's answer to a read.
func (f *feed) Update(key, _ string, value rueidis.RedisMessage) (pxat int64) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	e := f.entries[key]
	if e == nil || e.flying == 0 {
		return 0
	}
	e.flying--
	if e.begun > f.proven.Load() {
		f.proven.Store(e.begun)
	}
	f.drop(e)
	v, err := value.AsBytes()
	if err != nil { // nothing is there
		return 0
	}
	f.entries[key] = e // drop took it where nothing else flies
	e.value, e.place = v, f.c.queue.PushBack(e)
	f.c.size += e.cost()
	f.c.evict()
	return 0
}

// cost counts a value as the allocator does at most: its classes of sizes lie an eighth apart.
func (e *entry) cost() int { return len(e.key) + len(e.value)*9/8 + entryCost }

// Cancel hears that a read has failed. Where the server did not answer, its answer may come yet.
func (f *feed) Cancel(key, _ string, err error) {
	if _, answered := rueidis.IsRedisErr(err); !answered {
		return
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if e := f.entries[key]; e != nil && e.flying > 0 {
		e.flying--
		f.drop(e)
	}
}

// Delete hears what has changed; nil: everything.
func (f *feed) Delete(keys []rueidis.RedisMessage) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if keys == nil {
		for _, e := range f.entries {
			f.drop(e)
		}
	}
	for i := range keys {
		if key, err := keys[i].ToString(); err == nil {
			f.drop(f.entries[key])
		}
	}
}

// Close hears that the connection is gone.
func (f *feed) Close(error) {
	f.Delete(nil)
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.entries = nil
	f.c.feeds = slices.DeleteFunc(f.c.feeds, func(o *feed) bool { return o == f })
}

// drop lets go of an entry's value, and of the entry where no read of it is under way. c.mu is held.
func (f *feed) drop(e *entry) {
	if e == nil {
		return
	}
	if e.place != nil {
		f.c.size -= e.cost()
		f.c.queue.Remove(e.place)
		e.value, e.place = nil, nil
		e.record.Store(nil)
	}
	if e.flying == 0 {
		delete(f.entries, e.key)
	}
}
