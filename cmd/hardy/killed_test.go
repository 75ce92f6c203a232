package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/sqlitestore"
)

// A move is killed twice in the middle and goes on, while an app serves all of the sessions: nobody is signed out, no
// write is lost, no request fails. HARDY_MOVE is the number of sessions; 200,000 take minutes.
func TestMoveKilledUnderTraffic(t *testing.T) {
	n := 6000
	if s := os.Getenv("HARDY_MOVE"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	program := filepath.Join(t.TempDir(), "hardy")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, url := range map[string]func(testing.TB) string{
		"Redis":      func(t testing.TB) string { return servers.SharedRedis(t).URL() },
		"PostgreSQL": func(t testing.TB) string { return servers.SharedPostgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HARDY_TEST_TO", url(t))
			moveKilled(t, program, n)
		})
	}
}

var hits = session.NewKey[int]("hits")

func moveKilled(t *testing.T, program string, n int) {
	ctx := t.Context()
	folder := t.TempDir()
	from := filepath.Join(folder, "from.db")
	old, err := sqlitestore.Open(ctx, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	tokens, counts := seed(t, old, n), make([]atomic.Int64, n)

	to, err := parseAddress("env:HARDY_TEST_TO")
	if err != nil {
		t.Fatal(err)
	}
	target, closing, err := to.open(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()

	traffic, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	var served atomic.Int64
	const most = 4
	for client := range most {
		clients.Go(func() {
			m := session.NewManager(store.Moving(old, target), &session.Options{Logger: quiet})
			for i := client; traffic.Err() == nil; i = (i + most*7) % n {
				if err := hit(ctx, m, tokens[i]); err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				counts[i].Add(1)
				served.Add(1)
			}
		})
	}

	began := time.Now()
	state := filepath.Join(folder, "state")
	args := []string{"--json", "move", "--state", state, "sqlite:" + from, "env:HARDY_TEST_TO"}
	came := 0
	for kill := 0; kill < 2; {
		cmd := exec.Command(program, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		for far := bookmarked(state); far < came+n/4 && len(done) == 0; far = bookmarked(state) {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Signal(syscall.SIGKILL)
		var exit *exec.ExitError
		if err := <-done; !errors.As(err, &exit) || exit.Success() {
			t.Fatalf("it came to its end before it was killed: %v", err)
		}
		if now := bookmarked(state); now > came {
			came = now
			kill++
		}
	}
	cmd := exec.Command(program, args...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, messages.String())
	}
	took := time.Since(began)
	m := lines[moved](t, said{out: string(out)})[0]
	if m.Copied+m.Present < n || m.Equal+m.Newer < n {
		t.Errorf("%+v of %d sessions", m, n)
	}
	time.Sleep(100 * time.Millisecond) // requests after the move, too
	stop()
	clients.Wait()

	// The new store alone, as after the last step.
	alone := session.NewManager(target, &session.Options{Logger: quiet})
	for i := 0; i < n; i += max(1, n/2000) {
		secret := tokens[i]
		token, err := alone.Token(secret)
		if err != nil {
			t.Fatal(err)
		}
		s, err := alone.Load(ctx, token)
		if err != nil || hits.Get(s) != int(counts[i].Load()) || s.User() != "user"+strconv.Itoa(i%100) {
			t.Fatalf("session %d: %v, %d hits of %d, user %q", i, err, hits.Get(s), counts[i].Load(), s.User())
		}
	}
	was, _ := old.Count(ctx)
	is, err := target.Count(ctx)
	if err != nil || was != n || is != n {
		t.Errorf("%d in the old store, %d in the new one, %d were made: %v", was, is, n, err)
	}
	t.Logf("%d sessions in %v (%.0f a second), killed twice, beside %d requests", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), served.Load())
}

// seed makes n sessions and returns their tokens.
func seed(t *testing.T, s session.Store, n int) []string {
	t.Helper()
	m := session.NewManager(s, &session.Options{Logger: quiet})
	secrets := make([]string, n)
	var group sync.WaitGroup
	for worker := range 64 {
		group.Go(func() {
			for i := worker; i < n; i += 64 {
				v := m.New()
				err := v.Login("user" + strconv.Itoa(i%100))
				if err == nil {
					err = v.Save(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
				secrets[i] = v.Token().Secret()
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return secrets
}

// hit is a request that counts.
func hit(ctx context.Context, m *session.Manager, secret string) error {
	token, err := m.Token(secret)
	if err != nil {
		return err
	}
	s, err := m.Load(ctx, token)
	if err != nil {
		return err
	}
	_, err = hits.Update(ctx, s, func(n int) int { return n + 1 })
	return err
}

// bookmarked is how far the move has come.
func bookmarked(path string) int {
	b, err := findBookmark(path, "", "")
	if err != nil {
		return 0
	}
	return b.Copied + b.Present + b.Past
}
