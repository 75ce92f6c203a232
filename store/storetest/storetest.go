// Package storetest checks a session.Store against its contract: one named test for each numbered rule
// in the doc of session.Store, and for each optional interface that the store has (Capper, Scanner,
// Importer, Watcher, Sweeper).
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) session.Store {
//			db, err := mystore.Open(filepath.Join(t.TempDir(), "sessions"))
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { db.Close() })
//			return db
//		})
//	}
//
// Run it with -race too: the tests whose names begin with "race" are meant for it.
//
// The suite asks for no more than the contract says. The store may forget a record whose Purge has
// passed, may drop the Data of one that expired before a moment it was told, and may return nil for empty
// Data. It may be slow, and rest on a disk or a network. All subtests may share one engine: ids and users
// are random. But nothing else may use it meanwhile, because Sweep is told moments in the future. Moments
// lie around the present, so that an engine with a clock of its own forgets nothing early; time passes
// only in arguments.
//
// Later versions may add tests for what the contract says already.
package storetest

import (
	"context"
	"testing"
	"time"

	"example.com/hardy/session"
)

// Run runs the suite, each test as a subtest of t on a store of its own from open. open may return stores
// that share one engine. What it needs closed it gives to t.Cleanup. A test of an optional interface that
// the store does not have is skipped.
func Run(t *testing.T, open func(t *testing.T) session.Store) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			store := open(t)
			if c.has != nil && !c.has(store) {
				t.Skip("the store does not have this optional interface")
			}
			c.run(newSuite(t.Context(), t, store))
		})
	}
}

// check is one named test. The table of them is data, so that the suite's own tests can run it against
// broken stores and see which fail.
type check struct {
	name string
	has  func(session.Store) bool // nil: every store
	run  func(*suite)
}

// checks lists every check in the order of the rules.
func checks() []check {
	var all []check
	for _, group := range [][]check{
		createChecks(), replaceChecks(), touchChecks(), endChecks(), listChecks(), edgeChecks(), raceChecks(),
		capperChecks(), scannerChecks(), importerChecks(), watcherChecks(), sweeperChecks(),
	} {
		all = append(all, group...)
	}
	return all
}

// reporter is what a check needs of *testing.T.
type reporter interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// is says whether the store has the optional interface I.
func is[I any](s session.Store) bool {
	_, ok := s.(I)
	return ok
}

// suite is one check under way on one store.
type suite struct {
	reporter
	ctx      context.Context
	store    session.Store
	patience time.Duration // how long news of an end may take: some stores ask their engine again and again
}

func newSuite(ctx context.Context, r reporter, store session.Store) *suite {
	return &suite{reporter: r, ctx: ctx, store: store, patience: 15 * time.Second}
}
