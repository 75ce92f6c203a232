package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// connections returns how many of the server's clients are called name.
func connections(t *testing.T, r *servers.Redis, name string) (n int) {
	for line := range strings.Lines(r.CLI("client", "list")) {
		if strings.Contains(line, " name="+name+" ") {
			n++
		}
	}
	return n
}

// TestLane: one who calls alone makes one connection of his own, however often he calls, and many at once share theirs.
func TestLane(t *testing.T) {
	server := servers.StartRedis(t)
	s := open(t, server.URL(), &Options{Configure: func(o *rueidis.ClientOption) { o.ClientName = "hardy" }})
	r := fresh("ann")
	must(t, s.Create(t.Context(), r))
	for range 100 {
		_, err := s.Load(t.Context(), r.ID)
		must(t, err)
		must(t, s.Touch(t.Context(), r.ID, r.Seen, r.Expires, r.Purge))
	}
	if n := connections(t, server, "hardy"); n > 2 {
		t.Errorf("one caller has %d connections open, want the shared one and his own", n)
	}
	done := make(chan error)
	for range 64 {
		go func() {
			var err error
			for range 50 {
				if _, e := s.Load(t.Context(), r.ID); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range 64 {
		must(t, <-done)
	}
	if n := connections(t, server, "hardy"); n > 4 {
		t.Errorf("64 callers have %d connections open", n)
	}
}

// TestClosedWhileAtRest: the server closes what has not been used for a while. No request, not even a write, fails
// for it: a read is repeated, a write goes where it is known that the connection is there.
func TestClosedWhileAtRest(t *testing.T) {
	server := servers.StartRedis(t)
	s := open(t, server.URL(), nil)
	r := fresh("ann")
	must(t, s.Create(t.Context(), r))
	for range 3 {
		_, err := s.Load(t.Context(), r.ID)
		must(t, err)
	}
	if s.answered.Load() == 0 {
		t.Fatal("nobody was alone")
	}
	server.CLI("client", "kill", "type", "normal", "skipme", "yes")
	time.Sleep(freshFor + 100*time.Millisecond)
	must(t, s.Touch(t.Context(), r.ID, r.Seen, r.Expires, r.Purge))

	server.CLI("client", "kill", "type", "normal", "skipme", "yes")
	_, err := s.Load(context.Background(), r.ID)
	must(t, err)
	must(t, s.Touch(t.Context(), r.ID, r.Seen, r.Expires, r.Purge))
}

// TestClosedWhileAtRestOnACluster: that one node answers says nothing of another one's connection.
func TestClosedWhileAtRestOnACluster(t *testing.T) {
	ctx := t.Context()
	cluster := servers.StartCluster(t)
	s := open(t, clusterURL(cluster), nil)
	keys := func(n int) string { return cluster.Nodes[n].CLI("--scan", "--pattern", "hardy/1:*") }
	on := make(map[int]session.Record)
	for len(on) < 2 {
		r := fresh("")
		must(t, s.Create(ctx, r))
		for n := range 2 {
			if strings.Contains(keys(n), s.record(r.ID)) {
				on[n] = r
			}
		}
	}
	for n := range 2 {
		for range 3 {
			_, err := s.Load(ctx, on[n].ID)
			must(t, err)
		}
	}
	cluster.Nodes[1].CLI("client", "kill", "type", "normal", "skipme", "yes")
	for begin := time.Now(); time.Since(begin) < 2*freshFor; time.Sleep(50 * time.Millisecond) {
		_, err := s.Load(ctx, on[0].ID)
		must(t, err)
	}
	must(t, s.Touch(ctx, on[1].ID, on[1].Seen, on[1].Expires, on[1].Purge))
}
