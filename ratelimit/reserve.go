package ratelimit

import (
	"context"
	"fmt"
	"sync/atomic"

	"example.com/hardy/ratelimit/internal/gcra"
)

// A Reservation holds units for a call whose cost is known only afterwards: the tokens of a model's
// answer, the bytes of a download. Settle it, or Cancel it, once. One that is forgotten, by a bug or a
// crash, needs no cleaning: its units stay spent and refill as all do.
type Reservation struct {
	l        *Limiter
	key      Key
	n        int
	granted  gcra.Ticks
	settled  atomic.Bool
	d        decision
	returned [MaxPolicies]int64 // what had ever been given back to each bucket, at the grant
}

func (l *Limiter) reservation(key Key, n int) *Reservation {
	r := &Reservation{l: l, key: key, n: n}
	r.d.held = r
	return r
}

// Reserve takes n units, the most that the call may cost (or a fair guess, see Policy.Debt), if every
// policy admits them. The reservation is nil unless the result allows.
//
// After Options.ReserveFor it can no longer give anything back.
func (l *Limiter) Reserve(ctx context.Context, key Key, n int) (*Reservation, Result, error) {
	r := l.reservation(key, n)
	if err := l.decide(&r.d, &key, n, false); err != nil || !r.d.Allowed {
		return nil, r.d.Result, err
	}
	r.granted = l.clock()
	return r, r.d.Result, nil
}

// Settle says what the call did cost. Less than reserved is given back, as far as it has not refilled in
// the meantime (then the bucket stands as if it had never been taken), and not under a policy whose terms
// were changed since. More is charged, into debt if need be (Policy.Debt).
//
// It returns ErrSettled for the second time, ErrLate after the expiry (what is owed is charged even so),
// and ErrCost for a negative cost, which settles nothing.
func (r *Reservation) Settle(actual int) error {
	if actual < 0 {
		return fmt.Errorf("%w: settled at %d units", ErrCost, actual)
	}
	if r.settled.Swap(true) {
		return ErrSettled
	}
	late := r.l.clock()-r.granted > gcra.Of(r.l.opt.ReserveFor)
	switch {
	case actual > r.n:
		r.charge(actual - r.n)
	case actual < r.n && !late:
		r.giveBack(r.n - actual)
	}
	if late {
		return ErrLate
	}
	return nil
}

// Cancel is Settle(0): the call did not happen.
func (r *Reservation) Cancel() error { return r.Settle(0) }

func (r *Reservation) charge(n int) {
	r.visit(true, func(_ int, c *cell, at *place) {
		full := &at.full[c.policy.slot]
		*full = int64(at.now + c.Charge(c.Level(gcra.Ticks(*full), at.now), c.Owed(n)))
	})
}

func (r *Reservation) giveBack(n int) {
	var changed [MaxPolicies]bool // asked before anything is locked: a Tier may panic
	for i := range r.d.n {
		c := &r.d.cells[i]
		current := cell{policy: c.policy}
		changed[i] = current.setTerms(&r.key) != nil || current.terms != c.terms
	}
	r.visit(false, func(i int, c *cell, at *place) {
		if changed[i] {
			return
		}
		full := &at.full[c.policy.slot]
		ever := &r.l.groups[c.policy.group].table.returns(at.fp, at.overflow)[c.policy.slot]
		after := r.d.places[c.policy.group].now + c.level
		back := gcra.Back(c.Cost(n), after, gcra.Ticks(ever.Load()-r.returned[i]), at.now)
		*full -= int64(back)
		ever.Add(int64(back))
	})
}

// visit locks where the reservation was made, and calls f for each policy that counted it. With claim, an
// entry that was forgotten since, because its buckets were full, is made anew. f does not panic.
func (r *Reservation) visit(claim bool, f func(i int, c *cell, at *place)) {
	for g := range r.l.groups {
		if r.d.asked&(1<<g) == 0 {
			continue
		}
		at := r.d.places[g] // a copy: what was kept is the moment of the grant
		r.l.again(&at, &r.l.groups[g], claim)
		for i := range r.d.n {
			c := &r.d.cells[i]
			if at.full != nil && c.policy.group == g && !c.violated && !c.Unlimited() {
				f(i, c, &at)
			}
		}
		at.mu.Unlock()
	}
}
