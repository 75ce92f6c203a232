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
//   - The clock going back never gives a new period; what was noted for a far future counts as used now.
//
// # Where accounts rest
//
// NewMemory keeps them in this process. (*sqlitestore.Store).Quotas keeps them in the file of the sessions,
// for all processes of one machine, through restarts and kills. Another store is checked by package
// quotatest.
//
// An account takes about 450 bytes of memory for each user and resource that is in use, and up to 2 KB for a
// sliding one that is used constantly. A ledger has no bound of its own, because usage may not be forgotten:
// count users who signed in, not strangers. What is all in the past is dropped as others come.
package quota
