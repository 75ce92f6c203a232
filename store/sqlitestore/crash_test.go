package sqlitestore

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestKilledDuringLoad: a process is killed with SIGKILL while eight goroutines write,
// again and again on one file. What it acknowledged, by the parent's own log, is there. 50 times; HARDY_SOAK=500
// sets another number.
func TestKilledDuringLoad(t *testing.T) {
	kills := 50
	if testing.Short() || raceDetector {
		kills = 5
	}
	if n, err := strconv.Atoi(os.Getenv("HARDY_SOAK")); err == nil {
		kills = n
	}
	path := filepath.Join(t.TempDir(), "s.db")
	all := newLedger()
	for range kills {
		cmd := command(t, "write", path, "0", "FULL")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		writes := 20 + rand.IntN(200)
		all.read(out, func() {
			if writes--; writes == 0 {
				time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
			}
		})
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("the child was not killed: %v", err)
		}
		if err := all.check(path); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d records acknowledged, %d of them ended", kills, len(all.version), len(all.ended))
	if len(all.ended) == 0 {
		t.Error("no record was ended: the test shows too little")
	}
}
