package quota

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Memory is a Store in this process's memory: it is empty after a restart.
type Memory struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu    sync.Mutex
	users map[string]map[string]*Account
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{seed: maphash.MakeSeed()} }

func (m *Memory) shard(user string) *shard {
	return &m.shards[maphash.String(m.seed, user)%uint64(len(m.shards))]
}

// Update is as Store says.
func (m *Memory) Update(ctx context.Context, user, resource string, f func(*Account) error) error {
	s := m.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.users[user][resource]
	var a Account
	if stored != nil {
		a = *stored
	}
	if err := f(&a); err != nil {
		return err
	}
	switch {
	case a.empty():
		s.drop(user, resource)
	case stored != nil:
		*stored = a
	default:
		s.sweep(time.Now())
		if s.users == nil {
			s.users = make(map[string]map[string]*Account)
		}
		if s.users[user] == nil {
			s.users[user] = make(map[string]*Account, 1)
		}
		s.users[user][resource] = &a
	}
	return nil
}

// Accounts is as Store says.
func (m *Memory) Accounts(ctx context.Context, user string) (map[string]Account, error) {
	s := m.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Account, len(s.users[user]))
	for resource, a := range s.users[user] {
		all[resource] = *a
	}
	return all, nil
}

func (s *shard) drop(user, resource string) {
	delete(s.users[user], resource)
	if len(s.users[user]) == 0 {
		delete(s.users, user)
	}
}

// sweep looks at a few accounts as a new one comes, wherever the map begins, and drops those whose usage
// is all in the past.
func (s *shard) sweep(now time.Time) {
	seen := 0
	for user, accounts := range s.users {
		for resource, a := range accounts {
			if seen++; seen > 8 {
				return
			}
			if a.past(now) {
				s.drop(user, resource)
			}
		}
	}
}
