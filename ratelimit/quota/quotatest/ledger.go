package quotatest

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

	"example.com/hardy/ratelimit/quota"
)

// RunLedger runs one subtest for each thing that a quota.Ledger on the store promises. Time is that of a
// bubble (testing/synctest), in which open is called as well: the store may use a disk, but no network.
func RunLedger(t *testing.T, open func(t *testing.T) quota.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*bubble)
	}{
		{"no quota means allowed, a limit of 0 nothing", (*bubble).limits},
		{"a hundred goroutines at the last ten units", (*bubble).lastTen},
		{"a limit that is changed meanwhile", (*bubble).changing},
		{"a gauge goes down again", (*bubble).gauge},
		{"fractions do not drift", (*bubble).fractions},
		{"the soft threshold is told once", (*bubble).soft},
		{"refunds, tiers and quotas of one's own", (*bubble).refundAndSet},
		{"bad amounts, names and quotas", (*bubble).bad},
		{"sliding is never short, and bounded", (*bubble).sliding},
		{"days and months", (*bubble).calendar},
		{"days of 23 and 25 hours", (*bubble).clockChanges},
		{"a period that changes", (*bubble).periodChanges},
		{"a tier that panics", (*bubble).tierPanics},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(&bubble{t, open(t)}) })
		})
	}
}

// bubble is a test in which time is the test's own.
type bubble struct {
	*testing.T
	store quota.Store
}

func (b *bubble) ledger(o *quota.Options) *quota.Ledger {
	b.Helper()
	l, err := quota.New(b.store, o)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// one is a ledger of one resource, r, with that quota for everybody.
func (b *bubble) one(q quota.Quota) *quota.Ledger {
	return b.ledger(&quota.Options{Resources: []quota.Resource{{Name: "r", Default: &q}}})
}

func (b *bubble) set(l *quota.Ledger, user, resource string, q quota.Quota) {
	b.Helper()
	if err := l.Set(b.Context(), user, resource, &q); err != nil {
		b.Fatal(err)
	}
}

// consume is what must be admitted.
func (b *bubble) consume(l *quota.Ledger, user, resource string, amount int64) {
	b.Helper()
	if err := l.Consume(b.Context(), user, resource, amount); err != nil {
		b.Errorf("%d %s: %v", amount, resource, err)
	}
}

// refused is what must not be.
func (b *bubble) refused(l *quota.Ledger, user, resource string, amount int64, says string) *quota.ExceededError {
	b.Helper()
	check, err := l.Check(b.Context(), user, resource, amount), l.Consume(b.Context(), user, resource, amount)
	var e *quota.ExceededError
	if !errors.As(err, &e) || err.Error() != says || fmt.Sprint(check) != says {
		b.Fatalf("%d %s: Consume %v, Check %v; want %s", amount, resource, err, check, says)
	}
	return e
}

func (b *bubble) usage(l *quota.Ledger, user, resource string) quota.Usage {
	b.Helper()
	report, err := l.Report(b.Context(), user)
	if err != nil {
		b.Fatal(err)
	}
	for _, u := range report {
		if u.Resource == resource {
			return u
		}
	}
	b.Fatalf("no %s in %v", resource, report)
	return quota.Usage{}
}

func (b *bubble) used(l *quota.Ledger, user, resource string, want int64) {
	b.Helper()
	if u := b.usage(l, user, resource); u.Used != want {
		b.Errorf("%d %s are used, want %d", u.Used, resource, want)
	}
}

func (b *bubble) limits() {
	l := b.ledger(nil)
	b.consume(l, "ann", "tokens", 1e12)
	if report, err := l.Report(b.Context(), "ann"); len(report) != 0 || err != nil {
		b.Error("without a quota nothing is recorded:", report, err)
	}
	b.set(l, "ann", "tokens", quota.Quota{Limit: 1000})
	b.set(l, "ann", "nothing", quota.Quota{Limit: 0})
	b.consume(l, "ann", "tokens", 400)
	e := b.refused(l, "ann", "tokens", 601, "quota exceeded for tokens: 1001/1000")
	if e.Left != 600 || e.Used != 400 || time.Until(e.RetryAt) != time.Hour || !errors.Is(e, quota.ErrExceeded) {
		b.Errorf("%+v", e)
	}
	if e := b.refused(l, "ann", "nothing", 1, "quota exceeded for nothing: 1/0"); !e.RetryAt.IsZero() {
		b.Errorf("no waiting helps: %+v", e)
	}
	b.consume(l, "ann", "nothing", 0)
	if u := b.usage(l, "ann", "nothing"); u.Percent != 0 || u.Seconds() != 3600 {
		b.Errorf("%+v", u)
	}
	if u := b.usage(l, "ann", "tokens"); u.String() != "tokens: 400/1000 (40 %)" || u.Percent != 40 || u.Left != 600 || u.User != "ann" {
		b.Errorf("%+v", u)
	}
	time.Sleep(59 * time.Minute)
	b.consume(l, "ann", "tokens", 600)
	b.refused(l, "ann", "tokens", 1, "quota exceeded for tokens: 1001/1000")
	time.Sleep(time.Minute)
	b.used(l, "ann", "tokens", 600)
	if u := b.usage(l, "ann", "tokens"); time.Until(u.ResetsAt) != 59*time.Minute {
		b.Errorf("an hour slides: %+v", u)
	}
}

func (b *bubble) lastTen() {
	for _, period := range []quota.Period{quota.Sliding(time.Hour), quota.Day(nil), quota.Month(nil), quota.Gauge()} {
		l, user := b.one(quota.Quota{Limit: 1000, Period: period}), period.String()
		b.consume(l, user, "r", 990)
		var wg sync.WaitGroup
		var admitted, refused atomic.Int64
		for range 100 {
			wg.Go(func() {
				switch err := l.Consume(b.Context(), user, "r", 1); {
				case err == nil:
					admitted.Add(1)
				case errors.Is(err, quota.ErrExceeded):
					refused.Add(1)
				default:
					b.Error(err)
				}
			})
		}
		wg.Wait()
		if admitted.Load() != 10 || refused.Load() != 90 {
			b.Errorf("%v: %d admitted, %d refused", period, admitted.Load(), refused.Load())
		}
		b.used(l, user, "r", 1000)
	}
}

// Whatever limits come and go while many consume: nothing is lost, and nothing above the highest of them.
func (b *bubble) changing() {
	l := b.one(quota.Quota{Limit: 100})
	var wg sync.WaitGroup
	var sum atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				if i == 0 {
					if err := l.Set(b.Context(), "ann", "r", &quota.Quota{Limit: int64(100 + n)}); err != nil {
						b.Error(err)
					}
				} else if l.Consume(b.Context(), "ann", "r", 1) == nil {
					sum.Add(1)
				}
			}
		})
	}
	wg.Wait()
	b.used(l, "ann", "r", sum.Load())
	if n := sum.Load(); n < 100 || n > 119 {
		b.Errorf("%d admitted under limits from 100 to 119", n)
	}
}

