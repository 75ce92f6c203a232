package ratelimit

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"example.com/hardy/ratelimit/internal/gcra"
)

// A table keeps, for each key, a fingerprint and one timestamp for each policy that counts by the same
// parts, side by side. It is cut into shards, each with its own lock, so small that making one larger is
// never long.
//
// A key has its place in one of two bins of its shard. An entry whose buckets are all full is as good as
// a free place (see gcra): it is reused where it is met, and a newcomer to a crowded shard clears some.
// So nothing has to sweep the table, and no call looks at more than maxSwept entries to clear them.
type table struct {
	shards   []shard
	overflow []overflow
	returned []atomic.Int64 // see returns
	stride   int            // words an entry: the fingerprint and the timestamps
	perShard int            // entries at most
}

const (
	binSize      = 8  // places a bin: 128 bytes for one policy
	maxSwept     = 64 // entries of a table examined to make room, in one call
	bothBins     = 2 * binSize
	shardEntries = 2800 // at most, when all is full: 4096 places, 0.68 of them used
	returnCells  = 1024
	minShards    = 64        // so that small tables have little contention too
	wideFrom     = 7.0 / 8   // of a shard used: newcomers of IPv6 count by /56
	widerFrom    = 15.0 / 16 // and by /48
)

type shard struct {
	mu    sync.Mutex
	last  gcra.Ticks // latest clock reading: time does not go back in here
	words []int64    // bins of entries
	bins  uint32     // a power of two
	used  uint32     // entries in it, stale ones included
	hand  uint32     // where clearing goes on
	swept uint32     // entries examined by the last claim
	_     [8]byte    // 64 bytes: one cache line a shard
}

// overflow is a bucket shared by keys that found the table full.
type overflow struct {
	mu   sync.Mutex
	last gcra.Ticks
	full []int64
}

func (t *table) init(entries, overflows, policies int) {
	t.stride = 1 + policies
	n := max((entries+shardEntries-1)/shardEntries, min(minShards, (entries+63)/64))
	t.shards = make([]shard, n)
	t.perShard = max(entries/n, 1)
	t.overflow = make([]overflow, overflows)
	for i := range t.overflow {
		t.overflow[i].full = make([]int64, policies)
	}
	t.returned = make([]atomic.Int64, min(returnCells, entries)*policies)
}

// returns are counters, one a policy, of the ticks that were ever given back to the key's buckets. A
// reservation needs to know how much that was since its grant (see gcra.Back). Keys share them by hash:
// who sees another's returns in his own gets less back, never more.
func (t *table) returns(fp uint64, overflow bool) []atomic.Int64 {
	policies := t.stride - 1
	at := fp >> 11
	if overflow {
		at, _ = bits.Mul64(fp, uint64(len(t.overflow)))
	}
	at = at % uint64(len(t.returned)/policies) * uint64(policies)
	return t.returned[at:][:policies]
}

func (t *table) shard(fp uint64) *shard {
	i, _ := bits.Mul64(fp, uint64(len(t.shards)))
	return &t.shards[i]
}

func (t *table) shared(fp uint64) *overflow {
	i, _ := bits.Mul64(fp, uint64(len(t.overflow)))
	return &t.overflow[i]
}

// maxBytes is what the table takes when full, bytes what it takes with that many words in its shards.
func (t *table) maxBytes() int64 {
	places := binSize
	for places*7 < t.perShard*10 {
		places *= 2
	}
	return t.bytes(len(t.shards) * places * t.stride)
}

func (t *table) bytes(words int) int64 {
	return int64(len(t.shards))*64 + int64(words)*8 + int64(len(t.overflow)*(40+8*(t.stride-1))) + int64(len(t.returned))*8
}

// The two bins of a fingerprint, as offsets in words. (The shard is chosen by its upper bits.)
func (s *shard) binsOf(fp uint64, stride int) (int, int) {
	size := binSize * stride
	return int(uint32(fp)&(s.bins-1)) * size, int(uint32(fp>>21)&(s.bins-1)) * size
}

// find is the offset of the key's entry, or -1.
func (s *shard) find(fp uint64, stride int) int {
	if s.bins == 0 {
		return -1
	}
	a, b := s.binsOf(fp, stride)
	size := binSize * stride
	for i, bin := 0, s.words[a:a+size]; i < len(bin); i += stride {
		if bin[i] == int64(fp) {
			return a + i
		}
	}
	for i, bin := 0, s.words[b:b+size]; i < len(bin); i += stride {
		if bin[i] == int64(fp) {
			return b + i
		}
	}
	return -1
}

