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
	users map[string]map[string]*stored
}

type stored struct {
	account []byte
	until   time.Time
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{seed: maphash.MakeSeed()} }

func (m *Memory) shard(user string) *shard {
	return &m.shards[maphash.String(m.seed, user)%uint64(len(m.shards))]
}

// Update is as Store says.
func (m *Memory) Update(ctx context.Context, user, resource string, f func(account []byte) ([]byte, time.Time, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := m.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.users[user][resource]
	var account []byte
	if before != nil {
		account = before.account
	}
	next, until, err := f(account)
	switch {
	case err != nil:
		return err
	case len(next) == 0:
		s.drop(user, resource)
		return nil
	case before != nil:
		*before = stored{next, until}
		return nil
	}
	s.sweep(time.Now())
	if s.users == nil {
		s.users = make(map[string]map[string]*stored)
	}
	if s.users[user] == nil {
		s.users[user] = make(map[string]*stored, 1)
	}
	s.users[user][resource] = &stored{next, until}
	return nil
}

// Accounts is as Store says.
func (m *Memory) Accounts(ctx context.Context, user string) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := m.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]byte, len(s.users[user]))
	for resource, kept := range s.users[user] {
		all[resource] = kept.account
	}
	return all, nil
}

func (s *shard) drop(user, resource string) {
	delete(s.users[user], resource)
	if len(s.users[user]) == 0 {
		delete(s.users, user)
	}
}

// sweep looks at a few accounts as a new one comes, wherever the map begins, and drops those that may be
// forgotten.
func (s *shard) sweep(now time.Time) {
	seen := 0
	for user, accounts := range s.users {
		for resource, kept := range accounts {
			if seen++; seen > 8 {
				return
			}
			if !kept.until.IsZero() && now.After(kept.until) {
				s.drop(user, resource)
			}
		}
	}
}
