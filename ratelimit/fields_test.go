package ratelimit

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"
)

// The examples of draft-ietf-httpapi-ratelimit-headers-11, byte by byte.
func TestFieldsOfDraft11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := func(name string, n int, span time.Duration) Policy {
			return Policy{Name: name, Limit: Per(n, span), Burst: n}
		}
		bytes := per("peruser", 65535, 10*time.Second)
		bytes.Unit = "content-bytes"
		requests := per("plain", 100, time.Minute)
		requests.Unit = "requests"
		for _, c := range []struct {
			list          []Policy
			cost          int
			policy, limit string
		}{
			{[]Policy{per("burst", 100, time.Minute), per("daily", 1000, 24*time.Hour)}, 50,
				`"burst";q=100;w=60,"daily";q=1000;w=86400`, `"burst";r=50;t=30,"daily";r=950;t=82080`},
			{[]Policy{per("default", 100, time.Minute)}, 50, `"default";q=100;w=60`, `"default";r=50;t=30`},
			{[]Policy{bytes}, 65535, `"peruser";q=65535;qu="content-bytes";w=10`, `"peruser";r=0;t=1`},
			{[]Policy{requests}, 0, `"plain";q=100;w=60`, `"plain";r=100;t=60`},
			{[]Policy{per(`a"b\c`, 1, time.Minute)}, 1, `"a\"b\\c";q=1;w=60`, `"a\"b\\c";r=0;t=60`},
			{[]Policy{{Name: "inf", Limit: Inf}, per("shadow", 9, time.Minute)}, 1, `"shadow";q=9;w=60`, `"shadow";r=8;t=54`},
			{[]Policy{{Name: "inf", Limit: Inf}}, 1, ``, ``},
			{[]Policy{{Name: "often", Limit: 1e6, Burst: 10}}, 10, `"often";q=10;w=1`, `"often";r=0;t=1`},
		} {
			l := MustNew(nil, c.list...)
			res := mustTake(t, l, ann, c.cost)
			if got := string(Draft11.AppendPolicy(nil, &res)); got != c.policy {
				t.Errorf("policy %s\n  want %s", got, c.policy)
			}
			if got := string(Draft11.AppendLimit(nil, &res)); got != c.limit {
				t.Errorf("limit %s\n want %s", got, c.limit)
			}
		}
	})
}

// Section 6: Retry-After does not come before the end of any t.
func TestFieldsOfARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, Policy{Name: "burst", Limit: 1, Burst: 5}, Policy{Name: "daily", Limit: Per(1000, 24*time.Hour), Burst: 1000},
			Policy{Name: "off", Limit: 1})
		l.SetLimit("off", Inf, 0)
		l.AllowN(ann, 5)
		res := mustTake(t, l, ann, 3)
		if got := string(Draft11.AppendLimit(nil, &res)); got != `"burst";r=0;t=3,"daily";r=995;t=3` || res.RetrySeconds() != 3 {
			t.Error(got, res.RetrySeconds())
		}
		l.SetLimit("off", 1, 0)
		res = mustTake(t, l, ann, 1)
		if got := string(Draft11.AppendLimit(nil, &res)); !strings.HasSuffix(got, `"off";r=0`) || res.RetrySeconds() != 0 {
			t.Error(got, res.RetrySeconds())
		}
	})
}

// Whatever was decided, an independent parser reads it back.
func TestFieldsParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Policy
		for i := range rapid.IntRange(1, MaxPolicies).Draw(t, "policies") {
			list = append(list, Policy{
				Name:      fmt.Sprint(i) + rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "name"),
				Limit:     Limit(rapid.Float64Range(0.001, 1e7).Draw(t, "limit")),
				Burst:     rapid.IntRange(1, 1e5).Draw(t, "burst"),
				Unit:      rapid.SampledFrom([]string{"", "content-bytes", "acme-tokens"}).Draw(t, "unit"),
				Partition: rapid.Bool().Draw(t, "partition"),
			})
		}
		l, err := New(&Options{MaxKeys: 100}, list...)
		if err != nil {
			t.Fatal(err)
		}
		var res Result
		for range rapid.IntRange(1, 3).Draw(t, "calls") {
			res, _ = l.Take(context.Background(), ann, 1)
		}
		policies, limits := parse(t, Draft11.AppendPolicy(nil, &res)), parse(t, Draft11.AppendLimit(nil, &res))
		if len(policies) != len(list) || len(limits) != len(list) {
			t.Fatal(len(policies), len(limits))
		}
		for i, p := range list {
			q, _ := policies[i].Params.Get("q")
			w, _ := policies[i].Params.Get("w")
			if policies[i].Value != p.Name || q != int64(p.Burst) || w.(int64) < 1 {
				t.Fatal(policies[i])
			}
			r, _ := limits[i].Params.Get("r")
			in, _ := limits[i].Params.Get("t")
			if r != int64(res.At(i).Remaining) || in.(int64) < 1 || in.(int64) > w.(int64)+1 {
				t.Fatal(limits[i])
			}
			a, has := policies[i].Params.Get("pk")
			b, _ := limits[i].Params.Get("pk")
			if has != p.Partition || has && (len(a.([]byte)) != 8 || string(a.([]byte)) != string(b.([]byte))) {
				t.Fatal(a, b)
			}
		}
	})
}

func parse(t *rapid.T, b []byte) (items []httpsfv.Item) {
	list, err := httpsfv.UnmarshalList([]string{string(b)})
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	for _, member := range list {
		items = append(items, member.(httpsfv.Item))
	}
	return items
}

// Whoever obeys Retry-After gets in; one second earlier nobody does.
func TestRetryAfterObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []Policy{
			{Name: "a", Limit: Per(100, time.Minute), Burst: 100}, {Name: "b", Limit: Every(time.Hour), Burst: 1},
			{Name: "c", Limit: 0.3, Burst: 7}, {Name: "d", Limit: 1.0 / 7, Burst: 2},
		} {
			l := MustNew(nil, p)
			for n := 1; n <= p.Burst; n += 3 {
				l.AllowN(ann, standing(l, ann).Remaining)
				res := mustTake(t, l, ann, n)
				seconds := res.RetrySeconds()
				if seconds < 1 {
					t.Fatalf("%s, %d: Retry-After %d", p.Name, n, seconds)
				}
				time.Sleep(time.Duration(seconds-1) * time.Second)
				if seconds > 1 && l.AllowN(ann, n) {
					t.Errorf("%s, %d: passes a second before %d", p.Name, n, seconds)
				}
				time.Sleep(time.Second)
				if !l.AllowN(ann, n) {
					t.Errorf("%s, %d: refused after %d", p.Name, n, seconds)
				}
			}
		}
	})
	if n := (&Result{RetryAfter: math.MaxInt64 - 1}).RetrySeconds(); n < 1 {
		t.Error(n)
	}
}
