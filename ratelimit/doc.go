// Package ratelimit says who may do how much: token buckets over typed keys, decided together, in bounded
// memory; and bounds on what is under way at once (Concurrency). The quotas of a billing period are in
// ratelimit/quota; what turns all this into responses is in middleware.
//
//	limits, err := ratelimit.New(nil,
//		ratelimit.Policy{Name: "burst", Limit: ratelimit.Per(10, time.Second), Burst: 20, By: ratelimit.ByUser},
//		ratelimit.Policy{Name: "daily", Limit: ratelimit.Per(1000, 24*time.Hour), Burst: 1000, By: ratelimit.ByUser},
//		ratelimit.Policy{Name: "address", Limit: ratelimit.Per(50, time.Second), Burst: 100, By: ratelimit.ByAddr})
//	...
//	res, err := limits.Take(ctx, ratelimit.Key{User: "ann", Addr: ratelimit.Addr(peer)}, 1)
//
// Begin with Allow; use Take where the answer is told to somebody, Wait where the caller can be made to
// wait, Reserve where the cost is known only afterwards. The vocabulary (Limit, Every, burst, Inf) is that
// of golang.org/x/time/rate.
//
// # What holds
//
//   - In any span T, a policy admits at most Burst + Limit × T, whatever the goroutines and clock readings
//     do. The clock is monotonic, read under the lock, and never goes back.
//   - All or nothing: a call that one policy refuses takes nothing from any other, though they count by
//     different parts of the key.
//   - A call that cannot be decided (a key without the parts, a cost that never fits, a Tier that makes no
//     sense) is refused, with an error; never unlimited.
//   - Memory has a bound, Limiter.MaxBytes, that nothing a client sends can move; about 24 bytes a key for
//     one policy when full, 23 to 46 before, whatever the key's length. While there is no place for new keys, those that
//     are kept keep their rights, and all newcomers together get at most Overflow × (Burst + Limit × T);
//     newcomers with an IPv6 address count by their /56, then their /48, when it becomes crowded.
//   - No goroutine, and no call examines more than 64 entries to make room (of each table: there is one for
//     each different By among the policies). Growing moves at most 2048.
//
// # What does not
//
//   - Two keys share a bucket if their 64-bit keyed hashes collide: among a million keys, one newcomer in
//     18 million million. It is refused early then.
//   - Rates are rounded down, to 1/8 ns a unit: unnoticeable below 10 million units a second.
//   - The bound is on what was asked for. Settle may charge more than was reserved, and Refund may give back
//     what has refilled since.
//   - A limiter is one process's. What it holds is gone at a restart, and buckets are full again.
//   - A token bucket is not a window: after a pause, Burst units may be followed by what refills, so that
//     somewhat more than Limit × T fit into one span T. Take a smaller Burst where that matters, or a quota.
//
// In version 1 the meaning of policies, the defaults and the emitted fields of one draft do not change.
// Fields for newer drafts are added.
package ratelimit
