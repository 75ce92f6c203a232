// Frameworks is one little application four times: on chi, gin, echo and the ServeMux of net/http. Each file wires Hardy's
// middleware as people of that framework write it; what the application does is in app.go, the same for all.
//
//	cd examples/frameworks && go run . chi
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// frameworks make the whole handler out of the parts.
var frameworks = map[string]func(*app) http.Handler{"chi": onChi, "echo": onEcho, "gin": onGin, "plain": onServeMux}

func main() {
	name := "plain"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	wire, ok := frameworks[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: frameworks chi|echo|gin|plain")
		os.Exit(2)
	}
	a := newApp(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("frameworks"), &middleware.Options{InsecureHTTP: true})
	log.Println(name, "on http://127.0.0.1:8082")
	log.Fatal(http.ListenAndServe("127.0.0.1:8082", wire(a)))
}
