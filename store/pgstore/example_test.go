package pgstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.com/hardy/session"
	"example.com/hardy/store/pgstore"
)

// The address holds a password, so it comes from the environment.
func ExampleOpen() {
	ctx := context.Background()
	db, err := pgstore.Open(ctx, os.Getenv("DATABASE_URL"), nil)
	if err != nil {
		log.Fatal(err) // names the server and the mend
	}
	defer db.Close()
	sessions := session.NewManager(db, nil)
	go sessions.Run(ctx) // sweeps, and hears of ends

	list, err := sessions.List(ctx, "ann")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Ann is signed in", len(list), "times.")
}

// Behind PgBouncer in transaction mode everything works but to be told of ends, which needs the server itself.
func ExampleOptions_listen() {
	db, err := pgstore.Open(context.Background(), "postgres://app@pgbouncer:6432/app", &pgstore.Options{
		Listen: "postgres://app@postgres:5432/app",
		Table:  "bell_sessions", // beside another application's
	})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}
