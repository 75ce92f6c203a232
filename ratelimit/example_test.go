package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"example.com/hardy/ratelimit"
)

func ExampleLimiter_Allow() {
	limits := ratelimit.MustNew(nil, ratelimit.Policy{Name: "calls", Limit: ratelimit.Per(100, time.Hour), Burst: 3})
	for range 4 {
		fmt.Println(limits.Allow(ratelimit.Key{User: "ann"}))
	}
	fmt.Println(limits.Allow(ratelimit.Key{User: "bob"}))
	// Output:
	// true
	// true
	// true
	// false
	// true
}

// Several policies on different parts of the key, decided together.
func ExampleLimiter_Take() {
	limits := ratelimit.MustNew(nil,
		ratelimit.Policy{Name: "burst", Limit: ratelimit.Per(10, time.Minute), Burst: 10, By: ratelimit.ByUser},
		ratelimit.Policy{Name: "address", Limit: ratelimit.Per(4, time.Minute), Burst: 4, By: ratelimit.ByAddr})
	key := ratelimit.Key{User: "ann", Addr: ratelimit.Addr(netip.MustParseAddr("2001:db8::1"))}

	limits.Take(context.Background(), key, 4)
	res, err := limits.Take(context.Background(), key, 1)
	if err != nil {
		panic(err) // the key lacks a part, or the cost can never be admitted
	}
	fmt.Println(res.Allowed, "retry after", res.RetrySeconds(), "s")
	fmt.Println("left of burst:", res.At(0).Remaining)
	fmt.Printf("RateLimit-Policy: %s\n", ratelimit.Draft11.AppendPolicy(nil, &res))
	// Output:
	// false retry after 15 s
	// left of burst: 6
	// RateLimit-Policy: "burst";q=10;w=60,"address";q=4;w=60
}

// The cost of a model's answer is known afterwards.
func ExampleLimiter_Reserve() {
	tokens := ratelimit.MustNew(nil, ratelimit.Policy{Name: "tokens", Limit: ratelimit.Per(10_000, time.Hour), Burst: 10_000, By: ratelimit.ByUser})
	ctx, key := context.Background(), ratelimit.Key{User: "ann"}

	held, res, err := tokens.Reserve(ctx, key, 4000)
	if err != nil || held == nil {
		fmt.Println(res.Err(), err)
		return
	}
	fmt.Println("reserved; left:", res.At(0).Remaining)
	held.Settle(1500)
	res = tokens.Peek(key)
	fmt.Println("settled; left:", res.At(0).Remaining)
	// Output:
	// reserved; left: 6000
	// settled; left: 8500
}

func ExampleLimiter_Wait() {
	limits := ratelimit.MustNew(nil, ratelimit.Policy{Name: "mail", Limit: ratelimit.Every(time.Minute), Burst: 1})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	job := ratelimit.Key{Name: "newsletter"}
	fmt.Println(limits.Wait(ctx, job, 1))
	fmt.Println(errors.Is(limits.Wait(ctx, job, 1), ratelimit.ErrDeadline))
	// Output:
	// <nil>
	// true
}

// What each customer gets depends on what they pay.
func ExamplePolicy_tier() {
	plan := map[string]string{"ann": "gold"}
	limits := ratelimit.MustNew(nil, ratelimit.Policy{
		Name: "calls", Limit: ratelimit.Per(10, time.Hour), Burst: 2, By: ratelimit.ByUser,
		Tier: func(k ratelimit.Key) ratelimit.Tier {
			if plan[k.User] == "gold" {
				return ratelimit.Tier{Limit: ratelimit.Per(1000, time.Hour), Burst: 100}
			}
			return ratelimit.Tier{Limit: ratelimit.Per(10, time.Hour), Burst: 2}
		},
	})
	for _, user := range []string{"ann", "bob"} {
		res := limits.Peek(ratelimit.Key{User: user})
		fmt.Println(user, res.At(0).Burst)
	}
	// Output:
	// ann 100
	// bob 2
}

func ExampleConcurrency() {
	busy, err := ratelimit.NewConcurrency(ratelimit.ConcurrencyOptions{PerKey: 1, Total: 100, Reserve: 20})
	if err != nil {
		panic(err)
	}
	key := ratelimit.Key{User: "ann"}
	release, err := busy.Acquire(context.Background(), key, false)
	fmt.Println(err)
	_, err = busy.Acquire(context.Background(), key, false)
	fmt.Println(err)
	release()
	// Output:
	// <nil>
	// ratelimit: the queue is full; 1 under way for this key, 1 in all
}
