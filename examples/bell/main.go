// Bell is a bell that anybody can ring: a whole application on Hardy, in small files that can be read one by one.
//
//	go run ./examples/bell
//
// Begin with bell.go, which lists its pages and the layers around them. The bell counts the rings of a session,
// which the server keeps; greets by a name, which the browser keeps, encrypted; signs in and out; lists and ends
// your sessions; and shows what lies in the browser and what on the server. To see a session end:
//
//	go run ./examples/bell -idle 10s            # a page that is opened starts over
//	go run ./examples/bell -idle 10s -strict    # every page says that the session has ended
//
// To be several people at once, each in a frame of their own:
//
//	go run ./examples/bell -users
//
// Sessions survive a restart: they rest in a file, sealed, and the keys of the browsers' cookies in others beside it.
// Over plain HTTP it serves this computer only; with -tls-cert and -tls-key it serves others, too.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bell:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. Then requests under way finish, and the store closes.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	set, err := parse(args, out)
	if err != nil {
		return err
	}
	keys, err := openKeyrings(set.keys)
	if err != nil {
		return err
	}
	if set.users {
		keys.bell = cookie.DevKeys("bell")
	}
	store, err := sqlitestore.Open(ctx, set.db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	listener, err := net.Listen("tcp", set.address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}

	b := &bell{
		keyrings: keys,
		store:    store,
		sessions: session.NewManager(store, &set.options),
		board:    board{filepath.Join(filepath.Dir(set.db), "note.txt")},
		domain:   set.domain,
		strict:   set.strict,
		users:    set.users,
		tls:      set.certificate != nil,
	}
	sweeping, stop := context.WithCancel(ctx)
	defer stop()
	go b.sessions.Run(sweeping)

	server := &http.Server{
		Handler:           b.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	if b.tls {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*set.certificate}}
		go func() { ended <- server.ServeTLS(listener, "", "") }()
	} else {
		go func() { ended <- server.Serve(listener) }()
	}
	set.announce(out, listener.Addr())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}
