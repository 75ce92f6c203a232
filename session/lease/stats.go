package lease

import (
	"slices"
	"time"
)

// Stats is what a Pool does at one moment.
type Stats struct {
	Workers []Worker // in the order in which they were made
	Making  int      // workers whose Make is under way
	Waiting int      // calls of Acquire
	// Since the pool was made:
	Acquired int64 // how often a worker was lent
	TimedOut int64 // how often Acquire ended with ErrTimeout
}

// Worker is one that the pool has.
type Worker struct {
	Handle   string    // of the session that holds it; "": it is free
	User     string    // of that session
	Since    time.Time // when it was lent; zero where it is free
	Made     time.Time
	LastUsed time.Time // when it was lent or given back; zero where it never was
}

// Stats returns a copy.
func (p *Pool[T]) Stats() Stats {
	s := Stats{
		Making:  int(p.pool.Stat().ConstructingResources()),
		Waiting: int(p.waiting.Load()), Acquired: p.acquired.Load(), TimedOut: p.timedOut.Load(),
	}
	p.mu.Lock()
	for w := range p.workers {
		s.Workers = append(s.Workers, w.stat)
	}
	p.mu.Unlock()
	slices.SortFunc(s.Workers, func(a, b Worker) int { return a.Made.Compare(b.Made) })
	return s
}

// Held says how many workers sessions hold.
func (s Stats) Held() (n int) {
	for _, w := range s.Workers {
		if w.Handle != "" {
			n++
		}
	}
	return n
}
