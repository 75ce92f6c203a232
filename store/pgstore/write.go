package pgstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) error {
	err := s.insert(ctx, &r)
	if err == nil {
		s.sweepInPassing(r.Seen)
	}
	return err
}

// Import implements session.Importer.
func (s *Store) Import(ctx context.Context, r session.Record) error { return s.insert(ctx, &r) }

func (s *Store) insert(ctx context.Context, r *session.Record) error {
	args, err := insertion(r)
	if err != nil {
		return err
	}
	if err := s.gate.enter(ctx); err != nil {
		return s.explain(err)
	}
	defer s.gate.leave()
	return s.explain(s.change(ctx, session.ErrExists, s.sql.create, args...))
}

// change executes a statement that changes one row, or answers missed.
func (s *Store) change(ctx context.Context, missed error, sql string, args ...any) error {
	return s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, args...)
		if err == nil && tag.RowsAffected() == 0 {
			err = missed
		}
		return err
	})
}

// changeMany executes a statement that returns the numbers, from 1, of the rows it has changed.
func (s *Store) changeMany(ctx context.Context, sql string, args ...any) (changed map[int]bool, err error) {
	err = s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		changed = make(map[int]bool, len(numbers))
		for _, n := range numbers {
			changed[int(n)] = true
		}
		return err
	})
	return changed, err
}

// replacing is a Replace in a group.
type replacing struct {
	key, data, meta                               []byte
	version, idle, deadline, seen, expires, purge int64
}

// Replace implements session.Store.
func (s *Store) Replace(ctx context.Context, r session.Record) error {
	k, ok := column.Key(r.ID)
	if !ok {
		return absent(ctx)
	}
	return s.explain(s.replaces.do(ctx, &replacing{
		key: k, data: bytesOf(r.Data), meta: bytesOf(r.Meta), version: int64(r.Version), idle: int64(r.Idle),
		deadline: column.Nanos(r.Deadline), seen: column.Nanos(r.Seen), expires: column.Nanos(r.Expires), purge: column.Nanos(r.Purge),
	}))
}

func (s *Store) replaceMany(ctx context.Context, group []*call[*replacing]) {
	slices.SortFunc(group, func(a, b *call[*replacing]) int { return bytes.Compare(a.what.key, b.what.key) })
	var keys, data, meta [][]byte
	var version, former, idle, deadline, seen, expires, purge []int64
	for _, c := range group {
		r := c.what
		keys, data, meta = append(keys, r.key), append(data, r.data), append(meta, r.meta)
		version, former = append(version, r.version), append(former, r.version-1)
		idle, deadline = append(idle, r.idle), append(deadline, r.deadline)
		seen, expires, purge = append(seen, r.seen), append(expires, r.expires), append(purge, r.purge)
	}
	stored, err := s.changeMany(ctx, s.sql.replaceMany, keys, version, former, data, meta, idle, deadline, seen, expires, purge)
	for i, c := range group {
		switch {
		case err != nil && !refused(err):
			c.err = err
		case err != nil || !stored[i+1]:
			c.err = s.replaceOne(ctx, c.what)
		}
	}
}

// refused says that the server did not carry out a statement, and still answers: what fails for one of a group need
// not fail the others.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Severity == "ERROR"
}

// replaceOne replaces one record. Whether it met another version or nothing to write is asked only where it has failed.
// Where the answer is neither, somebody has changed the record in between, and it is tried again.
func (s *Store) replaceOne(ctx context.Context, r *replacing) error {
	for {
		err := s.change(ctx, session.ErrNotFound, s.sql.replace, r.key, r.version, r.version-1, r.data, r.meta, r.idle, r.deadline,
			r.seen, r.expires, r.purge)
		if err != session.ErrNotFound {
			return err
		}
		var version, expires int64
		var ended bool
		err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, s.sql.state, r.key).Scan(&version, &expires, &ended)
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return session.ErrNotFound
		case err != nil:
			return err
		case ended || expires <= r.seen:
			return session.ErrNotFound
		case version != r.version-1:
			return session.ErrConflict
		}
	}
}

// touching is a Touch in a group.
type touching struct {
	key                  []byte
	seen, expires, purge int64
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	k, ok := column.Key(id)
	if !ok {
		return absent(ctx)
	}
	return s.explain(s.touches.do(ctx, &touching{k, column.Nanos(seen), column.Nanos(expires), column.Nanos(purge)}))
}

func (s *Store) touchOne(ctx context.Context, t *touching) error {
	return s.change(ctx, session.ErrNotFound, s.sql.touch, t.key, t.seen, t.expires, t.purge)
}

func (s *Store) touchMany(ctx context.Context, group []*call[*touching]) {
	slices.SortFunc(group, func(a, b *call[*touching]) int { return bytes.Compare(a.what.key, b.what.key) })
	var keys [][]byte
	var seen, expires, purge []int64
	for _, c := range group {
		keys, seen = append(keys, c.what.key), append(seen, c.what.seen)
		expires, purge = append(expires, c.what.expires), append(purge, c.what.purge)
	}
	moved, err := s.changeMany(ctx, s.sql.touchMany, keys, seen, expires, purge)
	for i, c := range group {
		switch {
		case refused(err):
			c.err = s.touchOne(ctx, c.what)
		case err != nil:
			c.err = err
		case !moved[i+1]:
			c.err = session.ErrNotFound
		}
	}
}

// End implements session.Store.
func (s *Store) End(ctx context.Context, id string, how session.End) (session.Record, error) {
	k, ok := column.Key(id)
	if !ok {
		return session.Record{}, absent(ctx)
	}
	reason, err1 := text("Reason", string(how.Reason))
	next, err2 := text("Next", how.Next)
	if err := errors.Join(err1, err2); err != nil {
		return session.Record{}, err
	}
	look := int64(column.Latest)
	if how.KeepData {
		look = column.GraceEnds(column.Nanos(how.At))
	}
	args := []any{k, reason, nullable(how.At), next, column.Nanos(how.Purge), how.KeepData, look,
		s.place.channel(), column.ID(k) + news(reason, how.At, next)}
	if err := s.gate.enter(ctx); err != nil {
		return session.Record{}, s.explain(err)
	}
	defer s.gate.leave()
	var w row
	err := s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, s.sql.end, args...).Scan(append(w.columns(), nil)...)
		if errors.Is(err, pgx.ErrNoRows) {
			err = session.ErrNotFound
		}
		return err
	})
	if err != nil {
		return session.Record{}, s.explain(err)
	}
	return w.record(), nil
}

// news is what follows the id in a notification, which holds less than 8,000 bytes. What does not fit is not told, only
// that something ended.
func news(reason string, at time.Time, next string) string {
	b, err := json.Marshal(ending{reason, column.Nanos(at), next})
	if err != nil {
		panic(err) // two strings and a number
	}
	if len(b) > 7900 {
		return ""
	}
	return string(b)
}

// ending is how a record ended, as a notification tells it.
type ending struct {
	Reason string `json:"reason"`
	At     int64  `json:"at"`
	Next   string `json:"next,omitempty"`
}
