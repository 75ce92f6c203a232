package sessiontest_test

import (
	"fmt"
	"sync"
	"testing"
)

// run runs the test of an Example, once, whatever -count says.
func run(test func(t *testing.T)) {
	var once sync.Once
	f := func(t *testing.T) { once.Do(func() { test(t) }) }
	everything := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(everything, []testing.InternalTest{{Name: "Test", F: f}}) {
		fmt.Println("FAIL")
	}
}
