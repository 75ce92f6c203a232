package store

import (
	"crypto/rand"
	"testing"

	"example.com/hardy/session"
)

// TestDueIsNeverTooLate makes room while the cursor of sweeping in passing is in the middle of a table: the record behind
// the one that goes moves up to where the cursor has been already, and must not be missed by that.
func TestDueIsNeverTooLate(t *testing.T) {
	const now, soon, late = instant(1000), instant(2000), instant(1 << 40)
	m := NewMemory(nil)
	s := &m.shards[0]
	put := func(slot int, blank instant, ended bool) *entry {
		e := &entry{expires: blank, deadline: blank, purge: late, data: []byte("the day")}
		if ended {
			e.data = nil
			e.more().ended = session.ReasonLogout
		}
		for rand.Read(e.id[:]); hashOf(m.seed, &e.id).slot(smallest) != slot; rand.Read(e.id[:]) {
		}
		s.insert(m.seed, hashOf(m.seed, &e.id), e)
		m.count.Add(1)
		return e
	}
	put(0, late, true)           // goes
	moves := put(0, soon, false) // stands in slot 1 until then
	put(5, now, false)           // has the sweep begin
	put(6, late, false)

	for s.cursor = 0; s.cursor < 1; s.cursor++ { // as sweepInPassing does, but for one slot
		s.next = min(latest, s.slots[s.cursor].due())
	}
	if lapsed, ok := m.forgetOne(s, now); !ok || len(lapsed) != 0 || s.slots[0] != moves {
		t.Fatalf("forgetOne: %v, %v; slot 0 holds %p, want %p", lapsed, ok, s.slots[0], moves)
	}
	for range 2 {
		m.sweepInPassing(s, now)
	}
	if s.due > moves.due() {
		t.Errorf("the next sweep begins at %d, after the entry that is due at %d", s.due, moves.due())
	}
	var swept session.Swept
	if m.sweepShard(s, soon, &swept); moves.data != nil {
		t.Error("a full sweep when the entry had expired left its Data")
	}
}
