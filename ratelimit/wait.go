package ratelimit

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"
)

// Wait blocks until the key may take n units, and takes them.
//
// Those who wait for one key are served in the order they came, whatever they ask for. The first has its
// units set aside, so that nobody's Allow can starve the queue; when it gives up, they go to the one
// behind it. (An Allow may use what refills between the moment at which the first is due and its waking.)
// Different keys that share a bucket, under a policy By fewer parts, have no order among them.
//
// It returns the context's error when that ends, ErrDeadline at once where it would have to wait longer
// than the context lasts, a *LimitedError where no waiting helps (Burst 0), and Take's errors.
func (l *Limiter) Wait(ctx context.Context, key Key, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if exempt := l.opt.Exempt != nil && l.opt.Exempt(key); !exempt { // what is wrong is told before others are waited for
		var d decision
		if err := l.prepare(&d, &key, n); err != nil {
			l.failed(&key, err)
			return err
		}
	}
	q, turn := l.waits.join(key, n)
	defer l.waits.leave(q, turn)
	if err := l.inTime(ctx, q, turn, n); err != nil {
		return err
	}
	select {
	case <-turn.Value.(*waiter).first:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		r := l.reservation(key, n)
		if err := l.decide(&r.d, &key, n, true); err != nil {
			return err
		}
		if r.d.RetryAfter == Never {
			return r.d.Err()
		}
		if err := sleep(ctx, r.d.RetryAfter); err != nil {
			if r.d.Allowed {
				r.giveBack(n)
			}
			return err
		}
		if r.d.Allowed {
			return nil
		} // else it could not be set aside yet
	}
}

// inTime is ErrDeadline where those ahead and this one cannot all be served before the context ends.
func (l *Limiter) inTime(ctx context.Context, q *queue, turn *list.Element, n int) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	var d decision
	if err := l.prepare(&d, &q.key, n); err != nil {
		return nil // told when its turn comes
	}
	ahead := l.waits.ahead(q, turn)
	for i := range d.n {
		c := &d.cells[i]
		if c.policy.Shared != nil || c.policy.Shadow || c.Unlimited() {
			continue
		}
		at := &d.places[c.policy.group]
		l.lock(at, &l.groups[c.policy.group], &q.key)
		level := at.level(c)
		at.mu.Unlock()
		need := c.Owed(ahead)
		if free := c.Window - level - c.Cost(n); free > 0 {
			need -= min(need, free)
		} else {
			need = gcra.Sum(need, -free)
		}
		if need := need.Duration(); time.Until(deadline) < need {
			return fmt.Errorf("%w (policy %q needs %v)", ErrDeadline, c.policy.Name, need)
		}
	}
	return nil
}

// sleep returns early only with the context's error; a wait that cannot end in time does not begin.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("%w (needs %v)", ErrDeadline, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queues are the keys that somebody waits for. They hold as much as there are goroutines in Wait.
type queues struct {
	mu    sync.Mutex
	byKey map[Key]*queue
}

type queue struct {
	key     Key
	waiters list.List // of *waiter; the first one's channel is closed
}

type waiter struct {
	n     int
	first chan struct{}
}

func (qs *queues) join(key Key, n int) (*queue, *list.Element) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q := qs.byKey[key]
	if q == nil {
		if qs.byKey == nil {
			qs.byKey = make(map[Key]*queue)
		}
		q = &queue{key: key}
		qs.byKey[key] = q
	}
	w := &waiter{n: n, first: make(chan struct{})}
	if q.waiters.Len() == 0 {
		close(w.first)
	}
	return q, q.waiters.PushBack(w)
}

// leave makes the next one first.
func (qs *queues) leave(q *queue, turn *list.Element) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	wasFirst := q.waiters.Front() == turn
	q.waiters.Remove(turn)
	next := q.waiters.Front()
	if next == nil {
		delete(qs.byKey, q.key)
	} else if wasFirst {
		close(next.Value.(*waiter).first)
	}
}

// ahead is how many units those ahead wait for. The first one's are set aside already; should they be
// given back, the estimate was too long for a moment.
func (qs *queues) ahead(q *queue, turn *list.Element) (units int) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	for e := turn.Prev(); e != nil; e = e.Prev() {
		if e.Prev() != nil {
			units += e.Value.(*waiter).n
		}
	}
	return units
}
