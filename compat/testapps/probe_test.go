package testapps_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestRaces: how races and late writes end on scs, and how they end here. Where scs changes, this says so.
func TestRaces(t *testing.T) {
	b := build(t)
	onSCS, here := outcomes(t, b.scs), outcomes(t, b.hardy)
	for name, want := range map[string][2]string{
		"logout during a request that writes":    {"signed in again", "signed out"},
		"logout during a request that reads":     {"signed in again", "signed out"},
		"login during a request":                 {"the old token comes back", "the old token is gone"},
		"two requests write":                     {"[b user]", "[a b user]"},
		"put after the first byte":               {"ann", "bob"},
		"pop after the first byte":               {`"once"`, `""`},
		"a commit that fails":                    {"500, the page goes out: true", "500, the page goes out: false"},
		"put after 103":                          {"0 cookies, 0 rows", "1 cookies, 1 rows"},
		"put, then flush":                        {"0 cookies, 1 rows", "1 cookies, 1 rows"},
		"iterate and destroy with hashed tokens": {"signed in", "signed out"},
		"a row that cannot be decoded":           {"500", "200"},
	} {
		if onSCS[name] != want[0] || here[name] != want[1] {
			t.Errorf("%s: scs %q, here %q; want %q and %q", name, onSCS[name], here[name], want[0], want[1])
		}
		delete(here, name)
	}
	for name := range here {
		t.Errorf("nothing is known of %q", name)
	}
}

func outcomes(t *testing.T, binary string) map[string]string {
	t.Helper()
	out, err := exec.Command(binary, "-probe").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, outcome, _ := strings.Cut(strings.TrimSpace(line), ": ")
		all[name] = outcome
	}
	return all
}
