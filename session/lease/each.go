package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"example.com/hardy/session"
)

// Each makes one value for each session when it is first asked for, and closes it when the session ends. It is safe for
// concurrent use: requests that ask at once get the same value.
type Each[T any] struct {
	open    func(context.Context, *session.Session) (T, error)
	shut    func(T)
	options EachOptions

	mu   sync.RWMutex
	held map[holder]*one[T]
}

// EachOptions may be nil. The zero value of each field means its default.
type EachOptions struct {
	// PerUser makes one value for each user in place of each session: all sessions of the user in this process
	// share it, and it is closed when the last of those that used it has ended. It is made with the session that
	// asks first. Where nobody is signed in Get returns session.ErrAnonymous.
	PerUser bool
	// Timeout bounds how long Get waits, and the context that open gets. Default 30 seconds.
	Timeout time.Duration
	// Logger hears of panics in shut. Default slog.Default().
	Logger *slog.Logger
}

// one is a value, or the place where one is being made.
type one[T any] struct {
	key  holder
	turn chan struct{} // holds one token while somebody makes the value, or joins it

	// Under Each.mu:
	value    T
	ready    bool
	waiting  int                // calls of Get that look at it
	sessions map[string]*follow // by handle: those whose end it awaits
	gone     error              // why they have ended
}

// follow is a session's end that is awaited.
type follow struct{ stop func() bool }

// NewEach returns an Each. open makes a value: it is called with the request's context, bounded by Timeout, and its
// session, for the user and for what the session holds, such as a token for another service. Its error goes to who
// asked, and the next one tries again. Its panic is the caller's, as of any func that a handler calls. shut is
// called once for each value, in a goroutine of its own, and may be nil; its panic is logged.
func NewEach[T any](open func(ctx context.Context, s *session.Session) (T, error), shut func(T), o *EachOptions) *Each[T] {
	if open == nil {
		panic("lease: NewEach without open, which makes a session's value")
	}
	if o == nil {
		o = &EachOptions{}
	}
	if o.Timeout < 0 {
		panic(fmt.Sprintf("lease: EachOptions.Timeout: %v is negative; leave it 0 for the default of %v", o.Timeout, DefaultTimeout))
	}
	e := &Each[T]{open: open, shut: shut, options: *o, held: map[holder]*one[T]{}}
	e.options.Timeout = or(o.Timeout, DefaultTimeout)
	if o.Logger == nil {
		e.options.Logger = slog.Default()
	}
	return e
}

// Get returns the session's value, and makes it where there is none. It needs a session that is stored. The value
// may be closed at any moment after, by the end of the session; Session.Context tells. Errors: that of open;
// ErrTimeout, or the context's, where another request makes the value for too long; *session.ExpiredError,
// session.ErrRotated, session.ErrUnsaved, and session.ErrAnonymous with PerUser.
func (e *Each[T]) Get(ctx context.Context, s *session.Session) (T, error) {
	var none T
	who, err := holderOf(s)
	if err != nil {
		return none, err
	}
	key := who
	if e.options.PerUser {
		if key.handle = ""; key.user == "" {
			return none, session.ErrAnonymous
		}
	}
	e.mu.RLock()
	if o := e.held[key]; o != nil && o.ready && (!e.options.PerUser || o.sessions[who.handle] != nil) {
		v := o.value
		e.mu.RUnlock()
		return v, nil
	}
	e.mu.RUnlock()

	ctx, cancel := context.WithTimeoutCause(ctx, e.options.Timeout, ErrTimeout)
	defer cancel()
	for {
		v, err := e.wait(ctx, s, key, who.handle)
		if err != errOthers {
			return v, err
		}
	}
}

// errOthers: the value's sessions have ended, but it is another one that asks.
var errOthers = errors.New("lease: ended with other sessions of the user")

// wait makes the value, or joins it, when its turn comes.
func (e *Each[T]) wait(ctx context.Context, s *session.Session, key holder, handle string) (v T, err error) {
	o := e.enter(key)
	defer e.leave(o)
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
	defer func() { <-o.turn }()
	return e.make(ctx, s, o, handle)
}

// Len says how many values there are.
func (e *Each[T]) Len() (n int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, o := range e.held {
		if o.ready {
			n++
		}
	}
	return n
}

func (e *Each[T]) enter(key holder) *one[T] {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := e.held[key]
	if o == nil {
		o = &one[T]{key: key, turn: make(chan struct{}, 1), sessions: map[string]*follow{}}
		e.held[key] = o
	}
	o.waiting++
	return o
}

// leave forgets a place that nobody looks at and no session holds.
func (e *Each[T]) leave(o *one[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.waiting--; o.waiting == 0 && len(o.sessions) == 0 {
		e.forget(o)
	}
}

func (e *Each[T]) forget(o *one[T]) {
	if e.held[o.key] == o {
		delete(e.held, o.key)
	}
}

// make lets o await the end of s, and opens the value where it is not there yet. The caller has the turn.
func (e *Each[T]) make(ctx context.Context, s *session.Session, o *one[T], handle string) (v T, err error) {
	f, err := e.follow(s, o, handle)
	if err != nil {
		return v, err
	}
	e.mu.RLock()
	v, ready, gone := o.value, o.ready, o.gone
	e.mu.RUnlock()
	switch {
	case gone != nil && e.options.PerUser:
		return v, errOthers
	case ready || gone != nil:
		return v, gone
	}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if o.ready {
			return
		}
		if f.stop(); o.sessions[handle] == f { // it failed
			delete(o.sessions, handle)
		}
	}()
	v, err = e.open(ctx, s)
	if err != nil {
		return v, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.gone != nil { // the session ended while it was made
		go e.close(v)
		var none T
		return none, o.gone
	}
	o.value, o.ready = v, true
	return v, nil
}

// follow lets o be told of the end of s, if it is not yet.
func (e *Each[T]) follow(s *session.Session, o *one[T], handle string) (*follow, error) {
	e.mu.Lock()
	if f := o.sessions[handle]; f != nil || o.gone != nil {
		e.mu.Unlock()
		return f, nil
	}
	f := &follow{}
	o.sessions[handle] = f
	e.mu.Unlock()

	stop, err := s.OnEnd(func(err error) { e.end(o, handle, f, err) }) // outside of the lock: it may wait for the session's
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.stop = stop; err != nil && o.sessions[handle] == f {
		delete(o.sessions, handle)
	}
	return f, err
}

// end is the end of one session that used o. With the last one the value is closed.
func (e *Each[T]) end(o *one[T], handle string, f *follow, err error) {
	e.mu.Lock()
	if o.sessions[handle] == f {
		delete(o.sessions, handle)
	}
	last := len(o.sessions) == 0 && o.gone == nil
	if last {
		o.gone = err
		e.forget(o)
	}
	v, ready := o.value, o.ready
	e.mu.Unlock()
	if last && ready {
		e.close(v)
	}
}

func (e *Each[T]) close(v T) {
	if e.shut != nil {
		guarded("the shut of an Each", e.options.Logger, func() error { e.shut(v); return nil })
	}
}
