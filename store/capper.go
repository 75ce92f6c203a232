package store

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"example.com/hardy/internal/places"
	"example.com/hardy/session"
)

var errNoUser = errors.New("store: CreateWithin needs a user; use Create for an anonymous session")

// CreateWithin implements session.Capper. It holds the lock of the user's part of the index throughout,
// and no lock that a Load waits for longer than a copy takes.
func (m *Memory) CreateWithin(ctx context.Context, r session.Record, limit int, evict bool) ([]session.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.User == "" {
		return nil, errNoUser
	}
	e, err := m.admit(&r)
	if err != nil {
		return nil, err
	}
	p := m.users.lock(r.User)
	evicted, lapsed, err := m.createWithin(p, e, &r, max(limit, 1), evict)
	p.mu.Unlock()
	m.users.remove(lapsed...)
	return evicted, err
}

func (m *Memory) createWithin(p *userShard, e *entry, r *session.Record, limit int, evict bool) (evicted []session.Record, lapsed []*entry, err error) {
	over := places.Over(m.rivals(p, e), func(o rival) string { return o.handle }, limit)
	if len(over) > 0 && !evict {
		m.count.Add(-1)
		return nil, nil, session.ErrCapped
	}
	if lapsed, err = m.insert(e, stride); err != nil {
		return nil, lapsed, err
	}
	p.add(e)
	how := session.End{Reason: session.ReasonEvicted, At: r.Seen, Purge: r.Seen.Add(session.Tombstone)}
	for _, o := range over {
		// One that ended by itself meanwhile has left its place; no other goes for it.
		if _, last, first := m.end(&o.entry.id, o.id, &how); first {
			evicted = append(evicted, last)
		}
		p.remove(o.entry)
	}
	return evicted, lapsed, nil
}

// rival is a live record of the same user that takes a place.
type rival struct {
	entry   *entry
	id      string
	handle  string
	created instant
}

// rivals returns them oldest first.
func (m *Memory) rivals(p *userShard, e *entry) (found []rival) {
	for _, o := range p.of[e.rest.user] {
		s := m.shardOf(o)
		s.mu.Lock()
		handle := o.name()
		takes := o.writable(e.seen) && handle != e.name()
		s.mu.Unlock()
		if takes {
			found = append(found, rival{o, o.id.String(), handle, o.created})
		}
	}
	slices.SortFunc(found, func(a, b rival) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	return found
}
