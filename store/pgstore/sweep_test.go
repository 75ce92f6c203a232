package pgstore

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestSweepPassesOverWhatIsHeld: a sweep waits for no other transaction, and the next one makes up for it.
func TestSweepPassesOverWhatIsHeld(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	s := open(t, p.URL(), nil)
	now := time.Now()
	var all []session.Record
	for range 3 {
		r := newRecord("ann")
		r.Seen, r.Expires, r.Purge = now.Add(-3*time.Hour), now.Add(-2*time.Hour), now.Add(-time.Hour)
		mustCreate(t, s, r)
		all = append(all, r)
	}
	other, err := pgx.Connect(t.Context(), p.URL())
	must(t, err)
	defer other.Close(t.Context())
	tx, err := other.Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM hardy_sessions WHERE handle = $1 FOR UPDATE", all[0].Handle)
	must(t, err)

	swept := make(chan session.Swept, 1)
	go func() {
		step, _, err := s.Sweep(t.Context(), now, 100)
		if err != nil {
			t.Error(err)
		}
		swept <- step
	}()
	select {
	case step := <-swept:
		if step.Forgotten != 2 {
			t.Errorf("beside one that is held the sweep forgot %d of 2", step.Forgotten)
		}
	case <-time.After(20 * time.Second):
		t.Error("the sweep waits for a transaction")
	}
	must(t, tx.Rollback(t.Context()))
	if step, _, err := s.Sweep(t.Context(), now, 100); step.Forgotten != 1 || err != nil {
		t.Errorf("afterwards it forgot %d of 1, %v", step.Forgotten, err)
	}
}
