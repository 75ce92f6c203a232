package session_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// The session as a plain dictionary, over HTTP.

// pages serves one function after the other to a browser, with a session.
type pages struct {
	t        *testing.T
	sessions func(http.Handler) http.Handler
	server   *sessiontest.Server
	browser  *http.Client
	serve    http.HandlerFunc
}

func newPages(t *testing.T, m *session.Manager) *pages {
	p := &pages{t: t, sessions: middleware.Sessions(m, cookie.DevKeys("bell"), nil)}
	p.server = sessiontest.NewServer(t, p.sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r) })))
	p.browser = p.server.Browser()
	return p
}

// call is one request of the browser's page.
func (p *pages) call(f func(s *session.Session)) *http.Response {
	p.t.Helper()
	p.serve = func(_ http.ResponseWriter, r *http.Request) { f(session.From(r.Context())) }
	resp, err := p.browser.Get(p.server.URL)
	return whole(p.t, resp, err)
}

// whole reads an answer to its end, so that the next request takes the same connection.
func whole(t *testing.T, resp *http.Response, err error) *http.Response {
	t.Helper()
	must(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
	resp.Body.Close()
	return resp
}

// aloud has the logs in the test's output, which is searched for secrets.
func aloud(t testing.TB) *session.Options {
	return &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// quiet is for tests with very many sessions.
func quiet() *session.Options {
	return &session.Options{Logger: slog.New(slog.DiscardHandler)}
}

// Anvil, 2: the dictionary holds anything that a server function can return. Names and types are known
// only when the program runs.
func TestAnvilDictionary(t *testing.T) {
	moment := time.Date(2026, 11, 21, 12, 21, 13, 123456789, time.FixedZone("IST", 5*3600+1800))
	values := map[string]any{
		"nothing":  nil,
		"yes":      true,
		"no":       false,
		"zero":     int64(0),
		"small":    int64(math.MinInt64),
		"large":    int64(math.MaxInt64),
		"half":     0.5,
		"three":    3.0, // stays a float
		"tiny":     math.SmallestNonzeroFloat64,
		"endless":  math.Inf(-1),
		"empty":    "",
		"text":     "Zoë 🔔 \x00 \"quoted\"\r\n",
		"not UTF8": "\xff\xfe",
		"long":     strings.Repeat("long ", 2000),
		"bytes":    []byte{0, 1, 254, 255},
		"no bytes": []byte{},
		"moment":   moment,
		"utc":      moment.UTC(),
		"list":     []any{int64(1), "two", 3.5, nil, []any{}, map[string]any{}},
		"map": map[string]any{
			"":     "empty name",
			"n":    nil,
			"deep": map[string]any{"list": []any{map[string]any{"when": moment.UTC(), "raw": []byte("x")}}},
		},
		"rows":          []any{map[string]any{"id": int64(1)}, map[string]any{"id": int64(2)}}, // of a table: by their keys
		"na\x00me ⚒ \"": "a name of any characters",
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPages(t, session.NewManager(store.NewMemory(nil), aloud(t)))
		p.call(func(s *session.Session) {
			for name, v := range values {
				key := session.NewKey[any](name)
				if got := key.GetOr(s, "default"); got != "default" {
					t.Errorf("%q before it was set: %v", name, got)
				}
				if err := key.Set(s, v); err != nil {
					t.Errorf("set %q: %v", name, err)
				}
				same(t, name, "in the same request", key.Get(s), v)
			}
		})
		p.call(func(s *session.Session) {
			if n := len(s.Keys()); n != len(values) {
				t.Errorf("%d names, want %d", n, len(values))
			}
			for name, v := range values {
				got, ok := session.NewKey[any](name).Lookup(s)
				if !ok {
					t.Errorf("%q is gone", name)
				}
				same(t, name, "in the next request", got, v)
			}
		})
	})
}

// same compares values, of times the moment, the nanoseconds and the offset of their zone.
func same(t *testing.T, name, when string, got, want any) {
	t.Helper()
	if w, ok := want.(time.Time); ok {
		g, ok := got.(time.Time)
		if !ok || !g.Equal(w) || g.Format(time.RFC3339Nano) != w.Format(time.RFC3339Nano) {
			t.Errorf("%q %s: %v, want %v", name, when, got, want)
		}
		return
	}
	if !reflect.DeepEqual(unzoned(got), unzoned(want)) {
		t.Errorf("%q %s: %#v, want %#v", name, when, got, want)
	}
}

// unzoned replaces times by their text, because equal times need not be DeepEqual.
func unzoned(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = unzoned(v[i])
		}
		return list
	case map[string]any:
		m := map[string]any{}
		for k := range v {
			m[k] = unzoned(v[k])
		}
		return m
	}
	return v
}

