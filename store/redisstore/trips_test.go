package redisstore

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

var count = session.NewKey[int]("count")

// quiet is a manager that does not log each sign-in, with at most so many sessions a user; 0: any number.
func quiet(s *Store, most int) *session.Manager {
	return session.NewManager(s, &session.Options{Logger: slog.New(slog.DiscardHandler), MaxPerUser: most})
}

// visitor is one session, and what its requests do.
type visitor struct {
	t     *testing.T
	m     *session.Manager
	token *session.Token
}

func (v *visitor) request(do func(*session.Session) error) {
	v.t.Helper()
	visit := v.m.New()
	if v.token != nil {
		var err error
		visit, err = v.m.Load(v.t.Context(), v.token)
		must(v.t, err)
	}
	must(v.t, do(visit))
	must(v.t, v.m.Commit(v.t.Context(), visit))
	if sent := v.m.Sent(visit); sent.Token != nil {
		v.token = sent.Token
	}
}

func touchNothing(*session.Session) error { return nil }
func read(s *session.Session) error       { count.Get(s); return nil }
func countUp(s *session.Session) error    { return count.Set(s, count.Get(s)+1) }
func logout(s *session.Session) error     { return s.Logout() }
func login(s *session.Session) error      { return s.Login("ann") }

// TestRoundTrips: what each kind of request costs, counted on the wire.
func TestRoundTrips(t *testing.T) {
	for name, cache := range map[string]int{"plain": 0, "cache": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			proxy := faultproxy.Start(t, servers.SharedRedis(t).Addr)
			s := open(t, "redis://"+proxy.Addr, &Options{Cache: cache, Configure: func(o *rueidis.ClientOption) {
				o.PipelineMultiplex = -1       // a second connection would be made somewhere
				o.Dialer.KeepAlive = time.Hour // no pings
			}})
			for range 2 { // each script goes whole the first time
				v := visitor{t: t, m: quiet(s, 1)}
				for _, do := range []func(*session.Session) error{countUp, login, countUp} {
					v.request(do)
				}
			}
			must(t, s.client.Do(context.Background(), s.client.B().Flushdb().Build()).Error())

			one := 1 // what a Load costs that the process has seen before
			if cache > 0 {
				one = 0
			}
			plain, capped := visitor{t: t, m: quiet(s, 0)}, visitor{t: t, m: quiet(s, 1)}
			for _, c := range []struct {
				what string
				v    *visitor
				do   func(*session.Session) error
				want int
			}{
				{"a visitor who sets nothing", &plain, touchNothing, 0},
				{"a birth", &plain, countUp, 1},
				{"the first read", &plain, read, 1},
				{"an untouched request", &plain, touchNothing, one},
				{"a read", &plain, read, one},
				{"a count", &plain, countUp, one + 1},
				{"the read after it", &plain, read, 1},
				{"a login: Load, index, Create, End", &plain, login, one + 3},
				{"the read after it", &plain, read, 1},
				{"a count", &plain, countUp, one + 1},
				{"a logout: Load, End, index", &plain, logout, 1 + 2},
				{"a birth", &capped, countUp, 1},
				{"a login within a cap that evicts nobody: Load, reserve, index, enter, admit, End", &capped, login, 1 + 5},
			} {
				before, begin := proxy.Count().RoundTrips, time.Now()
				c.v.request(c.do)
				if got := proxy.Count().RoundTrips - before; got != c.want && time.Since(begin) < askAfter/2 {
					t.Errorf("%s makes %d round trips, want %d", c.what, got, c.want)
				}
			}
			other := visitor{t: t, m: quiet(s, 1)}
			before := proxy.Count().RoundTrips
			other.request(login)
			if got := proxy.Count().RoundTrips - before; got != 7 {
				t.Errorf("a login that evicts one (reserve, index, its record, enter, end it, admit, leave) makes %d round trips, want 7", got)
			}
			before = proxy.Count().RoundTrips
			if list, err := other.m.List(t.Context(), "ann"); len(list) != 1 || err != nil {
				t.Errorf("%d sessions, %v", len(list), err)
			}
			if got := proxy.Count().RoundTrips - before; got != 3 {
				t.Errorf("a list makes %d round trips, want 3: index, records, index", got)
			}
		})
	}
}
