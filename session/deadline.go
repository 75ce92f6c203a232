package session

import (
	"context"
	"sync"
	"time"
)

// patience is a context with the store's deadline whose timer is made only for a store that waits on
// Done: context.WithTimeout costs more than a whole read from memory.
type patience struct {
	context.Context
	at     time.Time
	insist bool // the end of the context is no reason to stop: a client that hangs up can't undo a logout

	mu     sync.Mutex
	asked  bool
	timed  context.Context
	cancel context.CancelFunc
}

// patiently bounds one or more store calls by limit from now. The caller calls done afterwards.
func patiently(ctx context.Context, now time.Time, limit time.Duration) *patience {
	return &patience{Context: ctx, at: now.Add(limit)}
}

func (p *patience) Deadline() (time.Time, bool) {
	if at, ok := p.Context.Deadline(); ok && !p.insist && at.Before(p.at) {
		return at, true
	}
	return p.at, true
}

func (p *patience) Done() <-chan struct{} { return p.real().Done() }

// Value lets package context find the context that ends this one: what is derived from it, by a driver of a store, then needs no
// goroutine to wait for its end.
func (p *patience) Value(key any) any {
	p.mu.Lock()
	timed := p.timed
	p.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return p.Context.Value(key)
}

func (p *patience) Err() error {
	p.mu.Lock()
	timed, asked := p.timed, p.asked
	p.asked = true
	p.mu.Unlock()
	if timed != nil {
		return timed.Err()
	}
	if err := p.Context.Err(); err != nil && !p.insist {
		return err
	}
	// The first question comes right after the deadline was set; the clock costs as much as a map.
	if asked && !time.Now().Before(p.at) {
		return context.DeadlineExceeded
	}
	return nil
}

func (p *patience) real() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timed == nil {
		ctx := p.Context
		if p.insist {
			ctx = context.WithoutCancel(ctx)
		}
		p.timed, p.cancel = context.WithDeadline(ctx, p.at)
	}
	return p.timed
}

// done releases the timer, where there is one.
func (p *patience) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}
