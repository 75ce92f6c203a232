package quota

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

func TestAmountsAsText(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 5: "0.005", 1500: "1.5", -20: "-0.02", 1000: "1", 123456: "123.456"} {
		if got := decimal(n, 3); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := decimal(-9223372036854775808, 0); got != "-9223372036854775808" {
		t.Error(got)
	}
}
