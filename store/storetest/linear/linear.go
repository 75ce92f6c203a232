// Package linear shows that a store that several processes share is linearizable: whatever eight clients call at
// the same time over two or three connections, while the network fails, could have been called one after the
// other in some order, with the same answers, and in that order the contract of session.Store is kept.
//
//	func TestLinearizable(t *testing.T) {
//		linear.Run(t, func(t *testing.T) linear.Engine {
//			return linear.Engine{Stores: []session.Store{open(t), open(t), open(t)}}
//		})
//	}
//
// A history is some hundred calls of Create, Load, Replace, Touch, End and List on a few records. Each is written down
// with when it began, when it returned, and what it answered; porcupine then looks for an order. A call that
// answers an error of no meaning in the contract (a connection was cut, a deadline passed) may have happened at any
// time from its beginning on, or never. Nothing else is forgiven.
//
// List need not be a snapshot of all its records, and is not taken for one: each record has to be shown as it was
// at some moment of the call, and of a session that is rotated at least one record has to be there.
//
// Run takes 50 histories; with the environment variable HARDY_SOAK set, 2,000, or as many as fit into eight
// minutes.
package linear

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

// Engine is where records rest, as several processes see it.
type Engine struct {
	// Stores has one store for each process, with connections of its own. Nothing else uses the engine
	// meanwhile but other histories.
	Stores []session.Store
	// Faults are what may happen to the connections, or to a file. Each begins a fault and returns what ends it. Errors of
	// a store are expected from then on, and for a while after.
	Faults []func() (heal func())
}

const (
	histories     = 50
	soakHistories = 2000
	soakTime      = 8 * time.Minute
	catchTime     = 2 * time.Minute
)

// Run records histories on an engine and checks each.
func Run(t *testing.T, open func(t *testing.T) Engine) {
	t.Helper()
	most, limit := histories, time.Duration(1<<62)
	if os.Getenv("HARDY_SOAK") != "" {
		most, limit = soakHistories, soakTime
	}
	e := open(t)
	var sum tally
	began := time.Now()
	n := 0
	for ; n < most && time.Since(began) < limit; n++ {
		seed := rand.Uint64()
		if violation := one(t, e, n, seed, &sum); violation != "" {
			t.Fatalf("history %d (seed %d) has no order that keeps the contract:\n%s", n+1, seed, violation)
		}
	}
	if n < most {
		t.Logf("NOT RUN: %d of %d histories did not fit into %v", most-n, most, limit)
	}
	t.Logf("%d histories in %v: %v", n, time.Since(began).Round(time.Millisecond), &sum)
}

// MustCatch records histories on an engine whose stores break the contract, until one shows it.
func MustCatch(t *testing.T, open func(t *testing.T) Engine) {
	t.Helper()
	e := open(t)
	var sum tally
	began := time.Now()
	for n := 1; time.Since(began) < catchTime; n++ {
		if violation := one(t, e, n, rand.Uint64(), &sum); violation != "" {
			t.Logf("caught in history %d after %v:\n%s", n, time.Since(began).Round(time.Millisecond), head(violation, 16))
			return
		}
	}
	t.Fatalf("not caught: %v", &sum)
}

// head returns the first lines of a text.
func head(text string, lines int) string {
	all := strings.SplitAfterN(text, "\n", lines+1)
	return strings.Join(all[:min(len(all), lines)], "")
}