func (b *bubble) gauge() {
	l := b.one(quota.Quota{Limit: 500, Period: quota.Gauge()})
	b.consume(l, "ann", "r", 450)
	time.Sleep(1000 * time.Hour)
	if e := b.refused(l, "ann", "r", 100, "quota exceeded for r: 550/500"); e.Left != 50 || !e.RetryAt.IsZero() {
		b.Errorf("%+v", e)
	}
	if err := l.Refund(b.Context(), "ann", "r", 200); err != nil {
		b.Error(err)
	}
	b.consume(l, "ann", "r", 100)
	if err := l.Refund(b.Context(), "ann", "r", 10_000); err != nil {
		b.Error(err)
	}
	if u := b.usage(l, "ann", "r"); u.Used != 0 || !u.ResetsAt.IsZero() || u.Seconds() != 0 {
		b.Errorf("%+v", u)
	}
}

func (b *bubble) fractions() {
	l := b.ledger(&quota.Options{Resources: []quota.Resource{{Name: "compute_seconds", Decimals: 3, Default: &quota.Quota{Limit: 360_000}}}})
	for range 1000 {
		b.consume(l, "ann", "compute_seconds", 100) // 0.1 s; a thousand float64 of it are not 100
	}
	if u := b.usage(l, "ann", "compute_seconds"); u.Used != 100_000 || u.Decimal(u.Used+5) != "100.005" || u.String() != "compute_seconds: 100/360 (28 %)" {
		b.Error(u)
	}
	b.refused(l, "ann", "compute_seconds", 260_001, "quota exceeded for compute_seconds: 360.001/360")
	b.consume(l, "ann", "compute_seconds", 1)
	b.refused(l, "ann", "compute_seconds", 260_000, "quota exceeded for compute_seconds: 360.001/360")
	b.consume(l, "ann", "compute_seconds", 259_999)
}

