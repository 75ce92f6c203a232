package session

import (
	"context"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepStep  = 256 // records; small, so that no request waits long behind a step
)

// Run gives back what dead sessions hold, once a minute, until ctx is done, and returns its error. Start
// it once in each process: go sessions.Run(ctx). Without it sessions expire all the same; a store that
// does not forget by itself then gives back only a little with each write. A fault of the store is logged
// and met again in the next round.
func (m *Manager) Run(ctx context.Context) error {
	defer m.watch.run(ctx)()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			m.sweep(ctx)
		}
	}
}

// sweep goes once through the store, in small steps.
func (m *Manager) sweep(ctx context.Context) {
	sweeper, ok := m.store.(Sweeper)
	if !ok {
		return
	}
	start := time.Now()
	var total Swept
	for more := true; more && ctx.Err() == nil; {
		var step Swept
		err := m.ask("sweep", func() (err error) {
			p := patiently(ctx, time.Now(), m.timeout)
			defer p.done()
			step, more, err = sweeper.Sweep(p, time.Now().Add(-SweepLag), sweepStep)
			return err
		})
		if err != nil {
			break // logged; the next round tries again
		}
		total.Blanked += step.Blanked
		total.Forgotten += step.Forgotten
	}
	if m.trace.Swept != nil {
		m.trace.Swept(total, time.Since(start))
	}
}
