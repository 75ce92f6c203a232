package ratelimit

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// Check says beforehand what Take says of each call.
func TestCheckAgreesWithTake(t *testing.T) {
	parts := map[By]Key{0: {}, ByUser: {User: "ann"}, ByAddr: {Addr: Addr(netip.IPv6Loopback())}, ByUser | ByRoute: {User: "ann", Route: "/"}}
	for name, policies := range map[string][]Policy{
		"all":        {{Name: "a", Limit: 1, Burst: 5}},
		"user":       {{Name: "a", Limit: 1, Burst: 5, By: ByUser}},
		"optional":   {{Name: "a", Limit: 1, Burst: 5, By: ByUser, Optional: true}},
		"everyone":   {{Name: "a", Limit: 1, Burst: 5, By: Everyone}},
		"both":       {{Name: "a", Limit: 1, Burst: 5, By: ByUser}, {Name: "b", Limit: 1, Burst: 3, By: ByRoute, Optional: true}},
		"shadow":     {{Name: "a", Limit: 1, Burst: 5, Shadow: true}},
		"no limit":   {{Name: "a", Limit: Inf}},
		"never":      {{Name: "a", Limit: 1}},
		"of x/time":  {FromRate("a", rate.NewLimiter(rate.Every(time.Minute), 9))},
		"day, burst": {{Name: "a", Limit: Per(1000, 24*time.Hour), Burst: 1000}, {Name: "b", Limit: 1, Burst: 4}},
	} {
		for have, key := range parts {
			for _, cost := range []int{-1, 0, 1, 4, 5, 6} {
				l := MustNew(nil, policies...)
				checked := l.Check(have, cost)
				_, taken := l.Take(t.Context(), key, cost)
				if (checked == nil) != (taken == nil) || checked != nil && checked.Error() != taken.Error() {
					t.Errorf("%s, a key by %v, cost %d: Check says %v, Take %v", name, have, cost, checked, taken)
				}
				if checked != nil && !errors.Is(checked, ErrNoKey) && !errors.Is(checked, ErrCost) {
					t.Errorf("%s: %v", name, checked)
				}
			}
		}
	}
}
