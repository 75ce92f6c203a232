package memstore

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		defer m.StopCleanup()
		for i := range 10 {
			m.Commit(fmt.Sprint(i), []byte{byte(i)}, time.Now().Add(time.Duration(i)*time.Minute))
		}
		m.Commit("5", []byte("again"), time.Now().Add(5*time.Minute))
		m.Delete("6")
		m.Delete("nothing")
		time.Sleep(5 * time.Minute) // sweeps of the minutes 1 to 5
		synctest.Wait()
		if len(m.items) != 4 { // at its very expiry a session is there
			t.Errorf("%d rows are left", len(m.items))
		}
		if b, found, _ := m.Find("5"); !found || string(b) != "again" {
			t.Errorf("at its expiry: %q, %v", b, found)
		}
		time.Sleep(time.Nanosecond)
		if _, found, _ := m.Find("5"); found {
			t.Error("found after its expiry")
		}
		if _, found, _ := m.Find("nothing"); found {
			t.Error("found what was never there")
		}
		all, err := m.All()
		if len(all) != 3 || err != nil || string(all["7"]) != "\x07" {
			t.Errorf("All shows %d rows, %v", len(all), err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(m.items) != 0 {
			t.Errorf("%d rows are left", len(m.items))
		}
		m.StopCleanup()
		synctest.Wait()
	})
}

func TestWithoutCleanup(t *testing.T) {
	m := NewWithCleanupInterval(0)
	m.Commit("a", nil, time.Now().Add(-time.Hour))
	if all, err := m.All(); len(all) != 0 || all == nil || err != nil {
		t.Errorf("All: %v, %v", all, err)
	}
	m.StopCleanup()
	m.StopCleanup()
}

// Stopping right after the start is a race in scs.
func TestConcurrent(t *testing.T) {
	m := NewWithCleanupInterval(time.Microsecond)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				token := fmt.Sprint(n % 10)
				m.Commit(token, []byte{byte(i)}, time.Now().Add(time.Duration(n%3)*time.Microsecond))
				m.Find(token)
				m.All()
				m.Delete(token)
			}
		})
	}
	m.StopCleanup()
	all.Wait()
}
