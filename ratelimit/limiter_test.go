package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

var ann, bob = Key{User: "ann"}, Key{User: "bob"}

func mustTake(t *testing.T, l *Limiter, key Key, n int) Result {
	t.Helper()
	res, err := l.Take(context.Background(), key, n)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestBadPolicies(t *testing.T) {
	good := Policy{Name: "p", Limit: 1, Burst: 1}
	with := func(f func(*Policy)) []Policy { p := good; f(&p); return []Policy{p} }
	for _, c := range []struct {
		name string
		opt  *Options
		list []Policy
		says string
	}{
		{"none", nil, nil, "1 to 8"},
		{"too many", nil, make([]Policy, 9), "1 to 8"},
		{"no name", nil, with(func(p *Policy) { p.Name = "" }), "give it a Name"},
		{"long name", nil, with(func(p *Policy) { p.Name = strings.Repeat("n", 65) }), "64"},
		{"name with a line break", nil, with(func(p *Policy) { p.Name = "a\r\nSet-Cookie: b" }), "printable ASCII"},
		{"unit not ASCII", nil, with(func(p *Policy) { p.Unit = "größe" }), "unit"},
		{"two of one name", nil, []Policy{good, good}, `two policies are named "p"`},
		{"rate 0", nil, with(func(p *Policy) { p.Limit = 0 }), "never refills"},
		{"negative rate", nil, with(func(p *Policy) { p.Limit = -1 }), "negative"},
		{"NaN", nil, with(func(p *Policy) { p.Limit = Limit(math.NaN()) }), "not a number"},
		{"negative burst", nil, with(func(p *Policy) { p.Burst = -1 }), "negative"},
		{"rate above the clock", nil, with(func(p *Policy) { p.Limit = 1e10 }), "larger units"},
		{"burst above a field's integer", nil, with(func(p *Policy) { p.Burst = 1e15 }), "larger units"},
		{"refills in 30 years", nil, with(func(p *Policy) { p.Limit = Every(365 * 24 * time.Hour); p.Burst = 30 }), "take longer"},
		{"unknown part", nil, with(func(p *Policy) { p.By = 64 }), "By is 64"},
		{"everyone and a part", nil, with(func(p *Policy) { p.By = Everyone | ByUser }), "Everyone stands alone"},
		{"two of x/time", nil, []Policy{FromRate("a", rate.NewLimiter(1, 1)), FromRate("b", rate.NewLimiter(1, 1))}, "cannot be decided together"},
		{"x/time that never refills", nil, []Policy{FromRate("a", rate.NewLimiter(0, 5))}, "never refills"},
		{"no bound", &Options{MaxKeys: math.MaxInt}, []Policy{good}, "MaxKeys"},
		{"negative option", &Options{MaxKeys: -1}, []Policy{good}, "negative"},
	} {
		l, err := New(c.opt, c.list...)
		if l != nil || !errors.Is(err, ErrPolicy) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("MustNew should panic")
		}
	}()
	MustNew(nil)
}

func TestEdgesOfLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inf := MustNew(nil, Policy{Name: "inf", Limit: Inf})
		if res := mustTake(t, inf, ann, 1e9); !res.Allowed || res.At(0).Remaining != math.MaxInt {
			t.Errorf("Inf: %+v", res.At(0))
		}
		shut := MustNew(nil, Policy{Name: "shut", Limit: 5})
		res := mustTake(t, shut, ann, 1)
		if res.Allowed || res.RetryAfter != Never || res.RetrySeconds() != 0 {
			t.Errorf("Burst 0: %+v", res.At(0))
		}
		if err := res.Err(); !errors.Is(err, ErrLimited) || err.Error() != "ratelimit: refused by shut" {
			t.Error(err)
		}
		l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 3})
		for _, n := range []int{-1, 4, math.MaxInt} {
			if res, err := l.Take(t.Context(), ann, n); !errors.Is(err, ErrCost) || res.Allowed || l.AllowN(ann, n) {
				t.Errorf("%d units: %v", n, err)
			}
		}
		if res := mustTake(t, l, ann, 0); !res.Allowed || res.At(0).Remaining != 3 {
			t.Errorf("0 units: %+v", res.At(0))
		}
		huge := Key{User: strings.Repeat("u", 1<<20)}
		if !l.AllowN(huge, 3) || l.Allow(huge) || !l.Allow(Key{User: huge.User + "v"}) {
			t.Error("a key of 1 MB is a key like any other")
		}
		if n := l.Stats().Bytes; n > 1<<20 {
			t.Errorf("it was kept: %d bytes", n)
		}
	})
}

