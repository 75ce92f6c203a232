package pgstore

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/storetest/linear"
)

// processes opens stores as three processes would, each by way of a network of its own.
func processes(t *testing.T, p *servers.Postgres) (e linear.Engine, networks []*faultproxy.Proxy) {
	t.Helper()
	for range 3 {
		network := faultproxy.Start(t, p.Addr)
		s := open(t, p.URLAt(network.Addr)+"&pool_max_conns=3", nil)
		var warm sync.WaitGroup // on a busy machine a connection takes longer than a call of a history waits
		for range 6 {
			warm.Go(func() {
				if _, err := s.List(t.Context(), "nobody"); err != nil {
					t.Error(err)
				}
			})
		}
		warm.Wait()
		e.Stores = append(e.Stores, s)
		networks = append(networks, network)
	}
	return e, networks
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	linear.Run(t, func(t *testing.T) linear.Engine {
		e, _ := processes(t, servers.SharedPostgres(t))
		return e
	})
}

// TestLinearizableWithFaults: the network of one process delays, swallows, cuts and loses, and the server ends
// connections.
func TestLinearizableWithFaults(t *testing.T) {
	t.Parallel()
	linear.Run(t, func(t *testing.T) linear.Engine {
		p := servers.SharedPostgres(t)
		e, networks := processes(t, p)
		one := func(begin func(*faultproxy.Proxy)) func() func() {
			return func() func() {
				network := networks[rand.IntN(len(networks))]
				begin(network)
				return network.Heal
			}
		}
		e.Faults = []func() func(){
			one(func(n *faultproxy.Proxy) { n.Delay(time.Millisecond) }),
			one(func(n *faultproxy.Proxy) { n.Hold(true) }),
			one(func(n *faultproxy.Proxy) { n.LoseAnswers(1 + rand.IntN(3)) }),
			one((*faultproxy.Proxy).Cut),
			one((*faultproxy.Proxy).HalfClose),
			func() func() {
				if _, err := p.TrySQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hardy' AND datname = current_database()"); err != nil {
					t.Error(err)
				}
				return func() {}
			},
		}
		return e
	})
}

// TestWeakStatementsAreCaught: the search for an order finds each of these faults, so that it would find them in the
// statements as they are.
func TestWeakStatementsAreCaught(t *testing.T) {
	replace := func(s *statements) []*string { return []*string{&s.replace, &s.replaceMany} }
	touch := func(s *statements) []*string { return []*string{&s.touch, &s.touchMany} }
	end := func(s *statements) []*string { return []*string{&s.end} }
	for name, weaken := range map[string]struct {
		of func(*statements) []*string
		by []string // what is replaced, and by what
	}{
		"Replace takes any version":   {replace, []string{"AND version = $3::bigint", "AND $3::bigint >= 0", "AND o.version = u.former", ""}},
		"Replace of what has ended":   {replace, []string{"ended = ''", "true"}},
		"Replace of what has expired": {replace, []string{"expires > ", "0 <> "}},
		"Touch of what has ended":     {touch, []string{"ended = ''", "true"}},
		"Touch moves back":            {touch, []string{"greatest(seen, ", "least(seen, ", "greatest(t.seen, ", "least(t.seen, "}},
		"End loses to Replace":        {end, []string{"old.ended = ''", "old.ended = '' AND old.version = 1"}},
		"the last End wins":           {end, []string{"AND old.ended = ''", ""}},
		"Create over what is there":   {func(s *statements) []*string { return []*string{&s.create} }, []string{"DO NOTHING", "DO UPDATE SET version = 1, ended = ''"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			linear.MustCatch(t, func(t *testing.T) linear.Engine {
				p := servers.SharedPostgres(t)
				var e linear.Engine
				for range 2 {
					s := open(t, p.URL(), nil)
					for _, statement := range weaken.of(&s.sql) {
						weak := strings.NewReplacer(weaken.by...).Replace(*statement)
						if weak == *statement {
							t.Fatalf("nothing to weaken in %s", weak)
						}
						*statement = weak
					}
					e.Stores = append(e.Stores, session.Store(s))
				}
				return e
			})
		})
	}
}
