package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// start runs the program, and returns where it serves.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-http", "127.0.0.1:0"}, args...), write)
		write.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(read).ReadString('\n')
	go io.Copy(io.Discard, read)
	at := regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	if err != nil || at == "" {
		t.Fatalf("it said %q: %v", line, err)
	}
	return at
}

// browser is one with cookies of its own.
type browser struct {
	t  *testing.T
	at string
	http.Client
}

func newBrowser(t *testing.T, at string) *browser {
	jar, _ := cookiejar.New(nil)
	b := &browser{t, at, http.Client{Jar: jar}}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

func (b *browser) post(path string, form url.Values) (int, string) {
	b.t.Helper()
	answer, err := b.PostForm(b.at+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

// events reads the stream of the browser's page until it ends.
func (b *browser) events() <-chan string {
	b.t.Helper()
	answer, err := b.Get(b.at + "/live")
	if err != nil || answer.StatusCode != 200 {
		b.t.Fatalf("%v, %v", answer, err)
	}
	told := make(chan string, 1)
	go func() {
		defer answer.Body.Close()
		all, _ := io.ReadAll(answer.Body)
		told <- string(all)
	}()
	return told
}

func hears(t *testing.T, told <-chan string, want string) {
	t.Helper()
	select {
	case got := <-told:
		if !strings.Contains(got, "event: ended\ndata: "+want) {
			t.Errorf("told %q, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
	}
}

func TestEndsAreTold(t *testing.T) {
	at := start(t)
	one, two, bob := newBrowser(t, at), newBrowser(t, at), newBrowser(t, at)
	ann := url.Values{"user": {"ann"}}
	one.post("/sign-in", ann)
	two.post("/sign-in", ann)
	bob.post("/sign-in", url.Values{"user": {"bob"}})
	first, second, bobs := one.events(), two.events(), bob.events()

	_, list := one.post("/sign-in", ann) // again: the stream goes on
	handle := regexp.MustCompile(`name="handle" value="([^"]+)"`).FindStringSubmatch(list)
	if len(handle) != 2 || len(regexp.MustCompile(`<li[ >]`).FindAllString(list, -1)) != 2 {
		t.Fatalf("%q in %s", handle, list)
	}
	if n := strings.Count(list, "from 127.0.0.0/24"); n != 2 {
		t.Errorf("%d of two sessions say where they come from: %s", n, list)
	}
	bob.post("/end", url.Values{"handle": {handle[1]}}) // ann's: not his to end
	select {
	case got := <-second:
		t.Fatalf("bob ended ann's session: %s", got)
	case <-time.After(300 * time.Millisecond):
	}
	if status, _ := one.post("/end", url.Values{"handle": {handle[1]}}); status != 200 {
		t.Errorf("%d", status)
	}
	hears(t, second, "revoked")
	if status, _ := two.post("/end-others", nil); status != http.StatusUnauthorized {
		t.Errorf("a form of the ended session: %d", status)
	}

	bob.post("/sign-out", nil)
	hears(t, bobs, "logout")
	select {
	case got := <-first:
		t.Errorf("the first one ended, too: %s", got)
	default:
	}
	two.post("/sign-in", ann)
	two.post("/end-others", nil)
	hears(t, first, "revoked")
}

func TestIdleIsTold(t *testing.T) {
	at := start(t, "-idle", "2s")
	b := newBrowser(t, at)
	b.post("/sign-in", url.Values{"user": {"ann"}})
	hears(t, b.events(), "idle") // the open stream kept nothing alive
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{"-http", "0.0.0.0:0"}, {"-http", "nonsense"}, {"-idle", "-1s"}, {"-nonsense"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	at := start(t)
	b := newBrowser(t, at)
	if status, _ := b.post("/sign-in", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("no name: %d", status)
	}
	answer, err := b.Get(at + "/live")
	if err != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("a stream for nobody: %v, %v", answer, err)
	}
	answer.Body.Close()
}
