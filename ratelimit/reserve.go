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
	l       *Limiter
	n       int
	expires gcra.Ticks
	settled atomic.Bool
	d       decision
}

// Reserve takes n units, the most that the call may cost (or a fair guess, see Policy.Debt), if every
// policy admits them. The reservation is nil unless the result allows.
//
// After Options.ReserveFor it can no longer give anything back.
func (l *Limiter) Reserve(ctx context.Context, key Key, n int) (*Reservation, Result, error) {
	r := &Reservation{l: l, n: n}
	if err := l.decide(&r.d, &key, n, false); err != nil || !r.d.Allowed {
		return nil, r.d.Result, err
	}
	r.expires = l.clock() + gcra.Of(l.opt.ReserveFor)
	return r, r.d.Result, nil
}

// Settle says what the call did cost: less than reserved is given back as far as it has not refilled in
// the meantime, more is charged, into debt if need be (Policy.Debt). It returns ErrSettled for the second
// time, ErrLate after the expiry (what is owed is charged even so), ErrCost for a negative cost.
func (r *Reservation) Settle(actual int) error {
	if actual < 0 {
		return fmt.Errorf("%w: settled at %d units", ErrCost, actual)
	}
	if r.settled.Swap(true) {
		return ErrSettled
	}
	late := r.l.clock() > r.expires
	if actual > r.n || actual < r.n && !late {
		r.move(actual - r.n)
	}
	if late {
		return ErrLate
	}
	return nil
}

// Cancel is Settle(0): the call did not happen.
func (r *Reservation) Cancel() error { return r.Settle(0) }

// move charges that many more units, or gives back as many, where the reservation was made.
func (r *Reservation) move(more int) {
	for g := range r.l.groups {
		if r.d.asked&(1<<g) == 0 {
			continue
		}
		at := r.d.places[g] // a copy: taken keeps the moment of the grant
		r.l.again(&at, &r.l.groups[g], more > 0)
		for i := range r.d.n {
			c := &r.d.cells[i]
			if c.policy.group != g || c.violated || c.terms.Unlimited() || at.full == nil {
				continue
			}
			full := &at.full[c.policy.slot]
			if more > 0 {
				level := c.terms.Level(gcra.Ticks(*full), at.now)
				*full = int64(at.now + c.terms.Charge(level, c.terms.Owed(more)))
				continue
			}
			after := r.d.places[g].now + c.level
			*full = int64(gcra.Back(gcra.Ticks(*full), after, c.terms.Cost(-more), at.now))
		}
		at.mu.Unlock()
	}
}