func (b *bubble) soft() {
	var mu sync.Mutex
	var told []string
	l := b.ledger(&quota.Options{OnSoft: func(u quota.Usage) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, u.User+" "+u.String())
	}})
	for name, p := range map[string]quota.Period{"day": quota.Day(nil), "hour": quota.Sliding(time.Hour), "gauge": quota.Gauge()} {
		told = nil
		b.set(l, "ann", name, quota.Quota{Limit: 100, Period: p, Soft: 80})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { b.consume(l, "ann", name, 1) })
		}
		wg.Wait()
		l.Refund(b.Context(), "ann", name, 30)
		b.consume(l, "ann", name, 20)
		b.consume(l, "ann", name, 0)
		if len(told) != 1 || told[0] != "ann "+name+": 80/100 (80 %)" {
			b.Errorf("%s: %v", name, told)
		}
		l.Refund(b.Context(), "ann", name, 80)
		time.Sleep(25 * time.Hour)
		b.consume(l, "ann", name, 85)
		if len(told) != 2 {
			b.Errorf("%s, next time: %v", name, told)
		}
	}
}

func (b *bubble) refundAndSet() {
	ctx := b.Context()
	l := b.ledger(&quota.Options{
		Resources: []quota.Resource{{Name: "r", Default: &quota.Quota{Limit: 10}}},
		Tier: func(user, resource string) (quota.Quota, bool) {
			switch user {
			case "gold":
				return quota.Quota{Limit: 50}, true
			case "broken":
				return quota.Quota{Limit: -7}, true
			}
			return quota.Quota{}, false
		},
	})
	for user, want := range map[string]int64{"ann": 10, "gold": 50} {
		if u := b.usage(l, user, "r"); u.Limit != want {
			b.Errorf("%s: %v", user, u)
		}
	}
	if err := l.Consume(ctx, "broken", "r", 1); !errors.Is(err, quota.ErrQuota) {
		b.Error(err)
	}
	b.consume(l, "ann", "r", 8)
	time.Sleep(10 * time.Minute)
	b.consume(l, "ann", "r", 2)
	l.Refund(ctx, "ann", "r", 5) // the last first
	if u := b.usage(l, "ann", "r"); u.Used != 5 || time.Until(u.ResetsAt) != 50*time.Minute {
		b.Errorf("%+v", u)
	}
	b.set(l, "ann", "r", quota.Quota{Limit: 4, Period: quota.Day(nil)})
	if u := b.usage(l, "ann", "r"); u.Used != 5 || u.Left != 0 || u.Percent != 125 {
		b.Errorf("what is used stays used: %+v", u)
	}
	b.set(l, "ann", "r", quota.Quota{Limit: quota.Unlimited, Period: quota.Sliding(time.Hour)})
	b.consume(l, "ann", "r", 1e9)
	if u := b.usage(l, "ann", "r"); u.Used != 1e9+5 || u.Percent != 0 || u.Left != quota.Unlimited || u.String() != "r: 1000000005" {
		b.Errorf("%+v", u)
	}
	if err := l.Set(ctx, "ann", "r", nil); err != nil {
		b.Error(err)
	}
	if u := b.usage(l, "ann", "r"); u.Limit != 10 || u.Used != 1e9+5 {
		b.Errorf("%+v", u)
	}
}

