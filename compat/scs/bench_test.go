package scs_test

import (
	"encoding/gob"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// The benchmarks vary what a request does with its session, on memstore. ../testapps compares with scs itself.

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func benchmark(b *testing.B, m *scs.SessionManager, values map[string]any, do func(r *http.Request)) {
	token := ""
	if values != nil {
		ctx, err := m.Load(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		for name, v := range values {
			m.Put(ctx, name, v)
		}
		if token, _, err = m.Commit(ctx); err != nil {
			b.Fatal(err)
		}
	}
	h := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r)
		w.WriteHeader(http.StatusNoContent)
	}))
	b.ReportAllocs()
	before := busy(b)
	for b.Loop() {
		r := &http.Request{Method: "GET", Header: http.Header{}}
		if token != "" {
			r.Header["Cookie"] = []string{"session=" + token}
		}
		h.ServeHTTP(&discard{http.Header{}}, r)
	}
	b.ReportMetric(float64(busy(b)-before)/float64(b.N), "cpu-ns/op")
}

// busy is the time that the process has had a CPU: it says more than the clock where others work on the machine.
func busy(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func init() {
	gob.Register(map[string]int{})
	gob.Register(item{})
}

type item struct{ N int }

var five = map[string]any{"n": 1, "user": "ann@example.com", "csrf": "c2Vzc2lvbiB0b2tlbiBmb3IgZm9ybXM", "admin": true, "seen": int64(1_700_000_000)}

func BenchmarkRead(b *testing.B) {
	m := newManager()
	benchmark(b, m, five, func(r *http.Request) { m.GetInt(r.Context(), "n") })
}

func BenchmarkNoCookie(b *testing.B) {
	benchmark(b, newManager(), nil, func(*http.Request) {})
}

func BenchmarkReadMutable(b *testing.B) {
	m := newManager()
	benchmark(b, m, map[string]any{"n": 1, "list": []string{"a", "b"}, "cart": map[string]int{"a": 1}, "item": item{1}}, func(r *http.Request) { m.GetInt(r.Context(), "n") })
}

// Two processes write by turns, so that no row is the last one that was decoded here.
func BenchmarkReadOthersWrites(b *testing.B) {
	m := newManager()
	token, rows := "", [2][]byte{}
	benchmark(b, m, five, func(r *http.Request) {
		m.GetInt(r.Context(), "n")
		if token == "" {
			token = m.Token(r.Context())
			rows[0], _, _ = m.Store.Find(token)
			deadline, values, _ := scs.GobCodec{}.Decode(rows[0])
			values["n"] = 2
			rows[1], _ = scs.GobCodec{}.Encode(deadline, values)
		}
		rows[0], rows[1] = rows[1], rows[0]
		m.Store.Commit(token, rows[0], time.Now().Add(time.Hour))
	})
}

func BenchmarkReadIdle(b *testing.B) {
	m := newManager()
	m.IdleTimeout = 20 * time.Minute
	benchmark(b, m, five, func(r *http.Request) { m.GetInt(r.Context(), "n") })
}

func BenchmarkWrite(b *testing.B) {
	m := newManager()
	benchmark(b, m, five, func(r *http.Request) { m.Put(r.Context(), "n", m.GetInt(r.Context(), "n")+1) })
}

func BenchmarkBegin(b *testing.B) {
	m := newManager()
	benchmark(b, m, nil, func(r *http.Request) { m.Put(r.Context(), "n", 1) })
}
