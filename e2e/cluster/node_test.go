package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/pgstore"
	"example.com/hardy/store/redisstore"
	"example.com/hardy/store/sqlitestore"
)

// nodeVar makes this test program a node: a process that serves the desk on a store. It holds the order, as JSON.
const nodeVar = "HARDY_CLUSTER_NODE"

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeVar); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, "node:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Run(m))
}

// order says what a node serves on.
type order struct {
	Store  string // "sqlite", "redis", "postgres"
	URL    string
	Cache  int    // of redisstore.Options
	Master string // of the keyring
}

func (o order) open(ctx context.Context) (session.Store, error) {
	switch o.Store {
	case "sqlite":
		return sqlitestore.Open(ctx, o.URL, nil)
	case "redis":
		return redisstore.Open(ctx, o.URL, &redisstore.Options{Cache: o.Cache})
	case "postgres":
		return pgstore.Open(ctx, o.URL, nil)
	}
	return nil, fmt.Errorf("no store %q", o.Store)
}

// serve is a node. It says where it listens, and ends with its input: with the test, however that ends.
func serve(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := o.open(ctx)
	if err != nil {
		return err
	}
	keys, err := cookie.NewKeys(ctx, master(o.Master), appName)
	if err != nil {
		return err
	}
	m := session.NewManager(s, &session.Options{Logger: slog.New(slog.DiscardHandler)})
	go m.Run(ctx)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	gone := make(chan error, 1)
	go func() { gone <- http.Serve(l, desk(m, keys)) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		gone <- err
	}()
	return <-gone
}

// startNodes starts so many nodes as processes of their own and returns their addresses.
func startNodes(t *testing.T, n int, o order) []string {
	t.Helper()
	if o.Master == "" {
		o.Master = cookie.NewMaster()
	}
	var all []string
	for range n {
		all = append(all, startNode(t, o))
	}
	return all
}

func startNode(t *testing.T, o order) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVar+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
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
			t.Errorf("a node: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(errors.Join(errors.New("a node did not start"), err))
	}
	return strings.TrimSpace(line)
}
