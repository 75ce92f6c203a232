package session

import (
	"context"
	"runtime"
	"testing"
	"time"
)

type nameKey struct{}

// A driver that waits for the end of a store's call, as pgx and database/sql do, needs no goroutine for it, and hears of it.
func TestPatienceIsWatchedWithoutAGoroutine(t *testing.T) {
	for _, insist := range []bool{false, true} {
		outer, cancel := context.WithCancel(context.WithValue(t.Context(), nameKey{}, "value"))
		p := patiently(outer, time.Now(), time.Hour)
		p.insist = insist
		before := runtime.NumGoroutine()
		var stops []func() bool
		ended := make(chan struct{}, 8)
		for range 8 {
			stops = append(stops, context.AfterFunc(p, func() { ended <- struct{}{} }))
		}
		if n := runtime.NumGoroutine() - before; n > 4 {
			t.Errorf("%d more goroutines", n)
		}
		if p.Value(nameKey{}) != "value" {
			t.Error("a value of the request is lost")
		}
		cancel()
		if insist {
			for _, stop := range stops {
				if !stop() {
					t.Error("the end of the request ended what insists")
				}
			}
			p.done()
			continue
		}
		for range stops {
			<-ended
		}
		p.done()
	}
}
