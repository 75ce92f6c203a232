package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Whoever meets a 503 finds its cause in the log; a client that hangs up is no fault of the store.
func TestStoreFaultsAreLogged(t *testing.T) {
	var log bytes.Buffer
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	m := session.NewManager(faults, &session.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), MaxBytes: 100})
	v := &visitor{t, m, nil}
	v.do(func(s *session.Session) { must(t, rings.Set(s, 1)) })

	down := errors.New("no route to the store")
	for _, op := range []string{"load", "replace"} {
		log.Reset()
		faults.Add(sessiontest.Fault{Op: op, Err: down})
		s, err := v.arrive()
		if err == nil {
			must(t, rings.Set(s, 2))
			err = v.leave(s)
		}
		if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, down) {
			t.Errorf("%s: %v", op, err)
		}
		if !strings.Contains(log.String(), "op="+op) || !strings.Contains(log.String(), down.Error()) {
			t.Errorf("%s: the log says %q", op, &log)
		}
		faults.Clear()
	}

	log.Reset()
	faults.Add(sessiontest.Fault{Op: "load", Err: context.Canceled})
	if _, err := v.arrive(); !errors.Is(err, session.ErrUnavailable) || log.Len() > 0 {
		t.Errorf("hung up: %v, %q", err, &log)
	}
	faults.Clear()

	a, _ := v.arrive()
	b, _ := v.arrive()
	must(t, session.NewKey[string]("a").Set(a, strings.Repeat("a", 60)))
	must(t, session.NewKey[string]("b").Set(b, strings.Repeat("b", 60)))
	must(t, v.leave(a))
	if err := v.leave(b); !errors.Is(err, session.ErrTooLarge) || !strings.Contains(log.String(), "could not be stored") {
		t.Errorf("too large after the merge: %v, %q", err, &log)
	}
}
