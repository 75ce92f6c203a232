package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"example.com/hardy/internal/column"
	"example.com/hardy/internal/places"
	"example.com/hardy/session"
)

const rivalsSQL = `SELECT id, handle, created FROM hardy_sessions
	WHERE user = ? AND user <> '' AND ended = '' AND expires > ? AND handle <> ?`

// rival is a live record of the same user that takes a place.
type rival struct {
	key     []byte
	id      string
	handle  string
	created int64
}

// CreateWithin implements session.Capper: one transaction, exact over all processes.
func (s *Store) CreateWithin(ctx context.Context, r session.Record, limit int, evict bool) ([]session.Record, error) {
	if r.User == "" {
		return nil, errors.New("sqlitestore: CreateWithin needs a user; use Create for an anonymous session")
	}
	args, err := insertion(&r)
	if err != nil {
		return nil, err
	}
	handle, user := args[1].(string), args[2].(string)
	how := session.End{Reason: session.ReasonEvicted, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
	var evicted []session.Record
	err = s.write(ctx, func(w *writer) error {
		evicted = nil
		others, err := w.rivals(user, handle, column.Nanos(how.At))
		if err != nil {
			return err
		}
		over := places.Over(others, func(o rival) string { return o.handle }, max(limit, 1))
		if len(over) > 0 && !evict {
			return session.ErrCapped
		}
		if err := w.insert(args); err != nil {
			return err
		}
		for _, o := range over {
			last, err := w.end(o.id, o.key, &how)
			if err != nil {
				return err
			}
			evicted = append(evicted, last)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return evicted, nil
}

// rivals returns them oldest first. They are sorted here because the text of an id does not sort as its
// bytes do, and the text counts.
func (w *writer) rivals(user, handle string, now int64) (all []rival, err error) {
	rows, err := w.query(rivalsSQL, user, now, handle)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o rival
		if err := rows.Scan(&o.key, &o.handle, &o.created); err != nil {
			return nil, err
		}
		o.id = column.ID(o.key)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b rival) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	return all, rows.Err()
}
