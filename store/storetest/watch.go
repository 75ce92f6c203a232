package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/session"
)

func watcherChecks() []check {
	all := []check{
		{name: "watcher begins with the empty news", run: func(s *suite) {
			w := s.watch()
			defer w.stop()
			if n := w.heard(1); n[0] != (session.Ended{}) {
				s.Errorf("the first news is %+v, want the empty Ended", n[0])
			}
		}},
		{name: "watcher hears each end once it listens", run: func(s *suite) {
			w := s.watch()
			defer w.stop()
			w.heard(1)
			r, anonymous := s.create(newUser()), s.create("")
			first, second := newEnd(r, session.ReasonRotated), newEnd(anonymous, session.ReasonLogout)
			s.mustEnd(r.ID, first)
			s.mustEnd(anonymous.ID, second)
			w.wantNews(r.ID, first)
			w.wantNews(anonymous.ID, second)
		}},
		{name: "watcher hears nothing of a second end", run: func(s *suite) {
			w := s.watch()
			defer w.stop()
			w.heard(1)
			r, last := s.create(newUser()), s.create(newUser())
			e := newEnd(r, session.ReasonRevoked)
			s.mustEnd(r.ID, e)
			s.mustEnd(r.ID, newEnd(r, session.ReasonLogout))
			s.mustEnd(last.ID, newEnd(last, session.ReasonLogout))
			w.wantNews(last.ID, newEnd(last, session.ReasonLogout))
			w.wantNews(r.ID, e)
		}},
		{name: "watcher hears evictions", run: func(s *suite) {
			c, ok := s.store.(session.Capper)
			if !ok {
				return
			}
			w := s.watch()
			defer w.stop()
			w.heard(1)
			old := s.create(newUser())
			r := newRecord(old.User)
			if _, err := c.CreateWithin(s.ctx, r, 1, true); err != nil {
				s.Fatalf("CreateWithin: %v", err)
			}
			w.wantNews(old.ID, session.End{Reason: session.ReasonEvicted, At: r.Seen})
		}},
		{name: "watcher stops with its context", run: func(s *suite) {
			w := s.watch()
			w.heard(1)
			w.stop()
			n := len(w.all())
			r := s.create(newUser())
			s.mustEnd(r.ID, newEnd(r, session.ReasonLogout))
			time.Sleep(10 * time.Millisecond)
			if len(w.all()) != n {
				s.Errorf("Watch called its function after it had returned")
			}
		}},
		{name: "race watcher hears each end", run: func(s *suite) {
			a, b := s.watch(), s.watch()
			defer a.stop()
			defer b.stop()
			a.heard(1)
			b.heard(1)
			user := newUser()
			var mu sync.Mutex
			ends := make(map[string]session.End)
			each(4, func(int) {
				for range 10 {
					r := newRecord(user)
					if err := s.store.Create(s.ctx, r); err != nil {
						s.Errorf("Create: %v", err)
						return
					}
					e := newEnd(r, session.ReasonRevoked)
					if _, err := s.store.End(s.ctx, r.ID, e); err != nil {
						s.Errorf("End: %v", err)
						return
					}
					mu.Lock()
					ends[r.ID] = e
					mu.Unlock()
				}
			})
			for id, e := range ends {
				a.wantNews(id, e)
				b.wantNews(id, e)
			}
		}},
	}
	for i := range all {
		all[i].has = is[session.Watcher]
	}
	return all
}

// watch is one running Watch.
type watch struct {
	s      *suite
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed

	mu   sync.Mutex
	news []session.Ended
}

func (s *suite) watch() *watch {
	ctx, cancel := context.WithCancel(s.ctx)
	w := &watch{s: s, cancel: cancel, done: make(chan struct{})}
	var busy atomic.Bool
	go func() {
		defer close(w.done)
		w.err = s.store.(session.Watcher).Watch(ctx, func(e session.Ended) {
			if !busy.CompareAndSwap(false, true) {
				s.Errorf("Watch calls its function before the last call has returned")
			}
			w.mu.Lock()
			w.news = append(w.news, e)
			w.mu.Unlock()
			busy.Store(false)
		})
	}()
	return w
}

func (w *watch) all() []session.Ended {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]session.Ended(nil), w.news...)
}

// heard waits until there are n pieces of news.
func (w *watch) heard(n int) []session.Ended {
	w.s.Helper()
	return w.until(func(all []session.Ended) bool { return len(all) >= n })
}

func (w *watch) until(enough func([]session.Ended) bool) []session.Ended {
	w.s.Helper()
	for begin := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		all := w.all()
		if enough(all) {
			return all
		}
		select {
		case <-w.done:
			w.s.Fatalf("Watch returned early: %v", w.err)
		default:
		}
		if time.Since(begin) > w.s.patience || w.s.ctx.Err() != nil {
			w.cancel()
			w.s.Fatalf("Watch told of %d ends and not of the one waited for, in %v", len(all), time.Since(begin))
		}
	}
}

// wantNews waits for the news that id ended as e says, and checks that it came once.
func (w *watch) wantNews(id string, e session.End) {
	w.s.Helper()
	of := func(all []session.Ended) (mine []session.Ended) {
		for _, n := range all {
			if n.ID == id {
				mine = append(mine, n)
			}
		}
		return mine
	}
	mine := of(w.until(func(all []session.Ended) bool { return len(of(all)) > 0 }))
	if n := mine[0]; len(mine) != 1 || n.Reason != e.Reason || !n.At.Equal(e.At) || n.Next != e.Next {
		w.s.Errorf("the news of one end, %d times, is %+v; want %+v", len(mine), n, e)
	}
}

// stop ends the Watch and checks how it returned.
func (w *watch) stop() {
	w.s.Helper()
	w.cancel()
	select {
	case <-w.done:
		if !errors.Is(w.err, context.Canceled) {
			w.s.Errorf("Watch returned %v when its context was cancelled", w.err)
		}
	case <-time.After(w.s.patience):
		w.s.Errorf("Watch has not returned %v after its context was cancelled", w.s.patience)
	}
}
