package storetest

import (
	"errors"
	"sync"

	"example.com/hardy/session"
)

// create puts a new record of user into the store and returns it.
func (s *suite) create(user string) session.Record {
	s.Helper()
	r := newRecord(user)
	s.mustCreate(r)
	return r
}

func (s *suite) mustCreate(r session.Record) {
	s.Helper()
	if err := s.store.Create(s.ctx, r); err != nil {
		s.Fatalf("Create: %v", err)
	}
}

func (s *suite) mustReplace(r session.Record) {
	s.Helper()
	if err := s.store.Replace(s.ctx, r); err != nil {
		s.Fatalf("Replace: %v", err)
	}
}

func (s *suite) mustEnd(id string, e session.End) session.Record {
	s.Helper()
	last, err := s.store.End(s.ctx, id, e)
	if err != nil {
		s.Fatalf("End: %v", err)
	}
	return last
}

func (s *suite) mustList(user string) []session.Record {
	s.Helper()
	list, err := s.store.List(s.ctx, user)
	if err != nil {
		s.Fatalf("List: %v", err)
	}
	return list
}

// wantStored checks what Load returns.
func (s *suite) wantStored(want session.Record) {
	s.Helper()
	got, err := s.store.Load(s.ctx, want.ID)
	if err != nil {
		s.Errorf("Load: %v", err)
		return
	}
	s.wantSame("Load", got, want)
}

// wantStoredButData checks what Load returns of a record that the store was told has expired: it may
// have dropped the Data as it went.
func (s *suite) wantStoredButData(want session.Record) {
	s.Helper()
	got, err := s.store.Load(s.ctx, want.ID)
	if err != nil {
		s.Errorf("Load: %v", err)
		return
	}
	if len(got.Data) == 0 {
		want.Data = nil
	}
	s.wantSame("Load", got, want)
}

func (s *suite) wantSame(what string, got, want session.Record) {
	s.Helper()
	if d := diff(got, want); d != "" {
		s.Errorf("%s returned another record:%s", what, d)
	}
}

// wantAbsent checks that nothing is stored under id.
func (s *suite) wantAbsent(id string) {
	s.Helper()
	if got, err := s.store.Load(s.ctx, id); !errors.Is(err, session.ErrNotFound) {
		s.Errorf("Load of what must not be there: error %v, record of user %q, version %d", err, got.User, got.Version)
	}
}

func (s *suite) wantErr(what string, got, want error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("%s: error is %v, want %v", what, got, want)
	}
}

// wantListed checks that the user's list is want without Data, in any order.
func (s *suite) wantListed(user string, want ...session.Record) {
	s.Helper()
	list := s.mustList(user)
	got := make(map[string]session.Record, len(list))
	for _, r := range list {
		if _, twice := got[r.ID]; twice {
			s.Errorf("List shows a record twice")
		}
		got[r.ID] = r
	}
	for _, w := range want {
		g, ok := got[w.ID]
		if !ok {
			s.Errorf("List does not show a record that has not ended (expires %v)", w.Expires)
			continue
		}
		delete(got, w.ID)
		w.Data = nil
		s.wantSame("List", g, w)
	}
	for _, g := range got {
		s.Errorf("List shows a record that it must not: user %q, ended %q", g.User, g.Ended)
	}
}

// each calls f(0) to f(n-1), each in a goroutine of its own, and waits for them. f must not call Fatalf.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
