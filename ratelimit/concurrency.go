package ratelimit

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBusy is what every *BusyError matches.
var ErrBusy = errors.New("ratelimit: too much is under way")

// BusyError says why a Concurrency refused.
type BusyError struct {
	Reason   string // "the queue is full", "waited too long"
	InFlight int    // of the key
	Total    int    // of all
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("ratelimit: %s; %d under way for this key, %d in all", e.Reason, e.InFlight, e.Total)
}

// Is makes every BusyError match ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// ConcurrencyOptions bound what may be under way at once. At least one of PerKey and Total is set.
type ConcurrencyOptions struct {
	// PerKey is how many calls of one key may be under way; 0: no bound of its own.
	PerKey int
	// Total is how many of all keys; 0: no bound.
	Total int
	// Reserve is how many of Total only critical calls may use, so that a flood of others never shuts
	// out a health check or a payment. Stripe keeps a fifth.
	Reserve int
	// Queue is how many calls may wait for a place; 0: none, they are refused at once.
	Queue int
	// MaxWait is the longest wait in the queue; 0: one second.
	MaxWait time.Duration
	// Trace is told of refusals (Busy). nil: nobody.
	Trace *Trace
}

// Concurrency bounds the calls under way, in all and for each key. A rate bounds how often somebody
// comes; this bounds how long they stay: slow queries, uploads, event streams. Its memory is that of the
// calls under way and in the queue, nothing a key. It is safe for use by many goroutines and starts none.
type Concurrency struct {
	opt ConcurrencyOptions

	mu       sync.Mutex
	total    int
	inFlight map[Key]int
	critical list.List // of *call: these are served before the others
	ordinary list.List
}

// A call in the queue; ready is closed once it has its place.
type call struct {
	key   Key
	ready chan struct{}
}

// NewConcurrency makes a Concurrency. The error wraps ErrPolicy and says what to mend.
func NewConcurrency(opt ConcurrencyOptions) (*Concurrency, error) {
	switch {
	case opt.PerKey < 0 || opt.Total < 0 || opt.Reserve < 0 || opt.Queue < 0 || opt.MaxWait < 0:
		return nil, fmt.Errorf("%w: an option is negative", ErrPolicy)
	case opt.PerKey == 0 && opt.Total == 0:
		return nil, fmt.Errorf("%w: neither PerKey nor Total is set, so nothing is bounded", ErrPolicy)
	case opt.Reserve > 0 && opt.Reserve >= opt.Total:
		return nil, fmt.Errorf("%w: a Reserve of %d leaves nothing of a Total of %d to ordinary calls", ErrPolicy, opt.Reserve, opt.Total)
	}
	if opt.MaxWait == 0 {
		opt.MaxWait = time.Second
	}
	return &Concurrency{opt: opt, inFlight: make(map[Key]int)}, nil
}

// Acquire takes a place for one call, and waits in the queue if it must: critical calls are served before
// the others, each kind in the order it came, except that a call whose key is at its own bound lets those
// behind it pass. The function that it returns gives the place back; call it when the call is over, more
// than once does no harm.
//
// The error is a *BusyError, ErrNoKey for an empty key where PerKey is set, or the context's.
func (c *Concurrency) Acquire(ctx context.Context, key Key, critical bool) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.opt.PerKey > 0 && key.parts() == 0 {
		return nil, c.refused(key, ErrNoKey)
	}
	queue := &c.ordinary
	if critical {
		queue = &c.critical
	}
	c.mu.Lock()
	if c.fits(key, critical) { // then nobody who could go waits: leave let them in
		c.enter(key)
		c.mu.Unlock()
		return c.releaser(key), nil
	}
	if c.critical.Len()+c.ordinary.Len() >= c.opt.Queue {
		err := c.busy("the queue is full", key)
		c.mu.Unlock()
		return nil, c.refused(key, err)
	}
	w := &call{key, make(chan struct{})}
	place := queue.PushBack(w)
	c.mu.Unlock()

	timer := time.NewTimer(c.opt.MaxWait)
	defer timer.Stop()
	select {
	case <-w.ready:
		return c.releaser(key), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
	}
	c.mu.Lock()
	select {
	case <-w.ready: // it came at the last moment
		c.mu.Unlock()
		return c.releaser(key), nil
	default:
	}
	queue.Remove(place)
	if err == nil {
		err = c.busy("waited too long", key)
	}
	c.mu.Unlock()
	return nil, c.refused(key, err)
}

// InFlight is how many calls of the key, and in all, are under way.
func (c *Concurrency) InFlight(key Key) (ofKey, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inFlight[key], c.total
}

func (c *Concurrency) fits(key Key, critical bool) bool {
	most := c.opt.Total
	if !critical {
		most -= c.opt.Reserve
	}
	return (c.opt.Total == 0 || c.total < most) && (c.opt.PerKey == 0 || c.inFlight[key] < c.opt.PerKey)
}

// next is the first in the queue that could go.
func (c *Concurrency) next(queue *list.List, critical bool) *list.Element {
	for e := queue.Front(); e != nil; e = e.Next() {
		if c.fits(e.Value.(*call).key, critical) {
			return e
		}
	}
	return nil
}

func (c *Concurrency) enter(key Key) {
	c.total++
	c.inFlight[key]++
}

func (c *Concurrency) releaser(key Key) func() {
	var once sync.Once
	return func() { once.Do(func() { c.leave(key) }) }
}

// leave gives a place back, and hands it on.
func (c *Concurrency) leave(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.inFlight[key]--; c.inFlight[key] == 0 {
		delete(c.inFlight, key)
	}
	for {
		queue := &c.critical
		e := c.next(queue, true)
		if e == nil {
			queue = &c.ordinary
			e = c.next(queue, false)
		}
		if e == nil {
			return
		}
		w := queue.Remove(e).(*call)
		c.enter(w.key)
		close(w.ready)
	}
}

func (c *Concurrency) busy(reason string, key Key) error {
	return &BusyError{Reason: reason, InFlight: c.inFlight[key], Total: c.total}
}

func (c *Concurrency) refused(key Key, err error) error {
	if tr := c.opt.Trace; tr != nil && tr.Busy != nil {
		tr.Busy(key, err)
	}
	return err
}
