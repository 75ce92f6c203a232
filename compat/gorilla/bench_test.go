package gorilla_test

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"testing"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"github.com/gorilla/sessions"
)

// Beside gorilla's own cookie store, signed and encrypted, on one session: what the application's handler costs with its
// Get and Save. A writer that keeps nothing takes the answer, so that no recorder is measured.

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// contents are what a session holds, and how one of its values changes.
var contents = []struct {
	name   string
	fill   func(values map[any]any)
	change func(values map[any]any, n int)
}{
	{"one int", func(v map[any]any) { v["n"] = 1 }, func(v map[any]any, n int) { v["n"] = n }},
	{"20 plain values", func(v map[any]any) {
		v["n"] = 1
		for i := range 19 {
			if i%2 == 0 {
				v[fmt.Sprint("key", i)] = fmt.Sprint("a text that says something, number ", i)
			} else {
				v[fmt.Sprint("key", i)] = i
			}
		}
	}, func(v map[any]any, n int) { v["n"] = n }},
	{"struct and list", func(v map[any]any) {
		v["n"], v["me"], v["seen"] = 1, profile{"ann", []string{"admin", "editor"}}, []string{"/", "/orders", "/orders/7"}
	}, func(v map[any]any, n int) { v["seen"].([]string)[0] = fmt.Sprint("/orders/", n) }},
	// What its type keeps to itself can't be copied, and is decoded each time.
	{"big.Int", func(v map[any]any) { v["n"], v["big"] = 1, big.NewInt(1<<40) }, func(v map[any]any, n int) { v["n"] = n }},
}

func stores(b testing.TB) map[string]sessions.Store {
	keys, err := cookie.NewKeys(b.Context(), &ring{cookie.NewMaster()}, "app")
	if err != nil {
		b.Fatal(err)
	}
	return map[string]sessions.Store{
		"hardy":   gorilla.NewStore(session.NewManager(store.NewMemory(nil), nil), keys, nil),
		"gorilla": sessions.NewCookieStore(random(32), random(32)),
	}
}

// signedIn is a request of a visitor with a session of that content.
func signedIn(b testing.TB, st sessions.Store, fill func(map[any]any)) *http.Request {
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	w := &discard{http.Header{}}
	s, _ := st.Get(r, name)
	fill(s.Values)
	if err := s.Save(r, w); err != nil {
		b.Fatal(err)
	}
	line, err := http.ParseSetCookie(w.h.Get("Set-Cookie"))
	if err != nil {
		b.Fatal(err)
	}
	r, _ = http.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: line.Name, Value: line.Value})
	return r
}

func read(b testing.TB, st sessions.Store, from *http.Request) int {
	r := *from
	s, err := st.Get(&r, name)
	if err != nil || s.IsNew {
		b.Fatal(err, s.IsNew)
	}
	return s.Values["n"].(int)
}

func BenchmarkRead(b *testing.B) {
	for _, c := range contents {
		for _, which := range []string{"gorilla", "hardy"} {
			b.Run(c.name+"/"+which, func(b *testing.B) {
				st := stores(b)[which]
				r := signedIn(b, st, c.fill)
				b.ReportAllocs()
				for b.Loop() {
					read(b, st, r)
				}
			})
		}
	}
}

func BenchmarkReadParallel(b *testing.B) {
	for _, c := range contents {
		for _, which := range []string{"gorilla", "hardy"} {
			b.Run(c.name+"/"+which, func(b *testing.B) {
				st := stores(b)[which]
				r := signedIn(b, st, c.fill)
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						read(b, st, r)
					}
				})
			})
		}
	}
}

// BenchmarkWrite changes one value, stores it, and goes on with the cookie that the answer brings, if any.
func BenchmarkWrite(b *testing.B) {
	for _, c := range contents {
		for _, which := range []string{"gorilla", "hardy"} {
			b.Run(c.name+"/"+which, func(b *testing.B) {
				st := stores(b)[which]
				from := signedIn(b, st, c.fill)
				w := &discard{http.Header{}}
				n := 1
				b.ReportAllocs()
				for b.Loop() {
					r := *from
					s, err := st.Get(&r, name)
					if err != nil || s.IsNew {
						b.Fatal(err, s.IsNew)
					}
					n++
					c.change(s.Values, n)
					clear(w.h)
					if err := s.Save(&r, w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
