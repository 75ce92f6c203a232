package redisstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience bounds how long a request is repeated, where ctx does not.
	patience = 2 * time.Second
	// troubleTime is how long after a fault calls are watched over.
	troubleTime = 5 * time.Second
	// mostUnwatched is how many calls at once are not watched over: the client queues 1,024 on a connection.
	mostUnwatched = 512
)

// kind says which requests may be repeated.
type kind bool

const (
	reads  kind = true  // whatever went wrong
	writes kind = false // only where the server has said that nothing was done: a lost answer is none
)

// ask makes one request, or several that go together.
//
// The client keeps to ctx on a connection that is there, but not while others make one, nor where its queue is full. So
// while the network or the server is in trouble, or much is going on, ask itself waits for ctx, and leaves the call
// behind at its end.
func ask[T any](ctx context.Context, s *Store, k kind, f func(context.Context, lane) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if s.isClosed() {
		return none, s.errClosed()
	}
	v, err := attempt(ctx, s, k, f)
	if err == nil || !s.again(k, err) {
		return v, err
	}
	for begin, try := time.Now(), 0; time.Since(begin) < patience && pause(ctx, try); try++ {
		if v, err = attempt(ctx, s, k, f); err == nil || !s.again(k, err) {
			break
		}
	}
	return v, err
}

func attempt[T any](ctx context.Context, s *Store, k kind, f func(context.Context, lane) (T, error)) (T, error) {
	calls := s.calls.Add(1)
	defer s.calls.Add(-1)
	if calls <= mostUnwatched && !s.troubled.Load() {
		v, err := f(ctx, s.lane(k, calls))
		if s.broken(err) {
			s.trouble()
		}
		return v, err
	}
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f(ctx, lane{client: s.client})
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		if s.broken(a.err) {
			s.trouble()
		}
		return a.v, a.err
	case <-ctx.Done():
		s.trouble()
		var none T
		return none, ctx.Err()
	}
}

// trouble has all calls of the next seconds watched over.
func (s *Store) trouble() {
	s.troubled.Store(true)
	s.calm.Reset(troubleTime)
}

// broken says whether a connection or a server has failed, and not the caller nor what he asked for. The client
// says ErrClosing also of a connection that it leaves for another server.
func (s *Store) broken(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || s.isClosed() {
		return false
	}
	_, answered := err.(*rueidis.RedisError)
	return !answered
}

// again says whether the same request may and should be made again.
func (s *Store) again(k kind, err error) bool {
	if e, answered := rueidis.IsRedisErr(err); answered {
		// The server starts, or changes its role, or the slot moves: nothing was done.
		return e.IsTryAgain() || e.IsLoading() || e.IsClusterDown() || strings.HasPrefix(e.Error(), "READONLY")
	}
	return k == reads && s.broken(err) && !errors.Is(err, context.DeadlineExceeded)
}

// pause waits a moment before the next try, and says whether ctx allows one.
func pause(ctx context.Context, try int) bool {
	if try == 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(10 * time.Millisecond * time.Duration(min(try, 5)))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
