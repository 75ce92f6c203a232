package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func acquire(t *testing.T, c *Concurrency, key Key, critical bool) func() {
	t.Helper()
	release, err := c.Acquire(t.Context(), key, critical)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestConcurrencyBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := 0
		c, err := NewConcurrency(ConcurrencyOptions{PerKey: 2, Total: 5, Reserve: 1, Trace: &Trace{Busy: func(Key, error) { busy++ }}})
		if err != nil {
			t.Fatal(err)
		}
		release := acquire(t, c, ann, false)
		acquire(t, c, ann, false)
		_, err = c.Acquire(t.Context(), ann, false)
		var e *BusyError
		if !errors.As(err, &e) || !errors.Is(err, ErrBusy) || e.InFlight != 2 || e.Total != 2 {
			t.Error(err)
		}
		acquire(t, c, bob, false)
		acquire(t, c, bob, false)
		if _, err := c.Acquire(t.Context(), Key{User: "eve"}, false); !errors.Is(err, ErrBusy) {
			t.Error("the last place is for critical calls:", err)
		}
		last := acquire(t, c, Key{User: "eve"}, true)
		if _, err := c.Acquire(t.Context(), Key{User: "eve"}, true); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if _, err := c.Acquire(t.Context(), Key{}, true); !errors.Is(err, ErrNoKey) {
			t.Error(err)
		}
		release()
		release()
		last()
		if of, all := c.InFlight(ann); of != 1 || all != 3 || busy != 4 {
			t.Errorf("%d of ann, %d in all, %d told", of, all, busy)
		}
	})
}

func TestConcurrencyQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := NewConcurrency(ConcurrencyOptions{PerKey: 1, Total: 2, Queue: 4, MaxWait: 10 * time.Second})
		anns, bobs := acquire(t, c, ann, false), acquire(t, c, bob, false)
		got := make(chan string, 10)
		wait := func(name string, key Key, critical bool) {
			go func() {
				release, err := c.Acquire(t.Context(), key, critical)
				got <- fmt.Sprintf("%s %v", name, err)
				if err == nil {
					time.Sleep(time.Second)
					release()
				}
			}()
			synctest.Wait()
		}
		wait("ann again", ann, false)
		wait("cid", Key{User: "cid"}, false)
		wait("dan, critical", Key{User: "dan"}, true)
		wait("eve", Key{User: "eve"}, false)
		if _, err := c.Acquire(t.Context(), Key{User: "fay"}, true); !strings.Contains(fmt.Sprint(err), "queue is full") {
			t.Error(err)
		}
		bobs() // ann is at her own bound and lets the others pass
		for _, want := range []string{"dan, critical <nil>", "cid <nil>", "eve <nil>"} {
			if s := <-got; s != want {
				t.Errorf("%s, want %s", s, want)
			}
		}
		anns()
		if s := <-got; s != "ann again <nil>" {
			t.Error(s)
		}
		time.Sleep(2 * time.Second)
		if _, all := c.InFlight(ann); all != 0 {
			t.Error(all, "under way")
		}
	})
}

func TestConcurrencyWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := NewConcurrency(ConcurrencyOptions{Total: 1, Queue: 1, MaxWait: 3 * time.Second})
		release := acquire(t, c, Key{}, false)
		began := time.Now()
		if _, err := c.Acquire(t.Context(), ann, false); !errors.Is(err, ErrBusy) || time.Since(began) != 3*time.Second {
			t.Error(err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Acquire(ctx, ann, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		release()
		acquire(t, c, ann, false)()
	})
}

func TestConcurrencyNeverAbove(t *testing.T) {
	c, _ := NewConcurrency(ConcurrencyOptions{PerKey: 3, Total: 8, Reserve: 2, Queue: 100, MaxWait: time.Minute})
	var total, ordinary atomic.Int64
	var of [4]atomic.Int64
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 200 {
				critical := i%8 == 0
				release, err := c.Acquire(context.Background(), Key{Name: fmt.Sprint(i % 4)}, critical)
				if err != nil {
					t.Error(err)
					return
				}
				if n := total.Add(1); n > 8 {
					t.Errorf("%d in all", n)
				}
				if n := of[i%4].Add(1); n > 3 {
					t.Errorf("%d of one key", n)
				}
				if !critical {
					if n := ordinary.Add(1); n > 6 {
						t.Errorf("%d ordinary calls: two places are reserved", n)
					}
					ordinary.Add(-1)
				}
				of[i%4].Add(-1)
				total.Add(-1)
				release()
			}
		})
	}
	wg.Wait()
	if len(c.inFlight) != 0 || c.total != 0 || c.ordinary.Len()+c.critical.Len() != 0 {
		t.Error("something is left")
	}
}

func TestBadConcurrency(t *testing.T) {
	for _, opt := range []ConcurrencyOptions{{}, {PerKey: -1}, {Total: 5, Reserve: 5}, {PerKey: 3, Reserve: 1}, {Total: 1, MaxWait: -1}} {
		if _, err := NewConcurrency(opt); !errors.Is(err, ErrPolicy) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
}
