package sqlitestore

import (
	"context"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/ratelimit/quota"
)

const (
	accountSQL    = `SELECT n, account, due FROM hardy_quotas WHERE user = ? AND resource = ?`
	accountsSQL   = `SELECT resource, account FROM hardy_quotas WHERE user = ?`
	openSQL       = `INSERT INTO hardy_quotas (user, resource, account, due) VALUES (?, ?, ?, ?)`
	bookSQL       = `UPDATE hardy_quotas SET account = ?, due = ? WHERE n = ?`
	closeSQL      = `DELETE FROM hardy_quotas WHERE n = ?`
	dueAccountSQL = `SELECT n FROM hardy_quotas WHERE due < ? ORDER BY due LIMIT 1`
)

// Quotas are the accounts of a quota.Ledger, in the same file as the sessions:
//
//	ledger, err := quota.New(db.Quotas(), nil)
//
// What is consumed is written as sessions are: grouped, and on the disk before the answer; several processes
// share one ledger and together never pass a limit. A Check or Report asks the file and writes nothing.
//
// A Tier runs while others wait to write: let it look something up in memory.
func (s *Store) Quotas() quota.Store { return quotas{s} }

type quotas struct{ s *Store }

// Update implements quota.Store.
func (q quotas) Update(ctx context.Context, user, resource string, f func([]byte) ([]byte, time.Time, error)) error {
	var v verdict // the leader's, until write returns nil
	err := q.s.write(ctx, func(w *writer) (err error) {
		v, err = w.book(user, resource, f)
		return err
	})
	if err != nil {
		return err
	}
	if v.panicked != nil {
		panic(v.panicked)
	}
	return v.err
}

// Accounts implements quota.Store.
func (q quotas) Accounts(ctx context.Context, user string) (all map[string][]byte, err error) {
	err = q.s.patiently(ctx, func() error {
		all = make(map[string][]byte)
		rows, err := q.s.accounts.QueryContext(ctx, user)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var resource string
			var account []byte
			if err := rows.Scan(&resource, &account); err != nil {
				return err
			}
			all[resource] = account
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// verdict is what f says. It is no fault of the engine: neighbours in the group are stored whatever it is.
type verdict struct {
	next     []byte
	until    time.Time
	err      error
	panicked any
}

func ask(f func([]byte) ([]byte, time.Time, error), account []byte) (v verdict) {
	defer func() { v.panicked = recover() }() // the leader serves others, too
	v.next, v.until, v.err = f(account)
	return v
}

// book has f change an account.
func (w *writer) book(user, resource string, f func([]byte) ([]byte, time.Time, error)) (verdict, error) {
	var n int64
	var account []byte
	var due *int64
	there, err := w.find([]any{&n, &account, &due}, accountSQL, user, resource)
	if err != nil {
		return verdict{}, err
	}
	v := ask(f, account)
	switch {
	case v.err != nil || v.panicked != nil || len(v.next) == 0 && !there:
		return v, nil
	case len(v.next) == 0:
		return v, w.exec(closeSQL, n)
	case there:
		return v, w.exec(bookSQL, v.next, forget(due, v.until), n)
	}
	for range 2 {
		if err := w.forgetOne(); err != nil {
			return v, err
		}
	}
	return v, w.exec(openSQL, user, resource, v.next, forget(nil, v.until))
}

// forget is when an account may go: not before until, and often later, so that the index on due does not
// change with every call of a quota that slides.
func forget(due *int64, until time.Time) any {
	switch soon := column.Nanos(until); {
	case until.IsZero():
		return nil
	case due != nil && *due >= soon:
		return *due
	default:
		return column.Nanos(until.Add(max(time.Until(until), 0)))
	}
}

// forgetOne drops an account that is past. Two such as one comes are enough for the table to become smaller
// again.
func (w *writer) forgetOne() error {
	var n int64
	there, err := w.find([]any{&n}, dueAccountSQL, column.Nanos(time.Now()))
	if err != nil || !there {
		return err
	}
	return w.exec(closeSQL, n)
}
