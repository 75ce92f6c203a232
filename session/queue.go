package session

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// queue lets the writers of one session in this process go one after another, in order, so that they
// don't spend their time on each other's conflicts. Writers of other sessions don't wait for them.
type queue struct {
	seed   maphash.Seed
	lines  atomic.Int64 // sessions being written in turn
	shards [64]struct {
		sync.Mutex
		waiting map[string][]chan struct{} // an entry, if empty, for each session being written
	}
}

func newQueue() *queue {
	q := &queue{seed: maphash.MakeSeed()}
	for i := range q.shards {
		q.shards[i].waiting = make(map[string][]chan struct{})
	}
	return q
}

// busy says whether writers of id are taking turns.
func (q *queue) busy(id string) bool {
	if q.lines.Load() == 0 {
		return false
	}
	shard := &q.shards[maphash.String(q.seed, id)%uint64(len(q.shards))]
	shard.Lock()
	defer shard.Unlock()
	_, busy := shard.waiting[id]
	return busy
}

// enter waits for the turn to write id. After a nil error leave must be called.
func (q *queue) enter(ctx context.Context, id string) error {
	shard := &q.shards[maphash.String(q.seed, id)%uint64(len(q.shards))]
	shard.Lock()
	others, busy := shard.waiting[id]
	if !busy {
		shard.waiting[id] = nil
		q.lines.Add(1)
		shard.Unlock()
		return nil
	}
	turn := make(chan struct{})
	shard.waiting[id] = append(others, turn)
	shard.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	shard.Lock()
	defer shard.Unlock()
	if i := slices.Index(shard.waiting[id], turn); i >= 0 {
		shard.waiting[id] = slices.Delete(shard.waiting[id], i, i+1)
		return ctx.Err()
	}
	return nil // the turn came at the same moment
}

// leave passes the turn on.
func (q *queue) leave(id string) {
	shard := &q.shards[maphash.String(q.seed, id)%uint64(len(q.shards))]
	shard.Lock()
	defer shard.Unlock()
	waiting := shard.waiting[id]
	if len(waiting) == 0 {
		delete(shard.waiting, id)
		q.lines.Add(-1)
		return
	}
	shard.waiting[id] = waiting[1:]
	close(waiting[0])
}
