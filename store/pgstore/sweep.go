package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	sweepStep = 64 // records in one statement, some 2 ms; it waits for nobody and holds up nobody for longer
	passing   = 16 // so many Creates bring one small sweep with them
)

// Sweep implements session.Sweeper. It looks only at records that are due, each about once in its idle timeout and when
// it dies, in transactions of at most 64, and passes over what another transaction holds. Any number of processes
// may sweep at once.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	if err := s.gate.enter(ctx); err != nil {
		return swept, true, s.explain(err)
	}
	defer s.gate.leave()
	for limit = max(limit, 1); limit > 0; limit -= sweepStep {
		most := min(limit, sweepStep)
		step, looked, err := s.sweep(ctx, now, most)
		if err != nil {
			return swept, true, s.explain(err)
		}
		swept.Blanked += step.Blanked
		swept.Forgotten += step.Forgotten
		if looked < most {
			return swept, false, nil
		}
	}
	return swept, true, nil
}

// sweep looks at the records that are due. Afterwards those that nobody else held are not.
func (s *Store) sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, looked int, err error) {
	err = s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, s.sql.sweep, column.Nanos(now), int64(limit)).Scan(&looked, &swept.Forgotten, &swept.Blanked)
	})
	return swept, looked, err
}

// sweepInPassing looks at a few records now and then, without holding up the caller, so that a table which nobody
// sweeps is bounded by its traffic. Time is what the request says it is, less session.SweepLag.
func (s *Store) sweepInPassing(seen time.Time) {
	if s.creates.Add(1)%passing != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	if s.gate.enter(ctx) != nil {
		cancel()
		return
	}
	go func() {
		defer s.gate.leave()
		defer cancel()
		s.sweep(ctx, seen.Add(-session.SweepLag), 2*passing) // where it fails, the next one comes by
	}()
}
