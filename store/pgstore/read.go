package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

// loading is a Load in a group.
type loading struct {
	key   []byte
	found session.Record
}

// Load implements session.Store. It asks the server each time.
func (s *Store) Load(ctx context.Context, id string) (session.Record, error) {
	k, ok := column.Key(id)
	if !ok {
		return session.Record{}, absent(ctx)
	}
	l := &loading{key: k}
	if err := s.loads.do(ctx, l); err != nil {
		return session.Record{}, s.explain(err)
	}
	return l.found, nil
}

func (s *Store) loadOne(ctx context.Context, l *loading) error {
	return s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var w row
		err := conn.QueryRow(ctx, s.sql.load, l.key).Scan(w.columns()...)
		if errors.Is(err, pgx.ErrNoRows) {
			return session.ErrNotFound
		}
		l.found = w.record()
		return err
	})
}

func (s *Store) loadMany(ctx context.Context, group []*call[*loading]) {
	keys := make([][]byte, len(group))
	for i, c := range group {
		keys[i] = c.what.key
	}
	found := make(map[string]session.Record, len(group))
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return each(ctx, conn, s.sql.loadMany, []any{keys}, func(w *row) { found[string(w.key)] = w.record() })
	})
	for _, c := range group {
		r, ok := found[string(c.what.key)]
		switch {
		case err != nil:
			c.err = err
		case !ok:
			c.err = session.ErrNotFound
		default:
			c.what.found = r
		}
	}
}

// each calls f for each row of a query.
func each(ctx context.Context, conn *pgx.Conn, sql string, args []any, f func(*row)) error {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var w row
		if err := rows.Scan(w.columns()...); err != nil {
			return err
		}
		f(&w)
	}
	return rows.Err()
}

// records reads all rows of a query.
func (s *Store) records(ctx context.Context, sql string, args ...any) (all []session.Record, err error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, s.explain(err)
	}
	defer s.gate.leave()
	err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		all = nil
		return each(ctx, conn, sql, args, func(w *row) { all = append(all, w.record()) })
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return all, nil
}

// List implements session.Store. It shows the user's records as of one moment.
func (s *Store) List(ctx context.Context, user string) ([]session.Record, error) {
	if user == "" {
		return nil, ctx.Err()
	}
	return s.records(ctx, s.sql.list, []byte(user))
}

const scanPage = 1000 // the most that Scan returns at once

// Scan implements session.Scanner, in the order of the ids' bytes, with at most 1,000 records a page. A cursor is good
// for ever.
func (s *Store) Scan(ctx context.Context, cursor string, limit int) (page []session.Record, next string, err error) {
	after := []byte{}
	if cursor != "" {
		var ok bool
		if after, ok = column.Key(cursor); !ok {
			return nil, "", fmt.Errorf("pgstore: the cursor %q is none of this store's; begin with an empty one", cursor)
		}
	}
	limit = min(max(limit, 1), scanPage)
	if page, err = s.records(ctx, s.sql.scan, after, int64(limit)); err != nil {
		return nil, "", err
	}
	if len(page) == limit {
		next = page[limit-1].ID
	}
	return page, next, nil
}

// Count implements session.Scanner. From 100,000 records on it is the server's own estimate, which is as old as the
// last VACUUM or ANALYZE.
func (s *Store) Count(ctx context.Context) (int, error) {
	if err := s.gate.enter(ctx); err != nil {
		return 0, s.explain(err)
	}
	defer s.gate.leave()
	var n int
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, s.sql.count, s.place.table()).Scan(&n)
	})
	return n, s.explain(err)
}
