package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/ratelimit/internal/gcra"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

func TestWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 3})
		l.AllowN(ann, 3)
		began := time.Now()
		done := make(chan string, 10)
		for i, n := range []int{3, 1, 2, 1} { // the small ones do not overtake
			go func() {
				if err := l.Wait(t.Context(), ann, n); err != nil {
					t.Error(err)
				}
				done <- fmt.Sprint(i, " ", time.Since(began))
			}()
			synctest.Wait()
		}
		time.Sleep(500 * time.Millisecond)
		if l.Allow(ann) {
			t.Error("an Allow went past the queue")
		}
		for _, want := range []string{"0 3s", "1 4s", "2 6s", "3 7s"} {
			if got := <-done; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if err := l.Wait(t.Context(), bob, 3); err != nil {
			t.Error("another key does not wait:", err)
		}
		if len(l.waits.byKey) != 0 {
			t.Error("a queue is left")
		}
	})
}

func TestWaitGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 10}, Policy{Name: "all", Limit: 2, Burst: 20, By: Everyone})
		l.AllowN(ann, 10)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- l.Wait(ctx, ann, 8) }()
		synctest.Wait()
		go func() { second <- l.Wait(t.Context(), ann, 2) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-second; err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v: the one behind should have moved up", err, time.Since(began))
		}
		if res := l.Peek(ann); res.At(0).Remaining != 0 || res.At(1).Reset != 4*time.Second {
			t.Errorf("%+v", res.At(1))
		}
	})
}

func TestWaitThatCannotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 5}, Policy{Name: "shadow", Limit: 1, Burst: 1, Shadow: true})
		l.AllowN(ann, 5)
		go l.Wait(t.Context(), ann, 4)
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		if err := l.Wait(ctx, ann, 2); !errors.Is(err, ErrDeadline) || time.Since(began) != 0 {
			t.Errorf("%v after %v: 4 + 2 s do not fit into 5.5", err, time.Since(began))
		}
		if err := l.Wait(ctx, ann, 1); err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v: 4 + 1 s do", err, time.Since(began))
		}
		time.Sleep(time.Second)
		if err := l.Wait(ctx, ann, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := l.Wait(t.Context(), ann, 6); !errors.Is(err, ErrCost) {
			t.Error(err)
		}
		go l.Wait(t.Context(), ann, 5)
		synctest.Wait()
		began = time.Now()
		for _, n := range []int{6, -1} {
			if err := l.Wait(t.Context(), ann, n); !errors.Is(err, ErrCost) || time.Since(began) != 0 {
				t.Errorf("what can never pass waits for nobody: %v after %v", err, time.Since(began))
			}
		}
		slow := MustNew(nil, Policy{Name: "slow", Limit: Limit(3 / gcra.MaxWindow.Seconds()), Burst: 3})
		slow.AllowN(ann, 3)
		for range 3 {
			go slow.Wait(t.Context(), ann, 3)
			synctest.Wait()
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := slow.Wait(soon, ann, 3); !errors.Is(err, ErrDeadline) {
			t.Error("decades do not fit into an hour:", err)
		}
		shut := MustNew(nil, Policy{Name: "shut", Limit: 1})
		if err := shut.Wait(t.Context(), ann, 1); !errors.Is(err, ErrLimited) {
			t.Error(err)
		}
	})
}

// A waiter of the property below.
type waiting struct {
	After time.Duration // since the one before
	N     int
	Gone  time.Duration // it gives up then; 0: never
}

