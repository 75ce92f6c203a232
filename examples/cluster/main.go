// Cluster is one application as three processes that share a store, behind a door that asks them by turns: whichever
// answers knows who you are, and a session that is ended through one is ended for all.
//
//	go run ./examples/cluster
//	go run ./examples/cluster -postgres postgres://app:secret@127.0.0.1/app
//	go run ./examples/cluster -redis redis://127.0.0.1:6379/0
//
// Sign in from two browsers, and end one session from the other: each page says which process made it. One that is
// killed is missed by nobody, and comes back. node.go is the application; door.go starts the processes and stands
// before them.
//
// It serves plain HTTP on this computer only. Without a server the sessions rest in a file, which goes away with the
// program, as do the keys.
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

	"example.com/hardy/cookie"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begin := func() error { return run(ctx, os.Args[1:], os.Stderr) }
	if os.Getenv(nodeVar) != "" {
		begin = func() error { return runNode(ctx) }
	}
	switch err := begin(); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8084", "`address` to serve on, of this computer only")
	redis := flags.String("redis", "", "`URL` of a Redis for the sessions; a password in it can be seen by who lists processes")
	postgres := flags.String("postgres", "", "`URL` of a PostgreSQL for the sessions; the same holds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-http %q: without TLS this serves this computer only; take 127.0.0.1:8084", *address)
	}
	where := inFile
	records := *redis
	switch {
	case *redis != "" && *postgres != "":
		return errors.New("sessions rest in one place: give -redis or -postgres")
	case *redis != "":
		where = inRedis
	case *postgres != "":
		records, where = *postgres, inPostgres
	default:
		folder, err := os.MkdirTemp("", "cluster-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		records = filepath.Join(folder, "sessions.db")
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}
	defer listener.Close()

	living, end := context.WithCancel(context.WithoutCancel(ctx)) // the processes outlive the last request
	d, err := startNodes(living, out, map[string]string{storeVar: records, whereVar: where, keysVar: cookie.NewMaster()})
	defer d.wait()
	defer end()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: d.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(out, "Three processes answer at http://%s/ by turns (Ctrl+C ends them). Their sessions are in %s.\n", listener.Addr(), where)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}