// A clock of year 9999 changes nothing: what counts is the time since the limiter was made.
func TestClockOfYear9999(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: Every(24 * time.Hour), Burst: 1})
		l.Allow(ann)
		if l.Allow(ann) {
			t.Error("drained")
		}
		for range 35 {
			time.Sleep(365 * 24 * time.Hour)
			if !l.Allow(ann) || l.Allow(ann) {
				t.Fatal("after a year")
			}
		}
	})
}

func TestKeysAreTypedNotJoined(t *testing.T) {
	l := MustNew(&Options{MaxKeys: 1000}, Policy{Name: "p", Limit: Every(time.Hour), Burst: 1})
	keys := []Key{
		{User: "a", Route: "b/c"}, {User: "a/b", Route: "c"}, {User: "a"}, {Route: "a"}, {Name: "a"}, {Session: "a"},
		{User: "a", Name: "a"}, {User: "a", Session: "a"}, {User: "aa"}, {User: "a\x00"}, {User: "a", Route: "a"}, {Session: "a", Route: "a"},
		{Addr: netip.MustParsePrefix("1.2.3.4/32")}, {Addr: netip.MustParsePrefix("1.2.3.5/32")}, {Addr: netip.MustParsePrefix("1.2.3.4/24")},
		{Addr: netip.MustParsePrefix("::102:304/128")}, {Addr: netip.MustParsePrefix("2001:db8::/64")}, {Addr: netip.MustParsePrefix("2001:db8::/56")},
		{Addr: netip.MustParsePrefix("2001:db8:0:1::/64")}, {Addr: netip.MustParsePrefix("2001:db8::/64"), User: "a"},
	}
	for _, k := range keys {
		if !l.Allow(k) {
			t.Errorf("%v shares a bucket with another", k)
		}
	}
	same := []Key{
		{Addr: netip.PrefixFrom(netip.MustParseAddr("::ffff:1.2.3.4"), 128)},
		{Addr: netip.PrefixFrom(netip.MustParseAddr("::ffff:1.2.3.4"), 120)},
		{Addr: netip.PrefixFrom(netip.MustParseAddr("::ffff:1.2.3.4"), 64)}, // CVE-2026-30827: all mapped clients in one bucket
		{Addr: Addr(netip.MustParseAddr("::ffff:1.2.3.4"))},
		{Addr: Addr(netip.MustParseAddr("2001:db8::dead:beef%eth0"))},
		{Addr: netip.PrefixFrom(netip.MustParseAddr("2001:db8::dead:beef"), 64)}, // not masked
	}
	for _, k := range same {
		if l.Allow(k) {
			t.Errorf("%v should share a bucket with one above", k)
		}
	}
	if l.Allow(Key{Addr: netip.PrefixFrom(netip.MustParseAddr("::ffff:9.9.9.9"), 64)}) && l.Allow(Key{Addr: netip.MustParsePrefix("9.9.9.9/32")}) {
		t.Error("a mapped address is another than its IPv4 address")
	}
	if got := (Key{User: "a\nb", Addr: Addr(netip.MustParseAddr("1.2.3.4"))}).String(); got != `addr="1.2.3.4/32" user="a\nb"` {
		t.Error(got)
	}
}

func TestMissingParts(t *testing.T) {
	l := MustNew(nil,
		Policy{Name: "user", Limit: 1, Burst: 1, By: ByUser},
		Policy{Name: "address", Limit: 1, Burst: 5, By: ByAddr, Optional: true})
	for _, k := range []Key{{}, {Addr: Addr(netip.MustParseAddr("1.2.3.4"))}, {Route: "r"}} {
		res, err := l.Take(t.Context(), k, 1)
		if !errors.Is(err, ErrNoKey) || res.Allowed || l.Allow(k) || !strings.Contains(err.Error(), "user") {
			t.Errorf("%v: %v", k, err)
		}
	}
	if res := mustTake(t, l, ann, 1); !res.Allowed || res.Len() != 1 {
		t.Error("the address is optional")
	}
	plain := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 1})
	if _, err := plain.Take(t.Context(), Key{}, 1); !errors.Is(err, ErrNoKey) || plain.Allow(Key{}) {
		t.Error("an empty key is refused")
	}
	all := MustNew(nil, Policy{Name: "p", Limit: 1e-6, Burst: 2, By: Everyone})
	if !all.Allow(Key{}) || !all.Allow(ann) || all.Allow(bob) {
		t.Error("everyone is one bucket")
	}
}

func TestAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil,
			Policy{Name: "burst", Limit: 1, Burst: 2, By: ByUser},
			Policy{Name: "daily", Limit: Per(100, 24*time.Hour), Burst: 100, By: ByUser},
			Policy{Name: "address", Limit: 1, Burst: 3, By: ByAddr},
			Policy{Name: "route", Limit: 1, Burst: 50, By: ByRoute | ByAddr})
		addr := Addr(netip.MustParseAddr("192.0.2.1"))
		key := Key{User: "ann", Addr: addr, Route: "GET /"}
		mustTake(t, l, key, 2)
		res := mustTake(t, l, key, 2)
		var e *LimitedError
		if !errors.As(res.Err(), &e) || fmt.Sprint(e.Violated) != "[burst address]" || e.RetryAfter != 2*time.Second {
			t.Fatalf("%v", res.Err())
		}
		if got := string(res.AppendViolated(nil)); got != `["burst","address"]` {
			t.Error(got)
		}
		for i, want := range []Standing{
			{Policy: "burst", Remaining: 0, Reset: 2 * time.Second, RetryAfter: 2 * time.Second, Violated: true},
			{Policy: "daily", Remaining: 98, Reset: 2 * 864 * time.Second},
			{Policy: "address", Remaining: 1, Reset: 2 * time.Second, RetryAfter: time.Second, Violated: true},
			{Policy: "route", Remaining: 48, Reset: 2 * time.Second},
		} {
			got := res.At(i)
			got.Limit, got.Burst = 0, 0
			if got != want {
				t.Errorf("%+v\n want %+v", got, want)
			}
		}
		if st, _ := res.Tightest(); st.Policy != "burst" {
			t.Error("tightest:", st.Policy)
		}
		if bobs := mustTake(t, l, Key{User: "bob", Addr: addr, Route: "GET /"}, 1); !bobs.Allowed || bobs.At(2).Remaining != 0 {
			t.Error("what ann was refused should not have been taken from the address")
		}
	})
}

// Decisions over the same policies in many goroutines and keys neither deadlock nor admit too much.
func TestManyPoliciesManyGoroutines(t *testing.T) {
	l := MustNew(&Options{MaxKeys: 200},
		Policy{Name: "user", Limit: 1e-3, Burst: 40, By: ByUser}, Policy{Name: "route", Limit: 1e-3, Burst: 60, By: ByRoute},
		Policy{Name: "all", Limit: 1e-3, Burst: 100, By: Everyone}, Policy{Name: "pair", Limit: 1e-3, Burst: 30})
	var mu sync.Mutex
	total, byUser, byRoute := 0, map[string]int{}, map[string]int{}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 300 {
				k := Key{User: fmt.Sprint((i + j) % 4), Route: fmt.Sprint(j % 3)}
				if l.Allow(k) {
					mu.Lock()
					total++
					byUser[k.User]++
					byRoute[k.Route]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if total != 100 {
		t.Errorf("%d admitted, the bucket of all holds 100", total)
	}
	for k, n := range byUser {
		if n > 40 {
			t.Errorf("user %s: %d", k, n)
		}
	}
	for k, n := range byRoute {
		if n > 60 {
			t.Errorf("route %s: %d", k, n)
		}
	}
}

func TestSetLimitWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: Per(10, time.Minute), Burst: 10})
		l.AllowN(ann, 5)
		if err := l.SetLimit("p", Per(100, time.Minute), 100); err != nil {
			t.Fatal(err)
		}
		if got := standing(l, ann); got.Remaining != 50 || got.Burst != 100 {
			t.Errorf("half used of ten is half used of a hundred: %+v", got)
		}
		l.SetLimit("p", Per(1000, 24*time.Hour), 1000)
		l.AllowN(bob, 1000)
		l.SetLimit("p", Per(60, time.Minute), 60)
		if got := standing(l, bob); got.Reset > 2*time.Minute {
			t.Errorf("a day's debt under terms of a minute: %+v", got)
		}
		for name, err := range map[string]error{
			"unknown": l.SetLimit("q", 1, 1), "bad": l.SetLimit("p", -1, 1),
		} {
			if !errors.Is(err, ErrPolicy) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := standing(l, Key{User: "new"}); got.Burst != 60 {
			t.Error("a refused change should change nothing")
		}
	})
}

