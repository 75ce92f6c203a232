package scsstore

import (
	"testing"
	"time"
)

// What another process has written between two looks is not undone by a write that trusts the older one, though a write of
// another session's row kept the younger one from being remembered.
func TestOlderLooksGo(t *testing.T) {
	s := newTurns().shard("id")
	s.wrote("id", []byte("old"), time.Now().Add(-5*time.Millisecond))
	asked := s.asked()
	s.wrote("other", []byte("row"), time.Now())
	s.found("id", []byte("new"), asked, time.Now().Add(-time.Millisecond))
	if row := s.seen("id", false); string(row) == "old" {
		t.Errorf("the look before is trusted: %s", row)
	}
}
