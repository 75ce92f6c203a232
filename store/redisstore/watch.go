package redisstore

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// maxPending is how many ends wait for a slow f before they are dropped, and the empty news told instead.
const maxPending = 8192

// news is the message that tells of an end: the id, the moment, the length of the reason, the reason, the
// successor.
func news(id string, how *session.End) string {
	b := appendMoment([]byte(id), how.At)
	b = binary.BigEndian.AppendUint16(b, uint16(len(how.Reason)))
	return string(append(append(b, how.Reason...), how.Next...))
}

func parseNews(m string) (e session.Ended, ok bool) {
	if len(m) < 43+8+2 {
		return e, false
	}
	b := []byte(m[43:])
	reason := m[43+8+2:]
	n := int(binary.BigEndian.Uint16(b[8:]))
	if n > len(reason) {
		return e, false
	}
	return session.Ended{ID: m[:43], At: momentOf(b), Reason: session.Reason(reason[:n]), Next: reason[n:]}, true
}

// Watch implements session.Watcher, by a channel on which each End is published as part of it. Where the connection
// was lost it subscribes again and tells the empty news: what ended meanwhile is not repeated. So it does where f is
// 8,192 ends behind. A Cluster passes messages between its nodes without a promise: do not rest the end of a
// connection on them alone.
func (s *Store) Watch(ctx context.Context, f func(session.Ended)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.open, stop)()
	inbox := &inbox{wake: make(chan struct{}, 1)}
	failed := make(chan error, 1)
	go func() { failed <- s.subscribe(inner, inbox) }()
	for {
		select {
		case <-ctx.Done():
			stop()
			<-failed
			return ctx.Err()
		case err := <-failed:
			return s.explain(err)
		case <-inbox.wake:
		}
		for _, e := range inbox.take() {
			if ctx.Err() != nil {
				break
			}
			f(e)
		}
	}
}

// subscribe listens until ctx is done or the store is closed.
func (s *Store) subscribe(ctx context.Context, inbox *inbox) error {
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(sub rueidis.PubSubSubscription) {
		if sub.Kind == "subscribe" {
			inbox.gap()
		}
	})
	for try := 0; ; try++ {
		begin := time.Now()
		err := s.client.Receive(hooked, s.client.B().Subscribe().Channel(s.ends()).Build(), func(m rueidis.PubSubMessage) {
			if e, ok := parseNews(m.Message); ok {
				inbox.put(e)
			}
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.isClosed():
			return err
		case err != nil && strings.HasPrefix(err.Error(), "NOPERM"):
			return err
		}
		if time.Since(begin) > time.Second {
			try = 0
		}
		delay := time.NewTimer(rand.N(10 * time.Millisecond << min(try, 6)))
		select {
		case <-delay.C:
		case <-ctx.Done():
		}
		delay.Stop()
	}
}

// inbox keeps what was heard until f has taken it.
type inbox struct {
	mu      sync.Mutex
	pending []session.Ended
	wake    chan struct{}
}

func (b *inbox) put(e session.Ended) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) >= maxPending {
		b.pending = append(b.pending[:0], session.Ended{})
	} else {
		b.pending = append(b.pending, e)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// gap says that ends may have been missed.
func (b *inbox) gap() { b.put(session.Ended{}) }

func (b *inbox) take() []session.Ended {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.pending
	b.pending = nil
	return all
}
