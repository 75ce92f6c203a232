package pgstore

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	groupSize = 256 // bounds a statement, and so how long the first of a crowd waits

	// flights bounds the statements of one kind that are under way: one more would take a connection from others, and
	// make the groups smaller.
	flights = 2
)

// gate counts what is under way in a Store.
type gate struct {
	mu      sync.Mutex
	closed  chan struct{} // no more is let in
	inside  int
	emptied *sync.Cond // inside has become 0
}

func newGate() *gate {
	g := &gate{closed: make(chan struct{})}
	g.emptied = sync.NewCond(&g.mu)
	return g
}

// enter lets somebody in, who calls leave afterwards, unless ctx or the Store is done.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return errClosed
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 {
		g.emptied.Broadcast()
	}
}

func (g *gate) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// close lets nobody in any more and waits until nobody is inside. It says whether this was the first one.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.isClosed()
	if first {
		close(g.closed)
	}
	for g.inside > 0 {
		g.emptied.Wait()
	}
	return first
}

// call is one caller's share of a group.
type call[T any] struct {
	what  T // its arguments and, once done is closed, its answer
	until time.Time
	err   error // once done is closed
	done  chan struct{}
}

// lane carries calls of one kind. A call that finds room goes at once and alone, in its caller's goroutine. Those that
// come while as many statements are under way as may be go together, with the next one that leaves, in a goroutine
// that is there as long as somebody waits; each of their callers can go before.
type lane[T any] struct {
	gate     *gate
	alone    func(context.Context, T) error
	together func(context.Context, []*call[T]) // sets each one's err
	id       func(T) string                    // nil: all go together; else only those of different ids

	mu     sync.Mutex
	onward int // under way
	wait   []*call[T]
}

// do has what carried out and returns its error, or that of ctx.
func (l *lane[T]) do(ctx context.Context, what T) error {
	if err := l.gate.enter(ctx); err != nil {
		return err
	}
	defer l.gate.leave()
	l.mu.Lock()
	if l.onward < flights {
		l.onward++
		l.mu.Unlock()
		defer l.land()
		return l.alone(ctx, what)
	}
	c := &call[T]{what: what, until: deadline(ctx), done: make(chan struct{})}
	l.wait = append(l.wait, c)
	l.mu.Unlock()
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.wait, c); i >= 0 {
		l.wait = slices.Delete(l.wait, i, i+1)
		return fmt.Errorf("the statements before took too long, nothing was done: %w", ctx.Err())
	}
	return fmt.Errorf("no answer came in time, what was asked may have happened: %w", ctx.Err())
}

// land passes the place of a statement that has ended on to those who wait.
func (l *lane[T]) land() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wait) == 0 {
		l.onward--
		return
	}
	l.gate.mu.Lock()
	l.gate.inside++ // whoever waits is inside, so that the gate is not closed for good yet
	l.gate.mu.Unlock()
	go l.fly()
}

// fly carries groups until nobody waits.
func (l *lane[T]) fly() {
	defer l.gate.leave()
	for {
		group, until := l.board()
		if group == nil {
			return
		}
		ctx, cancel := context.WithDeadline(context.Background(), until)
		l.together(ctx, group)
		cancel()
		for _, c := range group {
			close(c.done)
		}
		// Whoever was just answered, and comes again at once, shall come along. Alone that is no wait.
		runtime.Gosched()
	}
}

// board takes those who wait, up to the size of a group, and says when the last of them goes. Where nobody waits there
// is one statement less under way.
func (l *lane[T]) board() (group []*call[T], until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wait) == 0 {
		l.onward--
		return nil, until
	}
	var rest []*call[T]
	ids := make(map[string]bool)
	for _, c := range l.wait {
		if len(group) == groupSize || l.id != nil && ids[l.id(c.what)] {
			rest = append(rest, c)
			continue
		}
		if l.id != nil {
			ids[l.id(c.what)] = true
		}
		group = append(group, c)
		if c.until.After(until) {
			until = c.until
		}
	}
	l.wait = rest
	return group, until
}
