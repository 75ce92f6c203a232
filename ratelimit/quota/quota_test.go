package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func mustLedger(t testing.TB, opt *Options) *Ledger {
	l, err := New(NewMemory(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustSet(t testing.TB, l *Ledger, user, resource string, q Quota) {
	t.Helper()
	if err := l.Set(context.Background(), user, resource, &q); err != nil {
		t.Fatal(err)
	}
}

func used(t testing.TB, l *Ledger, user, resource string) Usage {
	t.Helper()
	report, err := l.Report(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range report {
		if u.Resource == resource {
			return u
		}
	}
	t.Fatalf("no %s in %v", resource, report)
	return Usage{}
}

// Agent guide, 11: 100 api_calls consumed of 100 in 60 s, then check refuses.
func TestAgentGuide11HundredCallsThenCheckRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := mustLedger(t, nil), t.Context()
		mustSet(t, l, "ann", "api_calls", Quota{Limit: 100, Period: Sliding(time.Minute)})
		for range 100 {
			if err := l.Check(ctx, "ann", "api_calls", 1); err != nil {
				t.Fatal(err)
			}
			if err := l.Consume(ctx, "ann", "api_calls", 1); err != nil {
				t.Fatal(err)
			}
		}
		err := l.Check(ctx, "ann", "api_calls", 1)
		var e *ExceededError
		if !errors.As(err, &e) || !errors.Is(err, ErrExceeded) || err.Error() != "quota exceeded for api_calls: 101/100" {
			t.Fatal(err)
		}
		if e.Left != 0 || e.Used != 100 || time.Until(e.RetryAt) != time.Minute {
			t.Errorf("%+v", e)
		}
		time.Sleep(time.Minute)
		if err := l.Consume(ctx, "ann", "api_calls", 100); err != nil {
			t.Error("a minute later:", err)
		}
	})
}

// Agent guide, 5, line by line.
func TestAgentGuide5Quotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := mustLedger(t, nil), t.Context()
		if err := l.Consume(ctx, "ann", "tokens", 1e12); err != nil {
			t.Error("no quota set means allowed:", err)
		}
		mustSet(t, l, "ann", "tokens", Quota{Limit: 1000})
		mustSet(t, l, "ann", "nothing", Quota{Limit: 0})
		mustSet(t, l, "ann", "api_calls", Quota{Limit: 100, Period: Sliding(time.Minute)})
		l.Consume(ctx, "ann", "tokens", 400)
		if err := l.Consume(ctx, "ann", "tokens", 601); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
		if err := l.Consume(ctx, "ann", "nothing", 1); err == nil || err.Error() != "quota exceeded for nothing: 1/0" {
			t.Error(err)
		}
		report, _ := l.Report(ctx, "ann")
		var got []string
		for _, u := range report {
			got = append(got, fmt.Sprintf("%s %d/%d %.1f%% %.0fs", u.Resource, u.Used, u.Limit, u.Percent, u.Seconds()))
		}
		if s := strings.Join(got, "; "); s != "api_calls 0/100 0.0% 60s; nothing 0/0 0.0% 3600s; tokens 400/1000 40.0% 3600s" {
			t.Error(s)
		}
		if report, _ := l.Report(ctx, "bob"); len(report) != 0 {
			t.Error("bob has", report)
		}
		time.Sleep(59 * time.Minute)
		l.Consume(ctx, "ann", "tokens", 600)
		if err := l.Check(ctx, "ann", "tokens", 1); !errors.Is(err, ErrExceeded) {
			t.Error("the default period is an hour")
		}
		time.Sleep(time.Minute)
		if u := used(t, l, "ann", "tokens"); u.Used != 600 || time.Until(u.ResetsAt) != 59*time.Minute {
			t.Errorf("it slides: %+v", u)
		}
	})
}

