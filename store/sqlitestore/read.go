package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	loadSQL  = "SELECT " + fields + ", data FROM hardy_sessions WHERE id = ?"
	listSQL  = "SELECT " + fields + ", NULL, id FROM hardy_sessions WHERE user = ? AND user <> '' AND ended = ''"
	scanSQL  = "SELECT " + fields + ", data, id, n FROM hardy_sessions WHERE n > ? ORDER BY n LIMIT ?"
	countSQL = "SELECT count(*) FROM hardy_sessions"
)

// Load implements session.Store. It asks the file each time.
func (s *Store) Load(ctx context.Context, id string) (session.Record, error) {
	k, ok := column.Key(id)
	if !ok {
		return session.Record{}, absent(ctx)
	}
	var w row
	err := s.glance(ctx, func(ctx context.Context) error {
		w = row{}
		err := s.load.QueryRowContext(ctx, k).Scan(w.fields()[:15]...)
		if errors.Is(err, sql.ErrNoRows) {
			err = session.ErrNotFound
		}
		return err
	})
	if err != nil {
		return session.Record{}, err
	}
	return w.record(id), nil
}

// List implements session.Store. It shows the user's records as of one moment.
func (s *Store) List(ctx context.Context, user string) (list []session.Record, err error) {
	if user == "" {
		return nil, ctx.Err()
	}
	err = s.patiently(ctx, func() error {
		rows, err := s.list.QueryContext(ctx, user)
		if err != nil {
			return err
		}
		list, _, err = records(rows, false)
		return err
	})
	return list, err
}

// Scan implements session.Scanner, in the order in which the records came. A cursor is good for ever.
func (s *Store) Scan(ctx context.Context, cursor string, limit int) (page []session.Record, next string, err error) {
	after := int64(-1 << 63)
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, "", fmt.Errorf("sqlitestore: the cursor %q is none of this store's; begin with an empty one", cursor)
		}
	}
	limit = max(limit, 1)
	var last int64
	err = s.patiently(ctx, func() error {
		rows, err := s.scan.QueryContext(ctx, after, limit)
		if err != nil {
			return err
		}
		page, last, err = records(rows, true)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(page) == limit {
		next = strconv.FormatInt(last, 10)
	}
	return page, next, nil
}

// records reads all rows. Where they are numbered, last is the number of the last one.
func records(rows *sql.Rows, numbered bool) (all []session.Record, last int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var w row
		into := w.fields()
		if numbered {
			into = append(into, &last)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, 0, err
		}
		all = append(all, w.record(column.ID(w.key)))
	}
	return all, last, rows.Err()
}

// Count implements session.Scanner. It is exact, and takes about 20 ms for each million records.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	err = s.patiently(ctx, func() error { return s.count.QueryRowContext(ctx).Scan(&n) })
	return n, err
}

// patiently reads, and waits where a lock is in the way.
func (s *Store) patiently(ctx context.Context, read func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.queue.isClosed() {
		return s.errClosed()
	}
	return s.explain(untilFree(ctx, read))
}

// glance reads one row. To watch ctx during a query costs the driver as much as the row, and ends nothing that
// a slow disk holds up. So ctx bounds only the waiting for a connection, where there is one for each place.
func (s *Store) glance(ctx context.Context, read func(context.Context) error) error {
	if s.readers == nil {
		return s.patiently(ctx, func() error { return read(ctx) })
	}
	return s.patiently(ctx, func() error {
		select {
		case s.readers <- struct{}{}:
		default: // to ask for Done costs something too
			select {
			case s.readers <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		defer func() { <-s.readers }()
		return read(context.Background())
	})
}
