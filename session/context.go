package session

import "context"

type contextKey struct{}

// node is the context that carries a session; it lies within the session to save an allocation.
type node struct {
	context.Context
	s *Session
}

func (n *node) Value(key any) any {
	if key == (contextKey{}) {
		return n.s
	}
	return n.Context.Value(key)
}

// With returns a context that carries s, for From. The middleware calls it; a job or a test may. A session
// is given to one context only. It panics where ctx carries a session of the same manager already, other
// than s: the same middleware stands in the chain twice.
func With(ctx context.Context, s *Session) context.Context {
	for outer := find(ctx); outer != nil; outer = outer.outer() {
		if outer.m == s.m {
			panic("session: the context carries a session of this manager already; wrap the handler in middleware.Sessions once for each manager")
		}
	}
	s.node = node{ctx, s}
	return &s.node
}

func find(ctx context.Context) *Session {
	s, _ := ctx.Value(contextKey{}).(*Session)
	return s
}

// outer is the session of the middleware further out, of another manager.
func (s *Session) outer() *Session {
	if s.node.Context == nil {
		return nil
	}
	return find(s.node.Context)
}

// From returns the session of the request whose context ctx is; of nested managers, the innermost. It is
// never nil: it panics where no middleware has put a session into the context.
func From(ctx context.Context) *Session {
	s := find(ctx)
	if s == nil {
		panic("session: no session in the context; wrap the handler in middleware.Sessions (outside of it, and on paths in Options.Skip, there is none)")
	}
	return s
}

// From returns this manager's session where several managers nest. It panics where there is none.
func (m *Manager) From(ctx context.Context) *Session {
	for s := find(ctx); s != nil; s = s.outer() {
		if s.m == m {
			return s
		}
	}
	panic("session: no session of this manager in the context; wrap the handler in middleware.Sessions with this manager")
}

// Peek returns who is signed in and the session's handle, both "" where there is no session, for limiters
// and loggers: it does not count as use of the session, so that the answer stays cacheable.
func Peek(ctx context.Context) (user, handle string) {
	s := find(ctx)
	if s == nil {
		return "", ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user(), s.currentHandle()
}
