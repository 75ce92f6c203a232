package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

var rings = session.NewKey[int]("n_rings")

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "hardy")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "sessions.db")

	var secret string      // what the visitor's cookie holds
	for start := range 2 { // the program, and the program started again
		db, err := sqlitestore.Open(ctx, path, nil)
		if err != nil {
			log.Fatal(err)
		}
		sessions := session.NewManager(db, nil)
		visit := sessions.New()
		if start > 0 {
			token, err := sessions.Token(secret)
			if err != nil {
				log.Fatal(err)
			}
			if visit, err = sessions.Load(ctx, token); err != nil {
				log.Fatal(err)
			}
		}
		if err := rings.Set(visit, rings.Get(visit)+1); err != nil {
			log.Fatal(err)
		}
		if err := sessions.Commit(ctx, visit); err != nil {
			log.Fatal(err)
		}
		secret = sessions.Sent(visit).Token.Secret()
		fmt.Println("the bell has rung", rings.Get(visit))
		if err := db.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// the bell has rung 1
	// the bell has rung 2
}

func ExampleNew() {
	dir, err := os.MkdirTemp("", "hardy")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db")) // any driver
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := sqlitestore.New(context.Background(), db, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close() // before db.Close
	n, err := store.Count(context.Background())
	fmt.Println(n, err)
	// Output: 0 <nil>
}

func ExampleStore_Quotas() {
	dir, err := os.MkdirTemp("", "hardy")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	for range 2 { // the program, and the program started again
		db, err := sqlitestore.Open(ctx, filepath.Join(dir, "sessions.db"), nil)
		if err != nil {
			log.Fatal(err)
		}
		ledger, err := quota.New(db.Quotas(), &quota.Options{Resources: []quota.Resource{
			{Name: "api_calls", Default: &quota.Quota{Limit: 100, Period: quota.Month(nil)}},
		}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ledger.Consume(ctx, "ann", "api_calls", 60))
		if err := db.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// <nil>
	// quota exceeded for api_calls: 120/100
}
