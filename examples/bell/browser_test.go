package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// visitor is a browser that looks at the bell.
type visitor struct {
	t    *testing.T
	site string
	*http.Client
}

// browser comes to a program that serves on a socket.
func browser(t *testing.T, site string) *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{t, site, &http.Client{Jar: jar}}
}

func read(t *testing.T, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// open opens a page, post sends a form and follows to where it leads.
func (v *visitor) open(path string) (int, string) {
	v.t.Helper()
	r, _ := http.NewRequest("GET", v.site+path, nil)
	r.Header.Set("Accept", "text/html")
	resp, err := v.Do(r)
	return read(v.t, resp, err)
}

func (v *visitor) post(path string, form ...string) (int, string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	resp, err := v.PostForm(v.site+path, values)
	return read(v.t, resp, err)
}

func (v *visitor) cookies() map[string]string {
	at, _ := url.Parse(v.site)
	all := map[string]string{}
	for _, c := range v.Jar.Cookies(at) {
		all[c.Name] = c.Value
	}
	return all
}

// expect checks a status, and what the page says; what begins with "!" it must not say.
func expect(t *testing.T, status int, page string, wantStatus int, wants ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("status %d, want %d", status, wantStatus)
	}
	for _, want := range wants {
		text, not := strings.CutPrefix(want, "!")
		if strings.Contains(page, text) == not {
			t.Errorf("the page and %q:\n%s", want, page)
		}
	}
}

// start runs the program as its user does, with its files in folder, and returns its address and what takes it down.
func start(t *testing.T, folder string, args ...string) (site string, stop func() error) {
	t.Helper()
	out := &lines{arrived: make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	args = append([]string{"-http", "127.0.0.1:0", "-db", filepath.Join(folder, "bell.db")}, args...)
	go func() { ended <- run(ctx, args, out) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { stop() })
	select {
	case site = <-out.arrived:
	case err := <-ended:
		t.Fatalf("it ended at once: %v", err)
	}
	return site, stop
}

// lines finds the address in what the program says.
type lines struct{ arrived chan string }

var address = regexp.MustCompile(`hangs at (https?://[^/ ]+)`)

func (l *lines) Write(b []byte) (int, error) {
	if found := address.FindSubmatch(b); found != nil {
		l.arrived <- string(found[1])
	}
	return len(b), nil
}

// in runs f in synctest, with a visitor of a bell on its handler. Its hosts are below hardy.test.
func in(t *testing.T, idle time.Duration, strict bool, f func(v *visitor)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bell{
			keyrings: keyrings{cookie.DevKeys("bell"), cookie.DevKeys("two"), cookie.DevKeys("belfry")},
			store:    store.NewMemory(nil),
			board:    board{filepath.Join(folder, "note.txt")},
			domain:   "hardy.test",
			strict:   strict,
		}
		b.sessions = session.NewManager(b.store, &session.Options{Idle: idle})
		server := sessiontest.NewServer(t, b.handler())
		f(&visitor{t, "http://bell.hardy.test", server.Browser()})
	})
}
