package ratelimit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// address is the n-th IPv6 client, each in a /48 of its own.
func address(n uint64) netip.Prefix {
	raw := [16]byte{0: 0x20}
	binary.BigEndian.PutUint64(raw[1:], n<<24)
	return Addr(netip.AddrFrom16(raw))
}

// Ten million keys in a minute: memory stays within the bound, what is kept keeps its state, and all
// newcomers together get no more than the overflow's bound.
func TestFloodOfTenMillionKeys(t *testing.T) {
	flood, keep := uint64(10_000_000), 200_000
	if testing.Short() || raceDetector {
		flood, keep = 300_000, 20_000
	}
	const (
		minute   = time.Minute
		overflow = 64
		burst    = 5
	)
	limit := Per(5, 2*minute)
	synctest.Test(t, func(t *testing.T) {
		before := heap()
		l := MustNew(&Options{MaxKeys: keep, Overflow: overflow}, Policy{Name: "address", Limit: limit, Burst: burst, By: ByAddr})
		drained := Key{Addr: netip.MustParsePrefix("192.0.2.1/32")}
		for range burst {
			l.Allow(drained)
		}
		regular := Key{Addr: netip.MustParsePrefix("192.0.2.2/32")}
		l.Allow(regular)

		admitted := 0
		began := time.Now()
		for n := range flood {
			if n%(flood/60) == 0 {
				time.Sleep(minute / 60)
			}
			key := Key{Addr: address(n)}
			for l.Allow(key) { // all it can get
				admitted++
			}
			if n == flood/100 && l.Allow(drained) {
				t.Error("the drained key got a new bucket")
			}
		}
		took := time.Since(began)

		st := l.Stats()
		if st.Keys > keep || st.Bytes > l.MaxBytes() {
			t.Errorf("%d keys of %d, %d bytes of %d", st.Keys, keep, st.Bytes, l.MaxBytes())
		}
		if used := heap() - before; used > l.MaxBytes()+1<<20 {
			t.Errorf("the heap grew by %d bytes, the bound is %d", used, l.MaxBytes())
		}
		kept, refill := float64(keep), float64(limit)*took.Seconds()
		if most := (kept + overflow) * (burst + refill); float64(admitted) > most {
			t.Errorf("%d admitted, at most %v", admitted, most)
		}
		if got := standing(l, drained); got.Overflow || got.Remaining != 2 {
			t.Errorf("after a minute the drained key has %+v", got)
		}
		t.Logf("%d keys kept in %d bytes (%.1f each); %d calls admitted of %d clients", st.Keys, st.Bytes, float64(st.Bytes)/float64(st.Keys), admitted, flood)
	})
}

// allow is Allow, and says how many entries the call examined to make room.
func (l *Limiter) allow(k *Key) (ok bool, examined int) {
	var d decision
	err := l.decide(&d, k, 1, false)
	return err == nil && d.Allowed, d.places[0].examined
}

// Every call is counted here: of whatever keys, while tables of all sizes grow, fill, become stale and fill
// again.
func TestNoCallExaminesMoreThan64Entries(t *testing.T) {
	clients := uint64(60_000)
	if testing.Short() || raceDetector {
		clients = 10_000
	}
	synctest.Test(t, func(t *testing.T) {
		longest := 0
		for _, keep := range []int{1, 7, 60, 500, 4000, 20_000} {
			l := MustNew(&Options{MaxKeys: keep}, Policy{Name: "p", Limit: Every(time.Second), Burst: 2})
			for n := range clients {
				for _, key := range []Key{{Addr: address(n)}, {Addr: address(n / 300), User: "ann"}, {User: fmt.Sprint(n)}} {
					if _, examined := l.allow(&key); examined > longest {
						longest = examined
					}
				}
				if n%1000 == 0 {
					time.Sleep(300 * time.Millisecond)
				}
			}
		}
		t.Logf("at most %d entries", longest)
		if longest > maxSwept || longest <= bothBins {
			t.Errorf("a call examined %d entries", longest)
		}
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// While nothing refills, keys in a full table keep exactly what they had, and newcomers together get the
// overflow buckets and nothing else.
func TestFullTableIsNeitherLeakNorBypass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, overflow, burst = 5000, 16, 4
		l := MustNew(&Options{MaxKeys: keys, Overflow: overflow}, Policy{Name: "p", Limit: Every(time.Hour), Burst: burst})
		var kept []Key
		for n := 0; len(kept) < keys/2; n++ {
			kept = append(kept, Key{User: fmt.Sprint("regular", n)})
			for range n % (burst + 1) {
				l.Allow(kept[n])
			}
			l.Allow(kept[n]) // n%5+1 of 4
		}
		for n := range 50_000 { // fill it to the brim
			l.Allow(Key{User: fmt.Sprint("flood", n)})
		}
		if st := l.Stats(); st.Keys > keys || st.Keys < keys*9/10 {
			t.Fatalf("%d keys are kept of %d", st.Keys, keys)
		}
		admitted := 0
		for n := range 100_000 {
			if l.Allow(Key{User: fmt.Sprint("newcomer", n)}) {
				admitted++
			}
		}
		if admitted > overflow*burst+keys/10 {
			t.Errorf("%d newcomers were admitted; the overflow's bound is %d", admitted, overflow*burst)
		}
		for n, key := range kept {
			if got, want := standing(l, key), max(burst-n%(burst+1)-1, 0); got.Remaining != want || got.Overflow {
				t.Fatalf("key %d has %+v, should have %d left", n, got, want)
			}
		}
		time.Sleep((burst + 1) * time.Hour)
		if l.Allow(Key{User: "later"}); standing(l, Key{User: "later"}).Overflow {
			t.Error("once the flood's buckets are full again, there should be room")
		}
	})
}

