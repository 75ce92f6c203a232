// Package fleet shows what several processes of one application promise together, on any store that they can share:
// that a user's sessions stay within their number, and that ends reach the streams that are open elsewhere.
//
// A package with such a store has a TestMain that calls Main, and tests that start a fleet and call Cap and Ends:
//
//	func open(ctx context.Context, dsn string) (session.Store, error) { return redisstore.Open(ctx, dsn, nil) }
//
//	func TestMain(m *testing.M) { fleet.Main(m.Run, open) }
//
//	func TestCapOverThreeProcesses(t *testing.T) { fleet.Cap(t, fleet.Start(t, open, dsn)) }
package fleet

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// Opener opens the store that dsn names. Each process calls it once.
type Opener func(ctx context.Context, dsn string) (session.Store, error)

const (
	dsnVar  = "HARDY_FLEET"
	keysVar = "HARDY_FLEET_KEYS"
)

// Main is a process of a fleet where this one was started as one; otherwise it runs the tests.
func Main(tests func() int, open Opener) {
	if dsn := os.Getenv(dsnVar); dsn != "" {
		if err := serve(open, dsn); err != nil {
			fmt.Fprintln(os.Stderr, "fleet:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(tests())
}

// Fleet is three processes, and a manager of this one on the same store.
type Fleet struct {
	Manager *session.Manager
	nodes   [3]string // their addresses
	client  *http.Client
}

// Start starts the processes. They end with t.
func Start(t *testing.T, open Opener, dsn string) *Fleet { return StartBehind(t, open, dsn, dsn) }

// StartBehind is Start with processes that reach the store by another name than this one: through a proxy.
func StartBehind(t *testing.T, open Opener, dsn, behind string) *Fleet {
	t.Helper()
	db, err := open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := db.(io.Closer); ok {
		t.Cleanup(func() { c.Close() })
	}
	f := &Fleet{
		Manager: session.NewManager(db, options()),
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	keys := cookie.NewMaster()
	for i := range f.nodes {
		f.nodes[i] = startNode(t, behind, keys)
	}
	return f
}

func startNode(t *testing.T, dsn, keys string) (address string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), dsnVar+"="+dsn, keysVar+"="+keys)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe() // it ends when this is closed, also where this process is killed
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("a process of the fleet: %v\n%s", err, &errs)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("a process of the fleet did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// answer is what a node said.
type answer struct {
	status int
	cookie string // that it set; "": none
	body   string
}

// ask makes one request of a node, with a cookie where there is one.
func (f *Fleet) ask(ctx context.Context, node int, method, path, cookie string, form url.Values) (a answer, err error) {
	resp, err := f.send(ctx, node, method, path, cookie, form)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	a = answer{status: resp.StatusCode, body: string(b)}
	if set := resp.Header.Get("Set-Cookie"); set != "" {
		a.cookie, _, _ = strings.Cut(set, ";")
	}
	return a, err
}

func (f *Fleet) send(ctx context.Context, node int, method, path, cookie string, form url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+f.nodes[node]+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return f.client.Do(r)
}
