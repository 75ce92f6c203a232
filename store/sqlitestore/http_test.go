package sqlitestore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
)

var letter = session.NewKey[string]("letter")

// TestDiskFullOverHTTP: while the disk is full a write is answered by 503 with Retry-After and
// reads go on; whatever was answered by 200 is kept; and once there is room the next request is served, by
// the same process, the same store and the same cookie.
func TestDiskFullOverHTTP(t *testing.T) {
	t.Run("file system", func(t *testing.T) {
		dir := small(t, 2<<20)
		ballast := filepath.Join(dir, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
		fillUpOverHTTP(t, filepath.Join(dir, "s.db"), func(*Store) {}, func(*Store) { must(t, os.Remove(ballast)) })
	})
	t.Run("page limit", func(t *testing.T) {
		fillUpOverHTTP(t, filepath.Join(t.TempDir(), "s.db"),
			func(s *Store) { limitPages(t, s, 100) }, func(s *Store) { limitPages(t, s, 1000) })
	})
}

// ring is a key that outlives a restart.
type ring string

func (r ring) Masters(context.Context) (string, error) { return string(r), nil }

// postOffice keeps a letter for each visitor.
func postOffice(s *Store, keys *cookie.Keys) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, letter.Get(session.From(r.Context())))
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = letter.Set(session.From(r.Context()), string(text))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "kept")
	})
	mux.HandleFunc("POST /burn", func(w http.ResponseWriter, r *http.Request) {
		session.From(r.Context()).Logout()
		io.WriteString(w, "burnt")
	})
	return middleware.Sessions(quiet(s), keys, nil)(mux)
}

// correspondent is a browser, and the letter that it was told is kept.
type correspondent struct {
	browser *http.Client
	kept    string
}

func fillUpOverHTTP(t *testing.T, path string, narrow, widen func(*Store)) {
	s := open(t, path)
	narrow(s)
	keys, err := cookie.NewKeys(t.Context(), ring(cookie.NewMaster()), "post")
	must(t, err)
	var office atomic.Value
	office.Store(postOffice(s, keys))
	server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		office.Load().(http.Handler).ServeHTTP(w, r)
	}))
	ask := func(c *correspondent, method, path, text string) (*http.Response, string) {
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(text))
		if err != nil {
			t.Error(err)
			return new(http.Response), ""
		}
		resp, err := c.browser.Do(r)
		if err != nil {
			t.Error(err)
			return new(http.Response), ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return resp, string(body)
	}
	// send reports whether the letter was taken.
	send := func(c *correspondent, text string) bool {
		resp, body := ask(c, "POST", "/", text)
		if resp.StatusCode == http.StatusOK && body == "kept" {
			c.kept = text
			return true
		}
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 {
			t.Errorf("a letter that cannot be kept: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if len(resp.Cookies()) > 0 || strings.Contains(body, "kept") || strings.Contains(body, filepath.Base(path)) {
			t.Errorf("a letter that cannot be kept: %v %s", resp.Header, body)
		}
		return false
	}

	// Eight at a time, so that a group of writes meets the end of the room.
	var mu sync.Mutex
	var all []*correspondent
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 500 {
				c := &correspondent{browser: server.Browser()}
				if !send(c, strings.Repeat(fmt.Sprintf("%d of %d. ", i, w), 600)) {
					return
				}
				mu.Lock()
				all = append(all, c)
				mu.Unlock()
			}
			t.Error("500 letters, and the disk is not full")
		})
	}
	writers.Wait()
	if len(all) < 10 {
		t.Fatalf("only %d letters were kept before the disk was full", len(all))
	}
	check := func(when string) {
		t.Helper()
		for i, c := range all {
			if resp, body := ask(c, "GET", "/", ""); resp.StatusCode != http.StatusOK || body != c.kept {
				t.Fatalf("%s, letter %d of %d: %d, %d bytes, want %d", when, i, len(all), resp.StatusCode, len(body), len(c.kept))
			}
		}
	}
	long := strings.Repeat("x", 60_000)
	late := &correspondent{browser: server.Browser()}
	for range 3 {
		if send(late, long) || send(all[0], long) {
			t.Fatal("a long letter was kept on a full disk")
		}
	}
	check("on a full disk")

	widen(s)
	if !send(late, long) || !send(all[0], long) {
		t.Fatal("there is room again, and a letter is refused")
	}
	all = append(all, late)
	check("with room again")
	gone := all[1]
	if resp, _ := ask(gone, "POST", "/burn", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("a sign-out with room again: %d", resp.StatusCode)
	}
	gone.kept = ""
	check("after a sign-out")

	must(t, s.Close())
	office.Store(postOffice(open(t, path), keys))
	check("after a restart")
}
