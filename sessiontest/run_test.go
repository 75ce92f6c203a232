package sessiontest_test

import (
	"fmt"
	"testing"
)

// run runs the test of an Example.
func run(test func(t *testing.T)) {
	everything := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(everything, []testing.InternalTest{{Name: "Test", F: test}}) {
		fmt.Println("FAIL")
	}
}
