package storetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/hardy/session"
)

// recorder is a reporter that keeps what a check found instead of failing the test.
type recorder struct {
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Fatalf(f string, a ...any) {
	r.Errorf(f, a...)
	runtime.Goexit() // as testing.T does
}

func (r *recorder) Errorf(f string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(f, a...))
}

// outcome runs one check against a store and returns what it found wrong. A check that panics or hangs
// fails t: a broken store must be reported, not blow up.
func outcome(t *testing.T, c check, store session.Store, patience time.Duration) []string {
	t.Helper()
	if c.has != nil && !c.has(store) {
		return nil
	}
	rec := &recorder{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan any, 1)
	go func() {
		var panicked any = "Goexit"
		defer func() {
			if p := recover(); p != nil {
				panicked = p
			}
			done <- panicked
		}()
		s := newSuite(ctx, rec, store)
		s.patience = patience
		c.run(s)
		panicked = nil
	}()
	select {
	case p := <-done:
		if p != nil && p != "Goexit" {
			t.Errorf("check %q panicked: %v", c.name, p)
		}
	case <-time.After(time.Minute):
		t.Fatalf("check %q hangs", c.name)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.failures
}
