package sqlitestore

import (
	"context"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	dueSQL = `SELECT n, ended <> '', ifnull(ended_at, 0), expires, purge, data IS NOT NULL FROM hardy_sessions
		WHERE due <= ? ORDER BY due LIMIT ?`
	forgetSQL   = `DELETE FROM hardy_sessions WHERE n = ?`
	blankSQL    = `UPDATE hardy_sessions SET data = NULL, due = purge WHERE n = ?`
	postponeSQL = `UPDATE hardy_sessions SET due = ? WHERE n = ?`

	sweepStep = 64 // records in one transaction, some 2 ms; other writes go between
	passing   = 16 // so many Creates bring one small sweep with them
)

// Sweep implements session.Sweeper. It looks only at records that are due, each about once in its idle
// timeout and when it dies, in transactions of at most 64.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	moment := column.Nanos(now)
	for limit = max(limit, 1); limit > 0; limit -= sweepStep {
		var step session.Swept
		var looked int
		most := min(limit, sweepStep)
		err := s.write(ctx, func(w *writer) (err error) {
			step, looked, err = w.sweep(moment, most)
			return err
		})
		if err != nil {
			return swept, true, err
		}
		swept.Blanked += step.Blanked
		swept.Forgotten += step.Forgotten
		if looked < most {
			return swept, false, nil
		}
	}
	return swept, true, nil
}

// sweep looks at the records that are due. Afterwards none of them is.
func (w *writer) sweep(now int64, limit int) (swept session.Swept, looked int, err error) {
	type candidate struct {
		n, endedAt, expires, purge int64
		ended, data                bool
	}
	rows, err := w.query(dueSQL, now, limit)
	if err != nil {
		return swept, 0, err
	}
	defer rows.Close()
	var all []candidate
	for rows.Next() {
		var c candidate
		if err := rows.Scan(&c.n, &c.ended, &c.endedAt, &c.expires, &c.purge, &c.data); err != nil {
			return swept, 0, err
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return swept, 0, err
	}
	rows.Close()
	for _, c := range all {
		useless := c.expires // when its Data serves nobody any more
		if c.ended {
			useless = min(useless, column.GraceEnds(c.endedAt))
		}
		switch {
		case c.purge <= now:
			swept.Forgotten++
			err = w.exec(forgetSQL, c.n)
		case c.data && useless <= now:
			swept.Blanked++
			err = w.exec(blankSQL, c.n)
		case c.data:
			err = w.exec(postponeSQL, min(useless, c.purge), c.n)
		default:
			err = w.exec(postponeSQL, c.purge, c.n)
		}
		if err != nil {
			return swept, 0, err
		}
	}
	return swept, len(all), nil
}

// sweepInPassing looks at a few records within a group, so that a program which never sweeps is bounded by
// its traffic. Time is what the group's requests say it is, less session.SweepLag. Where it fails, so does the
// group, and each op is tried again without it.
func (w *writer) sweepInPassing() error {
	if w.creates < passing {
		return nil
	}
	w.creates = 0
	_, _, err := w.sweep(w.seen-int64(session.SweepLag), 2*passing)
	return err
}
