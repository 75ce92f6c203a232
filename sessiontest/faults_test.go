package sessiontest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
	"example.com/hardy/store/storetest"
)

// With nothing added, Faults keeps the contract of the store that it wraps, optional interfaces too.
func TestFaultsKeepTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) session.Store { return sessiontest.NewFaults(store.NewMemory(nil)) })
}

func TestFaultsSayWhatTheStoreLacks(t *testing.T) {
	type plain struct{ session.Store }
	f := sessiontest.NewFaults(plain{store.NewMemory(nil)})
	_, within := f.CreateWithin(t.Context(), session.Record{ID: "a", User: "ann"}, 1, true)
	_, _, scan := f.Scan(t.Context(), "", 1)
	_, count := f.Count(t.Context())
	for op, err := range map[string]error{
		"CreateWithin": within, "Scan": scan, "Count": count,
		"Import": f.Import(t.Context(), session.Record{ID: "a"}),
		"Watch":  f.Watch(t.Context(), func(session.Ended) {}),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", op, err)
		}
	}
	if _, more, err := f.Sweep(t.Context(), time.Now(), 1); more || err != nil {
		t.Errorf("Sweep: more %v, error %v", more, err)
	}
}

var errDown = errors.New("down")

func TestFaultsPickTheirCalls(t *testing.T) {
	f := sessiontest.NewFaults(store.NewMemory(nil))
	load := func() error { _, err := f.Load(t.Context(), "nobody"); return err }
	end := func() error { _, err := f.End(t.Context(), "nobody", session.End{}); return err }

	f.Add(sessiontest.Fault{Op: "load", Nth: 2, Err: errDown})
	for i, want := range []error{session.ErrNotFound, errDown, session.ErrNotFound} {
		if err := load(); !errors.Is(err, want) {
			t.Errorf("load %d: %v, want %v", i+1, err, want)
		}
	}
	f.Add(sessiontest.Fault{Op: "load", Nth: 1, Err: errDown})
	if err := load(); err != errDown {
		t.Errorf("the first load after Add: %v", err)
	}
	f.Add(sessiontest.Fault{Err: errDown})
	if load() != errDown || end() != errDown {
		t.Error("a fault without Op and Nth is for every call")
	}
	f.Clear()
	if err := load(); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after Clear: %v", err)
	}
	if f.Calls("load") != 6 || f.Calls("end") != 1 || f.Calls("") != 7 || f.Calls("list") != 0 {
		t.Errorf("counted %d loads, %d ends, %d calls, %d lists", f.Calls("load"), f.Calls("end"), f.Calls(""), f.Calls("list"))
	}
}

func TestFaultsAroundACall(t *testing.T) {
	held := store.NewMemory(nil)
	f := sessiontest.NewFaults(held)
	made := func(id string) session.Record {
		now := time.Now()
		return session.Record{ID: id, User: "ann", Version: 1, Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(time.Hour), Purge: now.Add(time.Hour)}
	}
	refused, lost, watched := strings.Repeat("A", 43), "B"+strings.Repeat("A", 42), "C"+strings.Repeat("A", 42)
	there := func(id string) bool { _, err := held.Load(t.Context(), id); return err == nil }

	f.Add(sessiontest.Fault{Op: "create", Err: errDown})
	if err := f.Create(t.Context(), made(refused)); err != errDown || there(refused) {
		t.Errorf("Err: %v, and created: %v", err, there(refused))
	}
	f.Clear()
	f.Add(sessiontest.Fault{Op: "create", Lost: errDown})
	if err := f.Create(t.Context(), made(lost)); err != errDown || !there(lost) {
		t.Errorf("Lost: %v, and created: %v", err, there(lost))
	}
	f.Clear()
	var before, after sessiontest.Call
	f.Add(sessiontest.Fault{Op: "create",
		Before: func(c sessiontest.Call) {
			if before = c; there(c.ID) {
				t.Error("Before ran after the call")
			}
			f.Load(t.Context(), "nobody") // it may call the store
		},
		After: func(c sessiontest.Call) {
			if after = c; !there(c.ID) {
				t.Error("After ran before the call")
			}
		},
	})
	if err := f.Create(t.Context(), made(watched)); err != nil {
		t.Error(err)
	}
	want := sessiontest.Call{Op: "create", ID: watched, User: "ann"}
	if before != want || after != want {
		t.Errorf("Before saw %v and After %v, want %v", before, after, want)
	}
	f.Clear()
	f.Add(sessiontest.Fault{After: func(c sessiontest.Call) { after = c }})
	f.Create(t.Context(), made(watched))
	if !errors.Is(after.Err, session.ErrExists) {
		t.Errorf("After saw the answer %v", after.Err)
	}
}

func TestFaultsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sessiontest.NewFaults(store.NewMemory(nil))
		f.Add(sessiontest.Fault{Op: "load", Delay: 3 * time.Second})
		start := time.Now()
		if _, err := f.Load(t.Context(), "nobody"); !errors.Is(err, session.ErrNotFound) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := f.Load(ctx, "nobody"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
