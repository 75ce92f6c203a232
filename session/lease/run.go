package lease

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/puddle/v2"
)

// lookEvery is the longest time between two looks at what lies idle.
const lookEvery = 10 * time.Second

// Run keeps Min workers ready, and closes others that lay idle, until ctx is done; then it closes all of them, those
// that sessions hold too, and returns the error of ctx. It waits for Make and Close that are under way, but no
// longer than Timeout. Start it once for each pool. Without it the pool works, but makes no worker ahead
// and closes none that lies idle.
func (p *Pool[T]) Run(ctx context.Context) error {
	defer p.shut()
	tick := time.NewTicker(min(p.o.Idle, lookEvery))
	defer tick.Stop()
	filled := make(chan struct{}, 1)
	filled <- struct{}{}
	for {
		p.trim()
		select {
		case <-filled: // one at a time: Make may hang
			go func() {
				p.fill(ctx)
				filled <- struct{}{}
			}()
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-p.nudge:
		}
	}
}

// trim closes what lay idle for too long, down to Min.
func (p *Pool[T]) trim() {
	spare := p.size() - p.min
	for _, res := range p.pool.AcquireAllIdle() {
		if spare > 0 && res.IdleDuration() >= p.o.Idle {
			spare--
			p.drop(res)
		} else {
			res.ReleaseUnused()
		}
	}
}

// fill makes workers up to Min.
func (p *Pool[T]) fill(ctx context.Context) {
	for ctx.Err() == nil && p.size() < p.min {
		err := p.pool.CreateResource(ctx)
		if errors.Is(err, puddle.ErrNotAvailable) || errors.Is(err, puddle.ErrClosedPool) {
			return
		}
		if err != nil {
			if ctx.Err() == nil {
				p.o.Logger.Warn("lease: no worker could be made", "error", err)
			}
			return // the next tick tries again
		}
	}
}

func (p *Pool[T]) shut() {
	p.mu.Lock()
	p.closed = true
	var held []*Lease[T]
	for l := range p.leases {
		held = append(held, l)
	}
	p.mu.Unlock()
	for _, l := range held {
		l.end(l.drop)
	}
	closed := make(chan struct{})
	go func() {
		p.pool.Close()
		close(closed)
	}()
	late := time.NewTimer(p.o.Timeout)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C:
		p.o.Logger.Warn("lease: the pool is given up with workers that are not closed", "workers", p.pool.Stat().TotalResources())
	}
}