func (b *bubble) bad() {
	ctx := b.Context()
	l := b.one(quota.Quota{Limit: quota.Unlimited})
	b.consume(l, "ann", "r", 1)
	long := strings.Repeat("x", 1<<20)
	moved := time.FixedZone("Europe/Berlin", -3600)
	for name, c := range map[string]struct{ got, want error }{
		"negative":           {l.Consume(ctx, "ann", "r", -1), quota.ErrAmount},
		"as low as can be":   {l.Consume(ctx, "ann", "r", math.MinInt64), quota.ErrAmount},
		"negative back":      {l.Refund(ctx, "ann", "r", -1), quota.ErrAmount},
		"overflow":           {l.Consume(ctx, "ann", "r", math.MaxInt64), quota.ErrAmount},
		"overflow, checked":  {l.Check(ctx, "ann", "r", math.MaxInt64), quota.ErrAmount},
		"no user":            {l.Consume(ctx, "", "r", 1), quota.ErrName},
		"no resource":        {l.Check(ctx, "ann", "", 1), quota.ErrName},
		"a user of 1 MB":     {l.Consume(ctx, long, "r", 1), quota.ErrName},
		"a resource of 1 MB": {l.Set(ctx, "ann", long, nil), quota.ErrName},
		"a NUL":              {l.Consume(ctx, "a\x00b", "r", 1), quota.ErrName},
		"not UTF-8":          {l.Refund(ctx, "a\xff", "r", 1), quota.ErrName},
		"nobody's report":    {report(ctx, l, ""), quota.ErrName},
		"limit below -1":     {l.Set(ctx, "ann", "r", &quota.Quota{Limit: -2}), quota.ErrQuota},
		"soft above 100":     {l.Set(ctx, "ann", "r", &quota.Quota{Soft: 101}), quota.ErrQuota},
		"an unknown zone":    {l.Set(ctx, "ann", "r", &quota.Quota{Period: quota.Day(time.FixedZone("Nowhere", 0))}), quota.ErrQuota},
		"a false zone":       {l.Set(ctx, "ann", "r", &quota.Quota{Period: quota.Month(moved)}), quota.ErrQuota},
	} {
		if !errors.Is(c.got, c.want) {
			b.Errorf("%s: %v", name, c.got)
		}
	}
	b.used(l, "ann", "r", 1)
	b.consume(l, "ann", "r", math.MaxInt64-1)
	if err := l.Consume(ctx, "ann", "r", 1); !errors.Is(err, quota.ErrAmount) {
		b.Error(err)
	}
	for _, r := range [][]quota.Resource{{{}}, {{Name: "r"}, {Name: "r"}}, {{Name: "r", Decimals: 10}}, {{Name: "r", Decimals: -1}}, {{Name: "r", Default: &quota.Quota{Limit: -5}}}} {
		if _, err := quota.New(b.store, &quota.Options{Resources: r}); !errors.Is(err, quota.ErrQuota) && !errors.Is(err, quota.ErrName) {
			b.Errorf("%+v: %v", r, err)
		}
	}
}

func report(ctx context.Context, l *quota.Ledger, user string) error {
	_, err := l.Report(ctx, user)
	return err
}

// An account that is used all the time stays small, and counts nothing short.
func (b *bubble) sliding() {
	l := b.one(quota.Quota{Limit: 500})
	type grant struct {
		at time.Time
		n  int64
	}
	var grants []grant
	refused := 0
	for i := range 2500 {
		time.Sleep(5 * time.Second)
		switch n := int64(i % 3); {
		case l.Consume(b.Context(), "ann", "r", n) == nil:
			grants = append(grants, grant{time.Now(), n})
		default:
			refused++
		}
		if i%50 == 0 {
			var sum int64
			for _, g := range grants {
				if time.Since(g.at) < time.Hour {
					sum += g.n
				}
			}
			if u := b.usage(l, "ann", "r"); sum > 500 || u.Used < sum {
				b.Fatalf("%d in an hour, of which %d are known", sum, u.Used)
			}
		}
	}
	if refused < 100 || refused > 1500 {
		b.Errorf("%d of 2500 were refused", refused)
	}
	accounts, err := b.store.Accounts(b.Context(), "ann")
	if n := len(accounts["r"]); err != nil || n < 128 || n > 2048 {
		b.Errorf("%d bytes, %v", n, err)
	}
	time.Sleep(2 * time.Hour)
	b.used(l, "ann", "r", 0)
	b.consume(l, "ann", "r", 500)
}

