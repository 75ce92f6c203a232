package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// callLimit bounds a call whose context has no deadline.
	callLimit = 30 * time.Second

	// soon is how far off a deadline may be for a statement to be left alone until then, should its context be cancelled
	// before: a browser that hangs up then costs no connection, and to watch a context costs as much as a lock.
	soon = 5 * time.Second

	// trusted is for how long an idle connection is; and answerWithin how long the server may take to say that it is
	// there.
	trusted      = time.Second
	answerWithin = time.Second

	lastUsed = "hardy: last used" // in a connection's custom data
)

// read lends f a connection, and another one where that is lost.
func (s *Store) read(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	return s.lend(ctx, f, func(err error, lost bool) bool { return lost || undone(err) })
}

// write lends f a connection, and another one only where it is known that nothing has happened.
func (s *Store) write(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	return s.lend(ctx, f, func(err error, _ bool) bool { return undone(err) })
}

// lend bounds f by the connection's own deadline. The context that f is given is for pgx to have one.
func (s *Store) lend(ctx context.Context, f func(context.Context, *pgx.Conn) error, again func(err error, lost bool) bool) error {
	if _, bounded := ctx.Deadline(); !bounded { // the wait for a connection is part of the call
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callLimit)
		defer cancel()
	}
	for tries := s.tries; ; tries-- {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		until := deadline(ctx)
		if s.owned && dead(conn.Conn().PgConn(), s.trusted, until) {
			conn.Hijack()
			continue
		}
		free := s.bound(ctx, conn.Conn().PgConn().Conn(), until)
		err = f(context.Background(), conn.Conn())
		free()
		if readOnly(err) { // the server was made a replica; a new connection may reach the primary
			conn.Conn().Close(ctx)
		}
		lost := conn.Conn().IsClosed()
		if lost {
			conn.Hijack() // until a lost one is torn down, for up to 15 s, the pool would keep its place
		} else {
			conn.Conn().PgConn().CustomData()[lastUsed] = time.Now()
			conn.Release()
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("no answer came in time, what was asked may have happened: %w", ctx.Err())
		case lost && !time.Now().Before(until):
			return fmt.Errorf("no answer came in time, what was asked may have happened: %w", context.DeadlineExceeded)
		case tries <= 0 || !again(err, lost):
			return err
		}
	}
}

// dead asks a connection that has lain idle whether it is there still: a server that went away, or a network that forgot
// it, does not say so. The pool would ask too, but keep the place of one that does not answer.
func dead(conn *pgconn.PgConn, trusted time.Duration, until time.Time) bool {
	used, ok := conn.CustomData()[lastUsed].(time.Time)
	now := time.Now()
	if !ok || now.Sub(used) < trusted {
		return false
	}
	if soon := now.Add(answerWithin); soon.Before(until) {
		until = soon
	}
	conn.Conn().SetDeadline(until)
	return conn.Ping(context.Background()) != nil
}

// deadline is when a call has to return at the latest.
func deadline(ctx context.Context) time.Time {
	if t, ok := ctx.Deadline(); ok {
		return t
	}
	return time.Now().Add(callLimit)
}

// bound ends what goes on in conn at its time, and as soon as ctx is done where that time is far. free sets it free, if
// somebody else may use it: the next call here sets its own time, and to take one back costs as much as to set it.
func (s *Store) bound(ctx context.Context, conn net.Conn, until time.Time) (free func()) {
	conn.SetDeadline(until)
	if time.Until(until) < soon || ctx.Done() == nil {
		return func() {
			if !s.owned {
				conn.SetDeadline(time.Time{})
			}
		}
	}
	var mu sync.Mutex
	freed := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !freed {
			conn.SetDeadline(time.Now())
		}
	})
	return func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		freed = true
		conn.SetDeadline(time.Time{})
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
