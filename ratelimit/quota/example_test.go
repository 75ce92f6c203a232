package quota_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/hardy/ratelimit/quota"
)

func Example() {
	ctx := context.Background()
	ledger, err := quota.New(quota.NewMemory(), &quota.Options{
		Resources: []quota.Resource{
			{Name: "api_calls", Default: &quota.Quota{Limit: 100, Period: quota.Day(time.UTC)}},
			{Name: "compute_seconds", Decimals: 3, Default: &quota.Quota{Limit: 60_000, Soft: 80}},
			{Name: "storage_mb", Default: &quota.Quota{Limit: 500, Period: quota.Gauge()}},
		},
		OnSoft: func(u quota.Usage) { fmt.Println("tell", u.User, "about", u) },
	})
	if err != nil {
		panic(err)
	}
	ledger.Consume(ctx, "ann", "api_calls", 100)
	err = ledger.Consume(ctx, "ann", "api_calls", 1)
	fmt.Println(err, errors.Is(err, quota.ErrExceeded))

	ledger.Consume(ctx, "ann", "compute_seconds", 48_500)
	ledger.Consume(ctx, "ann", "storage_mb", 200)
	ledger.Refund(ctx, "ann", "storage_mb", 150)

	report, _ := ledger.Report(ctx, "ann")
	for _, usage := range report {
		fmt.Println(usage)
	}
	// Output:
	// quota exceeded for api_calls: 101/100 true
	// tell ann about compute_seconds: 48.5/60 (81 %)
	// api_calls: 100/100 (100 %)
	// compute_seconds: 48.5/60 (81 %)
	// storage_mb: 50/500 (10 %)
}