// What is handed out is a copy: a change of it is no change of the session.
func TestDictionaryHandsOutCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPages(t, session.NewManager(store.NewMemory(nil), aloud(t)))
		key := session.NewKey[any]("prefs")
		prefs := map[string]any{"lang": "en", "tags": []any{"a"}}
		p.call(func(s *session.Session) {
			must(t, key.Set(s, prefs))
			prefs["lang"] = "changed after Set"
			key.Get(s).(map[string]any)["lang"] = "changed after Get"
			key.Get(s).(map[string]any)["tags"].([]any)[0] = "changed"
		})
		p.call(func(s *session.Session) {
			same(t, "prefs", "in the next request", key.Get(s), map[string]any{"lang": "en", "tags": []any{"a"}})
		})
	})
}

// Panel, 3: arbitrary keys and values, a default instead of a check for none, and a removal that says whether there
// was something.
func TestPanelDictionary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPages(t, session.NewManager(store.NewMemory(nil), aloud(t)))
		theme, prefs := session.NewKey[any]("theme"), session.NewKey[any]("preferences")
		p.call(func(s *session.Session) {
			must(t, s.Login("user123"))
			must(t, theme.Set(s, "dark"))
			must(t, prefs.Set(s, map[string]any{"lang": "en", "notifications": true}))
		})
		p.call(func(s *session.Session) {
			same(t, "theme", "read back", theme.Get(s), "dark")
			same(t, "preferences", "read back", prefs.Get(s), map[string]any{"lang": "en", "notifications": true})
			same(t, "missing", "with a default", session.NewKey[any]("missing").GetOr(s, 7), 7)
			if was, err := theme.Delete(s); !was || err != nil {
				t.Errorf("remove: %v %v", was, err)
			}
			if was, err := theme.Delete(s); was || err != nil {
				t.Errorf("remove again: %v %v", was, err)
			}
		})
		p.call(func(s *session.Session) {
			if keys := s.Keys(); !reflect.DeepEqual(keys, []string{"preferences"}) || s.User() != "user123" {
				t.Errorf("%q holds %q", s.User(), keys)
			}
			must(t, s.Logout())
		})
		p.call(func(s *session.Session) {
			if s.Authenticated() || len(s.Keys()) != 0 {
				t.Errorf("after the clear: %q, %q", s.User(), s.Keys())
			}
		})
	})
}

