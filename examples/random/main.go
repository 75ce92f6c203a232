// Random shows each user a random number of their own, and calls another service with this user's rights: one process for
// all users, and nothing of any of them in a global.
//
//	go run ./examples/random
//
// Sign in under two names, in a window and a private one. Begin with random.go; platform.go is the other service and its
// client.
//
// It serves plain HTTP on this computer only. Sessions rest in a file; keys end with the process, and the sessions with
// them.
package main

import (
	"context"
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

	"example.com/hardy/store/sqlitestore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "random:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("random", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8083", "`address` to serve on, of this computer only")
	db := flags.String("db", "", "`file` of the sessions (default one that is removed in the end)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-http %q: without TLS this serves this computer only; take 127.0.0.1:8083", *address)
	}
	if *db == "" {
		folder, err := os.MkdirTemp("", "random-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		*db = filepath.Join(folder, "random.db")
	}
	store, err := sqlitestore.Open(ctx, *db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	platform := newPlatform()
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	other := &http.Server{Handler: platform, ReadHeaderTimeout: 5 * time.Second}
	go other.Serve(elsewhere)
	defer other.Close()

	a := newApp(store, "http://"+elsewhere.Addr().String())
	running, end := context.WithCancel(ctx)
	swept := make(chan error, 1)
	go func() { swept <- a.sessions.Run(running) }()
	defer func() { end(); <-swept }()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(out, "Random numbers are at http://%s/ (Ctrl+C ends it).\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}
