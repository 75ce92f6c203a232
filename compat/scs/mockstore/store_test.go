package mockstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/mockstore"
)

var (
	_ scs.Store         = (*mockstore.MockStore)(nil)
	_ scs.IterableStore = (*mockstore.MockStore)(nil)
)

// panics returns what f panics with.
func panics(f func()) (what any) {
	defer func() { what = recover() }()
	f()
	return nil
}

func TestExpectations(t *testing.T) {
	m := &mockstore.MockStore{}
	fault := errors.New("fault")
	at := time.Now()
	m.ExpectFind("a", []byte("1"), true, nil)
	m.ExpectFind("a", nil, false, fault)
	m.ExpectCommit("a", []byte("1"), at, fault)
	m.ExpectDelete("a", fault)
	m.ExpectAll(map[string][]byte{"a": nil}, fault)
	if b, found, err := m.Find("a"); string(b) != "1" || !found || err != nil {
		t.Error("the first Find")
	}
	if _, found, err := m.Find("a"); found || err != fault {
		t.Error("the second Find")
	}
	if what := panics(func() { m.Commit("a", []byte("2"), at) }); what != "store.Commit called unexpectedly" {
		t.Errorf("Commit of other bytes: %v", what)
	}
	if m.Commit("a", []byte("1"), at) != fault || m.Delete("a") != fault {
		t.Error("Commit or Delete")
	}
	if all, err := m.All(); len(all) != 1 || err != fault {
		t.Error("All")
	}
	for i, f := range []func(){
		func() { m.Find("a") }, func() { m.Delete("a") }, func() { m.Commit("a", []byte("1"), at) }, func() { m.All() },
	} {
		if what := panics(f); what == nil {
			t.Error("call", i, "was not expected and did not panic")
		}
	}
}

// An application's test that says beforehand what its manager asks.
func ExampleMockStore() {
	store := &mockstore.MockStore{}
	row, _ := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": "ann"})
	store.ExpectFind("token", row, true, nil)
	manager := scs.New()
	manager.Store = store

	ctx, err := manager.Load(context.Background(), "token")
	fmt.Println(manager.GetString(ctx, "user"), err)
	// Output: ann <nil>
}
