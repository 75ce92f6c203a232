package session

import (
	"sync"
	"time"
)

// renewals let one Touch serve the requests that a page is loaded with at once: they come with one Token.
type renewals struct {
	mu     sync.Mutex
	last   time.Time // of the last one that succeeded
	flight *flight
}

// flight is a Touch under way. Its result is everyone's: who is let in without it would be promised an idle
// timeout that nobody stored.
type flight struct {
	landed chan struct{}
	err    error
}

// once calls touch, unless that succeeded less than every ago, or waits for a call that is under way. own says that the
// call was made here.
func (r *renewals) once(now time.Time, every time.Duration, touch func() error) (own bool, err error) {
	r.mu.Lock()
	if since := now.Sub(r.last); since >= 0 && since < every {
		r.mu.Unlock()
		return false, nil
	}
	if f := r.flight; f != nil {
		r.mu.Unlock()
		<-f.landed // within the store's deadline, which is touch's
		return false, f.err
	}
	f := &flight{landed: make(chan struct{}), err: ErrUnavailable}
	r.flight = f
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.flight = nil; f.err == nil {
			r.last = now
		}
		close(f.landed)
	}()
	f.err = touch()
	return true, f.err
}
