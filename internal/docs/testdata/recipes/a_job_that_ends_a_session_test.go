package recipe

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

func TestJobs(t *testing.T) {
	ctx := context.Background()
	sessions = session.NewManager(store.NewMemory(nil), nil)
	var tokens []*session.Token
	for range 2 {
		s := sessions.New()
		s.Login("ann")
		if err := sessions.Commit(ctx, s); err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, s.Token())
		time.Sleep(time.Millisecond)
	}
	if err := finish(ctx, tokens[0], "done"); err != nil {
		t.Error(err)
	}
	if s, err := sessions.Load(ctx, tokens[0]); err != nil || report.Get(s) != "done" {
		t.Errorf("the session holds %q (%v)", report.Get(s), err)
	}
	if err := endOldest(ctx, "ann"); err != nil {
		t.Error(err)
	}
	if err := finish(ctx, tokens[0], "late"); !errors.Is(err, session.ErrExpired) {
		t.Errorf("after its end: %v", err)
	}
	if err := finish(ctx, tokens[1], "done"); err != nil {
		t.Errorf("the other one: %v", err)
	}
}
