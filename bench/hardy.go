package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

const (
	warmName = "Hardy warm"
	coldName = "Hardy cold"
)

// hardy is a site and what can be asked of it beside.
type hardy struct {
	*site
	keys    *cookie.Keys
	manager *session.Manager
}

// newHardy is Hardy with the defaults of its README, on its store in memory: 30 minutes idle, 24 hours
// in all, values encrypted in the store, and 10,000 opened cookies kept.
func newHardy() *hardy {
	memory := store.NewMemory(nil)
	return hardyOn(memory, memory)
}

func hardyOn(records session.Store, scanner session.Scanner) *hardy {
	return hardyWith(records, scanner, nil)
}

func hardyWith(records session.Store, scanner session.Scanner, o *session.Options) *hardy {
	keys := newKeys()
	m := session.NewManager(records, o)
	sessions := middleware.Sessions(m, keys, nil)
	wrap := func(h http.HandlerFunc) http.Handler { return sessions(h) }
	rings := session.NewKey[int]("n_rings")
	return &hardy{keys: keys, manager: m, site: &site{
		begin: func(n, others int) http.Handler {
			return wrap(func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				must(rings.Set(s, n))
				for i := range others {
					if name, number, text := other(i); text == "" {
						must(session.NewKey[int](name).Set(s, number))
					} else {
						must(session.NewKey[string](name).Set(s, text))
					}
				}
				w.Write(bodies[0])
			})
		},
		ping: wrap(func(w http.ResponseWriter, r *http.Request) { w.Write(bodies[0]) }),
		read: wrap(func(w http.ResponseWriter, r *http.Request) {
			w.Write(bodies[byte(rings.Get(session.From(r.Context())))])
		}),
		count: wrap(func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			n := rings.Get(s) + 1
			must(rings.Set(s, n))
			w.Write(bodies[byte(n)])
		}),
		show: wrap(func(w http.ResponseWriter, r *http.Request) {
			w.Write(strconv.AppendInt(nil, int64(rings.Get(session.From(r.Context()))), 10))
		}),
		sessions: func() int {
			n, err := scanner.Count(context.Background())
			must(err)
			return n
		},
	}}
}

// shown is a job of Hardy's that shows, after the timing, how many of the cookies had to be opened: all of
// them where it calls itself cold, none where it calls itself warm.
type shown struct {
	*requests
	keys *cookie.Keys
	cold bool
}

func (s *shown) check() error {
	opened, asked := 0, 0
	s.keys.Trace = &cookie.Trace{Opened: func(cookie.OpenedInfo) { opened++ }}
	for range 64 {
		for w := range s.workers {
			s.do(w, turns)
			asked += turns
		}
	}
	s.keys.Trace = nil
	if want := map[bool]int{true: asked}[s.cold]; opened != want {
		return fmt.Errorf("of %d cookies %d were opened, want %d", asked, opened, want)
	}
	return s.requests.check()
}

// ring is a key made for one run.
type ring string

func (r ring) Masters(context.Context) (string, error) { return string(r), nil }

func newKeys() *cookie.Keys {
	keys, err := cookie.NewKeys(context.Background(), ring(cookie.NewMaster()), "bell")
	must(err)
	return keys
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
