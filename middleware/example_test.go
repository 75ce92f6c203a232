package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// The README's program, with a browser that visits it: a limit by address, a jar and a session.
func Example() {
	rings, been := session.NewKey[int]("n_rings"), cookie.NewKey[bool]("been_here")
	keys, limits := cookie.DevKeys("hello"), ratelimit.MustNew(nil, ratelimit.Policy{Name: "address", Limit: 1, Burst: 10})
	app := middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, jar := session.From(r.Context()), cookie.Local(r.Context())
		rings.Set(s, rings.Get(s)+1)
		known := been.Get(jar)
		been.Set(jar, true) // before the first byte: it is a cookie
		fmt.Fprintf(w, "The bell rang %d times; been here before: %v.", rings.Get(s), known)
	}), middleware.RateLimit(limits, middleware.ByIP, nil), middleware.Cookies(keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}}),
		middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), keys, &middleware.Options{InsecureHTTP: true}))

	server := httptest.NewServer(app)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for range 3 {
		resp, err := browser.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(body), resp.Header.Get("RateLimit-Policy"))
	}
	// Output:
	// The bell rang 1 times; been here before: false. "address";q=10;w=10
	// The bell rang 2 times; been here before: true. "address";q=10;w=10
	// The bell rang 3 times; been here before: true. "address";q=10;w=10
}
