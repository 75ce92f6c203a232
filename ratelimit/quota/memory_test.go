package quota_test

import (
	"testing"

	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/ratelimit/quota/quotatest"
)

func memory(t *testing.T) quota.Store { return quota.NewMemory() }

func TestMemory(t *testing.T) { quotatest.Run(t, memory) }

func TestLedger(t *testing.T) { quotatest.RunLedger(t, memory) }

// What a decision costs in memory: on an account used once in a while, and on a sliding one used all the time.
func BenchmarkConsume(b *testing.B) {
	for name, period := range map[string]quota.Period{"day": quota.Day(nil), "sliding": quota.Sliding(0)} {
		b.Run(name, func(b *testing.B) {
			l, err := quota.New(quota.NewMemory(), &quota.Options{Resources: []quota.Resource{{Name: "r", Default: &quota.Quota{Limit: quota.Unlimited, Period: period}}}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Consume(b.Context(), "ann", "r", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