// What lives no longer than its request or its process is refused with the reason: at NewKey where the type says it,
// at Set where only the value does. The refused value leaves the old one, and the request goes on.
func TestDictionaryRefuses(t *testing.T) {
	const open, running = "open files and uploads don't outlive their request", "it lives in the running program only"
	for _, row := range []struct {
		key  func()
		says []string
	}{
		{func() { session.NewKey[io.Reader]("upload") }, []string{"upload", "io.Reader", open}},
		{func() { session.NewKey[io.ReadCloser]("upload") }, []string{"io.ReadCloser", open}},
		{func() { session.NewKey[*os.File]("upload") }, []string{"os.File", open}},
		{func() { session.NewKey[multipart.File]("upload") }, []string{"multipart.File", open}},
		{func() { session.NewKey[*multipart.FileHeader]("upload") }, []string{"multipart.FileHeader", open}},
		{func() { session.NewKey[map[string][]*multipart.FileHeader]("upload") }, []string{"multipart.FileHeader", open}},
		{func() { session.NewKey[*multipart.Form]("upload") }, []string{"multipart.Form", open}},
		{func() { session.NewKey[chan int]("done") }, []string{"done", "chan int", running}},
		{func() { session.NewKey[func()]("callback") }, []string{"callback", "func()", running}},
		{func() { session.NewKey[struct{ Done []func() error }]("job") }, []string{"job", ".Done[]", running}},
	} {
		why := panics(row.key)
		for _, s := range row.says {
			if !strings.Contains(why, s) {
				t.Errorf("NewKey panicked with %q, which does not say %q", why, s)
			}
		}
	}

	synctest.Test(t, func(t *testing.T) {
		p := newPages(t, session.NewManager(store.NewMemory(nil), aloud(t)))
		key := session.NewKey[any]("value")
		p.call(func(s *session.Session) { must(t, key.Set(s, "old")) })

		refused := func(s *session.Session, v any, says string) {
			t.Helper()
			err := key.Set(s, v)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `"value"`) {
				t.Errorf("Set of a %T: %v, want the reason %q and the key", v, err, says)
			}
			_, err = key.Update(t.Context(), s, func(any) any { return v })
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("Update to a %T: %v", v, err)
			}
			if got := key.Get(s); got != "old" {
				t.Errorf("a refused %T left %v", v, got)
			}
		}
		resp := p.call(func(s *session.Session) {
			refused(s, strings.NewReader("x"), open)
			refused(s, new(bytes.Buffer), open)
			refused(s, io.NopCloser(strings.NewReader("x")), open)
			refused(s, os.Stdin, open)
			refused(s, make(chan int), running)
			refused(s, func() {}, running)
			refused(s, map[string]any{"a": []any{1, func() {}}}, running)
			refused(s, struct{ F *os.File }{os.Stdin}, open)
		})
		if resp.StatusCode != 200 {
			t.Errorf("refused values, nothing else written: %d", resp.StatusCode)
		}

		// An upload as it comes over HTTP.
		p.serve = func(w http.ResponseWriter, r *http.Request) {
			file, header, err := r.FormFile("photo")
			if err != nil {
				t.Error(err)
				return
			}
			s := session.From(r.Context())
			refused(s, file, open)
			refused(s, header, open)
			refused(s, r.MultipartForm, open)
			refused(s, r.Body, open)
			b, err := io.ReadAll(file)
			must(t, err)
			must(t, key.Set(s, map[string]any{"name": header.Filename, "bytes": b})) // which the reason advises
		}
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		part, err := w.CreateFormFile("photo", "bell.png")
		must(t, err)
		part.Write([]byte("\x89PNG"))
		must(t, w.Close())
		resp, err = p.browser.Post(p.server.URL, w.FormDataContentType(), &form)
		whole(t, resp, err)
		if resp.StatusCode != 200 {
			t.Errorf("the upload: %d", resp.StatusCode)
		}
		p.call(func(s *session.Session) {
			same(t, "value", "after the upload", key.Get(s), map[string]any{"name": "bell.png", "bytes": []byte("\x89PNG")})
		})
	})
}

// panics returns what f panics with.
func panics(f func()) (why string) {
	defer func() { why = fmt.Sprint(recover()) }()
	f()
	return ""
}

// Names made at run time: what is no name is refused at the call, and never panics.
func TestDictionaryNames(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), aloud(t))
	s := m.New()
	for _, name := range []string{"", strings.Repeat("n", 256), "\x00remember", "\x00"} {
		key := session.NewKey[any](name)
		if err := key.Set(s, 1); err == nil {
			t.Errorf("Set under %.20q accepted", name)
		}
		if got, ok := key.Lookup(s); got != nil || ok {
			t.Errorf("%.20q reads %v", name, got)
		}
	}
	if err := m.Commit(context.Background(), s); err != nil || s.Token() != nil {
		t.Errorf("refused names gave cause for a session: %v", err)
	}
}