// Whoever gives up whenever, the others are served in the order they came and as soon as their units are
// there, and never more than the policy says.
func TestPropertyWaitsAreFair(t *testing.T) {
	policy := Policy{Name: "p", Limit: 1, Burst: 5}
	rapid.Check(t, func(rt *rapid.T) {
		crowd := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) waiting {
			second := func(label string, most int) time.Duration {
				return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * 250 * time.Millisecond
			}
			return waiting{second("after", 8), rapid.IntRange(1, 5).Draw(t, "n"), second("gone", 30) * time.Duration(rapid.IntRange(0, 1).Draw(t, "goes"))}
		}), 1, 12).Draw(rt, "crowd")
		var wrong error
		synctest.Test(t, func(*testing.T) { wrong = runWaits(policy, crowd) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func runWaits(policy Policy, crowd []waiting) error {
	type end struct {
		at  time.Time
		err error
	}
	l := MustNew(nil, policy)
	l.AllowN(ann, policy.Burst)
	ends := make([]end, len(crowd))
	var wg sync.WaitGroup
	began, last := time.Now(), time.Duration(0)
	for i, w := range crowd {
		time.Sleep(w.After)
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if w.Gone > 0 {
				time.AfterFunc(w.Gone, cancel)
			}
			ends[i].err = l.Wait(ctx, ann, w.N)
			ends[i].at = time.Now()
		})
		synctest.Wait()
	}
	wg.Wait()
	var grants []*grant
	units, before := 0, began
	for i, e := range ends {
		if e.err != nil {
			if !errors.Is(e.err, context.Canceled) || crowd[i].Gone == 0 {
				return fmt.Errorf("waiter %d: %w", i, e.err)
			}
			continue
		}
		if e.at.Before(before) {
			return fmt.Errorf("waiter %d was served before the one ahead of it", i)
		}
		before, last = e.at, e.at.Sub(began)
		units += crowd[i].N
		grants = append(grants, &grant{e.at, ann, crowd[i].N, nil})
	}
	if err := checkWindows([]Policy{policy}, append([]*grant{{began, ann, policy.Burst, nil}}, grants...)); err != nil {
		return err
	}
	// The last one is served no later than if all had come at the last moment and those who gave up had stayed.
	most := time.Duration(0)
	for _, w := range crowd {
		most += w.After + time.Duration(w.N)*time.Second
	}
	if last > most {
		return fmt.Errorf("%d units were served in %v, which takes %v at most", units, last, most)
	}
	if len(l.waits.byKey) != 0 {
		return errors.New("a queue is left")
	}
	return nil
}

func TestFromRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := rate.NewLimiter(1, 3)
		l := MustNew(nil, Policy{Name: "key", Limit: 1, Burst: 2, By: ByUser}, FromRate("all", theirs))
		mustTake(t, l, ann, 1)
		theirs.Allow()
		if res := mustTake(t, l, bob, 2); res.Allowed || !res.At(1).Violated || res.At(0).Remaining != 2 || res.RetryAfter != time.Second {
			t.Errorf("%+v, %+v", res.At(0), res.At(1))
		}
		if res := mustTake(t, l, ann, 2); res.Allowed || theirs.Tokens() != 1 {
			t.Error("what our own policy refuses is not taken from theirs")
		}
		theirs.SetBurst(1)
		if _, err := l.Take(t.Context(), bob, 2); !errors.Is(err, ErrCost) {
			t.Error("its terms are those of the moment:", err)
		}
		theirs.SetBurst(3)
		began := time.Now()
		if err := l.Wait(t.Context(), bob, 2); err != nil || time.Since(began) != time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

// What other packages ask of a *rate.Limiter.
func TestBoundIsALimiter(t *testing.T) {
	type limiter interface {
		Allow() bool
		AllowN(time.Time, int) bool
		Wait(context.Context) error
		WaitN(context.Context, int) error
		Limit() rate.Limit
		Burst() int
		Tokens() float64
	}
	synctest.Test(t, func(t *testing.T) {
		for name, l := range map[string]limiter{
			"x/time": rate.NewLimiter(2, 4),
			"ours":   MustNew(nil, Policy{Name: "p", Limit: 2, Burst: 4}).For(ann),
		} {
			began := time.Now()
			if l.Limit() != 2 || l.Burst() != 4 || l.Tokens() != 4 {
				t.Error(name, l.Limit(), l.Burst(), l.Tokens())
			}
			if !l.Allow() || !l.AllowN(time.Now(), 3) || l.Allow() {
				t.Error(name, "allow")
			}
			l.Wait(t.Context())
			if err := l.WaitN(t.Context(), 2); err != nil || time.Since(began) != 1500*time.Millisecond {
				t.Error(name, err, time.Since(began))
			}
		}
	})
}

// Many keys that wait for one bucket are not admitted faster than it refills.
func TestWaitOfManyKeysForOneBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "all", Limit: 1, Burst: 2, By: Everyone}, Policy{Name: "key", Limit: 10, Burst: 10})
		done := make(chan time.Time, 30)
		for i := range 30 {
			go func() {
				if err := l.Wait(t.Context(), Key{User: fmt.Sprint(i)}, 1); err != nil {
					t.Error(err)
				}
				done <- time.Now()
			}()
		}
		began := time.Now()
		for i := range 30 {
			if at, due := (<-done).Sub(began), time.Duration(max(i-1, 0))*time.Second; at < due || at > due+time.Second {
				t.Errorf("number %d after %v, due at %v", i, at, due)
			}
		}
	})
}