// A key's place depends on its hash, and a limiter's hash on a secret of its own: whichever that is, a
// table with room has room for every key.
func TestHalfEmptyTableHasRoom(t *testing.T) {
	const keys = 5000
	for range 100 {
		l := MustNew(&Options{MaxKeys: keys}, Policy{Name: "p", Limit: Every(time.Hour), Burst: 4})
		for n := range keys / 2 {
			key := Key{User: fmt.Sprint("user", n)}
			if l.Allow(key); standing(l, key).Overflow {
				t.Fatalf("key %d of %d found no room", n, keys)
			}
		}
	}
}

// One attacker's /48 has 65,536 networks of /64. In a crowded table they count by /56, then by /48, and
// so cannot take the whole overflow from the other newcomers.
func TestCrowdedTableWidensIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wide [129]int
		var l *Limiter
		trace := &Trace{Widened: func(k Key, p netip.Prefix) {
			wide[p.Bits()]++
			l.Peek(ann) // a trace may use the limiter: no lock is held
		}}
		l = MustNew(&Options{MaxKeys: 4000, Trace: trace}, Policy{Name: "user", Limit: Inf, By: ByUser, Optional: true},
			Policy{Name: "address", Limit: Every(time.Hour), Burst: 2, By: ByAddr, Optional: true})
		admitted := 0
		for n := range uint64(1 << 16) {
			raw := [16]byte{0x20, 1, 0xd, 0xb8, 0, 1}
			binary.BigEndian.PutUint16(raw[6:], uint16(n))
			for l.Allow(Key{Addr: Addr(netip.AddrFrom16(raw))}) {
				admitted++
			}
		}
		if wide[56] == 0 || wide[48] == 0 {
			t.Errorf("widened %d times to /56, %d times to /48", wide[56], wide[48])
		}
		if most := 2 * (4000 + 1); admitted > most {
			t.Errorf("%d admitted, at most %d", admitted, most)
		}
		refused := 0
		for n := range uint64(200) {
			if !l.Allow(Key{Addr: address(1e6 + n)}) {
				refused++
			}
		}
		if refused > 100 {
			t.Errorf("%d of 200 other newcomers are refused", refused)
		}
		refused = 0 // where each lands is chance: one may share a bucket with the attacker
		for n := range byte(50) {
			if !l.Allow(Key{Addr: Addr(netip.AddrFrom4([4]byte{198, 51, 100, n}))}) {
				refused++
			}
		}
		if refused > 25 {
			t.Errorf("%d of 50 IPv4 newcomers are refused", refused)
		}
	})
}

// Memory of a million keys, measured, and what a call takes while a million stale keys go.
func TestMillionKeysMemoryAndStalls(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("fills a table of a million keys, which takes other time and memory under the race detector")
	}
	const n = 1_000_000
	keys := make([]Key, 2*n)
	for i := range keys {
		keys[i] = Key{Addr: address(uint64(i))}
	}
	fill := func(every time.Duration) *Limiter {
		l := MustNew(nil, Policy{Name: "p", Limit: Every(every), Burst: 2})
		for _, k := range keys[:n] {
			l.Allow(k)
		}
		return l
	}
	before := heap()
	kept := fill(time.Hour) // none becomes stale meanwhile
	st := kept.Stats()
	each := float64(heap()-before) / float64(st.Keys)
	t.Logf("%d keys, %.1f bytes each", st.Keys, each)
	if each > 40 || st.Keys < n*8/10 {
		t.Errorf("%d keys, %.1f bytes each; at most 40, of nearly all", st.Keys, each)
	}
	if n := kept.MaxBytes(); n > 24e6 || st.Bytes > n {
		t.Errorf("%d bytes of %d", st.Bytes, n)
	}
	runtime.KeepAlive(kept)

	l := fill(time.Second)
	// What other programs on the machine take is not the limiter's, and falls just as often on calls as long that
	// can't stall and that take turns with it.
	hot := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 1})
	longest := 0
	stalls := true
	for round := 1; round <= 3 && stalls; round++ {
		time.Sleep(2 * time.Second) // all that is kept becomes stale; real time, because real time is measured
		fresh := keys[round%2*n:][:n]
		took, other := make([]time.Duration, n), make([]time.Duration, n)
		for i := range fresh {
			took[i] = timed(func() {
				_, examined := l.allow(&fresh[i])
				longest = max(longest, examined)
			})
			other[i] = timed(func() {
				for range 6 {
					hot.Allow(ann)
				}
			})
		}
		mine, theirs := p9999(took), p9999(other)
		t.Logf("p99.99 %v, of calls that can't stall %v; at most %d entries examined", mine, theirs, longest)
		stalls = mine > time.Millisecond && mine > 4*theirs
	}
	if longest > maxSwept || longest == 0 {
		t.Errorf("%d entries examined", longest)
	}
	if stalls {
		t.Error("calls stall")
	}
	if st := l.Stats(); st.Keys > n {
		t.Errorf("%d keys", st.Keys)
	}
	runtime.KeepAlive(l)
}

func timed(call func()) time.Duration {
	began := time.Now()
	call()
	return time.Since(began)
}

func p9999(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)-len(took)/10_000]
}

// standing of the key under the first policy.
func standing(l *Limiter, key Key) Standing {
	res := l.Peek(key)
	return res.At(0)
}
