// Devices shows the sessions of a user, and ends them: the page of an ended one says so within a second, without being
// asked.
//
//	go run ./examples/devices
//
// Sign in under one name in two browsers, or in a window and a private one, and end one from the other. Begin with
// devices.go; live.go is the stream of events.
//
//	go run ./examples/devices -idle 20s    # the page says so, too, when a session ends by itself
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

	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "devices:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish. Streams end with the manager's Run.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("devices", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8082", "`address` to serve on, of this computer only")
	db := flags.String("db", "", "`file` of the sessions (default one that is removed in the end)")
	idle := flags.Duration("idle", session.DefaultIdle, "how long a session lives without a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-http %q: without TLS this serves this computer only; take 127.0.0.1:8082", *address)
	}
	if *db == "" {
		folder, err := os.MkdirTemp("", "devices-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		*db = filepath.Join(folder, "devices.db")
	}
	store, err := sqlitestore.Open(ctx, *db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	options := &session.Options{Idle: *idle}
	if err := options.Validate(); err != nil {
		return err
	}
	d := &devices{session.NewManager(store, options)}
	running, end := context.WithCancel(ctx)
	swept := make(chan error, 1)
	go func() { swept <- d.sessions.Run(running) }()
	defer func() { end(); <-swept }()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}
	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(out, "Your devices are at http://%s/ (Ctrl+C ends it).\n", listener.Addr())
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
