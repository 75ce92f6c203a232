package sqlitestore

import (
	"context"
	"strings"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	insertSQL = `INSERT INTO hardy_sessions (id, ` + fields + `, data, due)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	replaceSQL = `UPDATE hardy_sessions SET version = ?1, data = ?2, meta = ?3, idle = ?4, deadline = ?5,
		seen = max(seen, ?6), expires = max(expires, ?7), purge = max(purge, ?8)
		WHERE id = ?9 AND version = ?10 AND ended = '' AND expires > ?6`
	// writableSQL asks whether rules 3 and 4 let a request write, whatever the version.
	writableSQL = `SELECT 1 FROM hardy_sessions WHERE id = ? AND ended = '' AND expires > ?`
	touchSQL    = `UPDATE hardy_sessions SET seen = max(seen, ?1), expires = max(expires, ?2), purge = max(purge, ?3)
		WHERE id = ?4 AND ended = '' AND expires > ?1`
	countEndSQL = `UPDATE hardy_store SET ends = ends + 1 RETURNING ends`
	endSQL      = `UPDATE hardy_sessions SET ended = ?, ended_at = ?, next = ?, purge = max(purge, ?), data = iif(?, data, NULL),
		due = min(due, ?), end_seq = ? WHERE id = ? AND ended = ''`
)

// insertion are the arguments of insertSQL. It copies what the caller may use again.
func insertion(r *session.Record) ([]any, error) {
	k, ok := column.Key(r.ID)
	if !ok {
		return nil, errID
	}
	return []any{
		k, strings.Clone(r.Handle), strings.Clone(r.User), int64(r.Version), column.Nanos(r.Created), nullable(r.AuthTime),
		column.Nanos(r.Seen), column.Nanos(r.Expires), column.Nanos(r.Deadline), column.Nanos(r.Purge), int64(r.Idle),
		strings.Clone(string(r.Ended)), nullable(r.EndedAt), strings.Clone(r.Next), r.Meta, r.Data, column.Due(r),
	}, nil
}

func (w *writer) insert(args []any) error {
	done, err := w.change(insertSQL, args...)
	if err == nil && !done {
		err = session.ErrExists
	}
	return err
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) error {
	args, err := insertion(&r)
	if err != nil {
		return err
	}
	seen := column.Nanos(r.Seen)
	return s.write(ctx, func(w *writer) error {
		w.creates, w.seen = w.creates+1, max(w.seen, seen)
		return w.insert(args)
	})
}

// Import implements session.Importer.
func (s *Store) Import(ctx context.Context, r session.Record) error {
	args, err := insertion(&r)
	if err != nil {
		return err
	}
	return s.write(ctx, func(w *writer) error { return w.insert(args) })
}

// Replace implements session.Store.
func (s *Store) Replace(ctx context.Context, r session.Record) error {
	k, ok := column.Key(r.ID)
	if !ok {
		return absent(ctx)
	}
	seen := column.Nanos(r.Seen)
	args := []any{
		int64(r.Version), r.Data, r.Meta, int64(r.Idle), column.Nanos(r.Deadline), seen, column.Nanos(r.Expires), column.Nanos(r.Purge),
		k, int64(r.Version - 1),
	}
	return s.write(ctx, func(w *writer) error {
		if done, err := w.change(replaceSQL, args...); done || err != nil {
			return err
		}
		var one int
		switch there, err := w.find([]any{&one}, writableSQL, k, seen); {
		case err != nil:
			return err
		case there:
			return session.ErrConflict
		}
		return session.ErrNotFound
	})
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	k, ok := column.Key(id)
	if !ok {
		return absent(ctx)
	}
	args := []any{column.Nanos(seen), column.Nanos(expires), column.Nanos(purge), k}
	return s.write(ctx, func(w *writer) error {
		done, err := w.change(touchSQL, args...)
		if err == nil && !done {
			err = session.ErrNotFound
		}
		return err
	})
}

// End implements session.Store.
func (s *Store) End(ctx context.Context, id string, how session.End) (session.Record, error) {
	k, ok := column.Key(id)
	if !ok {
		return session.Record{}, absent(ctx)
	}
	how.Reason, how.Next = session.Reason(strings.Clone(string(how.Reason))), strings.Clone(how.Next)
	id = column.ID(k)
	var last session.Record
	err := s.write(ctx, func(w *writer) (err error) {
		last, err = w.end(id, k, &how)
		return err
	})
	if err != nil {
		return session.Record{}, err // last is the leader's, which may still be at it
	}
	return last, nil
}

// end ends a record that has not ended, and returns it as it stood.
func (w *writer) end(id string, k []byte, how *session.End) (last session.Record, err error) {
	var found row
	there, err := w.find(found.fields()[:15], loadSQL, k)
	if err != nil {
		return last, err
	}
	if !there {
		return last, session.ErrNotFound
	}
	last = found.record(id)
	if last.Ended != "" {
		return last, nil
	}
	var seq int64
	if _, err := w.find([]any{&seq}, countEndSQL); err != nil {
		return last, err
	}
	look := int64(column.Latest)
	if how.KeepData {
		look = column.GraceEnds(column.Nanos(how.At))
	}
	w.ended = true
	return last, w.exec(endSQL, string(how.Reason), nullable(how.At), how.Next, column.Nanos(how.Purge), how.KeepData, look, seq, k)
}
