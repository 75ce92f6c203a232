package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// groupSize bounds a transaction, and so how long the first of a crowd waits.
const groupSize = 256

// op is a write that waits for its turn.
type op struct {
	ctx  context.Context
	run  func(*writer) error // runs in a transaction; again in another one where that fails. Contract answers change nothing
	err  error               // once done is closed
	done chan struct{}
}

// queue holds the writes that wait. Whoever adds the first one leads: his group is run by himself, since two
// switches between goroutines take a fifth of what a lone write costs beside the disk. Where others wait by
// then, a goroutine leads on until nothing is left. So nobody works for more than one group of others, and an
// idle Store has no goroutine.
type queue struct {
	mu      sync.Mutex
	waiting []*op
	leading bool
	drained *sync.Cond    // leading has become false
	closed  chan struct{} // no more is accepted
}

func (q *queue) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

// close accepts no more and waits until the leader has gone. It says whether this was the first one.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := !q.isClosed()
	if first {
		close(q.closed)
	}
	for q.leading {
		q.drained.Wait()
	}
	return first
}

// withdraw takes back an op that no group has taken yet.
func (q *queue) withdraw(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, o)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// take returns what waits now, at most limit.
func (q *queue) take(limit int) []*op {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), limit)
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return group
}

// rest ends the leading where nothing waits, and says whether it did.
func (q *queue) rest() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		return false
	}
	q.leading = false
	q.drained.Broadcast()
	return true
}

// write has run done by the leader and waits for it to be on the disk, or for ctx. Who leads cannot leave
// while the disk is at it; all others can.
func (s *Store) write(ctx context.Context, run func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{ctx: ctx, run: run, done: make(chan struct{})}
	q := &s.queue
	q.mu.Lock()
	if q.isClosed() {
		q.mu.Unlock()
		return s.errClosed()
	}
	q.waiting = append(q.waiting, o)
	first := !q.leading
	q.leading = true
	q.mu.Unlock()
	if first {
		s.group(func() bool { return ctx.Err() != nil || q.empty() })
		left := ctx.Err() != nil && q.withdraw(o)
		if !q.rest() {
			go s.lead()
		}
		if left {
			return s.errInTheWay(ctx)
		}
	}
	select {
	case <-o.done:
		return s.explain(o.err)
	case <-ctx.Done():
	}
	if q.withdraw(o) {
		return s.errInTheWay(ctx)
	}
	select {
	case <-o.done:
		return s.explain(o.err)
	default:
		return fmt.Errorf("sqlitestore: %s: still being written (a slow disk?), it may come to be stored: %w", s.name, ctx.Err())
	}
}

func (s *Store) errInTheWay(ctx context.Context) error {
	return fmt.Errorf("sqlitestore: %s: another write or process was in the way, nothing was stored: %w", s.name, ctx.Err())
}

// lead runs groups until nothing waits.
func (s *Store) lead() {
	for !s.queue.rest() {
		s.group(s.queue.empty)
	}
}

// group runs what waits, and what comes meanwhile, in one transaction. Where one of it fails for a fault of the
// engine, none of it has happened, and nobody has been told anything.
func (s *Store) group(givenUp func() bool) {
	err := s.begin(givenUp)
	if err != nil {
		if err != errGivenUp {
			finish(s.queue.take(groupSize), err)
		}
		return
	}
	var group []*op
	for err == nil {
		// Whoever is ready to run comes first, such as the clients of the last group, who have just been answered:
		// the slower the disk, the more it is worth that they come along. Alone that is no wait.
		runtime.Gosched()
		more := s.queue.take(groupSize - len(group))
		if len(more) == 0 {
			break
		}
		group = append(group, more...)
		err = s.run(more)
	}
	if err == nil {
		err = s.writer.sweepInPassing()
	}
	if err == nil {
		err = s.commit(group)
	}
	if err != nil {
		s.rollback()
		s.oneByOne(group)
	}
}

// run runs ops in the transaction that has begun, up to a fault of the engine.
func (s *Store) run(group []*op) error {
	for _, o := range group {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if o.err = o.run(s.writer); !answer(o.err) {
			return o.err
		}
	}
	return nil
}

// commit puts a group on the disk and tells its callers.
func (s *Store) commit(group []*op) error {
	if err := s.writer.exec("COMMIT"); err != nil {
		return err
	}
	for _, o := range group {
		close(o.done)
	}
	if s.writer.ended {
		s.news.ring()
	}
	return nil
}

// oneByOne gives each op of a failed group a transaction of its own, so that what does not fit on the disk
// does not fail what does.
func (s *Store) oneByOne(group []*op) {
	for _, o := range group {
		alone := []*op{o}
		err := s.begin(func() bool { return o.ctx.Err() != nil })
		if err == nil {
			if err = s.run(alone); err == nil {
				err = s.commit(alone)
			}
			if err != nil {
				s.rollback()
			}
		}
		if err != nil {
			finish(alone, err)
		}
	}
}

func finish(group []*op, err error) {
	for _, o := range group {
		if o.err = o.ctx.Err(); o.err == nil {
			o.err = err
		}
		close(o.done)
	}
}

var errGivenUp = errors.New("sqlitestore: nobody waits for the lock any more")

// begin takes the file's write lock. It goes on trying until nobody waits for it.
func (s *Store) begin(givenUp func() bool) error {
	for start, try := time.Now(), 0; ; try++ {
		err := s.tryBegin()
		if !locked(err) || time.Since(start) > lockPatience {
			return err
		}
		if givenUp() {
			return errGivenUp
		}
		pause(context.Background(), try)
	}
}
