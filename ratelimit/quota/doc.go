// Package quota keeps a ledger of what each user has used of each resource in a period, and refuses what
// would pass the user's limit: 1,000 calls a day, a million tokens a month, 500 MB at any time.
//
//	ledger, err := quota.New(quota.NewMemory(), &quota.Options{Resources: []quota.Resource{
//		{Name: "api_calls", Default: &quota.Quota{Limit: 1000, Period: quota.Day(berlin)}},
//		{Name: "compute_seconds", Decimals: 3}, // counted in milliseconds
//	}})
//	...
//	err = ledger.Consume(ctx, "ann", "api_calls", 1) // quota exceeded for api_calls: 1001/1000
//
// A token bucket (package ratelimit) bounds how fast; a quota bounds how much, exactly, and can be shown
// to the user. Use both: what is paid for is counted here.
//
// # What holds
//
//   - Amounts are int64 in units of the resource's own, so sums do not drift. A resource with Decimals 3
//     is counted in thousandths of what its name says.
//   - Consume is exact: of a hundred goroutines that want the last ten units, ten get one. A refused
//     Consume records nothing.
//   - A user without a quota for a resource may use it, and nothing is recorded; Unlimited records.
//   - The clock going back never gives a new period.
//
// # Memory
//
// The memory ledger takes about 470 bytes for each user and resource that is in use, and up to 8 KB for a
// sliding one that is used constantly. It has no bound of its own, because usage may not be forgotten:
// count users who signed in, not strangers. What is all in the past is dropped as others come.
package quota
