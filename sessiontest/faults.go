package sessiontest

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/hardy/session"
)

// Faults is a session.Store that behaves as the one it wraps, but for what a test adds. It has all the optional
// interfaces; where the wrapped store lacks one, Sweep finds nothing to do and the others answer
// errors.ErrUnsupported. Several Faults around one store are several processes, each with troubles of its
// own. It is safe for concurrent use.
type Faults struct {
	store session.Store

	mu    sync.Mutex
	calls map[string]int
	rules []*rule
}

type rule struct {
	Fault
	met int
}

// NewFaults wraps store.
func NewFaults(store session.Store) *Faults {
	return &Faults{store: store, calls: map[string]int{}}
}

// Fault is what happens at some calls. Its parts come in the order of the fields.
type Fault struct {
	// Op names the calls it is for: "create" (CreateWithin too), "load", "replace", "touch", "end",
	// "list", "scan", "count", "import", "watch", "sweep". "": all.
	Op string
	// Nth picks one of them: 1 is the first after Add. 0: each.
	Nth int
	// Before runs before the call: to let another request act at exactly this moment, say. It may call
	// the store.
	Before func(Call)
	// Delay holds the call back. If its context ends first, the answer is the context's error and the
	// store is not called.
	Delay time.Duration
	// Err is the answer in place of the call: the store is not called.
	Err error
	// Lost is the answer in place of the store's own, after the call: a connection that broke while
	// the answer was on its way.
	Lost error
	// After runs after the call, before its answer is given.
	After func(Call)
}

// Call is one call of a store.
type Call struct {
	Op   string
	ID   string // of the record; "" where there is none
	User string // of "create" and "list"
	Err  error  // the answer, in After
}

// Add adds f to what happens. Where several faults are for one call, they come one after the other, in the
// order of Add.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule{Fault: fault})
}

// Clear removes all faults: the store is well again. Calls under way keep theirs.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Calls says how many calls of op there were, refused ones too; "" is all.
func (f *Faults) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// due counts the call and returns its faults.
func (f *Faults) due(op string) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	f.calls[""]++
	var due []Fault
	for _, r := range f.rules {
		if r.Op != "" && r.Op != op {
			continue
		}
		if r.met++; r.Nth == 0 || r.Nth == r.met {
			due = append(due, r.Fault)
		}
	}
	return due
}

// do makes a call with its faults.
func (f *Faults) do(ctx context.Context, c Call, call func() error) error {
	due := f.due(c.Op)
	for _, fault := range due {
		if fault.Before != nil {
			fault.Before(c)
		}
		if err := wait(ctx, fault.Delay); err != nil {
			return err
		}
		if fault.Err != nil {
			return fault.Err
		}
	}
	c.Err = call()
	for _, fault := range due {
		if fault.Lost != nil {
			c.Err = fault.Lost
		}
		if fault.After != nil {
			fault.After(c)
		}
	}
	return c.Err
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask makes a call whose answer is more than an error. A call that fails answers nothing else, as a
// broken connection would.
func ask[T any](ctx context.Context, f *Faults, c Call, call func() (T, error)) (T, error) {
	var answer, none T
	err := f.do(ctx, c, func() (err error) {
		answer, err = call()
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

func (f *Faults) Create(ctx context.Context, r session.Record) error {
	return f.do(ctx, Call{Op: "create", ID: r.ID, User: r.User}, func() error { return f.store.Create(ctx, r) })
}

func (f *Faults) Load(ctx context.Context, id string) (session.Record, error) {
	return ask(ctx, f, Call{Op: "load", ID: id}, func() (session.Record, error) { return f.store.Load(ctx, id) })
}

func (f *Faults) Replace(ctx context.Context, r session.Record) error {
	return f.do(ctx, Call{Op: "replace", ID: r.ID}, func() error { return f.store.Replace(ctx, r) })
}

func (f *Faults) Touch(ctx context.Context, id string, seen, expires, purge time.Time) error {
	return f.do(ctx, Call{Op: "touch", ID: id}, func() error { return f.store.Touch(ctx, id, seen, expires, purge) })
}

func (f *Faults) End(ctx context.Context, id string, e session.End) (session.Record, error) {
	return ask(ctx, f, Call{Op: "end", ID: id}, func() (session.Record, error) { return f.store.End(ctx, id, e) })
}

func (f *Faults) List(ctx context.Context, user string) ([]session.Record, error) {
	return ask(ctx, f, Call{Op: "list", User: user}, func() ([]session.Record, error) { return f.store.List(ctx, user) })
}

// CreateWithin makes Faults a session.Capper.
func (f *Faults) CreateWithin(ctx context.Context, r session.Record, max int, evict bool) ([]session.Record, error) {
	return ask(ctx, f, Call{Op: "create", ID: r.ID, User: r.User}, func() ([]session.Record, error) {
		store, ok := f.store.(session.Capper)
		if !ok {
			return nil, errors.ErrUnsupported
		}
		return store.CreateWithin(ctx, r, max, evict)
	})
}

// Scan and Count make Faults a session.Scanner.
func (f *Faults) Scan(ctx context.Context, cursor string, limit int) (page []session.Record, next string, err error) {
	page, err = ask(ctx, f, Call{Op: "scan"}, func() (page []session.Record, err error) {
		store, ok := f.store.(session.Scanner)
		if !ok {
			return nil, errors.ErrUnsupported
		}
		page, next, err = store.Scan(ctx, cursor, limit)
		return page, err
	})
	if err != nil {
		return nil, "", err
	}
	return page, next, nil
}

func (f *Faults) Count(ctx context.Context) (int, error) {
	return ask(ctx, f, Call{Op: "count"}, func() (int, error) {
		store, ok := f.store.(session.Scanner)
		if !ok {
			return 0, errors.ErrUnsupported
		}
		return store.Count(ctx)
	})
}

// Import makes Faults a session.Importer.
func (f *Faults) Import(ctx context.Context, r session.Record) error {
	return f.do(ctx, Call{Op: "import", ID: r.ID, User: r.User}, func() error {
		store, ok := f.store.(session.Importer)
		if !ok {
			return errors.ErrUnsupported
		}
		return store.Import(ctx, r)
	})
}

// Watch makes Faults a session.Watcher.
func (f *Faults) Watch(ctx context.Context, hear func(session.Ended)) error {
	return f.do(ctx, Call{Op: "watch"}, func() error {
		store, ok := f.store.(session.Watcher)
		if !ok {
			return errors.ErrUnsupported
		}
		return store.Watch(ctx, hear)
	})
}

// Sweep makes Faults a session.Sweeper.
func (f *Faults) Sweep(ctx context.Context, now time.Time, limit int) (swept session.Swept, more bool, err error) {
	swept, err = ask(ctx, f, Call{Op: "sweep"}, func() (swept session.Swept, err error) {
		store, ok := f.store.(session.Sweeper)
		if !ok {
			return session.Swept{}, nil
		}
		swept, more, err = store.Sweep(ctx, now, limit)
		return swept, err
	})
	return swept, more && err == nil, err
}
