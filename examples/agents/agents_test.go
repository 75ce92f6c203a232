package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

func serve(t *testing.T, o *session.Options) (at string, a *app) {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "agents.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if a, err = newApp(db, db.Quotas(), o); err != nil {
		t.Fatal(err)
	}
	running, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { a.sessions.Run(running) })
	group.Go(func() { a.workers.Run(running) })
	server := httptest.NewServer(a.handler())
	t.Cleanup(func() { server.Close(); end(); group.Wait() })
	return server.URL, a
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

func (b *browser) post(path, field, value string) (int, string, error) {
	answer, err := b.PostForm(b.at+path, url.Values{field: {value}})
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, html.UnescapeString(string(body)), err
}

// said are the texts of the conversation that a page shows.
func said(page string) (texts []string) {
	for _, m := range regexp.MustCompile(`</time><p>([^<]*)</p>`).FindAllStringSubmatch(page, -1) {
		texts = append(texts, m[1])
	}
	return texts
}

// The whole run of the guide for two users at once, over HTTP: each has a conversation, quotas and a share of the workers
// of their own.
func TestAgentGuideTwoUsers(t *testing.T) {
	at, a := serve(t, &session.Options{MaxPerUser: 3})
	var group sync.WaitGroup
	for _, user := range []string{"ann", "bob"} {
		group.Go(func() {
			b := newBrowser(t, at)
			if status, page, err := b.post("/sign-in", "user", user); status != 200 || err != nil {
				t.Errorf("%s: %d %s %v", user, status, page, err)
				return
			}
			var want []string
			for n := range 5 {
				text := fmt.Sprintf("%s asks number %d", user, n)
				status, page, err := b.post("/say", "text", text)
				want = append(want, text, fmt.Sprintf("%d number asks %s?", n, user))
				if got := said(page); status != 200 || err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%s: %d %v %q, want %q", user, status, err, got, want)
					return
				}
			}
			_, page, _ := b.post("/forget", "", "")
			if len(said(page)) != 0 || !strings.Contains(page, "api_calls: 5 of 20") || !strings.Contains(page, "tokens: 20 of 200") {
				t.Errorf("%s: %s", user, page)
			}
		})
	}
	group.Wait()
	if held := a.workers.Stats().Held(); held != 0 {
		t.Errorf("%d workers are held by nobody's requests", held)
	}
}

// At the 21st call of an hour the user is refused, by name and number; another user is not, and nothing more is counted.
func TestAgentGuideQuota(t *testing.T) {
	at, a := serve(t, &session.Options{})
	ann, bob := newBrowser(t, at), newBrowser(t, at)
	ann.post("/sign-in", "user", "ann")
	bob.post("/sign-in", "user", "bob")
	if err := a.quotas.Consume(t.Context(), "ann", "api_calls", 20); err != nil {
		t.Fatal(err)
	}
	status, page, err := ann.post("/say", "text", "one more")
	if status != http.StatusTooManyRequests || !strings.Contains(page, "quota exceeded for api_calls: 21/20") || err != nil {
		t.Errorf("%d %s %v", status, page, err)
	}
	if status, _, _ := bob.post("/say", "text", strings.Repeat("word ", 201)); status != http.StatusTooManyRequests {
		t.Errorf("201 words: %d", status)
	}
	if status, page, _ := bob.post("/say", "text", "hello"); status != 200 || !strings.Contains(page, "api_calls: 1 of 20") {
		t.Errorf("%d %s", status, page) // the refused one was given back
	}
}

// The oldest of a user's sessions ends for a fourth one.
func TestAgentGuideCap(t *testing.T) {
	at, _ := serve(t, &session.Options{MaxPerUser: 3})
	var first *browser
	for n := range 4 {
		b := newBrowser(t, at)
		if n == 0 {
			first = b
		}
		if _, page, err := b.post("/sign-in", "user", "ann"); err != nil || strings.Count(page, ", since ") != min(n+1, 3) {
			t.Errorf("after %d: %s %v", n+1, page, err)
		}
	}
	if status, page, _ := first.post("/say", "text", "am I there?"); status != http.StatusUnauthorized || !strings.Contains(page, "newer sign-in") {
		t.Errorf("%d %s", status, page)
	}
}

// Two workers, and a user who asks from several windows at once: the other one waits for nobody.
func TestAgentGuideWorkersAreShared(t *testing.T) {
	at, a := serve(t, &session.Options{})
	var group sync.WaitGroup
	windows := make([]*browser, 3)
	for i := range windows {
		windows[i] = newBrowser(t, at)
		windows[i].post("/sign-in", "user", "ann")
	}
	bob := newBrowser(t, at)
	bob.post("/sign-in", "user", "bob")
	for _, w := range windows {
		group.Go(func() {
			for range 3 {
				if status, page, err := w.post("/say", "text", "me again"); status != 200 || err != nil {
					t.Errorf("%d %s %v", status, page, err)
				}
			}
		})
	}
	for range 3 {
		if status, _, err := bob.post("/say", "text", "and me"); status != 200 || err != nil {
			t.Errorf("%d %v", status, err)
		}
		held := 0
		for _, w := range a.workers.Stats().Workers {
			if w.User == "ann" {
				held++
			}
		}
		if held > 1 {
			t.Errorf("ann holds %d of two workers", held)
		}
	}
	group.Wait()
}

// A session that ends by itself gives back what it held, without a request.
func TestAgentGuideIdleCleanup(t *testing.T) {
	_, a := serve(t, &session.Options{Idle: time.Second})
	s := a.sessions.New()
	err := s.Login("ann")
	if err == nil {
		err = s.Save(t.Context())
	}
	if err == nil {
		_, err = a.workers.Acquire(t.Context(), s)
	}
	if held := a.workers.Stats().Held(); err != nil || held != 1 {
		t.Fatal(err, held)
	}
	for end := time.Now().Add(65 * time.Second); a.workers.Stats().Held() != 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is held for ever")
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{"-http", "0.0.0.0:0"}, {"-http", "nonsense"}, {"-idle", "-1s"}, {"-nonsense"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