func TestTiers(t *testing.T) {
	tiers := map[string]Tier{"ann": {Limit: 1, Burst: 10}, "staff": {Limit: Inf}, "barred": {}, "broken": {Limit: Limit(math.NaN()), Burst: 1}}
	l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 2, By: ByUser, Tier: func(k Key) Tier {
		if k.Route != "" {
			t.Error("a tier should see the parts it counts by, and no others")
		}
		if tier, ok := tiers[k.User]; ok {
			return tier
		}
		return Tier{Limit: 1, Burst: 2}
	}})
	for user, want := range map[string]int{"ann": 10, "bob": 2, "barred": 0, "broken": 0, "staff": 50} {
		admitted := 0
		for range 50 {
			if l.Allow(Key{User: user, Route: "r"}) {
				admitted++
			}
		}
		if admitted != want {
			t.Errorf("%s: %d", user, admitted)
		}
	}
	if _, err := l.Take(t.Context(), Key{User: "broken"}, 1); !errors.Is(err, ErrPolicy) {
		t.Error(err)
	}
}

func TestShadowCountsAndRefusesNothing(t *testing.T) {
	l := MustNew(nil,
		Policy{Name: "real", Limit: 1e-3, Burst: 10},
		Policy{Name: "shadow", Limit: 1e-3, Burst: 3, Shadow: true})
	would := 0
	for range 8 {
		res := mustTake(t, l, ann, 1)
		if !res.Allowed || res.Err() != nil {
			t.Fatal("refused by a shadow")
		}
		if st := res.At(1); st.Violated && st.Shadow && st.RetryAfter > 0 {
			would++
		}
	}
	if would != 5 {
		t.Errorf("would have refused %d of 8", would)
	}
	if res := mustTake(t, l, bob, 5); !res.Allowed || !res.At(1).Violated || res.At(1).RetryAfter != Never {
		t.Error("a cost above the shadow's burst is only counted")
	}
	res := mustTake(t, l, ann, 1)
	if got := string(Draft11.AppendLimit(nil, &res)); strings.Contains(got, "shadow") {
		t.Error("clients are not told of shadows:", got)
	}
}

func TestExempt(t *testing.T) {
	l := MustNew(&Options{Exempt: ExemptAddrs(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"))},
		Policy{Name: "p", Limit: 1e-3, Burst: 1})
	for addr, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "2001:db8:1::1": true, "11.1.2.3": false, "2001:db9::1": false} {
		k := Key{Addr: Addr(netip.MustParseAddr(addr))}
		l.Allow(k)
		res := mustTake(t, l, k, 1)
		if res.Allowed != want || res.Exempt != want {
			t.Errorf("%s: %v", addr, res.Allowed)
		}
	}
	if l.Allow(ann); l.Allow(ann) {
		t.Error("no address, no exemption")
	}
	if (ExemptAddrs(netip.MustParsePrefix("10.1.2.0/24"))(Key{Addr: netip.MustParsePrefix("10.0.0.0/8")})) {
		t.Error("only a part of that network is exempt")
	}
}

func TestPenalizeAndRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 10, Debt: 5})
		l.AllowN(ann, 4)
		l.Refund(ann, 1)
		if got := standing(l, ann).Remaining; got != 7 {
			t.Error(got)
		}
		l.Refund(ann, math.MaxInt)
		if got := standing(l, ann); got.Remaining != 10 {
			t.Error("never above full:", got)
		}
		l.Penalize(ann, 3)
		if got := standing(l, ann).Remaining; got != 7 {
			t.Error(got)
		}
		l.Penalize(ann, math.MaxInt)
		if got := standing(l, ann); got.Remaining != 0 || got.Reset != 15*time.Second {
			t.Errorf("the debt is bounded: %+v", got)
		}
		if mustTake(t, l, ann, 0).Allowed {
			t.Error("in debt, even asking is refused")
		}
		res := mustTake(t, l, ann, 1)
		if res.RetryAfter != 6*time.Second {
			t.Error(res.RetryAfter)
		}
		for _, err := range []error{l.Penalize(Key{}, 1), l.Refund(Key{}, 1)} {
			if !errors.Is(err, ErrNoKey) {
				t.Error(err)
			}
		}
		if err := l.Refund(ann, -1); !errors.Is(err, ErrCost) {
			t.Error(err)
		}
		strict := MustNew(nil, Policy{Name: "p", Limit: 1, Burst: 10, Debt: -1})
		strict.Penalize(ann, 30)
		if got := standing(strict, ann).Reset; got != 10*time.Second {
			t.Error("no debt:", got)
		}
	})
}