// 100 goroutines at the last 10 units: 10 succeed.
func TestHundredGoroutinesAtTheLastTen(t *testing.T) {
	for _, period := range []Period{Sliding(time.Hour), Day(nil), Month(nil), Gauge()} {
		l := mustLedger(t, &Options{Resources: []Resource{{Name: "r", Default: &Quota{Limit: 1000, Period: period}}}})
		l.Consume(t.Context(), "ann", "r", 990)
		var wg sync.WaitGroup
		var admitted, refused atomic.Int64
		for range 100 {
			wg.Go(func() {
				switch err := l.Consume(context.Background(), "ann", "r", 1); {
				case err == nil:
					admitted.Add(1)
				case errors.Is(err, ErrExceeded):
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if u := used(t, l, "ann", "r"); admitted.Load() != 10 || refused.Load() != 90 || u.Used != 1000 {
			t.Errorf("%v: %d admitted, %d refused, %d used", period, admitted.Load(), refused.Load(), u.Used)
		}
	}
}

func TestGaugeGoesDownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := mustLedger(t, nil), t.Context()
		mustSet(t, l, "ann", "storage_mb", Quota{Limit: 500, Period: Gauge()})
		l.Consume(ctx, "ann", "storage_mb", 450)
		time.Sleep(1000 * time.Hour)
		err := l.Consume(ctx, "ann", "storage_mb", 100)
		var e *ExceededError
		if !errors.As(err, &e) || e.Left != 50 || !e.RetryAt.IsZero() {
			t.Error(err)
		}
		l.Refund(ctx, "ann", "storage_mb", 200)
		if err := l.Consume(ctx, "ann", "storage_mb", 100); err != nil {
			t.Error(err)
		}
		l.Refund(ctx, "ann", "storage_mb", 10_000)
		if u := used(t, l, "ann", "storage_mb"); u.Used != 0 || !u.ResetsAt.IsZero() || u.Seconds() != 0 {
			t.Errorf("%+v", u)
		}
	})
}

func TestFractionsDoNotDrift(t *testing.T) {
	l, ctx := mustLedger(t, &Options{Resources: []Resource{{Name: "compute_seconds", Decimals: 3, Default: &Quota{Limit: 3600_000}}}}), t.Context()
	for range 10_000 {
		l.Consume(ctx, "ann", "compute_seconds", 100) // 0.1 s; ten thousand float64 of it are not 1000
	}
	u := used(t, l, "ann", "compute_seconds")
	if u.Used != 1_000_000 || u.String() != "compute_seconds: 1000/3600 (28 %)" {
		t.Error(u)
	}
	if err := l.Consume(ctx, "ann", "compute_seconds", 2_600_001); fmt.Sprint(err) != "quota exceeded for compute_seconds: 3600.001/3600" {
		t.Error(err)
	}
	for n, want := range map[int64]string{0: "0", 5: "0.005", 1500: "1.5", -20: "-0.02", 1000: "1"} {
		if got := decimal(n, 3); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestSoftThresholdIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		l := mustLedger(t, &Options{OnSoft: func(u Usage) { told = append(told, u.String()) }})
		ctx := t.Context()
		for name, p := range map[string]Period{"day": Day(nil), "hour": Sliding(time.Hour), "gauge": Gauge()} {
			told = nil
			mustSet(t, l, "ann", name, Quota{Limit: 100, Period: p, Soft: 80})
			for range 100 {
				l.Consume(ctx, "ann", name, 1)
			}
			l.Refund(ctx, "ann", name, 30)
			l.Consume(ctx, "ann", name, 20)
			if len(told) != 1 || told[0] != name+": 80/100 (80 %)" {
				t.Errorf("%s: %v", name, told)
			}
			l.Refund(ctx, "ann", name, 80)
			time.Sleep(25 * time.Hour)
			l.Consume(ctx, "ann", name, 85)
			if len(told) != 2 {
				t.Errorf("%s, next time: %v", name, told)
			}
		}
	})
}

func TestRefundAndSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := mustLedger(t, &Options{
			Resources: []Resource{{Name: "r", Default: &Quota{Limit: 10}}},
			Tier: func(user, resource string) (Quota, bool) {
				switch user {
				case "gold":
					return Quota{Limit: 50}, true
				case "broken":
					return Quota{Limit: -7}, true
				}
				return Quota{}, false
			},
		}), t.Context()
		for user, want := range map[string]int64{"ann": 10, "gold": 50} {
			if u := used(t, l, user, "r"); u.Limit != want {
				t.Errorf("%s: %v", user, u)
			}
		}
		if err := l.Consume(ctx, "broken", "r", 1); !errors.Is(err, ErrQuota) {
			t.Error(err)
		}
		l.Consume(ctx, "ann", "r", 8)
		time.Sleep(10 * time.Minute)
		l.Consume(ctx, "ann", "r", 2)
		l.Refund(ctx, "ann", "r", 5) // the last first
		if u := used(t, l, "ann", "r"); u.Used != 5 || time.Until(u.ResetsAt) != 50*time.Minute {
			t.Errorf("%+v", u)
		}
		mustSet(t, l, "ann", "r", Quota{Limit: 4, Period: Day(nil)})
		if u := used(t, l, "ann", "r"); u.Used != 5 || u.Left != 0 || u.Percent != 125 {
			t.Errorf("what is used stays used: %+v", u)
		}
		mustSet(t, l, "ann", "r", Quota{Limit: Unlimited, Period: Sliding(time.Hour)})
		l.Consume(ctx, "ann", "r", 1e9)
		if u := used(t, l, "ann", "r"); u.Used != 1e9+5 || u.Percent != 0 || u.Left != Unlimited || u.String() != "r: 1000000005" {
			t.Errorf("%+v", u)
		}
		l.Set(ctx, "ann", "r", nil)
		if u := used(t, l, "ann", "r"); u.Limit != 10 || u.Used != 1e9+5 {
			t.Errorf("%+v", u)
		}
		for name, err := range map[string]error{
			"negative":       l.Set(ctx, "ann", "r", &Quota{Limit: -2}),
			"soft above 100": l.Set(ctx, "ann", "r", &Quota{Soft: 101}),
		} {
			if !errors.Is(err, ErrQuota) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestBadAmountsAndNames(t *testing.T) {
	l, ctx := mustLedger(t, &Options{Resources: []Resource{{Name: "r", Default: &Quota{Limit: Unlimited}}}}), t.Context()
	l.Consume(ctx, "ann", "r", 1)
	for name, c := range map[string]struct{ got, want error }{
		"negative":      {l.Consume(ctx, "ann", "r", -1), ErrAmount},
		"negative back": {l.Refund(ctx, "ann", "r", -1), ErrAmount},
		"overflow":      {l.Consume(ctx, "ann", "r", math.MaxInt64), ErrAmount},
		"no user":       {l.Consume(ctx, "", "r", 1), ErrName},
		"no resource":   {l.Check(ctx, "ann", "", 1), ErrName},
		"report":        {func() error { _, err := l.Report(ctx, ""); return err }(), ErrName},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	for _, r := range [][]Resource{{{}}, {{Name: "r"}, {Name: "r"}}, {{Name: "r", Decimals: 10}}, {{Name: "r", Default: &Quota{Limit: -5}}}} {
		if _, err := New(NewMemory(), &Options{Resources: r}); !errors.Is(err, ErrQuota) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// A refused or checked amount leaves nothing behind, and what is past is forgotten.
func TestMemoryForgetsThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		l, _ := New(store, &Options{Resources: []Resource{{Name: "r", Default: &Quota{Limit: 10}}, {Name: "day", Default: &Quota{Limit: 10, Period: Day(nil)}}}})
		count := func() (n int) {
			for i := range store.shards {
				for _, accounts := range store.shards[i].users {
					n += len(accounts)
				}
			}
			return n
		}
		l.Check(t.Context(), "ann", "r", 1)
		l.Consume(t.Context(), "ann", "r", 11)
		if count() != 0 {
			t.Error("nothing was used, but something is kept")
		}
		for i := range 5000 {
			l.Consume(t.Context(), fmt.Sprint("old", i), "r", 1)
			l.Consume(t.Context(), fmt.Sprint("old", i), "day", 1)
		}
		time.Sleep(100 * time.Hour)
		for i := range 5000 {
			l.Consume(t.Context(), fmt.Sprint("new", i), "r", 1)
		}
		if n := count(); n > 7000 {
			t.Errorf("%d accounts, 5000 are current", n)
		}
	})
}

// A sliding account that is used all the time stays small, and counts nothing short.
func TestSlidingIsBoundedAndNeverShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		l, _ := New(store, &Options{Resources: []Resource{{Name: "r", Default: &Quota{Limit: 1000}}}})
		type grant struct {
			at time.Time
			n  int64
		}
		var grants []grant
		for i := range 20_000 {
			time.Sleep(time.Second)
			if n := int64(i % 3); l.Consume(t.Context(), "ann", "r", n) == nil {
				grants = append(grants, grant{time.Now(), n})
			}
			if i%100 == 0 {
				var sum int64
				for _, g := range grants {
					if time.Since(g.at) < time.Hour {
						sum += g.n
					}
				}
				if sum > 1000 {
					t.Fatalf("%d in an hour", sum)
				}
			}
		}
		accounts, _ := store.Accounts(t.Context(), "ann")
		if n := len(accounts["r"].Parts); n > resolution+2 {
			t.Errorf("%d parts", n)
		}
	})
}

// A tier that changes its period keeps what is used, and lets it go in time.
func TestPeriodOfATierChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := Quota{Limit: 10, Period: Day(nil)}
		l := mustLedger(t, &Options{Tier: func(user, resource string) (Quota, bool) { return q, true }})
		l.Consume(t.Context(), "ann", "r", 8)
		for _, p := range []Period{Sliding(time.Hour), Month(nil), Gauge(), Sliding(2 * time.Hour)} {
			q.Period = p
			if err := l.Consume(t.Context(), "ann", "r", 3); !errors.Is(err, ErrExceeded) {
				t.Errorf("%v: %v", p, err)
			}
		}
		l.Refund(t.Context(), "ann", "r", 1)
		time.Sleep(2 * time.Hour)
		if u := used(t, l, "ann", "r"); u.Used != 0 {
			t.Errorf("%+v", u)
		}
		q.Period = Day(nil)
		l.Consume(t.Context(), "ann", "r", 8)
		time.Sleep(48 * time.Hour)
		q.Period = Gauge()
		if u := used(t, l, "ann", "r"); u.Used != 0 {
			t.Errorf("what was past under the old period should not come back: %+v", u)
		}
	})
}
