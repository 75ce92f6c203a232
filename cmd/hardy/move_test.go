package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// An end that only the old store knows is carried over by the same command, and never counted as the newer state.
func TestMoveCarriesAnEndOver(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "a.db"), filepath.Join(folder, "b.db")
	fill(t, from, 60)
	args := []string{"--json", "move", "--state", filepath.Join(folder, "state"), "sqlite:" + from, "sqlite:" + to}
	hardy(t, args...).must(t, exitOK)
	hardy(t, "sessions", "end-user", "sqlite:"+from, "ann").must(t, exitOK)
	hardy(t, args...).must(t, exitOK)
	if live := lines[sessionRow](t, hardy(t, "--json", "sessions", "list", "--user", "ann", "sqlite:"+to)); len(live) != 0 {
		t.Errorf("%d of ann's are live in the new store", len(live))
	}

	r := session.Record{ID: strings.Repeat("A", 43), Handle: "h", Version: 1, Purge: time.Now().Add(time.Hour), Deadline: time.Now().Add(time.Hour), Expires: time.Now().Add(time.Hour)}
	target := store.NewMemory(nil)
	if err := target.Import(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Ended, r.EndedAt = session.ReasonRevoked, time.Now()
	if newer, err := same(t.Context(), target, r); newer || err == nil {
		t.Errorf("live in the new store, ended in the old one: newer %v, %v", newer, err)
	}
}

// A move that was stopped while it compared counts its sessions once.
func TestMoveStoppedWhileComparing(t *testing.T) {
	folder := t.TempDir()
	from, to, state := filepath.Join(folder, "a.db"), filepath.Join(folder, "b.db"), filepath.Join(folder, "state")
	fill(t, from, 60)
	args := []string{"--json", "move", "--state", state, "sqlite:" + from, "sqlite:" + to}
	hardy(t, args...).must(t, exitOK)
	if err := os.WriteFile(state, []byte(`{"Cursor":"","Copied":60}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := lines[moved](t, hardy(t, args...).must(t, exitOK))[0]; m.Copied != 0 || m.Present != 60 {
		t.Errorf("%+v of 60 sessions", m)
	}
}
