package session_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Requests that come at once share one Touch, and its result: nobody is let in without the idle timeout.
func TestTouchIsShared(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			faults := sessiontest.NewFaults(store.NewMemory(nil))
			m := session.NewManager(faults, nil)
			v := &visitor{t, m, nil}
			v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })
			time.Sleep(10 * time.Minute)
			fault := sessiontest.Fault{Op: "touch", Delay: time.Second}
			if down {
				fault.Err = errors.New("down")
			}
			faults.Add(fault)
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					if _, err := v.arrive(); errors.Is(err, session.ErrUnavailable) != down {
						t.Errorf("store down %v: %v", down, err)
					}
				})
			}
			all.Wait()
			if n := faults.Calls("touch"); n != 1 {
				t.Errorf("store down %v: %d Touches", down, n)
			}
			faults.Clear()
			v.do(func(*session.Session) {})
			time.Sleep(30*time.Minute - time.Second)
			v.do(func(*session.Session) {})
		})
	}
}
