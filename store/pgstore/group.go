package pgstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	groupSize = 256 // bounds a statement, and so how long the first of a crowd waits

	// flights bounds the statements of one kind that are under way for groups: one more would take a connection
	// from others, and make the groups smaller.
	flights = 2

	// flightLimit bounds a statement for callers whose contexts do not end.
	flightLimit = 30 * time.Second

	// mercy is how long a statement goes on after its last caller has left for a reason of its own, so that a
	// browser which hangs up does not cost a connection.
	mercy = time.Second
)

// queue counts what is under way in all lanes of a Store.
type queue struct {
	mu      sync.Mutex
	closed  chan struct{} // no more is accepted
	flying  int
	drained *sync.Cond // flying has become 0
}

func newQueue() *queue {
	q := &queue{closed: make(chan struct{})}
	q.drained = sync.NewCond(&q.mu)
	return q
}

func (q *queue) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

// close accepts no more and waits until nothing is under way. It says whether this was the first one.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := !q.isClosed()
	if first {
		close(q.closed)
	}
	for q.flying > 0 {
		q.drained.Wait()
	}
	return first
}

// call is one caller's share of a group.
type call[T any] struct {
	what   T // its arguments and, once done is closed, its answer
	err    error
	flight *flight // nil while it waits; guarded by the queue's lock
	done   chan struct{}
}

// flight is a statement under way for those calls that are still aboard.
type flight struct {
	cancel context.CancelFunc
	aboard int
}

// lane carries calls of one kind. A call that finds room leaves at once, in a goroutine of its own, so that its
// caller can go at its deadline whatever the server does; those that come while all flights are under way leave together
// with the next one. An idle lane has no goroutine.
type lane[T any] struct {
	queue  *queue
	run    func(context.Context, []*call[T]) // sets each call's err
	id     func(T) string                    // nil: any calls go together; else only those of different ids
	width  int                               // flights at one time
	size   int                               // calls in one flight
	onward int                               // flights under way
	wait   []*call[T]
}

// do has what carried out and waits for its end, or for that of ctx.
func (l *lane[T]) do(ctx context.Context, what T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := l.start(what)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return l.leave(c, ctx.Err())
	}
}

// start has what carried out. Nobody has to wait for it.
func (l *lane[T]) start(what T) (*call[T], error) {
	c := &call[T]{what: what, done: make(chan struct{})}
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isClosed() {
		return nil, errClosed
	}
	l.wait = append(l.wait, c)
	if l.onward < l.width {
		l.onward++
		q.flying++
		go l.fly()
	}
	return c, nil
}

// leave takes back a call whose caller goes. The last one to leave a flight ends it.
func (l *lane[T]) leave(c *call[T], why error) error {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(l.wait, c); i >= 0 {
		l.wait = slices.Delete(l.wait, i, i+1)
		return fmt.Errorf("no connection was free in time, nothing was done: %w", why)
	}
	select {
	case <-c.done:
		return c.err
	default:
	}
	f := c.flight
	if f.aboard--; f.aboard == 0 {
		if errors.Is(why, context.Canceled) {
			time.AfterFunc(mercy, f.cancel)
		} else {
			f.cancel()
		}
	}
	return fmt.Errorf("no answer came in time, what was asked may have happened: %w", why)
}

// fly carries groups until nothing waits.
func (l *lane[T]) fly() {
	for {
		ctx, group := l.board()
		if group == nil {
			return
		}
		l.run(ctx, group)
		group[0].flight.cancel()
		for _, c := range group {
			close(c.done)
		}
		// Whoever was just answered, and comes again at once, shall come along. Alone that is no wait.
		runtime.Gosched()
	}
}

// board takes what waits now, up to the size of a flight. Where nothing does, there is one flight less.
func (l *lane[T]) board() (context.Context, []*call[T]) {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(l.wait) == 0 {
		l.onward--
		if q.flying--; q.flying == 0 {
			q.drained.Broadcast()
		}
		return nil, nil
	}
	var group, rest []*call[T]
	ids := make(map[string]bool)
	for _, c := range l.wait {
		if len(group) == l.size || l.id != nil && ids[l.id(c.what)] {
			rest = append(rest, c)
			continue
		}
		if l.id != nil {
			ids[l.id(c.what)] = true
		}
		group = append(group, c)
	}
	l.wait = rest
	ctx, cancel := context.WithTimeout(context.Background(), flightLimit)
	f := &flight{cancel: cancel, aboard: len(group)}
	for _, c := range group {
		c.flight = f
	}
	return ctx, group
}
