package cookie

import "context"

type contextKey struct{}

type jars struct{ local, shared *Jar }

// NewContext returns a context that carries the jars of a request; shared may be nil. It is for middleware.
func NewContext(ctx context.Context, local, shared *Jar) context.Context {
	return context.WithValue(ctx, contextKey{}, &jars{local, shared})
}

// Local returns the app's own jar of the request that ctx belongs to. It panics where middleware.Cookies does not stand
// around the handler.
func Local(ctx context.Context) *Jar {
	if j, _ := ctx.Value(contextKey{}).(*jars); j != nil && j.local != nil {
		return j.local
	}
	panic("cookie: Local: no jar in this context; put middleware.Cookies(keys, nil) around the handler, and pass r.Context()")
}

// Shared returns the jar that the team's apps share. It panics where middleware.Cookies does not stand around the handler,
// or has no shared jar in its options.
func Shared(ctx context.Context) *Jar {
	if j, _ := ctx.Value(contextKey{}).(*jars); j != nil && j.shared != nil {
		return j.shared
	}
	panic("cookie: Shared: no shared jar in this context; put middleware.Cookies around the handler with the team's keys and domain in its options, and pass r.Context()")
}
