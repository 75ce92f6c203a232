package session_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// heap is what lies in memory and is still in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what has a finalizer goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Agent guide, 3: a cleanup every minute ends what is idle too long, without any request. 100,000 sessions idle out;
// within 65 seconds Run has dropped what they held, and the memory is given back.
func TestAgentGuideCleanupWithoutRequests(t *testing.T) {
	const valueBytes = 1000
	sessions := 100_000
	if raceDetector {
		sessions = 10_000
	}
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		var rounds atomic.Int32
		var blanked, forgotten atomic.Int64
		o := quiet()
		o.Trace = &session.Trace{Swept: func(s session.Swept, _ time.Duration) {
			rounds.Add(1)
			blanked.Add(int64(s.Blanked))
			forgotten.Add(int64(s.Forgotten))
		}}
		m := session.NewManager(db, o)
		running, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(running) }()
		time.Sleep(17 * time.Second) // the sessions end between two rounds

		p := newPages(t, m)
		p.call(func(s *session.Session) { must(t, rings.Set(s, 3)) }) // one of them over HTTP
		text := session.NewKey[[]byte]("text")
		value := append([]byte("canary-of-the-value"), make([]byte, valueBytes-19)...)
		before := heap()
		for n := range sessions - 1 {
			s := m.New()
			if n%10 == 0 {
				must(t, s.Login("ann"))
			}
			must(t, text.Set(s, value))
			must(t, m.Commit(ctx, s))
		}
		full := heap() - before
		if held, n := holding(t, db); held != sessions || n != sessions {
			t.Fatalf("%d records, %d with values; want %d", n, held, sessions)
		}

		time.Sleep(31*time.Minute - time.Second)
		if held, _ := holding(t, db); held != sessions {
			t.Errorf("%d sessions hold values a second before their end, want all", held)
		}
		time.Sleep(time.Second + 65*time.Second) // the promise

		held, n := holding(t, db)
		if held != 0 || n != sessions {
			t.Errorf("65 s after the end %d of %d records hold values; want none of %d", held, n, sessions)
		}
		if int(blanked.Load()) != sessions || forgotten.Load() != 0 {
			t.Errorf("swept %d and forgot %d, want %d and none yet", blanked.Load(), forgotten.Load(), sessions)
		}
		if got := rounds.Load(); got != 32 {
			t.Errorf("%d rounds in 32 minutes", got)
		}
		tombs := heap() - before
		t.Logf("%d sessions of %d bytes: %d MB, as tombstones %d MB (%d bytes each)", sessions, valueBytes, full>>20, tombs>>20, tombs/int64(sessions))
		if given := full - tombs; given < int64(sessions)*valueBytes*95/100 {
			t.Errorf("gave %d bytes back, of %d of values alone", given, sessions*valueBytes)
		}

		// The record is its own tombstone: the browser learns why, for a day.
		resp := p.call(func(*session.Session) { t.Error("the handler ran") })
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != `Session error="expired", reason="idle"` {
			t.Errorf("the ended session's browser: %d %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
		}
		if list, err := m.List(ctx, "ann"); err != nil || len(list) != 0 {
			t.Errorf("%d ended sessions are listed: %v", len(list), err)
		}

		// After it even that is gone.
		time.Sleep(session.Tombstone)
		if _, n := holding(t, db); n != 0 {
			t.Errorf("%d records are left after their Purge", n)
		}
		if left := heap() - before; left > full/50 {
			t.Errorf("%d bytes are left of %d", left, full)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// holding counts the records that have Data, and all.
func holding(t *testing.T, db session.Scanner) (held, all int) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := db.Scan(ctx, cursor, 1000)
		must(t, err)
		for i := range page {
			if all++; page[i].Data != nil {
				held++
			}
		}
		if cursor = next; cursor == "" {
			return held, all
		}
	}
}

// A round that fails, or waits, is met again in the next; the sweep never waits longer than a store call may.
func TestRunOutlivesFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.NewMemory(nil)
		faults := sessiontest.NewFaults(db)
		m := session.NewManager(faults, quiet())
		running, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(running) }()
		for range 1000 {
			s := m.New()
			must(t, rings.Set(s, 1))
			must(t, m.Commit(ctx, s))
		}
		time.Sleep(30*time.Minute + 30*time.Second)
		faults.Add(sessiontest.Fault{Op: "sweep", Nth: 1, Err: errors.New("connection refused")})
		faults.Add(sessiontest.Fault{Op: "sweep", Nth: 2, Delay: time.Hour})
		calls := faults.Calls("sweep")
		for round := 1; round <= 2; round++ { // one refused, one waiting
			time.Sleep(time.Minute)
			if n := faults.Calls("sweep") - calls; n != round {
				t.Errorf("%d calls in %d rounds that failed", n, round)
			}
			if held, _ := holding(t, db); held != 1000 {
				t.Errorf("%d sessions hold values while nothing could be swept", held)
			}
		}
		time.Sleep(time.Minute)
		if held, n := holding(t, db); held != 0 || n != 1000 {
			t.Errorf("%d of %d sessions hold values after the store was well again", held, n)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}
