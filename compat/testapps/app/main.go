// Command app is an application on scs, written in the styles that real ones are written in. It knows nothing of Hardy:
// the tests compile it against scs and against compat/scs, from this source.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"example.com/hardy/compat/testapps/stores"
)

// styles are ways in which applications use scs: each wires the same pages in its own way.
var styles = map[string]func(store scs.Store) http.Handler{
	"plain":    plain,    // LoadAndSave around a ServeMux
	"remember": remember, // Persist off, RememberMe at the sign-in, ErrorFunc, a cookie with all attributes
	"idle":     idle,     // IdleTimeout
	"hashed":   hashed,   // HashTokenInStore
	"gin":      onGin,    // LoadAndSave written again by Load, Status, Commit and WriteSessionCookie
	"echo":     onEcho,   // the same, before echo's response
	"header":   header,   // the token in a header
	"twins":    twins,    // two managers side by side
	"proxied":  proxied,  // Cookie.Secure changed at each request, a facade in a struct
	"codec":    codec,    // a Codec of the application's own
}

func main() {
	style := flag.String("style", "plain", "how the application is written")
	address := flag.String("store", "", "sqlite:PATH, redis://… or postgres://…; empty: in memory")
	listen := flag.String("listen", "127.0.0.1:0", "where to serve; the address is printed")
	probe := flag.Bool("probe", false, "print how some races end, instead of serving")
	speed := flag.Duration("speed", 0, "measure for so long each, instead of serving")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var store scs.Store = memstore.New()
	if *address != "" {
		opened, end, err := stores.Open(ctx, *address)
		if err != nil {
			log.Fatal(err)
		}
		defer end()
		store = opened
	}
	switch {
	case *probe:
		probes(os.Stdout)
		return
	case *speed > 0:
		measure(os.Stdout, store, *speed)
		return
	}
	wire, ok := styles[*style]
	if !ok {
		log.Fatalf("no style %q", *style)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: wire(store), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	fmt.Printf("http://%s\n", l.Addr())
	if err := server.Serve(l); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
