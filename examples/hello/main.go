// Hello is the program of the README: a session in twenty lines.
package main

import (
	"fmt"
	"log"
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

var rings = session.NewKey[int]("n_rings")

func main() {
	sessions := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("hello"), &middleware.Options{InsecureHTTP: true})
	log.Fatal(http.ListenAndServe("localhost:8080", sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		rings.Set(s, rings.Get(s)+1)
		fmt.Fprintf(w, "The bell rang %d times.\n", rings.Get(s))
	}))))
}
