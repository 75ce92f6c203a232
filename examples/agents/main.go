// Agents is a place where several people talk to a few agents: each with conversations of their own, a share of the
// workers, and quotas.
//
//	go run ./examples/agents
//
// Sign in under two names, in a window and a private one, and let both ask at once. A user has three sessions at most,
// and the oldest ends for a fourth; there are two workers for everybody; each user has 20 calls an hour and 200 words a day.
// Begin with agents.go; worker.go is what does the work, and would call a model in an application.
//
//	go run ./examples/agents -idle 20s    # what a session held is given back when it ends by itself
//
// It serves plain HTTP on this computer only. Sessions and quotas rest in a file; keys end with the process, and the
// sessions with them.
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
	"sync"
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
		fmt.Fprintln(os.Stderr, "agents:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("agents", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8084", "`address` to serve on, of this computer only")
	db := flags.String("db", "", "`file` of the sessions (default one that is removed in the end)")
	idle := flags.Duration("idle", session.DefaultIdle, "how long a session lives without a request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-http %q: without TLS this serves this computer only; take 127.0.0.1:8084", *address)
	}
	if *db == "" {
		folder, err := os.MkdirTemp("", "agents-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		*db = filepath.Join(folder, "agents.db")
	}
	store, err := sqlitestore.Open(ctx, *db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	a, err := newApp(store, store.Quotas(), &session.Options{Idle: *idle, MaxPerUser: 3})
	if err != nil {
		return err
	}
	running, end := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { a.sessions.Run(running) })
	group.Go(func() { a.workers.Run(running) })
	defer func() { end(); group.Wait() }()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(out, "The agents are at http://%s/ (Ctrl+C ends it).\n", listener.Addr())
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
