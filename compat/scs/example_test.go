package scs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"
)

// An application on scs, as it always was.
func Example() {
	manager := scs.New()
	manager.Lifetime = 12 * time.Hour

	mux := http.NewServeMux()
	mux.HandleFunc("/put", func(w http.ResponseWriter, r *http.Request) {
		manager.Put(r.Context(), "message", "Hello from a session!")
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, manager.GetString(r.Context(), "message"))
	})
	app := manager.LoadAndSave(mux)

	first := httptest.NewRecorder()
	app.ServeHTTP(first, httptest.NewRequest("GET", "/put", nil))
	next := httptest.NewRequest("GET", "/get", nil)
	next.AddCookie(first.Result().Cookies()[0])
	second := httptest.NewRecorder()
	app.ServeHTTP(second, next)
	fmt.Println(second.Body)
	// Output: Hello from a session!
}
