package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

// CreateWithin implements session.Capper: one transaction in one round trip, exact over all processes. Those of one
// user wait for each other by an advisory lock on the hash of table and name. Another application's lock on the same
// number, should there be one, costs time and nothing else.
func (s *Store) CreateWithin(ctx context.Context, r session.Record, limit int, evict bool) ([]session.Record, error) {
	if r.User == "" {
		return nil, errors.New("pgstore: CreateWithin needs a user; use Create for an anonymous session")
	}
	args, err := insertion(&r)
	if err != nil {
		return nil, err
	}
	args = append(args, int64(max(limit, 1)), evict, string(session.ReasonEvicted), column.Nanos(r.Seen.Add(session.Tombstone)),
		s.place.channel(), news(string(session.ReasonEvicted), r.Seen, ""))
	if err := s.gate.enter(ctx); err != nil {
		return nil, s.explain(err)
	}
	defer s.gate.leave()
	var evicted []session.Record
	err = s.write(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		evicted, err = s.createWithin(ctx, conn, s.place.lock(r.User), args)
		return err
	})
	if err != nil {
		return nil, s.explain(err)
	}
	s.sweepInPassing(r.Seen)
	return evicted, nil
}

func (s *Store) createWithin(ctx context.Context, conn *pgx.Conn, lock int64, args []any) (evicted []session.Record, err error) {
	var together pgx.Batch
	together.Queue(s.sql.lockUser, lock)
	together.Queue(s.sql.createWithin, args...)
	results := conn.SendBatch(ctx, &together)
	defer func() {
		if late := results.Close(); err == nil {
			err = late
		}
	}()
	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var made, over int64
	for rows.Next() {
		var w row
		into := w.columns()
		if nothing := rows.RawValues()[0] == nil; nothing { // was evicted: the row holds but the counts
			into = make([]any, len(into))
		}
		if err := rows.Scan(append(into, &made, &over, nil)...); err != nil {
			return nil, err
		}
		if w.key != nil {
			evicted = append(evicted, w.record())
		}
	}
	switch {
	case rows.Err() != nil:
		return nil, rows.Err()
	case made == 0 && over > 0 && args[18] == false:
		return nil, session.ErrCapped
	case made == 0:
		return nil, session.ErrExists
	}
	return evicted, nil
}
