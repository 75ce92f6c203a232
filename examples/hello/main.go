// Hello is the program of the README: a session, cookies and a limit in twenty lines.
package main

import (
	"fmt"
	"net/http"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

var rings = session.NewKey[int]("n_rings")

func main() {
	keys, limits := cookie.DevKeys("hello"), ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: 1, Burst: 10})
	fmt.Println(http.ListenAndServe("localhost:8080", middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		rings.Set(s, rings.Get(s)+1)
		fmt.Fprintf(w, "The bell rang %d times.\n", rings.Get(s))
	}), middleware.RateLimit(limits, middleware.ByIP, nil), middleware.Cookies(keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}}),
		middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), keys, &middleware.Options{InsecureHTTP: true}))))
}