func (b *bubble) calendar() { // a bubble begins on 2000-01-01, 0:00 UTC
	l := b.ledger(nil)
	b.set(l, "ann", "calls", quota.Quota{Limit: 5, Period: quota.Day(nil)})
	b.set(l, "ann", "tokens", quota.Quota{Limit: 5, Period: quota.Month(nil)})
	time.Sleep(23 * time.Hour)
	b.consume(l, "ann", "calls", 5)
	b.consume(l, "ann", "tokens", 5)
	if u := b.usage(l, "ann", "calls"); time.Until(u.ResetsAt) != time.Hour || u.Seconds() != 86400 {
		b.Errorf("%+v", u)
	}
	if e := b.refused(l, "ann", "calls", 1, "quota exceeded for calls: 6/5"); time.Until(e.RetryAt) != time.Hour {
		b.Errorf("%+v", e)
	}
	time.Sleep(time.Hour)
	b.used(l, "ann", "calls", 0)
	b.consume(l, "ann", "calls", 5)
	b.refused(l, "ann", "tokens", 1, "quota exceeded for tokens: 6/5")
	time.Sleep(30 * 24 * time.Hour)
	if u := b.usage(l, "ann", "tokens"); u.Used != 0 || u.Seconds() != 29*86400 {
		b.Errorf("February 2000: %+v, %v s", u, u.Seconds())
	}
}

func (b *bubble) clockChanges() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Skip(err)
	}
	l := b.one(quota.Quota{Limit: 5, Period: quota.Day(berlin)})
	for _, c := range []struct {
		day   time.Time
		hours time.Duration
	}{
		{time.Date(2000, 3, 25, 0, 0, 0, 0, berlin), 24}, {time.Date(2000, 3, 26, 0, 0, 0, 0, berlin), 23},
		{time.Date(2000, 10, 29, 0, 0, 0, 0, berlin), 25}, {time.Date(2000, 10, 30, 0, 0, 0, 0, berlin), 24},
	} {
		time.Sleep(time.Until(c.day))
		b.consume(l, "ann", "r", 5)
		if u := b.usage(l, "ann", "r"); time.Until(u.ResetsAt) != c.hours*time.Hour || u.Seconds() != float64(c.hours*3600) {
			b.Errorf("%v: resets in %v", c.day, time.Until(u.ResetsAt))
		}
		time.Sleep(c.hours*time.Hour - time.Nanosecond)
		b.refused(l, "ann", "r", 1, "quota exceeded for r: 6/5")
		time.Sleep(time.Nanosecond)
		b.consume(l, "ann", "r", 1)
		l.Refund(b.Context(), "ann", "r", 1)
	}
}

// A tier that changes its period keeps what is used, and lets it go in time.
func (b *bubble) periodChanges() {
	q := quota.Quota{Limit: 10, Period: quota.Day(nil)}
	l := b.ledger(&quota.Options{Tier: func(user, resource string) (quota.Quota, bool) { return q, true }})
	b.consume(l, "ann", "r", 8)
	for _, p := range []quota.Period{quota.Sliding(time.Hour), quota.Month(nil), quota.Gauge(), quota.Sliding(2 * time.Hour)} {
		q.Period = p
		b.refused(l, "ann", "r", 3, "quota exceeded for r: 11/10")
		b.consume(l, "ann", "r", 0)
	}
	l.Refund(b.Context(), "ann", "r", 1)
	b.used(l, "ann", "r", 7)
	time.Sleep(2 * time.Hour)
	b.used(l, "ann", "r", 0)
	q.Period = quota.Day(nil)
	b.consume(l, "ann", "r", 8)
	time.Sleep(48 * time.Hour)
	q.Period = quota.Gauge()
	b.used(l, "ann", "r", 0) // what was past under the old period does not come back
}

func (b *bubble) tierPanics() {
	l := b.ledger(&quota.Options{Tier: func(user, resource string) (quota.Quota, bool) {
		if user == "oh" {
			panic(user)
		}
		return quota.Quota{Limit: 10}, true
	}})
	for what, f := range map[string]func(){
		"Consume": func() { l.Consume(b.Context(), "oh", "r", 1) },
		"Check":   func() { l.Check(b.Context(), "oh", "r", 1) },
		"Set":     func() { l.Set(b.Context(), "oh", "r", nil) },
	} {
		func() {
			defer func() {
				if p := recover(); p != "oh" {
					b.Errorf("%s panics with %v, want what the tier did", what, p)
				}
			}()
			f()
		}()
	}
	b.consume(l, "ann", "r", 1)
}
