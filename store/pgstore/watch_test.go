package pgstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// heard is what a Watch has told.
type heard struct {
	mu   sync.Mutex
	news []session.Ended
}

func watch(t *testing.T, s *Store) *heard {
	t.Helper()
	h := &heard{}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- s.Watch(ctx, func(e session.Ended) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.news = append(h.news, e)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Watch: %v", err)
		}
	})
	until(t, "Watch listens", func() bool { return h.gaps() == 1 })
	return h
}

// gaps counts the empty news.
func (h *heard) gaps() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.news {
		if e == (session.Ended{}) {
			n++
		}
	}
	return n
}

func (h *heard) of(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.news {
		if e.ID == id {
			return true
		}
	}
	return false
}

// mustEnd ends a new session on s and returns its id.
func mustEnd(t *testing.T, s *Store) string {
	t.Helper()
	r := newRecord("ann")
	mustCreate(t, s, r)
	if _, err := s.End(t.Context(), r.ID, session.End{Reason: session.ReasonRevoked, At: time.Now(), Purge: r.Purge}); err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// TestWatchAfterAGap: what ended while the connection was lost is made up for by the empty news, and what ends
// afterwards is heard.
func TestWatchAfterAGap(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t)
	network := faultproxy.Start(t, p.Addr)
	s, other := open(t, p.URLAt(network.Addr), nil), open(t, p.URL(), nil)
	h := watch(t, s)
	gaps := 1
	for name, fault := range map[string]func(){
		"ended by an administrator": func() {
			p.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
		},
		"cut":                          network.Cut,
		"half-open":                    network.Freeze,
		"the server was started again": p.Restart,
	} {
		first := mustEnd(t, other)
		until(t, name+": an end before is heard", func() bool { return h.of(first) })
		began := time.Now()
		fault()
		gaps++
		until(t, name+": the gap is told", func() bool { return h.gaps() >= gaps })
		t.Logf("%s: told after %v", name, time.Since(began).Round(time.Millisecond))
		gaps = h.gaps()
		var last string
		until(t, "the other store serves", func() bool {
			r := newRecord("ann")
			last = r.ID
			if other.Create(t.Context(), r) != nil {
				return false
			}
			_, err := other.End(t.Context(), r.ID, session.End{Reason: session.ReasonRevoked, At: time.Now()})
			return err == nil
		})
		until(t, name+": an end after is heard", func() bool { return h.of(last) })
	}
}

// TestWatchHearsItsOwnTable, and nothing of another one in the same database.
func TestWatchHearsItsOwnTable(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	s, other := open(t, p.URL(), nil), open(t, p.URL(), &Options{Table: strings.Repeat("long", 14)})
	h, o := watch(t, s), watch(t, other)
	mine, theirs := mustEnd(t, s), mustEnd(t, other)
	until(t, "both are heard", func() bool { return h.of(mine) && o.of(theirs) })
	if h.of(theirs) || o.of(mine) {
		t.Error("a Watch hears of another table")
	}
}

// TestWatchHearsOfALongEnd: a notification holds less than 8,000 bytes.
func TestWatchHearsOfALongEnd(t *testing.T) {
	t.Parallel()
	s := open(t, servers.SharedPostgres(t).URL(), nil)
	h := watch(t, s)
	r := newRecord("ann")
	mustCreate(t, s, r)
	if _, err := s.End(t.Context(), r.ID, session.End{Reason: "long", At: time.Now(), Next: strings.Repeat("n", 9000)}); err != nil {
		t.Fatal(err)
	}
	until(t, "something is heard", func() bool { return h.of(r.ID) || h.gaps() == 2 })
}

// TestWatchNeedsTheServerItself: a pooler carries no notifications, and Watch says so at once instead of being deaf.
func TestWatchNeedsTheServerItself(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	b := servers.StartPgBouncer(t, p)
	s := open(t, b.URL(), nil)
	err := s.Watch(t.Context(), func(session.Ended) { t.Error("it was told something") })
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Options.Listen") {
		t.Errorf("Watch through a pooler: %v", err)
	}
	direct := open(t, b.URL(), &Options{Listen: p.URL()})
	h := watch(t, direct)
	id := mustEnd(t, s)
	until(t, "the end is heard", func() bool { return h.of(id) })
}
