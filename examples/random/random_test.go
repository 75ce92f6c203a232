package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/store"
)

// serve starts the app and the platform it calls. rolls records who told which number, as the platform sees it.
func serve(t *testing.T) (at string, a *app, rolls *record) {
	t.Helper()
	p := newPlatform()
	rolls = &record{of: map[string][]string{}}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/rolls" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			p.mu.Lock()
			user := p.users[bearer(r)]
			p.mu.Unlock()
			rolls.add(user, regexp.MustCompile(`\d+`).FindString(string(body)))
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(elsewhere.Close)
	a = newApp(store.NewMemory(nil), elsewhere.URL)
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	return server.URL, a, rolls
}

type record struct {
	sync.Mutex
	of map[string][]string
}

func (r *record) add(user, number string) {
	r.Lock()
	defer r.Unlock()
	r.of[user] = append(r.of[user], number)
}

type browser struct {
	at string
	http.Client
}

func newBrowser(t *testing.T, at string) *browser {
	jar, _ := cookiejar.New(nil)
	b := &browser{at, http.Client{Jar: jar}}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

var shown = regexp.MustCompile(`<output>(\d+|–)</output>`)

// post sends a form, and returns the number that the page then shows.
func (b *browser) post(path, user string) (string, error) {
	answer, err := b.PostForm(b.at+path, url.Values{"user": {user}})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if found := shown.FindStringSubmatch(string(body)); found != nil {
		return found[1], nil
	}
	return "", fmt.Errorf("%d %s %v", answer.StatusCode, body, err)
}

// Two users in parallel keep their own numbers, and the platform sees each click under that user's rights.
func TestSuperviselyRandomNumbers(t *testing.T) {
	at, _, rolls := serve(t)
	var group sync.WaitGroup
	want := map[string][]string{}
	var mu sync.Mutex
	for _, user := range []string{"ann", "bob"} {
		group.Go(func() {
			b := newBrowser(t, at)
			if _, err := b.post("/sign-in", user); err != nil {
				t.Error(err)
				return
			}
			for range 40 {
				n, err := b.post("/roll", "")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				want[user] = append(want[user], n)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for user, numbers := range want {
		if got := rolls.of[user]; strings.Join(got, " ") != strings.Join(numbers, " ") {
			t.Errorf("%s saw %v, the platform %v", user, numbers, got)
		}
	}
	if len(rolls.of) != 2 {
		t.Errorf("calls of %d users", len(rolls.of))
	}
}

// Another user in the same browser has another number and other rights, and the former client is closed.
func TestSuperviselyAnotherUserInTheSameBrowser(t *testing.T) {
	at, a, rolls := serve(t)
	b := newBrowser(t, at)
	if n, err := b.post("/roll", ""); n == "–" || err != nil || len(rolls.of) != 0 {
		t.Fatalf("nobody: %q, %v, %v", n, err, rolls.of)
	}
	for _, user := range []string{"ann", "bob"} {
		n, err := b.post("/sign-in", user)
		if err != nil || user == "bob" && n != "–" {
			t.Fatalf("%s begins with %q, %v", user, n, err)
		}
		if _, err := b.post("/roll", ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(rolls.of["ann"]) != 1 || len(rolls.of["bob"]) != 1 {
		t.Errorf("%v", rolls.of)
	}
	until(t, func() bool { return a.clients.Len() == 1 })
	if _, err := b.post("/sign-out", ""); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return a.clients.Len() == 0 })
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{"-http", "0.0.0.0:0"}, {"-http", "nonsense"}, {"-nonsense"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
