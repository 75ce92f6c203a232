// Package memstore keeps sessions in memory, until the process ends.
package memstore

import (
	"sync"
	"time"
)

// MemStore is a session store in memory. It is safe for concurrent use.
type MemStore struct {
	mu    sync.RWMutex
	items map[string]item

	stop     chan struct{} // nil: nothing runs
	stopping sync.Once
}

type item struct {
	b      []byte
	expiry int64 // nanoseconds since 1970
}

// New returns a store that removes expired sessions each minute, in the background.
func New() *MemStore { return NewWithCleanupInterval(time.Minute) }

// NewWithCleanupInterval returns a store that removes expired sessions each interval, in the background. With 0 it never
// does.
func NewWithCleanupInterval(cleanupInterval time.Duration) *MemStore {
	m := &MemStore{items: make(map[string]item)}
	if cleanupInterval > 0 {
		m.stop = make(chan struct{})
		go m.cleanup(cleanupInterval)
	}
	return m
}

// Find returns the data under token, unless they have expired.
func (m *MemStore) Find(token string) ([]byte, bool, error) {
	m.mu.RLock()
	i, found := m.items[token]
	m.mu.RUnlock()
	if !found || i.expired(time.Now()) {
		return nil, false, nil
	}
	return i.b, true, nil
}

func (i item) expired(now time.Time) bool { return now.UnixNano() > i.expiry }

// Commit stores data under token until expiry.
func (m *MemStore) Commit(token string, b []byte, expiry time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items[token] = item{b, expiry.UnixNano()}
	return nil
}

// Delete removes token and its data.
func (m *MemStore) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, token)
	return nil
}

// All returns the data of all sessions that have not expired, by token.
func (m *MemStore) All() (map[string][]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	now := time.Now()
	all := make(map[string][]byte, len(m.items))
	for token, i := range m.items {
		if !i.expired(now) {
			all[token] = i.b
		}
	}
	return all, nil
}

func (m *MemStore) cleanup(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			m.removeExpired(now)
		case <-m.stop:
			return
		}
	}
}

// removeExpired looks for what has expired under the readers' lock, so that nobody waits behind a large store.
func (m *MemStore) removeExpired(now time.Time) {
	var dead []string
	m.mu.RLock()
	for token, i := range m.items {
		if i.expired(now) {
			dead = append(dead, token)
		}
	}
	m.mu.RUnlock()
	for _, token := range dead {
		m.mu.Lock()
		if m.items[token].expired(now) { // it may have been renewed since
			delete(m.items, token)
		}
		m.mu.Unlock()
	}
}

// StopCleanup ends what runs in the background, so that a store which is not used any more can be collected. It may be
// called more than once.
func (m *MemStore) StopCleanup() {
	if m.stop != nil {
		m.stopping.Do(func() { close(m.stop) })
	}
}
