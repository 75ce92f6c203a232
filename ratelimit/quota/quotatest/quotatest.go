// Package quotatest checks a quota.Store against its contract, and that a quota.Ledger on it keeps what it
// promises.
//
//	func TestQuotas(t *testing.T) {
//		open := func(t *testing.T) quota.Store { … } // what needs closing goes to t.Cleanup
//		quotatest.Run(t, open)
//		quotatest.RunLedger(t, open)
//	}
//
// Run it with -race too. Later versions may add tests for what the contract says already.
package quotatest

import (
	"context"
	"testing"
	"time"

	"example.com/hardy/ratelimit/quota"
)

// Run runs one subtest for each rule of quota.Store, each on a store of its own from open. They may share one
// engine: users are random. It asks for no more than the contract says; the store may be slow, and rest on a
// disk or a network.
func Run(t *testing.T, open func(t *testing.T) quota.Store) {
	t.Helper()
	for _, c := range rules {
		t.Run(c.name, func(t *testing.T) {
			c.run(&suite{t, t.Context(), 20 * time.Second, open(t)})
		})
	}
}

// reporter is what a check needs of *testing.T, so that the suite's own tests can see what it finds in broken
// stores.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

type suite struct {
	reporter
	ctx      context.Context
	patience time.Duration // until a call counts as hanging
	store    quota.Store
}