func TestTrace(t *testing.T) {
	var got []string
	note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	l := MustNew(&Options{MaxKeys: 1, Overflow: 1, Trace: &Trace{
		Decision: func(k Key, r Result) { note("%v %v", k, r.Allowed) },
		Near:     func(k Key, s Standing) { note("near %v %d", k, s.Remaining) },
		Overflow: func(k Key, by By) { note("overflow %v by %v", k, by) },
		Failed:   func(k Key, err error) { note("failed %v", errors.Is(err, ErrNoKey)) },
	}}, Policy{Name: "p", Limit: 1e-3, Burst: 5, By: ByUser})
	for range 6 {
		l.Allow(ann)
	}
	l.Allow(bob)
	l.Allow(Key{})
	l.Peek(ann) // looking is no call
	l.Peek(bob)
	l.Peek(Key{})
	want := `user="ann" true|user="ann" true|user="ann" true|user="ann" true|near user="ann" 0|user="ann" true|user="ann" false|` +
		`overflow user="bob" by user|user="bob" true|failed true`
	if s := strings.Join(got, "|"); s != want {
		t.Error(s)
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	key := Key{User: "ann", Route: "GET /", Addr: Addr(netip.MustParseAddr("2001:db8::1"))}
	one := MustNew(nil, Policy{Name: "p", Limit: 1000, Burst: 10})
	many := MustNew(nil, Policy{Name: "burst", Limit: 1000, Burst: 10}, Policy{Name: "user", Limit: 10, Burst: 10, By: ByUser},
		Policy{Name: "addr", Limit: 10, Burst: 10, By: ByAddr, Shadow: true})
	b := make([]byte, 0, 512)
	for name, f := range map[string]func(){
		"Allow":           func() { one.Allow(key) },
		"Allow, policies": func() { many.Allow(key) },
		"Take and fields": func() {
			res, _ := many.Take(context.Background(), key, 1)
			b = Draft11.AppendLimit(Draft11.AppendPolicy(b[:0], &res), &res)
		},
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A Tier that panics is the caller's bug: it reaches the caller, and no lock is held.
// A Tier that panics is the caller's panic, whatever was called, and leaves no lock behind.
func TestTierPanics(t *testing.T) {
	broken := false
	l := MustNew(&Options{MaxKeys: 10}, Policy{Name: "p", Limit: 1e-3, Burst: 5, Tier: func(Key) Tier {
		if broken {
			panic("no database")
		}
		return Tier{1e-3, 5}
	}})
	held, _, err := l.Reserve(t.Context(), ann, 2)
	if err != nil {
		t.Fatal(err)
	}
	broken = true
	for name, f := range map[string]func(){
		"Allow": func() { l.Allow(ann) }, "Take": func() { l.Take(t.Context(), ann, 1) }, "Peek": func() { l.Peek(ann) },
		"Reserve": func() { l.Reserve(t.Context(), ann, 1) }, "Settle": func() { held.Settle(1) },
		"Wait": func() { l.Wait(t.Context(), ann, 1) }, "Penalize": func() { l.Penalize(ann, 1) }, "Refund": func() { l.Refund(ann, 1) },
	} {
		func() {
			defer func() {
				if recover() != "no database" {
					t.Errorf("%s swallowed the panic", name)
				}
			}()
			f()
		}()
	}
	broken = false
	for range 3 {
		if !l.Allow(ann) {
			t.Error("afterwards it should work")
		}
	}
	if l.Allow(ann) {
		t.Error("what was reserved and not settled is spent")
	}
	if err := l.Wait(t.Context(), bob, 1); err != nil {
		t.Error(err)
	}
}
