package store

import (
	"context"
	"hash/maphash"
	"maps"
	"sync"

	"example.com/hardy/session"
)

const userShards = 1024

// users is the index: which live and expired records a user has. Its locks are taken before those of
// records, never after.
type users struct {
	seed  maphash.Seed
	parts []userShard
}

type userShard struct {
	mu   sync.Mutex
	of   map[string][]*entry
	peak int // the most users that of has held; a Go map stays as large
}

func (u *users) init() { u.seed, u.parts = maphash.MakeSeed(), make([]userShard, userShards) }

func (u *users) lock(user string) *userShard {
	p := &u.parts[maphash.String(u.seed, user)%userShards]
	p.mu.Lock()
	return p
}

// add puts a new entry into its user's list.
func (p *userShard) add(e *entry) {
	if p.of == nil {
		p.of = make(map[string][]*entry)
	}
	list := p.of[e.rest.user]
	e.rest.place = len(list)
	p.of[e.rest.user] = append(list, e)
	p.peak = max(p.peak, len(p.of))
}

// remove takes an entry out of its user's list, where it may no longer be.
func (p *userShard) remove(e *entry) {
	user, place := e.rest.user, e.rest.place
	if place < 0 {
		return
	}
	list := p.of[user]
	last := len(list) - 1
	list[place] = list[last]
	list[place].rest.place = place
	list[last] = nil
	e.rest.place = -1
	switch list = list[:last]; {
	case last == 0:
		delete(p.of, user)
	case last >= 16 && last*4 < cap(list):
		p.of[user] = append(make([]*entry, 0, 2*last), list...)
	default:
		p.of[user] = list
	}
	switch {
	case len(p.of) == 0:
		p.of, p.peak = nil, 0
	case p.peak > 16 && len(p.of)*4 < p.peak:
		of := make(map[string][]*entry, len(p.of))
		maps.Copy(of, p.of)
		p.of, p.peak = of, len(of)
	}
}

// remove takes entries that have a user out of the index. The caller holds no lock.
func (u *users) remove(entries ...*entry) {
	for _, e := range entries {
		p := u.lock(e.rest.user)
		p.remove(e)
		p.mu.Unlock()
	}
}

// List implements session.Store. It shows the user's records as of one moment: a session that is rotated
// meanwhile is never missed, because its successor cannot come in while List looks.
func (m *Memory) List(ctx context.Context, user string) ([]session.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if user == "" {
		return nil, nil
	}
	p := m.users.lock(user)
	defer p.mu.Unlock()
	entries := p.of[user]
	if len(entries) == 0 {
		return nil, nil
	}
	list := make([]session.Record, 0, len(entries))
	for _, e := range entries {
		var r session.Record
		s := m.shardOf(e)
		s.mu.Lock()
		live := !e.hasEnded()
		if live {
			e.record(&r, "")
		}
		s.mu.Unlock()
		if live {
			r.ID, r.Data = e.id.String(), nil
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *Memory) shardOf(e *entry) *shard { return &m.shards[hashOf(m.seed, &e.id).shard()] }
