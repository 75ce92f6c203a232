package testapps_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/hardy/internal/servers"
)

// TestSpeed compares the application on scs with the same on compat/scs: reads from memory at least 3 × faster where the
// process has decoded the row before, anything else on any store no slower than 0.95 ×. It takes minutes and wants an idle
// machine: make bench-scs.
func TestSpeed(t *testing.T) {
	rounds := 0
	fmt.Sscan(os.Getenv("HARDY_SPEED"), &rounds)
	if rounds == 0 {
		t.Skip("HARDY_SPEED is not set to a number of rounds")
	}
	b := build(t)
	for _, c := range []struct {
		name    string
		address string
		cpu     bool // no network: what counts is the work, whoever else has the CPU meanwhile
	}{
		{"memory", "", true},
		{"sqlite3store", "sqlite:" + filepath.Join(t.TempDir(), "sessions.db"), false},
		{"goredisstore", servers.SharedRedis(t).URL(), false},
		{"pgxstore", servers.SharedPostgres(t).URL(), false},
	} {
		best := make(map[string][2]float64)
		var order []string
		for round := range rounds {
			for turn := range 2 {
				i := (round + turn) % 2 // who begins changes
				out, err := exec.Command([]string{b.scs, b.hardy}[i], "-speed", "300ms", "-store", c.address).Output()
				if err != nil {
					t.Fatal(err)
				}
				for in := json.NewDecoder(bytes.NewReader(out)); in.More(); {
					var m struct {
						Name       string
						Clock, CPU float64
					}
					if err := in.Decode(&m); err != nil {
						t.Fatal(err)
					}
					each := m.Clock
					if c.cpu {
						each = m.CPU
					}
					had, seen := best[m.Name]
					if !seen {
						order = append(order, m.Name)
					}
					if had[i] == 0 || each < had[i] {
						had[i] = each
					}
					best[m.Name] = had
				}
			}
		}
		for _, name := range order {
			if name == "no cookie" && !c.cpu {
				continue // no store is asked
			}
			ratio := best[name][0] / best[name][1]
			bar := 0.95
			if c.name == "memory" && name == "read" {
				bar = 3
			}
			t.Logf("%-14s %-42s scs %8.1f µs   Hardy %8.1f µs   %5.2f ×", c.name, name, best[name][0]/1e3, best[name][1]/1e3, ratio)
			if ratio < bar {
				t.Errorf("%s, %s: %.2f × scs's speed; want %.2f", c.name, name, ratio, bar)
			}
		}
	}
}
