package scs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// The recipe of scs's README for ending all sessions of a user works with HashTokenInStore, too: in scs it deletes
// nothing then.
func TestIterateDestroys(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		t.Run(fmt.Sprint("hashed ", hashed), func(t *testing.T) {
			m := newManager()
			m.HashTokenInStore = hashed
			ann := []string{begin(t, m, map[string]any{"user": "ann"}), begin(t, m, map[string]any{"user": "ann"})}
			bob := begin(t, m, map[string]any{"user": "bob"})
			seen := 0
			must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
				seen++
				if m.Status(ctx) != scs.Unmodified {
					t.Errorf("status %v", m.Status(ctx))
				}
				if slices.Contains(append(ann, bob), m.Token(ctx)) == hashed {
					t.Error("Token is not what the store has")
				}
				if m.GetString(ctx, "user") == "ann" {
					return m.Destroy(ctx)
				}
				return nil
			}))
			if seen != 3 {
				t.Errorf("%d sessions", seen)
			}
			for _, token := range ann {
				if m.Token(load(t, m, token)) != "" {
					t.Error("a destroyed session opens")
				}
			}
			if m.GetString(load(t, m, bob), "user") != "bob" {
				t.Error("bob is signed out")
			}
			must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
				if m.GetString(ctx, "user") != "bob" {
					t.Error("Iterate shows a session that was destroyed")
				}
				return nil
			}))
		})
	}
}

// A session whose token is renewed between the reading and the Destroy stops nothing: with hashed tokens it is followed,
// without them it goes on, as in scs.
func TestIterateMeetsARenewal(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		m := newManager()
		m.HashTokenInStore = hashed
		visitor := load(t, m, begin(t, m, map[string]any{"user": "ann"}))
		renewed := ""
		must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
			must(t, m.RenewToken(visitor))
			renewed = m.Token(visitor)
			return m.Destroy(ctx)
		}))
		if signedIn := m.GetString(load(t, m, renewed), "user") == "ann"; signedIn == hashed {
			t.Errorf("hashed %v: the renewed session is there: %v", hashed, signedIn)
		}
	}
}

// A session that Iterate shows can be changed, on top of what its visitor has stored since.
func TestIterateChanges(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		m := newManager()
		m.HashTokenInStore = hashed
		token := begin(t, m, map[string]any{"user": "ann", "n": 1})
		must(t, m.Iterate(t.Context(), func(ctx context.Context) error {
			visitor := load(t, m, token)
			m.Put(visitor, "n", 2)
			_, _, err := m.Commit(visitor)
			must(t, err)
			m.Put(ctx, "admin", true)
			_, _, err = m.Commit(ctx)
			return err
		}))
		now := load(t, m, token)
		if m.GetInt(now, "n") != 2 || !m.GetBool(now, "admin") || m.GetString(now, "user") != "ann" {
			t.Errorf("hashed %v: n %d, admin %v", hashed, m.GetInt(now, "n"), m.GetBool(now, "admin"))
		}
	}
}

// One row that can't be decoded does not keep the others from being seen.
func TestIterateGoesOn(t *testing.T) {
	m := newManager()
	begin(t, m, map[string]any{"user": "ann"})
	begin(t, m, map[string]any{"user": "ann"})
	must(t, m.Store.Commit("broken", []byte("broken"), time.Now().Add(time.Hour)))
	seen := 0
	must(t, m.Iterate(t.Context(), func(ctx context.Context) error { seen++; return nil }))
	if seen != 2 {
		t.Errorf("%d sessions", seen)
	}
	stop := errors.New("stop")
	if err := m.Iterate(t.Context(), func(context.Context) error { return stop }); err != stop {
		t.Errorf("the error of fn: %v", err)
	}
	m.Store = &faulty{Store: m.Store, finds: errDown}
	must(t, m.Iterate(t.Context(), func(context.Context) error { return nil }))
	m.Store = plain{memstore.NewWithCleanupInterval(0)}
	defer func() {
		if recover() == nil {
			t.Error("a store that can't iterate: no panic")
		}
	}()
	m.Iterate(t.Context(), func(context.Context) error { return nil })
}

type plain struct{ scs.Store }

// MergeSession brings the other session's values, and ends it.
func TestMergeSession(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		m := newManager()
		m.HashTokenInStore = hashed
		other := begin(t, m, map[string]any{"a": 1, "both": "other"})
		own := begin(t, m, map[string]any{"b": 2, "both": "own"})
		ctx := load(t, m, own)
		must(t, m.MergeSession(ctx, own))
		must(t, m.MergeSession(ctx, "nothing"))
		must(t, m.MergeSession(ctx, ""))
		if m.Status(ctx) != scs.Unmodified {
			t.Error("merging nothing modified the session")
		}
		must(t, m.MergeSession(ctx, other))
		_, _, err := m.Commit(ctx)
		must(t, err)
		now := load(t, m, own)
		if got := fmt.Sprint(m.Get(now, "a"), m.Get(now, "b"), m.Get(now, "both")); got != "1 2other" {
			t.Errorf("merged: %s", got)
		}
		if m.Token(load(t, m, other)) != "" {
			t.Error("the other session is still there")
		}
	}
}
