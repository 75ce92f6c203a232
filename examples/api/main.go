// Api is a JSON API with keys whose every call is limited: by address before anybody is known, by account
// and plan, by what an answer turns out to cost, and by quotas of a day and a month.
//
//	go run ./examples/api
//	curl -i -H 'Authorization: Bearer free-ann' http://127.0.0.1:8081/v1/quote
//
// http://127.0.0.1:8081/ shows your own bucket as it drains and fills while you click, and
// http://127.0.0.1:8081/usage what each account has used.
//
//	go run ./examples/api -db api.db           # quotas that outlive the program
//	go run ./examples/api -proxy 10.0.0.0/8    # behind a proxy: whose X-Forwarded-For is believed
//
// It serves plain HTTP on this computer only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/store/sqlitestore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and lets requests under way finish.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("http", "127.0.0.1:8081", "`address` to serve on, of this computer only")
	file := flags.String("db", "", "`file` that keeps the quotas; without it they are forgotten at the end")
	var proxies []netip.Prefix
	flags.Func("proxy", "`network` of proxies that are believed about who asks; may be repeated", func(s string) error {
		p, err := netip.ParsePrefix(s)
		if err == nil && p.Bits() == 0 {
			err = errors.New("that is everybody; list the proxies' own addresses")
		}
		proxies = append(proxies, p)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := onlyHere(*address); err != nil {
		return err
	}
	quotas := quota.Store(quota.NewMemory())
	if *file != "" {
		db, err := sqlitestore.Open(ctx, *file, nil)
		if err != nil {
			return err
		}
		defer db.Close()
		quotas = db.Quotas()
	}
	a, err := newAPI(quotas, proxies, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -http", err)
	}
	server := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	fmt.Fprintf(out, "The API is at http://%s/ (Ctrl+C ends it). Try:\n", listener.Addr())
	fmt.Fprintf(out, "  curl -i -H 'Authorization: Bearer free-ann' http://%s/v1/quote\n", listener.Addr())
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

// onlyHere refuses addresses that others could reach: without TLS, everyone on the way can read the keys.
func onlyHere(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-http %q: %w; an address looks like 127.0.0.1:8081", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-http %q: the example has no TLS and serves this computer only; take 127.0.0.1, [::1] or localhost", address)
}
