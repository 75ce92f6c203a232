package store

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"example.com/hardy/session"
)

// backlog is how many ends wait for a watcher that is slow. Beyond, it is told that it missed some.
const backlog = 8192

// news passes ends on to those who watch. A writer never waits for them: it appends to their queues.
type news struct {
	listening atomic.Int32 // lets an End that nobody watches pass without the lock
	mu        sync.RWMutex
	all       map[*listener]bool
}

// Watch implements session.Watcher. Where f is so slow that more than 8,192 ends wait for it, they are
// dropped and f is called with the empty Ended in their place.
func (m *Memory) Watch(ctx context.Context, f func(session.Ended)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := &listener{wake: make(chan struct{}, 1)}
	m.news.join(l)
	defer m.news.leave(l)
	f(session.Ended{})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		}
		queue, lost := l.take()
		if lost {
			f(session.Ended{})
		}
		for _, e := range queue {
			if err := ctx.Err(); err != nil {
				return err
			}
			f(e)
		}
	}
}

func (n *news) join(l *listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = make(map[*listener]bool)
	}
	n.all[l] = true
	n.listening.Add(1)
}

func (n *news) leave(l *listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.all, l)
	n.listening.Add(-1)
}

func (n *news) tell(e session.Ended) {
	if n.listening.Load() == 0 {
		return
	}
	e.ID, e.Next, e.Reason = strings.Clone(e.ID), strings.Clone(e.Next), known(e.Reason) // the queue outlives the call
	n.mu.RLock()
	defer n.mu.RUnlock()
	for l := range n.all {
		l.put(e)
	}
}

// listener is the queue of one Watch.
type listener struct {
	mu    sync.Mutex
	queue []session.Ended
	lost  bool          // some were dropped before those in the queue
	wake  chan struct{} // holds one token while there is something to take
}

func (l *listener) put(e session.Ended) {
	l.mu.Lock()
	if len(l.queue) == backlog {
		l.queue, l.lost = nil, true
	}
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *listener) take() (queue []session.Ended, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, lost = l.queue, l.lost
	l.queue, l.lost = nil, false
	return queue, lost
}
