package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// used is what goroutines, and memory with their stacks, a process uses.
func used() (goroutines int, bytes int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), int64(m.HeapAlloc + m.StackInuse)
}

// 10,000 event streams wait for their sessions' ends with a goroutine each, which is the handler's own, and two for all
// of them. When half of the sessions have ended, and the browsers of the others have left, nothing is left behind.
func TestTenThousandOpenStreams(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	streams := 10_000
	if raceDetector {
		streams = 2000
	}
	m := session.NewManager(store.NewMemory(nil), &session.Options{Logger: slog.New(slog.DiscardHandler)})
	var open sync.WaitGroup
	await := func(w http.ResponseWriter, r *http.Request, follow bool) {
		s := session.From(r.Context())
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: hello\n\n")
		http.NewResponseController(w).Flush()
		ctx := r.Context()
		if follow {
			ctx = s.Context()
		}
		open.Done()
		<-ctx.Done()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { await(w, r, false) })
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) { await(w, r, true) })
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login(r.FormValue("user")) })
	app := middleware.Sessions(m, cookie.DevKeys("bell"), &middleware.Options{AllowDevKeys: true, MaxOpened: 100})(mux)

	cookies := make([]string, streams)
	for i := range cookies {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", fmt.Sprintf("/login?user=user%d", i%2), nil))
		cookies[i], _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	}
	begin := func(path string) (leave func(), left *sync.WaitGroup) {
		browsers, leave := context.WithCancel(t.Context())
		left = new(sync.WaitGroup)
		open.Add(streams)
		for _, c := range cookies {
			r := httptest.NewRequest("GET", path, nil).WithContext(browsers)
			r.Header.Set("Cookie", c)
			left.Go(func() { app.ServeHTTP(httptest.NewRecorder(), r) })
		}
		open.Wait()
		return leave, left
	}
	before, empty := used()
	leave, left := begin("/plain")
	_, plain := used()
	leave()
	left.Wait()

	leave, left = begin("/events")
	goroutines, bytes := used()
	t.Logf("%d streams: %d goroutines beside their own, %d bytes for each beside the %d of one that waits for nothing but its request",
		streams, goroutines-before-streams, (bytes-plain)/int64(streams), (plain-empty)/int64(streams))
	if extra := goroutines - before - streams; extra > 2 {
		t.Errorf("%d goroutines beside those of the handlers", extra)
	}
	if each := (bytes - plain) / int64(streams); each > 4096 {
		t.Errorf("each stream costs %d bytes more than one that does not wait for its session", each)
	}
	if n, err := m.RevokeUser(t.Context(), "user0"); n != streams/2 || err != nil {
		t.Fatal(n, err)
	}
	leave()
	left.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n, now := used(); n <= before && now < empty+int64(streams)*256 {
			t.Logf("afterwards: %d goroutines, as before, and %d bytes for each stream", n, (now-empty)/int64(streams))
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("afterwards: %d goroutines, before: %d; %d bytes are kept", n, before, now-empty)
		}
	}
}
