package session_test

import (
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// Where nobody is signed in, nothing is noted.
func TestDescribeSignedInOnly(t *testing.T) {
	ctx := t.Context()
	m := session.NewManager(store.NewMemory(nil), nil)
	s := m.New()
	if err := session.NewKey[int]("n").Set(s, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); err != nil {
		t.Fatal(err)
	}
	m.Describe(s, map[string]string{"device": "Firefox"})
	if err := m.Commit(ctx, s); err != nil {
		t.Fatal(err)
	}
	again, err := m.Load(ctx, s.Token())
	if err != nil || len(again.Meta()) != 0 {
		t.Errorf("an anonymous session keeps %v, %v", again.Meta(), err)
	}
}
