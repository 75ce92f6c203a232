package linear

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/session"
)

const (
	clients = 8  // the last of them rotates one session
	calls   = 14 // of each
	records = 3  // that they share, besides those of the rotation

	// pace is how far the clock goes with each call. A history is some nine seconds long, so that nothing in it
	// is older than session.Grace.
	pace = 80 * time.Millisecond
	span = 15 * time.Second       // what a history has for itself
	skew = 300 * time.Millisecond // how far clients' clocks are from it, at most

	callTime = 300 * time.Millisecond // a call's patience
	lastTime = time.Minute            // that of who waits for a store to be well again
)

// history is what clients called, while they call.
type history struct {
	engine Engine
	start  time.Time
	base   time.Time // the clients' clock at the start. It lies ahead of the real one: no engine's clock has a say
	users  [2]string // of the shared records; the first is the rotating one's too
	shared [records]string
	handle string // of the session that is rotated
	begun  atomic.Int64
	faulty atomic.Bool // a fault is on

	mu      sync.Mutex
	ids     []string
	done    []done
	lists   []listing
	rotary  int64  // since when the rotating session is there
	strange string // an answer that no order could explain
	tally   tally
}

// done is a call and its answer. Where that was lost, to is endless.
type done struct {
	client   int
	call     call
	answer   answer
	from, to int64 // nanoseconds since start
}

const endless = int64(1) << 62

// listing is an answer of List.
type listing struct {
	client   int
	user     string
	from, to int64
	shown    map[string]record
}

// tally counts what the histories were made of.
type tally struct {
	calls, faults, lost, ended, conflicts, expired int
	longest                                        time.Duration // search for an order
}

func (s *tally) add(o tally) {
	s.calls += o.calls
	s.faults += o.faults
	s.lost += o.lost
	s.ended += o.ended
	s.conflicts += o.conflicts
	s.expired += o.expired
	s.longest = max(s.longest, o.longest)
}

func (s *tally) String() string {
	return fmt.Sprintf("%d calls, %d faults, %d writes without an answer, %d ends, %d conflicts, %d writes too late, longest search %v",
		s.calls, s.faults, s.lost, s.ended, s.conflicts, s.expired, s.longest.Round(time.Millisecond))
}

// one records the nth history of an engine and returns what in it breaks the contract. Its moments lie after those
// of the one before.
func one(t testing.TB, e Engine, n int, seed uint64, sum *tally) (violation string) {
	t.Helper()
	base := time.Now().Add(time.Hour + time.Duration(n)*span)
	h := &history{engine: e, start: time.Now(), base: base, users: [2]string{random(6), random(6)}, handle: random(16)}
	for i := range h.shared {
		h.shared[i] = h.newID()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var nemesis, wg sync.WaitGroup
	nemesis.Go(func() { h.nemesis(ctx, mathrand.New(mathrand.NewPCG(seed, 99))) })
	for n := range clients {
		c := &client{history: h, n: n, store: e.Stores[n%len(e.Stores)], rng: mathrand.New(mathrand.NewPCG(seed, uint64(n))), seen: make(map[string]record)}
		c.skew = time.Duration(c.rng.Int64N(int64(2*skew))) - skew
		if n == clients-1 {
			wg.Go(c.rotate)
		} else {
			wg.Go(c.work)
		}
	}
	wg.Wait()
	cancel()
	nemesis.Wait()
	if err := h.last(); err != nil {
		t.Fatalf("after the faults a store does not recover within %v: %v", lastTime, err)
	}
	violation = h.check()
	sum.add(h.tally)
	return violation
}

// random returns n random bytes as base64url.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (h *history) newID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := random(32)
	h.ids = append(h.ids, id)
	return id
}

// nemesis brings one to three faults, one after the other, each when the clients have got somewhere.
func (h *history) nemesis(ctx context.Context, rng *mathrand.Rand) {
	if len(h.engine.Faults) == 0 {
		return
	}
	due := int64(0)
	for range 1 + rng.IntN(3) {
		due += 5 + rng.Int64N(clients*calls/3)
		for h.begun.Load() < due {
			if ctx.Err() != nil {
				return
			}
			time.Sleep(50 * time.Microsecond)
		}
		heal := h.engine.Faults[rng.IntN(len(h.engine.Faults))]()
		h.faulty.Store(true)
		lasts := time.Duration(rng.Int64N(int64(15 * time.Millisecond)))
		if rng.IntN(16) == 0 {
			lasts = callTime + lasts // what is held now arrives when nobody waits for it any more
		}
		select {
		case <-time.After(lasts):
		case <-ctx.Done():
		}
		heal()
		h.faulty.Store(false)
		h.mu.Lock()
		h.tally.faults++
		h.mu.Unlock()
	}
}

// last reads every record on every store once the faults are over: what was acknowledged must be there.
func (h *history) last() error {
	for n, s := range h.engine.Stores {
		c := &client{history: h, n: clients + n, store: s, rng: mathrand.New(mathrand.NewPCG(0, 0)), seen: make(map[string]record)}
		for _, id := range h.ids {
			if err := c.insist(func() answer { return c.load(id) }); err != nil {
				return err
			}
		}
		for _, user := range h.users {
			if err := c.insist(func() answer { return c.list(user) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// note writes down a call that touches one record.
func (h *history) note(d done) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally.calls++
	switch {
	case d.answer.err == lost:
		h.tally.lost++
	case d.answer.err == session.ErrConflict.Error():
		h.tally.conflicts++
	case d.call.op == end && d.answer.err == "":
		h.tally.ended++
	case (d.call.op == replace || d.call.op == touch) && d.answer.err != "":
		h.tally.expired++
	}
	h.done = append(h.done, d)
}
