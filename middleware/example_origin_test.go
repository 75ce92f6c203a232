package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"example.com/hardy/middleware"
)

func ExampleRequireOrigin() {
	socket := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Accept the WebSocket here.
	})
	app := middleware.Chain(socket,
		http.NewCrossOriginProtection().Handler,                   // posts
		middleware.RequireOrigin("https://dashboard.example.com")) // handshakes: its own origin, and this one

	for _, origin := range []string{"https://app.example.com", "https://dashboard.example.com", "https://evil.example"} {
		r := httptest.NewRequest("GET", "https://app.example.com/socket", nil)
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(origin, w.Code)
	}
	// Output:
	// https://app.example.com 200
	// https://dashboard.example.com 200
	// https://evil.example 403
}
