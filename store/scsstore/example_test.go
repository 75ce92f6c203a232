package scsstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/scsstore"
)

// Hardy on a store of scs.
func ExampleUse() {
	ctx := context.Background()
	rings := session.NewKey[int]("n_rings")
	sessions := session.NewManager(scsstore.Use(memstore.New(), nil), nil)

	s := sessions.New()
	if err := s.Login("ann"); err != nil {
		fmt.Println(err)
	}
	rings.Set(s, 3)
	if err := s.Save(ctx); err != nil {
		fmt.Println(err)
	}

	again, err := sessions.Load(ctx, s.Token())
	fmt.Println(again.User(), rings.Get(again), err)
	n, err := sessions.RevokeUser(ctx, "ann")
	fmt.Println(n, err)
	_, err = sessions.Load(ctx, s.Token())
	fmt.Println(err.(*session.ExpiredError).Reason)
	// Output:
	// ann 3 <nil>
	// 1 <nil>
	// revoked
}

// scs on a store of Hardy's.
func ExampleServe() {
	manager := scs.New()
	manager.Store = scsstore.Serve(store.NewMemory(nil)) // or what sqlitestore.Open returned
	manager.IdleTimeout = 20 * time.Minute

	ctx, err := manager.Load(context.Background(), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	manager.Put(ctx, "n_rings", 3)
	token, _, err := manager.Commit(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	later, err := manager.Load(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(manager.GetInt(later, "n_rings"))
	// Output: 3
}
