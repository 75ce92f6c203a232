package redisstore

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// watching starts a Watch and returns what it tells.
func watching(t *testing.T, s *Store) (news chan session.Ended, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	news = make(chan session.Ended, 100_000)
	done := make(chan error)
	go func() { done <- s.Watch(ctx, func(e session.Ended) { news <- e }) }()
	return news, func() {
		t.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: %v", err)
		}
	}
}

func heard(t *testing.T, news chan session.Ended) session.Ended {
	t.Helper()
	select {
	case e := <-news:
		return e
	case <-time.After(slack):
		t.Fatal("no news")
		return session.Ended{}
	}
}

// endOne ends a session that it creates, and returns its id.
func endOne(t *testing.T, s *Store) string {
	t.Helper()
	r := fresh("ann")
	must(t, s.Create(t.Context(), r))
	_, err := s.End(t.Context(), r.ID, session.End{Reason: session.ReasonRevoked, At: r.Seen, Purge: r.Purge})
	must(t, err)
	return r.ID
}

// TestWatchTellsOfGaps: whatever ends the subscription, the empty news comes once it stands again, and what ends from
// then on is told.
func TestWatchTellsOfGaps(t *testing.T) {
	server := servers.StartRedis(t)
	proxy := faultproxy.Start(t, server.Addr)
	here := open(t, "redis://"+proxy.Addr, &Options{Configure: func(o *rueidis.ClientOption) {
		o.Dialer.Timeout, o.ConnWriteTimeout = dialTimeout, answerTimeout
	}})
	there := open(t, server.URL(), nil)
	news, stop := watching(t, here)
	defer stop()
	if e := heard(t, news); e != (session.Ended{}) {
		t.Fatalf("the first news is %+v", e)
	}
	for name, fault := range map[string]func(){
		"cut":         proxy.Cut,
		"half-open":   proxy.Freeze,
		"half-closed": proxy.HalfClose,
		"killed":      func() { server.CLI("client", "kill", "type", "pubsub") },
		"gone for a while": func() {
			proxy.Refuse(true)
			proxy.Cut()
			time.Sleep(300 * time.Millisecond)
			proxy.Heal()
		},
	} {
		id := endOne(t, there)
		e := heard(t, news)
		for e == (session.Ended{}) { // it may have taken two attempts to listen again
			e = heard(t, news)
		}
		if e.ID != id {
			t.Fatalf("before it is %s, the news is %+v, want the end of %s", name, e, id)
		}
		fault()
		if e := heard(t, news); e != (session.Ended{}) {
			t.Fatalf("after it was %s, the first news is %+v, want the empty one", name, e)
		}
	}
}

// TestWatchTellsASlowListener that it has missed ends, and the server does not wait for it.
func TestWatchTellsASlowListener(t *testing.T) {
	b := &inbox{wake: make(chan struct{}, 1)}
	b.gap()
	for range maxPending + 5 {
		b.put(session.Ended{ID: "x"})
	}
	all := b.take()
	if len(all) > maxPending || all[0] != (session.Ended{}) {
		t.Errorf("%d pieces of news wait, the first is %+v; want the empty one", len(all), all[0])
	}
	if b.take() != nil {
		t.Error("news was given twice")
	}
}

// TestWatchWithoutTheRight answers an error, and does not try for ever.
func TestWatchWithoutTheRight(t *testing.T) {
	server := servers.StartRedis(t, "user quiet on >secret ~* &* +@all -subscribe")
	s := open(t, "redis://quiet:secret@"+server.Addr, nil)
	wantFault(t, "Watch", s.Watch(t.Context(), func(session.Ended) {}), server.Addr, "docs/stores.md")
}

// TestCloseEndsAWatch of a store whose client is its owner's.
func TestCloseEndsAWatch(t *testing.T) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{servers.SharedRedis(t).Addr}})
	must(t, err)
	defer client.Close()
	s, err := New(t.Context(), client, nil)
	must(t, err)
	listens, watched := make(chan bool, 8), make(chan error, 1)
	go func() { watched <- s.Watch(t.Context(), func(session.Ended) { listens <- true }) }()
	<-listens
	must(t, s.Close())
	select {
	case err := <-watched:
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Watch of a closed store: %v", err)
		}
	case <-time.After(slack):
		t.Error("Watch goes on after Close")
	}
}

func TestNewsComeBack(t *testing.T) {
	id, next := newID(), newID()
	for _, e := range []session.Ended{
		{ID: id, Reason: session.ReasonRotated, At: time.Unix(1_700_000_000, 7), Next: next},
		{ID: id, Reason: session.ReasonLogout, At: time.Unix(1, 0)},
		{ID: id},
	} {
		got, ok := parseNews(news(e.ID, &session.End{Reason: e.Reason, At: e.At, Next: e.Next}))
		if !ok || !got.At.Equal(e.At) || got.ID != e.ID || got.Reason != e.Reason || got.Next != e.Next {
			t.Errorf("%+v comes back as %+v, %v", e, got, ok)
		}
	}
	for _, m := range []string{"", id, id + "12345678", id + "12345678\x00\x05four"} {
		if e, ok := parseNews(m); ok {
			t.Errorf("%q is news: %+v", m, e)
		}
	}
}
