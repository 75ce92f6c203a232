package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// The processes are this test program, which then is a node and no test.
func TestMain(m *testing.M) {
	if os.Getenv(nodeVar) != "" {
		main()
		return
	}
	os.Exit(servers.Run(m))
}

const patience = 60 * time.Second

// screen is what the program prints.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start runs the program until the test ends, and returns its address.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out := &screen{}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append([]string{"-http", "127.0.0.1:0"}, args...), out) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the program does not end")
		}
		if t.Failed() {
			t.Logf("it printed:\n%s", out)
		}
	})
	address := regexp.MustCompile(`http://\S+/`)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if at := address.FindString(out.String()); at != "" {
			return at
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not say where it serves")
		}
	}
}

// browser is somebody with a cookie jar.
type browser struct {
	t    *testing.T
	at   string
	jar  http.Client
	seen map[string]string // number of each process that has answered, and its pid
}

func newBrowser(t *testing.T, at string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, at, http.Client{Jar: jar, Timeout: patience}, map[string]string{}}
}

var answered = regexp.MustCompile(`(?s)<h1>Process (\d) answered.*?this one is number (\d+) of`)

func (b *browser) ask(method, path string, form ...string) (int, string) {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r, err := http.NewRequest(method, b.at+path, strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	response, err := b.jar.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if m := answered.FindStringSubmatch(string(text)); m != nil {
		b.seen[m[1]] = m[2]
	}
	return response.StatusCode, string(text)
}

func (b *browser) open() string {
	b.t.Helper()
	status, page := b.ask("GET", "")
	if status != http.StatusOK {
		b.t.Fatalf("%d %s", status, page)
	}
	return page
}

func (b *browser) post(path string, form ...string) string {
	b.t.Helper()
	status, page := b.ask("POST", path, form...)
	if status != http.StatusOK {
		b.t.Fatalf("%s: %d %s", path, status, page)
	}
	return page
}

func (b *browser) want(page string, all ...string) {
	b.t.Helper()
	for _, text := range all {
		if !strings.Contains(page, text) {
			b.t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

var handle = regexp.MustCompile(`name="handle" value="([^"]+)"`)

// TestCluster: whichever process answers, the session is the same; one that is ended through one of them is ended for all;
// a process that is killed is missed by nobody, and comes back. On each store.
func TestCluster(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		"a file":     func(t *testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string { return []string{"-postgres", servers.SharedPostgres(t).URL()} },
		"Redis":      func(t *testing.T) []string { return []string{"-redis", servers.SharedRedis(t).URL()} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := start(t, args(t)...)
			laptop, phone := newBrowser(t, at), newBrowser(t, at)
			laptop.want(laptop.post("sign-in", "user", "ann"), "Signed in as <strong>ann", "Nowhere else", "sessions in "+name)
			for i := range 6 {
				laptop.want(laptop.post("ring"), fmt.Sprintf("rang <strong>%d</strong>", i+1))
			}
			if len(laptop.seen) != processes {
				t.Errorf("%d processes have answered: %v", len(laptop.seen), laptop.seen)
			}
			phone.post("sign-in", "user", "ann")
			page := laptop.open()
			laptop.want(page, "Elsewhere, since", "through process")
			found := handle.FindStringSubmatch(page)
			if found == nil {
				t.Fatal("the other session cannot be ended")
			}
			laptop.want(laptop.post("end", "handle", found[1]), "Nowhere else")
			for range processes { // by whichever process: a form from the ended session is refused
				if status, page := phone.ask("POST", "ring"); status != http.StatusUnauthorized {
					t.Errorf("a form of the ended session: %d %s", status, page)
				}
			}
			phone.want(phone.open(), "has ended: revoked", "Your name")

			pid, err := strconv.Atoi(laptop.seen["2"])
			if err != nil {
				t.Fatal(err)
			}
			process, err := os.FindProcess(pid)
			if err == nil {
				err = process.Kill()
			}
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
				status, page := laptop.ask("GET", "")
				if status == http.StatusOK {
					laptop.want(page, "Signed in as <strong>ann", "rang <strong>6</strong>")
				} else if status != http.StatusServiceUnavailable { // what was under way in the killed one
					t.Fatalf("%d %s", status, page)
				}
				if laptop.seen["2"] != strconv.Itoa(pid) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("process 2 does not come back")
				}
			}
		})
	}
}

// TestWhatCannotBeServed is refused before anything begins.
func TestWhatCannotBeServed(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		want string
		says string // of the processes
	}{
		{[]string{"-http", "0.0.0.0:0"}, "this computer only", ""},
		{[]string{"-http", "127.0.0.1:0", "-redis", "redis://a", "-postgres", "postgres://b"}, "in one place", ""},
		{[]string{"-http", "127.0.0.1:0", "-postgres", "postgres://nobody@127.0.0.1:1/x"}, "exit status", "nothing listens there"},
		{[]string{"-http", "127.0.0.1:0", "-redis", "redis://127.0.0.1:1"}, "exit status", "nothing listens there"},
		{[]string{"-http", "127.0.0.1:0", "-redis", "127.0.0.1:1"}, "exit status", "redis://"},
		{[]string{"-http", "127.0.0.1:0", "-postgres", "127.0.0.1/app"}, "exit status", "postgres://"},
	} {
		out := &screen{}
		ctx, stop := context.WithTimeout(t.Context(), patience) // what serves after all ends too
		err := run(ctx, c.args, out)
		stop()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.args, err)
		}
		if !strings.Contains(out.String(), c.says) {
			t.Errorf("%q: it does not say why: %s", c.args, out)
		}
	}
	if left, err := os.ReadDir("."); len(left) > 0 || err != nil {
		t.Errorf("it has left %v, %v", left, err)
	}
}
