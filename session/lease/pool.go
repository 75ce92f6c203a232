package lease

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
)

// Defaults of PoolOptions.
const (
	DefaultMin  = 1
	DefaultMax  = 10
	DefaultIdle = 5 * time.Minute
)

// PoolOptions of a Pool. Make is required; the zero value of every other field means its default.
type PoolOptions[T any] struct {
	// Make makes a worker. Its context lasts for Timeout and ends with Run; it holds nothing of a session. An error goes to
	// who waited for it, and so does a panic, as ErrPanicked. Where it ignores its context it takes a place
	// until it returns.
	Make func(ctx context.Context) (T, error)
	// Reset makes a worker that was given back fit for somebody else, before anybody gets it. Its context lasts for
	// Timeout. Where it fails or panics the worker is closed. nil: nothing has to be done.
	Reset func(ctx context.Context, worker T) error
	// Close is called once for each worker, in a goroutine of its own; its place is free when it returns. A panic
	// is logged. nil: nothing has to be done.
	Close func(worker T)

	Min int // workers that Run keeps ready. Default 1; -1 is none
	Max int // workers in all. Default 10
	// PerSession and PerUser bound how many a session holds at once, and how many a user does with all sessions
	// together, so that nobody holds all. Who wants more waits until some are given back, and keeps nobody else
	// waiting. Default for both: half of Max, rounded up.
	PerSession, PerUser int
	// Idle is how long a worker beyond Min may lie unused until Run closes it. Default 5 minutes.
	Idle time.Duration
	// Timeout bounds how long Acquire waits. Default 30 seconds.
	Timeout time.Duration
	// Logger hears of panics and of workers that could not be made or reset. Default slog.Default().
	Logger *slog.Logger
}

// Pool lends its workers to sessions, each to one at a time. Who waits is served in the order of coming. It is safe for
// concurrent use.
type Pool[T any] struct {
	o        PoolOptions[T]
	min      int
	pool     *puddle.Pool[*worker[T]]
	sessions gate
	users    gate
	nudge    chan struct{} // holds one token while Run should look

	acquired, timedOut, waiting atomic.Int64

	mu      sync.Mutex
	workers map[*worker[T]]bool // without those that are being closed
	leases  map[*Lease[T]]bool
	closed  bool // Run has returned
}

// worker is a T and what Stats say of it. Its times and holder are under Pool.mu.
type worker[T any] struct {
	value T
	stat  Worker
}

// NewPool returns a pool without workers; Run makes the first Min, Acquire the others. It panics where Make is missing
// or a bound makes no sense.
func NewPool[T any](o PoolOptions[T]) *Pool[T] {
	p := &Pool[T]{o: o, min: or(o.Min, DefaultMin), nudge: make(chan struct{}, 1), workers: map[*worker[T]]bool{}, leases: map[*Lease[T]]bool{}}
	p.o.Max = or(o.Max, DefaultMax)
	p.o.Idle, p.o.Timeout = or(o.Idle, DefaultIdle), or(o.Timeout, DefaultTimeout)
	half := (p.o.Max + 1) / 2
	p.o.PerSession, p.o.PerUser = or(o.PerSession, half), or(o.PerUser, half)
	if o.Logger == nil {
		p.o.Logger = slog.Default()
	}
	if p.min == -1 {
		p.min = 0
	}
	for _, bad := range []struct {
		is  bool
		why string
	}{
		{o.Make == nil, "Make is nil; it makes a worker"},
		{p.o.Max < 1, fmt.Sprintf("Max is %d; leave it 0 for the default of %d", o.Max, DefaultMax)},
		{p.min < 0 || p.min > p.o.Max, fmt.Sprintf("Min is %d, and Max %d; Min is -1 for none, to Max", o.Min, p.o.Max)},
		{p.o.PerSession < 1, fmt.Sprintf("PerSession is %d; leave it 0 for half of Max", o.PerSession)},
		{p.o.PerUser < 1, fmt.Sprintf("PerUser is %d; leave it 0 for half of Max", o.PerUser)},
		{p.o.Idle < 0, fmt.Sprintf("Idle is %v; leave it 0 for the default of %v", o.Idle, DefaultIdle)},
		{p.o.Timeout < 0, fmt.Sprintf("Timeout is %v; leave it 0 for the default of %v", o.Timeout, DefaultTimeout)},
	} {
		if bad.is {
			panic("lease: PoolOptions." + bad.why)
		}
	}
	p.sessions.limit, p.users.limit = int64(p.o.PerSession), int64(p.o.PerUser)
	var err error
	p.pool, err = puddle.NewPool(&puddle.Config[*worker[T]]{Constructor: p.make, Destructor: p.close, MaxSize: int32(p.o.Max)})
	if err != nil {
		panic(err) // Max is at least 1
	}
	return p
}

// make is puddle's constructor, in a goroutine of its own.
func (p *Pool[T]) make(ctx context.Context) (*worker[T], error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	w := &worker[T]{stat: Worker{Made: time.Now()}}
	err := guarded("Make", p.o.Logger, func() (err error) {
		w.value, err = p.o.Make(ctx)
		return err
	})
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("%w: Make took longer than %v: %w", ErrTimeout, p.o.Timeout, err)
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers[w] = true
	return w, nil
}

// close is puddle's destructor, in a goroutine of its own.
func (p *Pool[T]) close(w *worker[T]) {
	p.mu.Lock()
	delete(p.workers, w)
	p.mu.Unlock()
	if p.o.Close != nil {
		guarded("Close", p.o.Logger, func() error { p.o.Close(w.value); return nil })
	}
	p.look()
}

// drop closes a worker that the caller has.
func (p *Pool[T]) drop(res *puddle.Resource[*worker[T]]) {
	p.mu.Lock()
	delete(p.workers, res.Value())
	p.mu.Unlock()
	res.Destroy()
}

// size is how many workers there are or will be, without those that are being closed.
func (p *Pool[T]) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.workers) + int(p.pool.Stat().ConstructingResources())
}

// look wakes Run.
func (p *Pool[T]) look() {
	select {
	case p.nudge <- struct{}{}:
	default:
	}
}
