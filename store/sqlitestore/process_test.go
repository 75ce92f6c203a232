package sqlitestore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/hardy/session"
)

var rings = session.NewKey[int]("n_rings")

// quiet is a manager that does not log each sign-in.
func quiet(s *Store) *session.Manager {
	return session.NewManager(s, &session.Options{Logger: slog.New(slog.DiscardHandler)})
}

// childUpdate counts n times, each time as a request of its own.
//
// All want one session: on an idle machine the default StoreTimeout of 2 s is enough for that, on a busy one
// with the race detector it is not.
func childUpdate(ctx context.Context, s *Store, secret string, n int) error {
	m := session.NewManager(s, &session.Options{StoreTimeout: time.Minute})
	token, err := tokenOf(m, secret)
	if err != nil {
		return err
	}
	for i := range n {
		visit, err := m.Load(ctx, token)
		if err == nil {
			_, err = rings.Update(ctx, visit, func(n int) int { return n + 1 })
		}
		if err != nil {
			return fmt.Errorf("update %d: %w", i, err)
		}
	}
	return nil
}

// begin stores a session and returns its secret, in hexadecimal.
func begin(t *testing.T, m *session.Manager, user string) (secret string) {
	t.Helper()
	visit := m.New()
	err := rings.Set(visit, 0)
	if err == nil && user != "" {
		err = visit.Login(user)
	}
	if err == nil {
		err = m.Commit(t.Context(), visit)
	}
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString([]byte(m.Sent(visit).Token.Secret()))
}

func tokenOf(m *session.Manager, secret string) (*session.Token, error) {
	b, err := hex.DecodeString(secret)
	if err != nil {
		return nil, err
	}
	return m.Token(string(b))
}

// TestEightProcessesCountExactly: 8 processes, 1,000 exact updates each, one file, one
// session: 8,000 are counted, and no process meets an error.
func TestEightProcessesCountExactly(t *testing.T) {
	const processes = 8
	each := 1000
	if testing.Short() || raceDetector {
		each = 50
	}
	path := filepath.Join(t.TempDir(), "s.db")
	m := quiet(open(t, path))
	secret := begin(t, m, "")
	start := time.Now()
	fault := make(chan error, processes)
	for range processes {
		cmd := command(t, "update", path, secret, strconv.Itoa(each))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		go func() {
			if err := cmd.Run(); err != nil {
				err = fmt.Errorf("%w: %s", err, stderr.String())
				fault <- err
				return
			}
			fault <- nil
		}()
	}
	for range processes {
		if err := <-fault; err != nil {
			t.Error(err)
		}
	}
	token, err := tokenOf(m, secret)
	if err != nil {
		t.Fatal(err)
	}
	visit, err := m.Load(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if n := rings.Get(visit); n != processes*each {
		t.Errorf("%d of %d updates are counted", n, processes*each)
	}
	t.Logf("%d updates in %v", processes*each, time.Since(start))
}

// childServe answers a line of standard output for each line of standard input.
func childServe(ctx context.Context, s *Store, _ []string) error {
	m := quiet(s)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var answer string
		switch word := strings.Fields(lines.Text()); word[0] {
		case "read":
			token, err := tokenOf(m, word[1])
			if err != nil {
				return err
			}
			visit, err := m.Load(ctx, token)
			var expired *session.ExpiredError
			switch {
			case errors.As(err, &expired):
				answer = string(expired.Reason)
			case err != nil:
				answer = err.Error()
			default:
				answer = "served " + visit.User()
			}
		case "revoke":
			n, err := m.RevokeUser(ctx, word[1])
			answer = fmt.Sprintf("ended %d, %v", n, err)
		}
		fmt.Println(answer)
	}
	return nil
}

// server is a child that serves.
type server struct {
	in  io.Writer
	out *bufio.Scanner
}

func serve(t *testing.T, path string) *server {
	t.Helper()
	cmd := command(t, "serve", path)
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
			t.Errorf("a server: %v", err)
		}
	})
	return &server{in, bufio.NewScanner(out)}
}

func (s *server) ask(t *testing.T, words ...string) string {
	t.Helper()
	fmt.Fprintln(s.in, strings.Join(words, " "))
	if !s.out.Scan() {
		t.Fatal("a server gave up")
	}
	return s.out.Text()
}

// TestRevokedForThreeProcesses: after Revoke returns in one process, no later request is
// served by any of three, which all served the session just before.
func TestRevokedForThreeProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	m := quiet(open(t, path))
	servers := []*server{serve(t, path), serve(t, path), serve(t, path)}
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for i := range rounds {
		user := fmt.Sprintf("ann%d", i)
		secret := begin(t, m, user)
		for n, s := range servers {
			if got := s.ask(t, "read", secret); got != "served "+user {
				t.Fatalf("round %d: server %d answers %q before the end", i, n, got)
			}
		}
		if got := servers[i%3].ask(t, "revoke", user); got != "ended 1, <nil>" {
			t.Fatal(got)
		}
		for n, s := range servers {
			if got := s.ask(t, "read", secret); got != string(session.ReasonRevoked) {
				t.Fatalf("round %d: server %d answers %q after the end", i, n, got)
			}
		}
	}
}

// TestWatchHearsOtherProcesses: an end in another process is told here, once, within the interval.
func TestWatchHearsOtherProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	m := quiet(s)
	other := serve(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	news, done := make(chan session.Ended, 100), make(chan error)
	go func() { done <- s.Watch(ctx, func(e session.Ended) { news <- e }) }()
	<-news // the empty one
	for i := range 3 {
		user := fmt.Sprintf("ann%d", i)
		begin(t, m, user)
		other.ask(t, "revoke", user)
		select {
		case e := <-news:
			if e.Reason != session.ReasonRevoked || e.ID == "" || e.At.IsZero() {
				t.Errorf("the news is %+v", e)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no news")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
	if n := len(news); n != 0 {
		t.Errorf("%d ends were told twice", n)
	}
}
