package main

import (
	"context"
	"net/http"
	"strings"
)

// floor is what any middleware has to do: read one cookie and put something into the context. Its
// "session" is the first byte of the cookie, which nothing protects.
func floor() *site {
	type contextKey struct{}
	wrap := func(h http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := r.Cookie("session")
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, c)))
		})
	}
	return &site{
		begin: func(n, _ int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// As long as a sealed token.
				w.Header().Add("Set-Cookie", "session="+string(rune(n))+strings.Repeat("x", 170)+"; Path=/")
				w.Write(bodies[0])
			})
		},
		ping: wrap(func(w http.ResponseWriter, r *http.Request) { w.Write(bodies[0]) }),
		read: wrap(func(w http.ResponseWriter, r *http.Request) {
			c := r.Context().Value(contextKey{}).(*http.Cookie)
			w.Write(bodies[c.Value[0]])
		}),
	}
}
