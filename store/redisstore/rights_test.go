package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// rights are what docs/stores.md tells to give to the user, in the words of ACL SETUSER.
var (
	names         = []string{"~hardy/1:*", "&hardy/1:*"}
	commands      = strings.Fields("+get +mget +set +del +getrange +setrange +pexpireat +pttl +zadd +zrem +zrange +zrevrange +zrangebyscore +zremrangebyscore +zcard +zscan +time +eval +evalsha +publish +subscribe +ping +config|get")
	cacheRights   = []string{"+client|tracking", "+client|caching"}
	clusterRight  = "+cluster|slots"
	sentinelRight = "+role"
	numberRight   = "+select"
)

func TestTheDocsListTheRights(t *testing.T) {
	page, err := os.ReadFile("../../docs/stores.md")
	must(t, err)
	for _, line := range []string{
		strings.Join(slices.Concat(names, commands), " "), strings.Join(cacheRights, " "), clusterRight, sentinelRight, numberRight,
	} {
		if !bytes.Contains(page, []byte(line)) {
			t.Errorf("docs/stores.md does not say %s", line)
		}
	}
}

func user(rights ...[]string) string {
	return "user hardy on >secret " + strings.Join(slices.Concat(rights...), " ")
}

// TestLeastRights: none of the rights is more than is needed. TestKeepsTheContract shows that they are enough.
func TestLeastRights(t *testing.T) {
	server := servers.StartRedis(t)
	all := slices.Concat(names, commands, cacheRights)
	for i, right := range all {
		less := slices.Delete(slices.Clone(all), i, i+1)
		server.CLI(append([]string{"acl", "setuser", "hardy", "reset", "on", ">secret", "resetchannels"}, less...)...)
		server.CLI("flushall")
		server.CLI("script", "flush")
		if right == "+ping" {
			continue // its refusal is an answer too, but fills the server's ACL LOG
		}
		var log bytes.Buffer
		err := exercise(t.Context(), "redis://hardy:secret@"+server.Addr, slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil && log.Len() == 0 {
			t.Errorf("without %s all works", right)
		}
	}
}

// exercise calls everything that a store has.
func exercise(ctx context.Context, url string, log *slog.Logger) error {
	s, err := Open(ctx, url, &Options{Cache: 1 << 20, Logger: log, Configure: func(o *rueidis.ClientOption) {
		o.ClientSetInfo = rueidis.DisableClientSetInfo
	}})
	if err != nil {
		return err
	}
	defer s.Close()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched, began := make(chan error, 1), make(chan bool, 1)
	go func() {
		watched <- s.Watch(watching, func(session.Ended) {
			select {
			case began <- true:
			default:
			}
		})
	}()
	select {
	case <-began:
	case err := <-watched:
		return err
	}
	r, old := fresh("ann"), fresh("ann")
	old.Expires = old.Seen
	n := next(r)
	n.Deadline = n.Deadline.Add(48 * time.Hour)
	last := next(n)
	later := n.Deadline.Add(48 * time.Hour)
	steps := []func() error{
		func() error { return s.Create(ctx, old) },
		func() error { _, err := s.CreateWithin(ctx, r, 5, true); return err },
		func() error {
			_, err := s.CreateWithin(ctx, fresh("ann"), 1, false)
			return errorBut(err, session.ErrCapped)
		},
		func() error { _, err := s.Load(ctx, r.ID); return err },
		func() error { return s.Replace(ctx, n) },
		func() error { return s.Touch(ctx, r.ID, last.Seen, last.Expires, later) },
		func() error { _, err := s.List(ctx, "ann"); return err },
		func() error { _, _, err := s.Scan(ctx, "", 10); return err },
		func() error { _, err := s.Count(ctx); return err },
		func() error {
			_, err := s.End(ctx, old.ID, session.End{Reason: session.ReasonLogout, At: old.Seen})
			return err
		},
		func() error {
			entries, err := s.entries(ctx, "ann") // End goes on where it can't leave the index
			if len(entries) != 1 {
				return fmt.Errorf("%d entries, %w", len(entries), err)
			}
			return err
		},
		func() error {
			for more := true; more; {
				var err error
				if _, more, err = s.Sweep(ctx, later.Add(time.Hour), 10); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func errorBut(err, want error) error {
	if err == want {
		return nil
	}
	return fmt.Errorf("error %w instead of %w", err, want)
}

func TestTLS(t *testing.T) {
	ctx := t.Context()
	server := servers.StartRedisTLS(t)
	s := open(t, server.URL(), &Options{Cache: 1 << 20, Configure: func(o *rueidis.ClientOption) { o.TLSConfig = server.TLS }})
	r := fresh("ann")
	must(t, s.Create(ctx, r))
	must(t, s.Replace(ctx, next(r)))
	if got, err := s.Load(ctx, r.ID); got.Version != 2 || err != nil {
		t.Errorf("version %d, %v", got.Version, err)
	}
	_, err := Open(ctx, server.URL(), nil)
	wantFault(t, "Open without the authority", err, server.Addr, "not trusted", "Configure")
	_, err = Open(ctx, "redis://"+server.Addr, nil)
	wantFault(t, "Open without TLS", err, server.Addr, "rediss://")
}
