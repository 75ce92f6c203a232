// Bell is a bell that anybody can ring: a first application on Hardy, small enough to read in one sitting.
//
//	go run ./examples/bell
//
// It counts the rings of a session, which the server keeps; greets by a name, which the browser keeps
// encrypted; and signs in and out. To see a session end:
//
//	go run ./examples/bell -idle 10s            # a page that is opened starts over
//	go run ./examples/bell -idle 10s -strict    # every page says that the session has ended
//
// It serves plain HTTP on this computer only, and forgets everything when it ends.
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
	"syscall"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stderr, iterations); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bell:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish. iterations are those of newAccounts.
func run(ctx context.Context, args []string, out io.Writer, iterations int) error {
	flags := flag.NewFlagSet("bell", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8080", "`address` to serve on, of this computer only")
	idle := flags.Duration("idle", session.DefaultIdle, "how long a session lives without a request")
	strict := flags.Bool("strict", false, "after the end of a session, say so on every page instead of starting over")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := session.Options{Idle: *idle}
	if err := options.Validate(); err != nil {
		return fmt.Errorf("-idle %v: %w", *idle, err)
	}
	if err := onlyHere(*address); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}

	keys := cookie.DevKeys("bell") // a program for others takes cookie.KeysFromEnv
	b := newBell(keys, newAccounts(iterations, demoPassword, demoUsers...), &options, *strict)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go b.sessions.Run(ctx)

	server := &http.Server{
		Handler:           b.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	fmt.Fprintf(out, "The bell hangs at http://%s/ (Ctrl+C takes it down).\n", listener.Addr())
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

// onlyHere refuses addresses that others could reach: without TLS, everyone on the way can read the cookies.
func onlyHere(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-http %q: %w; an address looks like 127.0.0.1:8080", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-http %q: the bell has no TLS and serves this computer only; take 127.0.0.1, [::1] or localhost", address)
}
