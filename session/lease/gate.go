package lease

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// gate lets so many in at once for each key, in the order in which they come.
type gate struct {
	limit int64
	mu    sync.Mutex
	lines map[string]*line // an entry for each key that somebody is inside or waits for
}

type line struct {
	inside *semaphore.Weighted
	users  int
}

// enter waits for a place. After a nil error leave must be called.
func (g *gate) enter(ctx context.Context, key string) error {
	g.mu.Lock()
	if g.lines == nil {
		g.lines = map[string]*line{}
	}
	l := g.lines[key]
	if l == nil {
		l = &line{inside: semaphore.NewWeighted(g.limit)}
		g.lines[key] = l
	}
	l.users++
	g.mu.Unlock()
	err := l.inside.Acquire(ctx, 1)
	if err != nil {
		g.forget(key, l)
	}
	return err
}

func (g *gate) leave(key string) {
	g.mu.Lock()
	l := g.lines[key]
	g.mu.Unlock()
	l.inside.Release(1)
	g.forget(key, l)
}

func (g *gate) forget(key string, l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(g.lines, key)
	}
}
