package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/hardy/session"
)

// Options are the choices of a Store. nil and the zero value mean the defaults.
type Options struct {
	// Schema is where the tables lie; "": the first one of the connection's search_path that exists, mostly
	// "public". It is not made.
	Schema string
	// Table is the name of the table of records; "": hardy_sessions. The one beside it that holds the version of
	// the schema is called the same with _schema behind it. At most 56 bytes.
	Table string
	// Listen is the URL of the server itself, for Watch alone, where the Store's connections go through a pooler:
	// notifications do not pass one. "": as the Store's other connections.
	Listen string
}

// Store is a session.Store in PostgreSQL, with all five optional interfaces: session.Capper, Scanner, Importer,
// Watcher and Sweeper. It is safe for concurrent use by many goroutines, and any number of processes share a
// table.
//
// Its methods answer as session.Store says. Any other error names the server and the mend where one is known; the
// next call tries afresh, so that a server that is back needs no restart here. Each returns when its context is done,
// whatever server and network do; a write may then have happened, and its error says whether it can have. One caller's
// context ends nobody else's call. Without a deadline of its own a call ends after 30 s.
//
// Ids are 43 characters of canonical base64url; Create and Import refuse any other with an error, and nothing is
// found under one. Moments lie between the years 1678 and 2262; what lies outside is moved to the nearer end, the
// zero time stays zero. Handle, Ended and Next must be UTF-8 without NUL; User may be any bytes.
type Store struct {
	pool   *pgxpool.Pool
	owned  bool // by Open: Close closes pool
	place  place
	listen string
	sql    statements

	queue    *queue
	loads    lane[*loading]
	replaces lane[*replacing]
	touches  lane[*touching]
	others   lane[func(context.Context) error]
	creates  atomic.Uint64
}

var (
	_ session.Store    = (*Store)(nil)
	_ session.Capper   = (*Store)(nil)
	_ session.Scanner  = (*Store)(nil)
	_ session.Importer = (*Store)(nil)
	_ session.Watcher  = (*Store)(nil)
	_ session.Sweeper  = (*Store)(nil)
)

var errClosed = fmt.Errorf("the store is closed: %w", fs.ErrClosed)

func newStore(pool *pgxpool.Pool, at place, o *Options) *Store {
	if o == nil {
		o = &Options{}
	}
	q := newQueue()
	s := &Store{pool: pool, place: at, listen: o.Listen, sql: newStatements(at.table()), queue: q}
	s.loads = lane[*loading]{queue: q, run: s.loadGroup, width: flights, size: groupSize}
	s.replaces = lane[*replacing]{queue: q, run: s.replaceGroup, width: flights, size: groupSize,
		id: func(r *replacing) string { return string(r.key) }}
	s.touches = lane[*touching]{queue: q, run: s.touchGroup, width: flights, size: groupSize,
		id: func(t *touching) string { return string(t.key) }}
	s.others = lane[func(context.Context) error]{queue: q, width: math.MaxInt, size: 1,
		run: func(ctx context.Context, group []*call[func(context.Context) error]) {
			group[0].err = group[0].what(ctx)
		}}
	return s
}

// Close waits until everything that was accepted is done, or has failed, and closes the connections that Open made.
// What is called later answers an error that is fs.ErrClosed; a running Watch returns it. The second Close does
// nothing.
func (s *Store) Close() error {
	if s.queue.close() && s.owned {
		s.pool.Close()
	}
	return nil
}

// read lends f a connection, and another one where that is lost meanwhile.
func (s *Store) read(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	return s.lend(ctx, func(err error, lost bool) bool { return lost || undone(err) }, f)
}

// write lends f a connection, and another one only where it is known that nothing has happened.
func (s *Store) write(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	return s.lend(ctx, func(err error, _ bool) bool { return undone(err) }, f)
}

func (s *Store) lend(ctx context.Context, again func(err error, lost bool) bool, f func(context.Context, *pgx.Conn) error) error {
	for tries := s.pool.Config().MaxConns; ; tries-- {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		err = f(ctx, conn.Conn())
		if readOnly(err) { // the server was made a replica; other connections may reach the new primary
			conn.Conn().Close(ctx)
		}
		lost := conn.Conn().IsClosed()
		if lost {
			conn.Hijack() // the pool would keep its place, for up to 15 s, until it is torn down
		} else {
			conn.Release()
		}
		if err == nil || ctx.Err() != nil || tries == 0 || !again(err, lost) {
			return err
		}
	}
}

// undone says that the statement which met err has done nothing, and may be tried again.
func undone(err error) bool {
	if pgconn.SafeToRetry(err) || readOnly(err) {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") // serialization failure, deadlock
}

func readOnly(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "25006"
}
