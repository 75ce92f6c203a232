package cluster

import (
	"path/filepath"
	"testing"
	"time"
)

// TestLoadWithoutFaults: three processes on one file, and nothing goes wrong.
func TestLoadWithoutFaults(t *testing.T) {
	l := startLoad(t, startNodes(t, 3, order{Store: "sqlite", URL: filepath.Join(t.TempDir(), "sessions.db")}))
	time.Sleep(2 * time.Second)
	w := l.window()
	l.audit()
	t.Log(w)
	if w.statuses[503] > 0 {
		t.Errorf("%d answers of 503 without a fault", w.statuses[503])
	}
}