// stale says whether the entry at i is free or all its buckets are full.
func (s *shard) stale(i, stride int, now gcra.Ticks) bool {
	for _, full := range s.words[i+1 : i+stride] {
		if gcra.Ticks(full) > now {
			return false
		}
	}
	return true
}

// claim makes an entry, with all buckets full, for a key that is not there. -1: no place, or fewer than
// room entries may be in use and that many are. It examines at most so many entries; both bins are the least.
func (s *shard) claim(fp uint64, t *table, now gcra.Ticks, room, most int) int {
	s.swept = 0
	if s.bins == 0 {
		s.bins, s.words = 1, make([]int64, binSize*t.stride)
	}
	if places := int(s.bins) * binSize; int(s.used)*10 >= places*7 || int(s.used) >= room {
		s.clear(t.stride, now, (most-bothBins)*2/3)
		if int(s.used)*10 >= places*7 {
			s.grow(t)
		}
	}
	spare := 0
	if s.mayGrow(t) {
		spare = bothBins // to be looked at again in a larger shard
	}
	at, fresh := s.vacancy(fp, t.stride, now, most-spare)
	if at < 0 && int(s.swept)+bothBins <= most && s.grow(t) {
		at, fresh = s.vacancy(fp, t.stride, now, most)
	}
	if at < 0 || fresh && int(s.used) >= room {
		return -1
	}
	if fresh {
		s.used++
	}
	entry := s.words[at : at+t.stride]
	clear(entry)
	entry[0] = int64(fp)
	return at
}

// vacancy is where an entry for fp would go: in the first bin while that has a place, so that 95 of 100
// keys are found at the first look even in a full table. fresh: the place was never used.
func (s *shard) vacancy(fp uint64, stride int, now gcra.Ticks, most int) (at int, fresh bool) {
	a, b := s.binsOf(fp, stride)
	if at = s.scan(a, stride, now); at < 0 {
		at = s.scan(b, stride, now)
	}
	if at < 0 {
		at = s.displace(b, stride, now, most)
	}
	return at, at >= 0 && s.words[at] == 0
}

// displace frees a place in a full bin by moving an entry to the other bin of that entry, or gives -1.
// Without it one key in 50,000 would find its two bins full in a table that is half empty.
func (s *shard) displace(bin, stride int, now gcra.Ticks, most int) int {
	for i := bin; i < bin+binSize*stride && int(s.swept)+binSize <= most; i += stride {
		a, b := s.binsOf(uint64(s.words[i]), stride)
		to := s.scan(a+b-bin, stride, now)
		if to < 0 {
			continue
		}
		if s.words[to] != 0 {
			s.used-- // a stale entry goes
		}
		copy(s.words[to:to+stride], s.words[i:i+stride])
		s.words[i] = 0
		return i
	}
	return -1
}

// scan is a place in the bin that can be had, a stale entry's rather than a free one, or -1.
func (s *shard) scan(bin, stride int, now gcra.Ticks) int {
	at := -1
	for i := bin; i < bin+binSize*stride; i += stride {
		s.swept++
		if s.words[i] == 0 {
			at = i
		} else if s.stale(i, stride, now) {
			return i
		}
	}
	return at
}

// clear frees the stale among the next n entries, going around.
func (s *shard) clear(stride int, now gcra.Ticks, n int) {
	for range min(n, int(s.bins)*binSize) {
		if int(s.hand) >= len(s.words) {
			s.hand = 0
		}
		if i := int(s.hand); s.words[i] != 0 && s.stale(i, stride, now) {
			s.words[i] = 0
			s.used--
		}
		s.hand += uint32(stride)
		s.swept++
	}
}

func (s *shard) mayGrow(t *table) bool { return int(s.bins)*binSize*7 < t.perShard*10 }

// grow doubles the shard, unless it is as large as it may be. It moves at most 2048 entries (tens of
// microseconds) and judges none. Each bin is divided between two, so that every entry finds a place.
func (s *shard) grow(t *table) bool {
	if !s.mayGrow(t) {
		return false
	}
	stride := t.stride
	old, size := s.words, binSize*stride
	s.bins *= 2
	s.words = make([]int64, 2*len(old))
	s.hand = 0
	for i := 0; i < len(old); i += stride {
		if old[i] == 0 {
			continue
		}
		was := i / size * size
		at, b := s.binsOf(uint64(old[i]), stride)
		if at%len(old) != was {
			at = b
		}
		for s.words[at] != 0 {
			at += stride
		}
		copy(s.words[at:at+stride], old[i:i+stride])
	}
	return true
}
