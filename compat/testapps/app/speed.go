package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// measured is one line of what measure prints: nanoseconds of an operation, by the clock and of this process's CPU.
type measured struct {
	Name       string
	Clock, CPU float64
}

// busy is how long this process has had a CPU.
func busy() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure serves requests from memory, without a network, and prints a line of JSON for each kind of them.
func measure(out io.Writer, store scs.Store, span time.Duration) {
	for _, c := range []struct {
		name   string
		values map[string]any
		idle   time.Duration
		do     func(s *scs.SessionManager, r *http.Request)
	}{
		{"no cookie", nil, 0, func(s *scs.SessionManager, r *http.Request) {}},
		{"read", scalars(), 0, read},
		{"read, values that can be changed in place", mutables(), 0, read},
		{"read" + unseen, scalars(), 0, read},
		{"read, values that can be changed in place" + unseen, mutables(), 0, read},
		{"write, values that can be changed in place" + unseen, mutables(), 0, write},
		{"read with an idle timeout", scalars(), 20 * time.Minute, read},
		{"write", scalars(), 0, write},
		{"write, values that can be changed in place", mutables(), 0, write},
		{"begin", nil, 0, func(s *scs.SessionManager, r *http.Request) { s.Put(r.Context(), "n", 1) }},
		{"renew", scalars(), 0, func(s *scs.SessionManager, r *http.Request) {
			if err := s.RenewToken(r.Context()); err != nil {
				panic(err)
			}
		}},
	} {
		s := scs.New()
		s.Store, s.IdleTimeout = store, c.idle
		h := s.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.do(s, r)
			w.WriteHeader(http.StatusNoContent)
		}))
		token, rewrite := "", func() {}
		if c.values != nil {
			ctx := check(s.Load(httptest.NewRequest("GET", "/", nil).Context(), ""))
			for name, v := range c.values {
				s.Put(ctx, name, v)
			}
			token, _, _ = s.Commit(ctx)
			if strings.HasSuffix(c.name, unseen) {
				if _, ok := store.(*memstore.MemStore); !ok {
					continue // it would be measured how that stores
				}
				rewrite = byAnother(store, token)
			}
		}
		n := 0
		var begin time.Time
		var before time.Duration
		for warm := 0; ; warm++ {
			if warm == 20 {
				begin, before, n = time.Now(), busy(), 0
			}
			r := &http.Request{Method: "GET", Header: http.Header{}}
			if token != "" {
				r.Header.Set("Cookie", "session="+token)
			}
			w := answer{header: http.Header{}}
			rewrite()
			ctx, cancel := context.WithCancel(context.Background()) // as a server gives it: drivers watch it
			h.ServeHTTP(&w, r.WithContext(ctx))
			cancel()
			if w.status != http.StatusNoContent {
				panic(c.name + ": status " + strconv.Itoa(w.status))
			}
			if c.name == "renew" {
				cookies := (&http.Response{Header: w.header}).Cookies()
				token = cookies[0].Value
			}
			n++
			if warm > 20 && n%16 == 0 && time.Since(begin) > span {
				break
			}
		}
		clock, cpu := time.Since(begin), busy()-before
		json.NewEncoder(out).Encode(measured{c.name, float64(clock) / float64(n), float64(cpu) / float64(n)})
	}
}

// unseen ends the names of those in which another process has written the row before each request.
const unseen = ", a row not seen before"

// byAnother changes the row under token as another process would.
func byAnother(store scs.Store, token string) func() {
	row, _, err := store.Find(token)
	if err != nil {
		panic(err)
	}
	deadline, values, err := scs.GobCodec{}.Decode(row)
	if err != nil {
		panic(err)
	}
	var rows [64][]byte
	for i := range rows {
		values["n"] = i + 1
		rows[i] = check(scs.GobCodec{}.Encode(deadline, values))
	}
	next := 0
	return func() {
		next++
		if err := store.Commit(token, rows[next%len(rows)], deadline); err != nil {
			panic(err)
		}
	}
}

func write(s *scs.SessionManager, r *http.Request) {
	s.Put(r.Context(), "n", s.GetInt(r.Context(), "n")+1)
}

func read(s *scs.SessionManager, r *http.Request) {
	if s.GetInt(r.Context(), "n") == 0 {
		panic("nothing is read")
	}
}

// scalars are values as most sessions hold them.
func scalars() map[string]any {
	return map[string]any{"n": 1, "user": "ann@example.com", "csrf": "c2Vzc2lvbiB0b2tlbiBmb3IgZm9ybXM", "admin": true, "seen": int64(1_700_000_000)}
}

// mutables are values that whoever reads them can change.
func mutables() map[string]any {
	return map[string]any{"n": 1, "list": []string{"a", "b"}, "cart": map[string]int{"spade": 1}, "item": item{"spade", 9.5}}
}

// answer is a ResponseWriter that keeps nothing but the header.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }
