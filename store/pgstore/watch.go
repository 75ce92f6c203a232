package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

const (
	// quiet is how long a Watch that hears nothing trusts its connection before it asks. A half-open one delivers no
	// news and no error.
	quiet = time.Second

	pauseLeast = 50 * time.Millisecond // before connecting again, doubled each time
	pauseMost  = 2 * time.Second
)

// Watch implements session.Watcher by LISTEN, on a connection of its own. An end is told when its transaction has been
// committed, mostly within a millisecond. The empty news comes again after each gap: the connection was lost, or
// did not answer for up to 2 s. Watch then connects again, until ctx is done; it returns another error only where it
// could not begin. Notifications do not pass a pooler: where one is in between and Options.Listen names no way
// around it, the error is errors.ErrUnsupported, and a Manager asks about the sessions that somebody holds on to
// every ten seconds instead.
func (s *Store) Watch(ctx context.Context, f func(session.Ended)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-s.gate.closed:
			stop()
		case <-listening.Done():
		}
	}()
	began := false
	for pause := pauseLeast; ; pause = min(2*pause, pauseMost) {
		err := s.listenOnce(listening, func(e session.Ended) {
			began, pause = true, pauseLeast
			f(e)
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.gate.isClosed():
			return s.explain(errClosed)
		case !began:
			return s.explain(err)
		}
		select {
		case <-time.After(pause):
		case <-listening.Done():
		}
	}
}

// listenOnce tells of ends until its connection is lost.
func (s *Store) listenOnce(ctx context.Context, tell func(session.Ended)) error {
	conn, err := s.listener(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		conn.Close(ctx)
	}()
	tell(session.Ended{})
	for {
		n, err := waitFor(ctx, conn)
		if err != nil {
			return err
		}
		if n != nil && ctx.Err() == nil {
			tell(ended(n.Payload))
		}
	}
}

// listener connects and listens.
func (s *Store) listener(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	config := s.listen
	if config == nil {
		pool := s.pool.Config()
		config = pool.ConnConfig
		if pool.BeforeConnect != nil {
			if err := pool.BeforeConnect(ctx, config); err != nil {
				return nil, err
			}
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err = s.listenOn(ctx, conn); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

func (s *Store) listenOn(ctx context.Context, conn *pgx.Conn) error {
	pooled, err := behindPooler(ctx, conn)
	if err != nil {
		return err
	}
	if pooled {
		return fmt.Errorf("there is a pooler in between, which does not carry notifications; set Options.Listen to the URL of the server itself: %w", errors.ErrUnsupported)
	}
	_, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.place.channel()}.Sanitize())
	return err
}

// waitFor returns the next notification, or nil where there was none for a while and the server answers still.
func waitFor(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return n, err
	}
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return nil, conn.Ping(asking)
}

// ended reads a notification. One that says nothing more, or is of a later Hardy, says that something may have ended.
func ended(payload string) session.Ended {
	const idLen = 43
	var how ending
	if len(payload) < idLen || json.Unmarshal([]byte(payload[idLen:]), &how) != nil {
		return session.Ended{}
	}
	return session.Ended{ID: payload[:idLen], Reason: session.Reason(how.Reason), At: column.Time(how.At), Next: how.Next}
}
