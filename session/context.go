package session

import (
	"context"
	"fmt"
	"io"
	"sync"
)

type contextKey struct{}

// Visit is where one request keeps its session: a context that makes a blank session only when somebody asks
// for it, so that a request which needs none pays for none. The middleware keeps one beside each request;
// With serves everybody else. It is safe for concurrent use.
type Visit struct {
	context.Context
	m *Manager

	mu   sync.Mutex
	s    *Session // nil: nobody has asked
	sent bool
}

// Visit makes v the context that carries s for From, or, where s is nil, a blank session once it is asked for.
// It panics where ctx carries a session of the same manager already: the same middleware stands in the chain twice.
func (m *Manager) Visit(ctx context.Context, v *Visit, s *Session) context.Context {
	for outer := find(ctx); outer != nil; outer = find(outer.Context) {
		if outer.m == m {
			panic("session: the context carries a session of this manager already; wrap the handler in middleware.Sessions once for each manager")
		}
	}
	v.Context, v.m = ctx, m
	if s != nil {
		v.s, s.visit = s, v
	}
	return v
}

// With returns a context that carries s, for From, in a job or a test. It panics as Manager.Visit does.
func With(ctx context.Context, s *Session) context.Context { return s.m.Visit(ctx, new(Visit), s) }

// Value gives From its session.
func (v *Visit) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	return v.Context.Value(key)
}

// Session returns the session, or nil where nobody has asked for it.
func (v *Visit) Session() *Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.s
}

// Sent is Session at the moment when the answer leaves: a session that somebody asks for later is one for which
// Manager.Sent was called.
func (v *Visit) Sent() *Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent = true
	return v.s
}

// ask returns the session, and makes it where it is the first to ask.
func (v *Visit) ask() *Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.s == nil {
		v.s = v.m.New()
		v.s.visit, v.s.sent = v, v.sent
	}
	return v.s
}

// Format says nothing of what the context holds: with %s a context shows what its fields point to.
func (v *Visit) Format(f fmt.State, _ rune) { io.WriteString(f, "[session context]") }

func find(ctx context.Context) *Visit {
	v, _ := ctx.Value(contextKey{}).(*Visit)
	return v
}

// From returns the session of the request whose context ctx is; of nested managers, the innermost. It is
// never nil: it panics where no middleware has put a session into the context.
func From(ctx context.Context) *Session {
	v := find(ctx)
	if v == nil {
		panic("session: no session in the context; wrap the handler in middleware.Sessions (outside of it, and on paths in Options.Skip, there is none)")
	}
	return v.ask()
}

// From returns this manager's session where several managers nest. It panics where there is none.
func (m *Manager) From(ctx context.Context) *Session {
	for v := find(ctx); v != nil; v = find(v.Context) {
		if v.m == m {
			return v.ask()
		}
	}
	panic("session: no session of this manager in the context; wrap the handler in middleware.Sessions with this manager")
}

// Inside says whether From would find a session, and makes none: outside of the middleware, and on paths that it
// skips, there is none.
func Inside(ctx context.Context) bool { return find(ctx) != nil }

// Peek returns who is signed in and the session's handle, both "" where there is no session, for limiters
// and loggers: it does not count as use of the session, so that the answer stays cacheable.
func Peek(ctx context.Context) (user, handle string) {
	v := find(ctx)
	if v == nil {
		return "", ""
	}
	s := v.Session()
	if s == nil {
		return "", ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user(), s.currentHandle()
}
