package session_test

import (
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// EndAs ends what a session shows, over a rotation too, and leaves a blank session alone.
func TestEndAs(t *testing.T) {
	ctx := t.Context()
	m := session.NewManager(store.NewMemory(nil), nil)
	word := session.NewKey[string]("word")
	blank := m.New()
	if err := m.EndAs(ctx, blank, session.ReasonIdle); err != nil || blank.Err() != nil {
		t.Errorf("a blank session: %v", err)
	}
	for _, reason := range []session.Reason{session.ReasonIdle, session.ReasonRevoked} {
		s := m.New()
		if err := word.Set(s, "x"); err != nil {
			t.Fatal(err)
		}
		if err := s.Login("ann"); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(ctx); err != nil {
			t.Fatal(err)
		}
		seen, err := m.Load(ctx, s.Token())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Renew(); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(ctx); err != nil { // rotated behind the back of seen
			t.Fatal(err)
		}
		if err := m.EndAs(ctx, seen, reason); err != nil {
			t.Fatal(err)
		}
		_, err = m.Load(ctx, s.Token())
		if e, ok := err.(*session.ExpiredError); !ok || e.Reason != reason {
			t.Errorf("%s: %v", reason, err)
		}
		if list, _ := m.List(ctx, "ann"); len(list) != 0 {
			t.Errorf("%s: %d are listed", reason, len(list))
		}
	}
}
