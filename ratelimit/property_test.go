package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

// Whatever rapid thinks of, one plain policy decides as x/time does.
func TestPropertyDecidesAsXTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit(int(1) << rapid.IntRange(0, 9).Draw(t, "log limit"))
		burst := rapid.IntRange(1, 1000).Draw(t, "burst")
		terms, oracle := newBucketTerms(t, limit, burst), rate.NewLimiter(limit, burst)
		start, at := time.Unix(1_800_000_000, 0), time.Duration(0)
		for _, s := range rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]int {
			return [2]int{rapid.IntRange(0, 2000).Draw(t, "steps"), rapid.IntRange(0, burst+1).Draw(t, "units")}
		}), 100, 200).Draw(t, "calls") {
			at += time.Duration(s[0]) * 1953125 // 1/512 s: both reckon exactly
			if got, want := terms.allow(at, s[1]), oracle.AllowN(start.Add(at), s[1]); got != want {
				t.Fatalf("at %v, %d units: %v, x/time says %v", at, s[1], got, want)
			}
		}
	})
}

func newBucketTerms(t *rapid.T, limit Limit, burst int) *bucket {
	b := &bucket{}
	p := Policy{Name: "p"}
	terms, err := p.terms(limit, burst)
	if err != nil {
		t.Fatal(err)
	}
	b.terms = terms.Terms
	return b
}

// A call of the model: after a pause, one of the limiter's methods on one of a few keys.
type step struct {
	Pause time.Duration
	Do    string
	Key   Key
	N     int // units, or which reservation
	Used  int // what Settle says, of what was reserved
}

func drawSteps(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Pause: time.Duration(rapid.Int64Range(0, int64(700*time.Millisecond)).Draw(t, "pause")) * rapid.SampledFrom([]time.Duration{0, 0, 1}).Draw(t, "pauses"),
			Do:    rapid.SampledFrom([]string{"take", "take", "take", "reserve", "reserve", "settle", "settle"}).Draw(t, "do"),
			Key:   Key{User: rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "user"), Route: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "route")},
			N:     rapid.IntRange(0, 6).Draw(t, "n"),
			Used:  rapid.IntRange(0, 6).Draw(t, "used"),
		}
	}), 60, 120).Draw(t, "steps")
}

// Several policies on several keys, with reservations that are given back in part and in any order:
// what was really used never passes burst + rate × T in any span T under any policy, a refusal changes
// nothing and names only policies that were short, and who waits for RetryAfter gets in, and not before.
func TestPropertyWindowsAndAllOrNothing(t *testing.T) {
	policies := []Policy{
		{Name: "burst", Limit: 5, Burst: 6},
		{Name: "user", Limit: Per(7, 3*time.Second), Burst: 12, By: ByUser},
		{Name: "route", Limit: 3, Burst: 9, By: ByRoute},
		{Name: "all", Limit: 4, Burst: 20, By: Everyone},
	}
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		var wrong error
		synctest.Test(t, func(*testing.T) { wrong = runModel(policies, steps) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

type grant struct {
	at   time.Time
	key  Key
	used int
	held *Reservation
}

func runModel(policies []Policy, steps []step) error {
	ctx := context.Background()
	l := MustNew(nil, policies...)
	var grants []*grant
	for _, s := range steps {
		time.Sleep(s.Pause)
		switch s.Do {
		case "take":
			before := l.Peek(s.Key)
			res, err := l.Take(ctx, s.Key, s.N)
			if err != nil {
				return err
			}
			if res.Allowed {
				grants = append(grants, &grant{time.Now(), s.Key, s.N, nil})
			} else if err := checkRefusal(before, l.Peek(s.Key), res, s.N); err != nil {
				return err
			}
		case "reserve":
			r, res, err := l.Reserve(ctx, s.Key, s.N)
			if err != nil || res.Allowed != (r != nil) {
				return fmt.Errorf("%v, %v, %v", r, res.Allowed, err)
			}
			if r != nil {
				grants = append(grants, &grant{time.Now(), s.Key, s.N, r})
			}
		case "settle":
			if len(grants) == 0 || grants[s.N%len(grants)].held == nil {
				continue
			}
			g := grants[s.N%len(grants)]
			used := min(s.Used, g.used)
			if err := g.held.Settle(used); errors.Is(err, ErrSettled) {
				continue
			} else if err != nil {
				return err
			}
			g.used = used
		}
	}
	return checkWindows(policies, grants)
}

func checkRefusal(before, after, res Result, n int) error {
	for i := range before.Len() {
		b, a, r := before.At(i), after.At(i), res.At(i)
		if b.Remaining != a.Remaining || b.Reset != a.Reset {
			return fmt.Errorf("the refused call changed %v into %v", b, a)
		}
		if r.Violated != (b.Remaining < n) {
			return fmt.Errorf("%d units of %v: violated is %v", n, b, r.Violated)
		}
	}
	return nil
}

// checkWindows looks at every span from one grant to another.
func checkWindows(policies []Policy, grants []*grant) error {
	for _, p := range policies {
		for i, first := range grants {
			used := 0
			for _, g := range grants[i:] {
				if g.key.only(p.By) != first.key.only(p.By) && p.By != Everyone {
					continue
				}
				used += g.used
				if most := float64(p.Burst) + float64(p.Limit)*g.at.Sub(first.at).Seconds(); float64(used) > most+1e-6 {
					return fmt.Errorf("policy %q: %d units in %v, at most %v", p.Name, used, g.at.Sub(first.at), most)
				}
			}
		}
	}
	return nil
}

// Retry-After obeyed passes; a nanosecond earlier doesn't.
func TestPropertyRetryAfterIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := Limit(rapid.Float64Range(0.01, 5000).Draw(rt, "limit"))
		burst := rapid.IntRange(1, 100).Draw(rt, "burst")
		costs := rapid.SliceOfN(rapid.IntRange(1, burst), 20, 50).Draw(rt, "costs")
		var wrong error
		synctest.Test(t, func(*testing.T) {
			l, key := MustNew(nil, Policy{Name: "p", Limit: limit, Burst: burst}), Key{User: "ann"}
			for _, n := range costs {
				res, err := l.Take(context.Background(), key, n)
				if err != nil {
					wrong = err
				}
				if res.Allowed {
					continue
				}
				time.Sleep(res.RetryAfter - 1)
				if l.AllowN(key, n) {
					wrong = fmt.Errorf("%d units passed 1 ns before %v", n, res.RetryAfter)
				}
				time.Sleep(time.Nanosecond)
				if !l.AllowN(key, n) {
					wrong = fmt.Errorf("%d units refused after %v", n, res.RetryAfter)
				}
			}
		})
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}
