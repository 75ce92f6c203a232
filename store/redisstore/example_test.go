package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
	"example.com/hardy/store/redisstore"
)

func ExampleOpen() {
	ctx := context.Background()
	db, err := redisstore.Open(ctx, os.Getenv("SESSIONS_URL"), nil) // redis://app:…@redis.internal:6379/0
	if err != nil {
		log.Fatal(err) // says how to mend it, and not the password
	}
	defer db.Close()
	sessions := session.NewManager(db, nil)
	go sessions.Run(ctx)
}

// A process that serves the same sessions again and again spares itself the round trip. What another process ended
// may then be served for up to two seconds more.
func ExampleOptions_cache() {
	db, err := redisstore.Open(context.Background(), os.Getenv("SESSIONS_URL"), &redisstore.Options{Cache: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}

func ExampleNew() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"redis.internal:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	db, err := redisstore.New(context.Background(), client, &redisstore.Options{Name: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close() // before client.Close
	n, err := db.Count(context.Background())
	fmt.Println(n, err)
}
