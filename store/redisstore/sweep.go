package redisstore

import (
	"context"
	"sync"
	"time"

	"example.com/hardy/session"
)

// groupSize is how many buckets one step of a sweep looks at.
const groupSize = 64

// Sweep implements session.Sweeper. It drops the Data of dead records; the records themselves Redis forgets at their
// Purge, also where nobody sweeps. It looks only at records that are due, each about once in its idle timeout and
// when it dies. A step is one round trip; a round takes at least 64 of them.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return swept, true, err
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	each := int64(max(1, limit/groupSize))
	at := nanos(now) / int64(time.Millisecond)
	var full bool // some bucket may hold more that is due
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range groupSize { // pipelined by the client
		wg.Go(func() {
			counts, failed := s.sweepBucket(ctx, s.group*groupSize+i, at, each)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = failed
				return
			}
			swept.Blanked += int(counts[1])
			swept.Forgotten += int(counts[2])
			full = full || counts[0] == each
		})
	}
	wg.Wait()
	if err != nil {
		return swept, true, s.explain(err)
	}
	if !full {
		s.group = (s.group + 1) % (buckets / groupSize)
	}
	return swept, full || s.group > 0, nil
}

// sweepBucket returns how many records it looked at, blanked and forgot.
func (s *Store) sweepBucket(ctx context.Context, n int, at, limit int64) (counts [3]int64, err error) {
	prefix, _ := s.bucket(n)
	m, err := s.run(ctx, s.scripts.sweep, []string{dueOf(prefix)}, []string{prefix, decimal(at), decimal(limit)})
	if err != nil {
		return counts, err
	}
	all, err := m.AsIntSlice()
	copy(counts[:], all)
	return counts, err
}
