package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

func TestCarry(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	const records = 500
	for i := range records {
		must(t, old.Create(ctx, record(i, "ann", 50)))
	}
	ended := record(3, "", 0).ID
	_, err := old.End(ctx, ended, logout(record(3, "ann", 0)))
	must(t, err)
	must(t, new.Import(ctx, record(4, "ann", 50))) // by a request
	now := record(0, "", 0).Seen
	sum, cursor := store.Carried{}, ""
	for first := true; first || cursor != ""; first = false {
		got, next, err := store.Carry(ctx, old, new, cursor, 64, now)
		must(t, err)
		again, same, err := store.Carry(ctx, old, new, cursor, 64, now) // as after a kill
		if err != nil || same != next || again.Copied != 0 || again.Present != got.Copied+got.Present {
			t.Fatalf("again: %+v to %q, %v", again, same, err)
		}
		sum.Copied, sum.Present, cursor = sum.Copied+got.Copied, sum.Present+got.Present, next
	}
	if sum != (store.Carried{Copied: records - 1, Present: 1}) {
		t.Errorf("%+v", sum)
	}
	for i := range records {
		want, _ := old.Load(ctx, record(i, "", 0).ID)
		got, err := new.Load(ctx, want.ID)
		if err != nil || string(got.Data) != string(want.Data) || got.Ended != want.Ended || !got.Expires.Equal(want.Expires) {
			t.Fatalf("record %d: %+v, %v", i, got, err)
		}
	}
}

func TestCarryLeavesWhatIsPast(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	r := record(1, "ann", 50)
	must(t, old.Create(ctx, r))
	if got, _, err := store.Carry(ctx, old, new, "", 10, r.Purge); err != nil || got != (store.Carried{Past: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A session that ends between the scan and the import has ended in the new store.
func TestCarryMissesNoEnd(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), &stale{Memory: store.NewMemory(nil)}
	r := record(1, "ann", 50)
	must(t, old.Create(ctx, r))
	new.imported = func() {
		new.imported = nil
		_, err := old.End(ctx, r.ID, logout(r))
		must(t, err)
	}
	_, _, err := store.Carry(ctx, old, new, "", 10, r.Seen)
	must(t, err)
	if got, err := new.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout {
		t.Errorf("%q, %v", got.Ended, err)
	}
}

// A session that was carried over alive and has ended in the old store since, where something does not go by Moving,
// ends when its page is carried again.
func TestCarryBringsALaterEnd(t *testing.T) {
	ctx := t.Context()
	old, new := store.NewMemory(nil), store.NewMemory(nil)
	r := record(1, "ann", 50)
	must(t, old.Create(ctx, r))
	must(t, new.Import(ctx, r))
	_, err := old.End(ctx, r.ID, logout(r))
	must(t, err)
	got, _, err := store.Carry(ctx, old, new, "", 10, r.Seen)
	if err != nil || got != (store.Carried{Present: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := new.Load(ctx, r.ID); err != nil || got.Ended != session.ReasonLogout || got.Data != nil {
		t.Errorf("%q, %v", got.Ended, err)
	}
}

// deaf is a store that fails.
type deaf struct{ *store.Memory }

func (deaf) Import(context.Context, session.Record) error { return context.DeadlineExceeded }

func TestCarryTellsAndPanics(t *testing.T) {
	ctx := t.Context()
	old := store.NewMemory(nil)
	must(t, old.Create(ctx, record(1, "ann", 50)))
	if _, next, err := store.Carry(ctx, old, deaf{store.NewMemory(nil)}, "", 10, time.Time{}); err == nil || next != "" {
		t.Errorf("a store that fails: %q, %v", next, err)
	}
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "session.Scanner") {
			t.Errorf("panicked with %q", said)
		}
	}()
	store.Carry(ctx, store.Moving(old, store.NewMemory(nil)), store.NewMemory(nil), "", 10, time.Time{})
}
