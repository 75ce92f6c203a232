// Package lease keeps what lives as long as a session: a client of another service with this user's rights, a worker
// of a pool. What a session has leased is closed when the session ends, wherever it ends and without a further request:
// by signing out, by Revoke in another process, by its idle timeout; and when Manager.Run returns because
// the process ends.
//
// Each makes one value for each session, or each user, on first use:
//
//	var clients = lease.NewEach(func(ctx context.Context, s *session.Session) (*platform.Client, error) {
//		return platform.Dial(ctx, tokenOf.Get(s))
//	}, (*platform.Client).Close, nil)
//
//	func click(w http.ResponseWriter, r *http.Request) {
//		client, err := clients.Get(r.Context(), session.From(r.Context()))
//		…
//	}
//
// Pool lends the same few values to many sessions, one at a time, with bounds for each session and each user so that
// nobody can hold all of them:
//
//	l, err := workers.Acquire(r.Context(), session.From(r.Context()))
//	if err != nil { … }
//	defer l.Release()
//	answer, err := l.Value().Run(…)
//
// # What is promised
//
//   - A value serves one session, under one user. When another user signs in, or somebody does who was nobody, or the
//     session is reset, it is closed; a change of the token alone keeps it.
//   - It is closed once, within a second or two of the session's end in each process that made it; see
//     session.Session.Context for what each store needs to tell of ends elsewhere.
//   - Closing does not wait for who uses the value at that moment: a request under way meets a closed client or
//     worker. Whatever is leased must bear to be closed while it is used, as connections do.
//   - A panic in a func of the application's that runs in a goroutine of this package (Make, Reset and Close of a
//     Pool, the close of Each) is recovered and logged, and leaves nothing behind; see each of them.
//
// Start Manager.Run in each process, and Pool.Run for each pool. When Manager.Run returns, what is held is closed; what a
// request that is still under way asks an Each for after that is made all the same, so that it can be answered, and ends with
// the process or its session.
package lease

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"example.com/hardy/session"
)

var (
	// ErrTimeout: there was no value within the time that a Get or an Acquire waits.
	ErrTimeout = errors.New("lease: waited too long")
	// ErrClosed: the pool's Run has returned.
	ErrClosed = errors.New("lease: the pool is closed")
	// ErrPanicked: Make of a Pool panicked; the text says with what, the log has the stack.
	ErrPanicked = errors.New("lease: a func of the application panicked")
)

// DefaultTimeout is how long Get and Acquire wait.
const DefaultTimeout = 30 * time.Second

// holder is who leases.
type holder struct{ handle, user string }

// holderOf returns who asks with s. Errors: *session.ExpiredError, session.ErrRotated, session.ErrUnsaved.
func holderOf(s *session.Session) (h holder, err error) {
	if err := s.Err(); err != nil {
		return h, err
	}
	if h.handle = s.Handle(); h.handle == "" {
		return h, session.ErrUnsaved
	}
	h.user = s.User()
	return h, nil
}

// guarded calls f. A panic of f is logged and becomes an error.
func guarded(what string, log *slog.Logger, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %s: %v", ErrPanicked, what, v)
			log.Error("lease: panic", "in", what, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	return f()
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
