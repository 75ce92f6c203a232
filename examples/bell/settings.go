package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"example.com/hardy/session"
)

// settings are what the command line asks for.
type settings struct {
	address, db, keys, domain string
	strict, users             bool
	options                   session.Options
	certificate               *tls.Certificate // nil: plain HTTP
}

// parse reads args and refuses what can't be served, before anything is opened or made.
func parse(args []string, out io.Writer) (*settings, error) {
	set := &settings{}
	flags := flag.NewFlagSet("bell", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&set.address, "http", "127.0.0.1:8080", "`address` to serve on; without TLS one of this computer only")
	flags.StringVar(&set.db, "db", "", "`file` of the sessions (default bell.db in your folder for programs' state)")
	flags.StringVar(&set.keys, "keys", "", "`file` of the keys, made where there is none (default bell.keys beside the sessions)")
	flags.StringVar(&set.domain, "domain", "hardy.localhost", "`domain` whose hosts bell. and two. share a cookie")
	flags.DurationVar(&set.options.Idle, "idle", session.DefaultIdle, "how long a session lives without a request")
	flags.BoolVar(&set.strict, "strict", false, "after the end of a session, say so on every page instead of starting over")
	flags.BoolVar(&set.users, "users", false, "for development: show several users on one desk, with keys that end with the process")
	cert := flags.String("tls-cert", "", "`file` of a certificate, to serve over TLS")
	key := flags.String("tls-key", "", "`file` of the certificate's key")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not asked for; options begin with -", flags.Arg(0))
	}
	if err := set.options.Validate(); err != nil {
		return nil, fmt.Errorf("-idle %v: %w", set.options.Idle, err)
	}
	if *cert != "" || *key != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert and -tls-key go together: %w", err)
		}
		set.certificate = &pair
	} else if err := onlyHere(set.address); err != nil {
		return nil, err
	}
	return set, set.findFiles()
}

// findFiles fills in where the sessions and the keys rest.
func (set *settings) findFiles() error {
	if set.db == "" {
		folder, err := stateFolder()
		if err != nil {
			return fmt.Errorf("there is no folder for the sessions: %w; name a file with -db", err)
		}
		set.db = filepath.Join(folder, "bell.db")
	}
	if set.keys == "" {
		set.keys = filepath.Join(filepath.Dir(set.db), "bell.keys")
	}
	return nil
}

// stateFolder makes the folder in which programs of this user keep what they remember. It is readable to them alone.
func stateFolder() (string, error) {
	parent := os.Getenv("XDG_STATE_HOME") // XDG Base Directory Specification
	if parent == "" && runtime.GOOS == "linux" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		parent = filepath.Join(home, ".local", "state")
	}
	if parent == "" {
		var err error
		if parent, err = os.UserConfigDir(); err != nil {
			return "", err
		}
	}
	folder := filepath.Join(parent, "hardy-bell")
	return folder, os.MkdirAll(folder, 0o700)
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
	return fmt.Errorf("-http %q: without TLS the bell serves this computer only; take 127.0.0.1, [::1] or localhost, or give -tls-cert and -tls-key", address)
}

// announce says where the bell hangs and where its files are.
func (set *settings) announce(out io.Writer, at net.Addr) {
	scheme := "http"
	if set.certificate != nil {
		scheme = "https"
	}
	_, port, _ := net.SplitHostPort(at.String())
	fmt.Fprintf(out, "The bell hangs at %s://%s/ (Ctrl+C takes it down).\n", scheme, at)
	fmt.Fprintf(out, "It shares a cookie with a second app, as %[1]s://bell.%[2]s:%[3]s/ and %[1]s://two.%[2]s:%[3]s/.\n", scheme, set.domain, port)
	if set.users {
		fmt.Fprintf(out, "Several users sit at %s://users.localhost:%s/.\n", scheme, port)
	}
	fmt.Fprintf(out, "Sessions: %s\nKeys:     %s\n", set.db, set.keys)
}
