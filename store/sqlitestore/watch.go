package sqlitestore

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	lastSQL = `SELECT ends FROM hardy_store`
	endsSQL = `SELECT id, ended, ended_at, next, end_seq FROM hardy_sessions WHERE end_seq > ? ORDER BY end_seq LIMIT 256`
)

// news wakes those who watch when this process has ended something. What ended they read in the file, as
// they read what others ended: one source, so that nothing is told twice or out of order.
type news struct {
	mu  sync.Mutex
	all map[chan struct{}]bool
}

func (n *news) join() chan struct{} {
	wake := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = make(map[chan struct{}]bool)
	}
	n.all[wake] = true
	return wake
}

func (n *news) leave(wake chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.all, wake)
}

func (n *news) ring() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for wake := range n.all {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Watch implements session.Watcher. It tells of ends in the order in which they happened, in this process
// at once, in others within Options.WatchInterval. The file keeps what was not told yet, so a slow f loses
// nothing, and a fault of the file is waited out. The empty news comes a second time only where the file
// was put back to an older state.
func (s *Store) Watch(ctx context.Context, f func(session.Ended)) error {
	wake := s.news.join()
	defer s.news.leave(wake)
	told, err := s.lastEnd(ctx)
	if err != nil {
		return err
	}
	f(session.Ended{})
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.queue.closed:
			return s.errClosed()
		case <-wake:
		case <-tick.C:
		}
		last, err := s.lastEnd(ctx)
		if err != nil {
			continue
		}
		if last < told {
			told = last
			f(session.Ended{})
		}
		for told < last && ctx.Err() == nil {
			if told, err = s.tell(ctx, told, last, f); err != nil {
				break
			}
		}
	}
}

func (s *Store) lastEnd(ctx context.Context) (last int64, err error) {
	err = s.glance(ctx, func(ctx context.Context) error { return s.last.QueryRowContext(ctx).Scan(&last) })
	return last, err
}

// tell calls f for a page of what ended after told, and returns how far it came: up to last where no more
// is there (a sweep has forgotten it).
func (s *Store) tell(ctx context.Context, told, last int64, f func(session.Ended)) (int64, error) {
	var page []session.Ended
	upTo := told
	err := s.patiently(ctx, func() error {
		page, upTo = nil, told
		rows, err := s.ends.QueryContext(ctx, told)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key []byte
			var at sql.NullInt64
			var e session.Ended
			if err := rows.Scan(&key, (*string)(&e.Reason), &at, &e.Next, &upTo); err != nil {
				return err
			}
			e.ID, e.At = column.ID(key), optional(at)
			page = append(page, e)
		}
		return rows.Err()
	})
	if err != nil {
		return told, err
	}
	for _, e := range page {
		if err := ctx.Err(); err != nil {
			return told, err
		}
		f(e)
	}
	if len(page) == 0 {
		return last, nil
	}
	return upTo, nil
}
