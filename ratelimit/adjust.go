package ratelimit

import (
	"fmt"

	"example.com/hardy/ratelimit/internal/gcra"
)

// Penalize charges the key n units under every policy without asking: for what turned out worse than it
// looked (a failed login, an expensive answer). It may push a bucket below empty, by the policy's Debt at
// most. A Shared bucket is not charged.
func (l *Limiter) Penalize(key Key, n int) error {
	return l.adjust(&key, n, func(c *cell, full, now gcra.Ticks) gcra.Ticks {
		level := c.Level(full, now)
		return now + c.Charge(level, c.Owed(n))
	})
}

// Refund gives n units back under every policy, to a full bucket at most: for a call that should not
// count after all. What was taken long ago may have refilled since; a Reservation reckons with that, a
// Refund doesn't. A Shared bucket gets nothing back.
func (l *Limiter) Refund(key Key, n int) error {
	return l.adjust(&key, n, func(c *cell, full, now gcra.Ticks) gcra.Ticks {
		return now + max(c.Level(full, now)-c.Owed(n), 0)
	})
}

// adjust rewrites the key's timestamps, one group after the other.
func (l *Limiter) adjust(k *Key, n int, move func(c *cell, full, now gcra.Ticks) gcra.Ticks) error {
	if n < 0 {
		return fmt.Errorf("%w: %d units", ErrCost, n)
	}
	if l.opt.Exempt != nil && l.opt.Exempt(*k) {
		return nil
	}
	var d decision
	if err := l.prepare(&d, k, 0); err != nil {
		return err
	}
	for g := range l.groups {
		if d.asked&(1<<g) == 0 {
			continue
		}
		at := &d.places[g]
		l.lock(at, &l.groups[g], k)
		for i := range d.n {
			if c := &d.cells[i]; c.policy.group == g && !c.Unlimited() {
				full := &at.full[c.policy.slot]
				was := gcra.Ticks(*full)
				*full = int64(move(c, was, at.now))
				l.groups[g].table.returns(at.fp, at.overflow)[c.policy.slot].Add(int64(max(was-gcra.Ticks(*full), 0)))
			}
		}
		at.mu.Unlock()
	}
	return nil
}
