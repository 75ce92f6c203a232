package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

const scsName = "scs"

// newSCS is scs as its README sets it up, on its memstore, and with an idle timeout where one is given.
// Its cleanup, which would run each minute, is left out: it could only disturb.
func newSCS(idle time.Duration) *site {
	return scsOn(memstore.NewWithCleanupInterval(0), idle)
}

func scsOn(store scs.IterableStore, idle time.Duration) *site {
	m := scs.New()
	m.Store = store.(scs.Store)
	m.IdleTimeout = idle
	m.Cookie.Secure = true
	wrap := func(h http.HandlerFunc) http.Handler { return m.LoadAndSave(h) }
	return &site{
		begin: func(n, others int) http.Handler {
			return wrap(func(w http.ResponseWriter, r *http.Request) {
				m.Put(r.Context(), "n_rings", n)
				for i := range others {
					if name, number, text := other(i); text == "" {
						m.Put(r.Context(), name, number)
					} else {
						m.Put(r.Context(), name, text)
					}
				}
				w.Write(bodies[0])
			})
		},
		ping: wrap(func(w http.ResponseWriter, r *http.Request) { w.Write(bodies[0]) }),
		read: wrap(func(w http.ResponseWriter, r *http.Request) {
			w.Write(bodies[byte(m.GetInt(r.Context(), "n_rings"))])
		}),
		count: wrap(func(w http.ResponseWriter, r *http.Request) {
			n := m.GetInt(r.Context(), "n_rings") + 1
			m.Put(r.Context(), "n_rings", n)
			w.Write(bodies[byte(n)])
		}),
		show: wrap(func(w http.ResponseWriter, r *http.Request) {
			w.Write(strconv.AppendInt(nil, int64(m.GetInt(r.Context(), "n_rings")), 10))
		}),
		sessions: func() int {
			all, err := store.All()
			must(err)
			return len(all)
		},
	}
}

// other is the i-th value beside the one that is read: ints and short texts by turns.
func other(i int) (name string, number int, text string) {
	name = fmt.Sprintf("key_%02d", i)
	if i%2 == 0 {
		return name, i * 1000, ""
	}
	return name, 0, fmt.Sprintf("a short text %d", i)
}
