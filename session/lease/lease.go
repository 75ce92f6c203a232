package lease

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"

	"example.com/hardy/session"
)

// Lease is a worker that a session holds. Release or Discard gives it back; where neither is called the session
// holds it until it ends.
type Lease[T any] struct {
	p    *Pool[T]
	who  holder
	res  *puddle.Resource[*worker[T]]
	w    *worker[T]
	stop func() bool // takes back that the session's end is told
	over atomic.Bool
}

// Acquire lends a worker to the session, and makes one where none is free and there are fewer than Max. When the session
// ends the worker is closed, whether it is in use or not. Errors: ErrTimeout after Timeout, or the context's; that of
// Make, ErrPanicked; ErrClosed; *session.ExpiredError, session.ErrRotated, session.ErrUnsaved.
func (p *Pool[T]) Acquire(ctx context.Context, s *session.Session) (*Lease[T], error) {
	who, err := holderOf(s)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, p.o.Timeout, ErrTimeout)
	defer cancel()
	p.waiting.Add(1)
	l, err := p.lend(limited, who)
	p.waiting.Add(-1)
	switch {
	case err == nil:
		if err = l.until(s); err != nil {
			return nil, err
		}
		p.acquired.Add(1)
		return l, nil
	case errors.Is(err, puddle.ErrClosedPool):
		err = ErrClosed
	case limited.Err() != nil && errors.Is(err, limited.Err()):
		if err = context.Cause(limited); err == ErrTimeout {
			err = fmt.Errorf("%w: no worker was free within %v", ErrTimeout, p.o.Timeout)
		}
	}
	if errors.Is(err, ErrTimeout) {
		p.timedOut.Add(1)
	}
	return nil, err
}

// lend waits for the holder's own places first, so that who may hold no more keeps nobody else waiting.
func (p *Pool[T]) lend(ctx context.Context, who holder) (*Lease[T], error) {
	if err := p.enter(ctx, who); err != nil {
		return nil, err
	}
	res, err := p.pool.Acquire(bare{ctx})
	if err != nil {
		p.leave(who)
		return nil, err
	}
	l := &Lease[T]{p: p, who: who, res: res, w: res.Value()}
	now := time.Now()
	p.mu.Lock()
	l.w.stat.Handle, l.w.stat.User, l.w.stat.Since, l.w.stat.LastUsed = who.handle, who.user, now, now
	p.leases[l] = true
	closed := p.closed
	p.mu.Unlock()
	if closed {
		l.end(l.drop)
		return nil, ErrClosed
	}
	return l, nil
}

// bare is a context without the values of the request that happens to need a new worker: it will serve others.
type bare struct{ context.Context }

func (bare) Value(any) any { return nil }

func (p *Pool[T]) enter(ctx context.Context, who holder) error {
	if err := p.sessions.enter(ctx, who.handle); err != nil || who.user == "" {
		return err
	}
	err := p.users.enter(ctx, who.user)
	if err != nil {
		p.sessions.leave(who.handle)
	}
	return err
}

func (p *Pool[T]) leave(who holder) {
	if who.user != "" {
		p.users.leave(who.user)
	}
	p.sessions.leave(who.handle)
}

// until lets the session's end take the worker away.
func (l *Lease[T]) until(s *session.Session) (err error) {
	if l.stop, err = s.OnEnd(func(error) { l.end(l.drop) }); err != nil {
		l.end(l.res.ReleaseUnused)
		return err
	}
	if l.over.Load() && l.stop() { // taken away by the end of Run
		return ErrClosed
	}
	return nil
}

// end gives the worker back in one of puddle's ways. Only the first call does.
func (l *Lease[T]) end(giveBack func()) {
	if !l.over.CompareAndSwap(false, true) {
		return
	}
	l.p.mu.Lock()
	delete(l.p.leases, l)
	l.w.stat.Handle, l.w.stat.User, l.w.stat.Since, l.w.stat.LastUsed = "", "", time.Time{}, time.Now()
	l.p.mu.Unlock()
	giveBack()
	l.p.leave(l.who)
}

func (l *Lease[T]) drop() { l.p.drop(l.res) }

// Value returns the worker. After Release, Discard, or the session's end it is closed, or somebody else's.
func (l *Lease[T]) Value() T { return l.w.value }

// Release resets the worker and gives it back to the pool; one that can't be reset is closed. It returns when the
// worker is reset. A second call, and one after Discard or the session's end, does nothing.
func (l *Lease[T]) Release() {
	l.end(func() {
		l.stop()
		if err := l.p.reset(l.w.value); err != nil {
			l.p.o.Logger.Warn("lease: worker could not be reset; closing it", "session", l.who.handle, "error", err)
			l.drop()
			return
		}
		l.res.Release()
	})
}

// Discard gives a worker back that is broken: it is closed, and another one made where fewer than Min are left. A second
// call, and one after Release or the session's end, does nothing.
func (l *Lease[T]) Discard() {
	l.end(func() {
		l.stop()
		l.drop()
	})
}

func (p *Pool[T]) reset(worker T) error {
	if p.o.Reset == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.o.Timeout)
	defer cancel()
	return guarded("Reset", p.o.Logger, func() error { return p.o.Reset(ctx, worker) })
}
