package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

var (
	visits    = session.NewKey[int]("visits")
	afterward = session.NewKey[string]("late")
	nick      = cookie.NewKey[string]("nick")
)

// shop is an application's wiring over a store that can be asked what happened.
type shop struct {
	db       *store.Memory
	faults   *sessiontest.Faults
	manager  *session.Manager
	keys     *cookie.Keys
	sessions func(http.Handler) http.Handler
	jars     func(http.Handler) http.Handler
}

// newShop serves over plain HTTP, too: sendfile is for plain sockets only.
func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{db: store.NewMemory(nil), keys: cookie.DevKeys("bell")}
	s.faults = sessiontest.NewFaults(s.db)
	s.manager = session.NewManager(s.faults, nil)
	s.sessions = middleware.Sessions(s.manager, s.keys, &middleware.Options{InsecureHTTP: true})
	s.jars = middleware.Cookies(s.keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}})
	return s
}

func (s *shop) writes() int { return s.faults.Calls("create") + s.faults.Calls("replace") }

func (s *shop) records(t *testing.T) int {
	t.Helper()
	n, err := s.db.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// unwrapping is a middleware of somebody else's in between, such as one that logs.
func unwrapping(next http.Handler) http.Handler {
	type wrapper struct{ unwrapper }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&wrapper{unwrapper{w}}, r)
	})
}

type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

var wirings = []struct {
	name string
	jars bool
	wrap func(*shop, http.Handler) http.Handler
}{
	{"Sessions", false, func(s *shop, h http.Handler) http.Handler { return s.sessions(h) }},
	{"Cookies, Sessions", true, func(s *shop, h http.Handler) http.Handler { return s.jars(s.sessions(h)) }},
	{"Sessions, Cookies", true, func(s *shop, h http.Handler) http.Handler { return s.sessions(s.jars(h)) }},
	{"Cookies, a stranger's, Sessions", true, func(s *shop, h http.Handler) http.Handler { return s.jars(unwrapping(s.sessions(h))) }},
	{"MaxBytesHandler, Cookies, Sessions, MaxBytesHandler", true, func(s *shop, h http.Handler) http.Handler {
		return http.MaxBytesHandler(s.jars(s.sessions(http.MaxBytesHandler(h, 1<<10))), 1<<20)
	}},
}

// spy stands outside of everything and sees what reaches net/http.
type spy struct {
	http.ResponseWriter
	shop    *shop
	first   bool
	atFirst int    // writes to the store when the first byte came by
	under   string // type of net/http's writer
	read    string // type of the reader that its ReadFrom got
}

func (s *spy) note() {
	if !s.first {
		s.first, s.atFirst = true, s.shop.writes()
	}
}

func (s *spy) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		s.note()
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *spy) Write(b []byte) (int, error) {
	s.note()
	return s.ResponseWriter.Write(b)
}

func (s *spy) ReadFrom(src io.Reader) (int64, error) {
	s.note()
	s.under = fmt.Sprintf("%T", s.ResponseWriter)
	s.read = fmt.Sprintf("%T", src)
	if limited, ok := src.(*io.LimitedReader); ok {
		s.read = fmt.Sprintf("%T", limited.R)
	}
	return io.Copy(s.ResponseWriter, src)
}

func (s *spy) FlushError() error {
	s.note()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

func (s *spy) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err == nil {
		s.note()
	}
	return conn, buf, err
}

func (s *spy) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// stand serves h on a socket, over HTTP/1.1, or over TLS and HTTP/2. Each call of served waits for one request to
// have been left by every middleware, and returns what the spy saw.
func (s *shop) stand(t *testing.T, http2 bool, h http.Handler) (server *httptest.Server, served func() *spy) {
	t.Helper()
	left := make(chan *spy, 100)
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watch := &spy{ResponseWriter: w, shop: s}
		defer func() { left <- watch }()
		h.ServeHTTP(watch, r)
	}))
	if server.EnableHTTP2 = http2; http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, func() *spy {
		t.Helper()
		select {
		case watch := <-left:
			return watch
		case <-time.After(10 * time.Second):
			t.Fatal("the handler does not come to its end")
			return nil
		}
	}
}

// visitorOf returns a browser for server that follows no redirect.
func visitorOf(server *httptest.Server) *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{
		Jar: jar, Transport: server.Client().Transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch makes a request and reads its answer to the end.
func fetch(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func ask(t *testing.T, method, address string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// cookiesOf says which cookies an answer writes, by kind.
func cookiesOf(resp *http.Response) (session, local int) {
	for _, c := range resp.Cookies() {
		switch {
		case strings.HasSuffix(c.Name, "-session"):
			session++
		case strings.HasSuffix(c.Name, "-local"):
			local++
		}
	}
	return session, local
}

const rung = "<p>the bell is ringing, and ringing, and ringing</p>"

// answers are the ways in which a handler can answer.
var answers = []struct {
	name   string
	method string
	header []string // of the request
	answer func(w http.ResponseWriter, r *http.Request, file string) error
	status int
	body   string
	silent bool // nothing goes out before the handler returns
	http1  bool // not for HTTP/2
}{
	{name: "Write", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			_, err := w.Write([]byte(rung))
			return err
		}},
	{name: "io.WriteString", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			_, err := io.WriteString(w, rung)
			return err
		}},
	{name: "WriteHeader", status: 201,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.WriteHeader(201)
			return nil
		}},
	{name: "WriteHeader, Write", status: 404, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.WriteHeader(404)
			_, err := w.Write([]byte(rung))
			return err
		}},
	{name: "5xx", status: 500, body: "oh\n",
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			http.Error(w, "oh", 500)
			return nil
		}},
	{name: "redirect", status: 303, method: "POST",
		answer: func(w http.ResponseWriter, r *http.Request, _ string) error {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		}},
	{name: "http.Flusher", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.(http.Flusher).Flush()
			_, err := w.Write([]byte(rung))
			return err
		}},
	{name: "ResponseController.Flush", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			_, err := w.Write([]byte(rung))
			return errors.Join(err, http.NewResponseController(w).Flush())
		}},
	{name: "Flush and nothing else", status: 200,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			return http.NewResponseController(w).Flush()
		}},
	{name: "ReadFrom", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, file string) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = w.(io.ReaderFrom).ReadFrom(f)
			return err
		}},
	{name: "ServeContent", status: 200, body: rung,
		answer: func(w http.ResponseWriter, r *http.Request, file string) error {
			http.ServeFile(w, r, file)
			return nil
		}},
	{name: "ServeContent, a range", status: 206, body: rung[3:8], header: []string{"Range", "bytes=3-7"},
		answer: func(w http.ResponseWriter, r *http.Request, file string) error {
			http.ServeFile(w, r, file)
			return nil
		}},
	{name: "ServeContent, a range that is none", status: 416, body: "invalid range: failed to overlap\n", header: []string{"Range", "bytes=999-"},
		answer: func(w http.ResponseWriter, r *http.Request, file string) error {
			http.ServeFile(w, r, file)
			return nil
		}},
	{name: "ServeContent, 304", status: 304, header: []string{"If-None-Match", `"1"`},
		answer: func(w http.ResponseWriter, r *http.Request, file string) error {
			w.Header().Set("Etag", `"1"`)
			http.ServeFile(w, r, file)
			return nil
		}},
	{name: "nothing", status: 200, silent: true,
		answer: func(http.ResponseWriter, *http.Request, string) error { return nil }},
	{name: "a header and nothing else", status: 200, silent: true,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("X-Said", "yes")
			return nil
		}},
	{name: "HEAD", method: "HEAD", status: 200,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			_, err := w.Write([]byte(rung))
			return err
		}},
	{name: "HEAD, ServeContent", method: "HEAD", status: 200,
		answer: func(w http.ResponseWriter, r *http.Request, file string) error {
			http.ServeFile(w, r, file)
			return nil
		}},
	{name: "HEAD, nothing", method: "HEAD", status: 200, silent: true,
		answer: func(http.ResponseWriter, *http.Request, string) error { return nil }},
	{name: "304", status: 304,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.WriteHeader(304)
			return nil
		}},
	{name: "204", status: 204, method: "DELETE",
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.WriteHeader(204)
			return nil
		}},
	{name: "103 Early Hints, Write", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Link", "</bell.css>; rel=preload")
			w.WriteHeader(103)
			_, err := w.Write([]byte(rung))
			return err
		}},
	{name: "103 Early Hints and nothing else", status: 200, silent: true,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.WriteHeader(103)
			return nil
		}},
	{name: "deadlines", status: 200, body: rung,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			c := http.NewResponseController(w)
			err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)), c.SetWriteDeadline(time.Now().Add(time.Minute)))
			_, writeErr := w.Write([]byte(rung))
			return errors.Join(err, writeErr)
		}},
	{name: "full duplex", status: 200, body: rung, http1: true,
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			err := http.NewResponseController(w).EnableFullDuplex()
			_, writeErr := w.Write([]byte(rung))
			return errors.Join(err, writeErr)
		}},
	{name: "Hijack after 101", status: 101, body: rung, http1: true, header: []string{"Connection", "Upgrade", "Upgrade", "bell"},
		answer: func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "bell")
			w.WriteHeader(101)
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			buf.WriteString(rung)
			return buf.Flush()
		}},
}

// However a handler answers, what it set before is stored before the first byte, and the cookies arrive with it.
// What it sets after the first byte is stored if the session exists, and otherwise ErrSent at the call.
func TestWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(rung), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, http2 := range []bool{false, true} {
		for _, wiring := range wirings {
			for _, a := range answers {
				if a.http1 && http2 {
					continue
				}
				t.Run(fmt.Sprintf("HTTP2 %v/%s/%s", http2, wiring.name, a.name), func(t *testing.T) {
					shop := newShop(t)
					mux := http.NewServeMux()
					mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						fmt.Fprint(w, visits.Get(s), " ", afterward.Get(s))
						if wiring.jars {
							fmt.Fprint(w, " ", nick.Get(cookie.Local(r.Context())))
						}
					})
					var sets, mayJar, exists bool
					mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						if sets {
							if err := visits.Set(s, visits.Get(s)+1); err != nil {
								t.Error("Set before the first byte:", err)
							}
							if wiring.jars {
								if err := nick.Set(cookie.Local(r.Context()), "Bob"); err != nil {
									t.Error("jar before the first byte:", err)
								}
							}
						}
						if err := a.answer(w, r, file); err != nil {
							t.Error("the handler meets", err)
						}
						if a.silent {
							return
						}
						switch err := afterward.Set(s, "stored"); {
						case exists && err != nil:
							t.Error("Set of a session that exists, after the first byte:", err)
						case !exists && !errors.Is(err, session.ErrSent):
							t.Error("a birth after the first byte:", err)
						}
						if err := s.Login("ann"); !errors.Is(err, session.ErrSent) {
							t.Error("Login after the first byte:", err)
						}
						if _, err := visits.Update(r.Context(), s, func(n int) int { return n }); !exists && !errors.Is(err, session.ErrSent) {
							t.Error("Update as a birth after the first byte:", err)
						}
						if err := s.Renew(); exists && !errors.Is(err, session.ErrSent) {
							t.Error("Renew after the first byte:", err)
						}
						if mayJar {
							if err := nick.Set(cookie.Local(r.Context()), "Eve"); !errors.Is(err, cookie.ErrSent) {
								t.Error("jar after the first byte:", err)
							}
						}
					})
					mayJar = wiring.jars
					server, served := shop.stand(t, http2, wiring.wrap(shop, mux))
					probe := func(c *http.Client) string {
						t.Helper()
						_, body := fetch(t, c, ask(t, "GET", server.URL+"/probe"))
						served()
						return strings.Join(strings.Fields(body), " ")
					}
					once := func(c *http.Client) (*http.Response, *spy) {
						t.Helper()
						hints := 0
						r := ask(t, or(a.method, "GET"), server.URL+"/", a.header...)
						r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
							Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
								if code == 103 {
									hints++
									if h.Get("Set-Cookie") != "" {
										t.Error("a cookie with the early hints")
									}
								}
								return nil
							}}))
						resp, body := fetch(t, c, r)
						if resp.StatusCode != a.status || body != a.body {
							t.Errorf("answered %d %q, want %d %q", resp.StatusCode, body, a.status, a.body)
						}
						if want := strings.Contains(a.name, "103"); want != (hints == 1) {
							t.Errorf("%d early hints", hints)
						}
						return resp, served()
					}
					want := func(n int) string {
						text := fmt.Sprint(n)
						if !a.silent {
							text += " stored"
						}
						if wiring.jars {
							text += " Bob"
						}
						return text
					}
					bob := visitorOf(server)

					sets, exists = true, true
					resp, saw := once(bob)
					if n, local := cookiesOf(resp); n != 1 || wiring.jars != (local == 1) {
						t.Errorf("a new visitor gets %d session cookies, %d jars: %q", n, local, resp.Header["Set-Cookie"])
					}
					if saw.first && saw.atFirst != 1 {
						t.Errorf("birth: %d writes to the store before the first byte", saw.atFirst)
					}
					private := func(resp *http.Response) {
						t.Helper()
						if resp.StatusCode != 101 && (resp.Header.Get("Cache-Control") != "private, no-store" || resp.Header.Get("Vary") != "Cookie") {
							t.Errorf("Cache-Control %q, Vary %q", resp.Header["Cache-Control"], resp.Header["Vary"])
						}
					}
					private(resp)
					if got := probe(bob); got != want(1) {
						t.Errorf("after the birth: %q, want %q", got, want(1))
					}

					before := shop.writes()
					resp, saw = once(bob)
					if n, _ := cookiesOf(resp); n != 0 {
						t.Errorf("a known visitor gets %d session cookies", n)
					}
					if saw.first && saw.atFirst != before+1 {
						t.Errorf("known visitor: %d writes to the store before the first byte", saw.atFirst-before)
					}
					private(resp)
					if got := probe(bob); got != want(2) {
						t.Errorf("a known visitor: %q, want %q", got, want(2))
					}

					sets, exists = false, false
					eve := visitorOf(server)
					count := shop.records(t)
					if resp, _ = once(eve); len(resp.Cookies()) != 0 || shop.records(t) != count {
						t.Errorf("a visitor for whom all came too late: cookies %q, %d records more", resp.Header["Set-Cookie"], shop.records(t)-count)
					}
				})
			}
		}
	}
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// A file that a handler sends reaches the ReaderFrom of net/http as the file that it is: sendfile is taken as without the
// middleware.
func TestSendfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ways := map[string]http.HandlerFunc{
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) },
		"io.Copy": func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			io.Copy(w, f)
		},
	}
	for way, handler := range ways {
		shop := newShop(t)
		bare, served := shop.stand(t, false, handler)
		fetch(t, visitorOf(bare), ask(t, "GET", bare.URL))
		floor := served()
		if !strings.HasPrefix(floor.read, "*os.File") && !strings.HasPrefix(floor.read, "os.fileWithoutWriteTo") {
			t.Fatalf("%s without middleware: %s", way, floor.read)
		}
		for _, wiring := range wirings {
			if strings.Contains(wiring.name, "stranger") {
				continue // it hides ReadFrom itself
			}
			server, served := shop.stand(t, false, wiring.wrap(shop, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				visits.Set(session.From(r.Context()), 1)
				handler(w, r)
			})))
			resp, body := fetch(t, visitorOf(server), ask(t, "GET", server.URL))
			if n, _ := cookiesOf(resp); n != 1 || len(body) != 1<<20 {
				t.Errorf("%s, %s: %d cookies, %d bytes", wiring.name, way, n, len(body))
			}
			if got := served(); got.read != floor.read || got.under != "*http.response" {
				t.Errorf("%s, %s: %s.ReadFrom(%s), want *http.response.ReadFrom(%s)", wiring.name, way, got.under, got.read, floor.read)
			}
		}
	}
}

// A deadline that a handler sets through the ResponseController is the connection's own.
func TestDeadlines(t *testing.T) {
	for _, wiring := range wirings {
		shop := newShop(t)
		server, served := shop.stand(t, false, wiring.wrap(shop, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visits.Set(session.From(r.Context()), 1)
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
				t.Errorf("%s: %v", wiring.name, err)
			}
			if _, err := io.ReadAll(r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: reading past the deadline: %v", wiring.name, err)
			}
			http.Error(w, "too slow", http.StatusRequestTimeout)
		})))
		upload, typing := io.Pipe()
		go typing.Write([]byte("never comes to an end"))
		r := ask(t, "POST", server.URL)
		r.Body = upload
		resp, err := visitorOf(server).Do(r)
		if err != nil {
			t.Fatalf("%s: %v", wiring.name, err)
		}
		resp.Body.Close()
		typing.Close()
		if n, _ := cookiesOf(resp); resp.StatusCode != 408 || n != 1 || served().atFirst != 1 {
			t.Errorf("%s: %d with %d cookies", wiring.name, resp.StatusCode, n)
		}
	}
}

// A body beyond http.MaxBytesReader is a 413 like without the middleware, and the session is stored.
func TestMaxBytesReader(t *testing.T) {
	for _, wiring := range wirings {
		shop := newShop(t)
		server, served := shop.stand(t, false, wiring.wrap(shop, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visits.Set(session.From(r.Context()), 1)
			r.Body = http.MaxBytesReader(w, r.Body, 100)
			_, err := io.ReadAll(r.Body)
			if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); !ok || tooLarge.Limit != 100 {
				t.Errorf("%s: %v", wiring.name, err)
			}
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		})))
		r := ask(t, "POST", server.URL)
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 1000)))
		resp, _ := fetch(t, visitorOf(server), r)
		if n, _ := cookiesOf(resp); resp.StatusCode != 413 || n != 1 || served().atFirst != 1 {
			t.Errorf("%s: %d with %d cookies", wiring.name, resp.StatusCode, n)
		}
	}
}

// Events reach the client one by one; what was set before the first is stored and its cookie with the client while the
// stream goes on, and so is what is saved in between.
func TestServerSentEvents(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, wiring := range wirings {
			shop := newShop(t)
			next := make(chan bool)
			mux := http.NewServeMux()
			mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				fmt.Fprint(w, visits.Get(s), afterward.Get(s))
			})
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				visits.Set(s, 1)
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 3 {
					fmt.Fprintf(w, "data: %d\n\n", i)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Errorf("%s: flush: %v", wiring.name, err)
					}
					select {
					case <-next:
					case <-r.Context().Done():
						return
					}
					if err := errors.Join(afterward.Set(s, fmt.Sprint("-", i)), s.Save(r.Context())); err != nil {
						t.Errorf("%s: save between events: %v", wiring.name, err)
					}
					next <- true
				}
			})
			server, served := shop.stand(t, http2, wiring.wrap(shop, mux))
			bob := visitorOf(server)
			resp, err := bob.Do(ask(t, "GET", server.URL))
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(resp.Body)
			for i, want := range []string{"1", "1-0", "1-1"} {
				if lines.Scan(); lines.Text() != fmt.Sprint("data: ", i) {
					t.Errorf("%s: event %d is %q", wiring.name, i, lines.Text())
				}
				lines.Scan()
				if _, got := fetch(t, bob, ask(t, "GET", server.URL+"/probe")); got != want {
					t.Errorf("%s: during the stream the session holds %q, want %q", wiring.name, got, want)
				}
				served()
				next <- true
				<-next
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			served()
		}
	}
}

// Hijack stores what is pending. Where a cookie would have to go with it, it says so, takes nothing from the
// handler, and the handler's answer carries all cookies.
func TestHijack(t *testing.T) {
	for _, wiring := range wirings {
		t.Run(wiring.name, func(t *testing.T) {
			shop := newShop(t)
			mux := http.NewServeMux()
			hijack := func(w http.ResponseWriter, r *http.Request) error {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					http.Error(w, "no: "+err.Error(), http.StatusConflict)
					return err
				}
				defer conn.Close()
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\nhijacked")
				return nil
			}
			mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				known := visits.Get(s) > 0
				visits.Set(s, visits.Get(s)+1)
				if err := hijack(w, r); (err == nil) != known || err != nil && !strings.Contains(err.Error(), "before") {
					t.Errorf("known %v: Hijack: %v", known, err)
				}
				if err := afterward.Set(s, "stored"); err != nil {
					t.Errorf("a value after Hijack: %v", err)
				}
				if err := s.Login("ann"); !errors.Is(err, session.ErrSent) {
					t.Errorf("Login after Hijack: %v", err)
				}
			})
			mux.HandleFunc("/jar", func(w http.ResponseWriter, r *http.Request) {
				nick.Set(cookie.Local(r.Context()), "Bob")
				if hijack(w, r) == nil {
					t.Error("Hijack took the jar's cookie from the visitor")
				}
			})
			mux.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
				nick.Set(cookie.Local(r.Context()), "Ann")
				visits.Set(session.From(r.Context()), 7)
				if hijack(w, r) == nil {
					t.Error("Hijack took two cookies from the visitor")
				}
			})
			mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				fmt.Fprint(w, visits.Get(s), afterward.Get(s))
				if wiring.jars {
					fmt.Fprint(w, nick.Get(cookie.Local(r.Context())))
				}
			})
			server, served := shop.stand(t, false, wiring.wrap(shop, mux))
			bob := visitorOf(server)
			get := func(path string) (*http.Response, string) {
				resp, body := fetch(t, bob, ask(t, "GET", server.URL+path))
				served()
				return resp, body
			}
			if resp, _ := get("/session"); resp.StatusCode != 409 || len(resp.Cookies()) != 1 {
				t.Errorf("a birth: %d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
			}
			if _, body := get("/session"); body != "hijacked" {
				t.Errorf("a known visitor: %q", body)
			}
			if _, got := get("/probe"); got != "2stored" {
				t.Errorf("the session holds %q", got)
			}
			if !wiring.jars {
				return
			}
			if resp, _ := get("/jar"); resp.StatusCode != 409 || len(resp.Cookies()) != 1 {
				t.Errorf("a jar: %d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
			}
			if _, got := get("/probe"); got != "2storedBob" {
				t.Errorf("session and jar hold %q", got)
			}
			bob = visitorOf(server)
			if resp, _ := get("/both"); resp.StatusCode != 409 || len(resp.Cookies()) != 2 {
				t.Errorf("both: %d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
			}
			if _, got := get("/probe"); got != "7Ann" {
				t.Errorf("session and jar hold %q", got)
			}
		})
	}
}

// Over HTTP/2 there is nothing to hijack: the error is net/http's, and the answer carries everything.
func TestHijackOverHTTP2(t *testing.T) {
	for _, wiring := range wirings {
		shop := newShop(t)
		server, served := shop.stand(t, true, wiring.wrap(shop, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			n := visits.Get(s) + 1
			visits.Set(s, n)
			if n == 2 {
				if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("%s: %v", wiring.name, err)
				}
			}
			fmt.Fprint(w, n)
		})))
		bob := visitorOf(server)
		for n := range 3 {
			if resp, body := fetch(t, bob, ask(t, "GET", server.URL)); resp.StatusCode != 200 || body != fmt.Sprint(n+1) {
				t.Errorf("%s: %d %q", wiring.name, resp.StatusCode, body)
			}
			served()
		}
	}
}

// http.TimeoutHandler hides Flush and Hijack by its nature; sessions work on both sides of it.
func TestTimeoutHandler(t *testing.T) {
	const limit = 50 * time.Millisecond
	limited := func(h http.Handler) http.Handler { return http.TimeoutHandler(h, limit, "too late") }
	for name, wrap := range map[string]func(*shop, http.Handler) http.Handler{
		"outside": func(s *shop, h http.Handler) http.Handler { return limited(s.jars(s.sessions(h))) },
		"between": func(s *shop, h http.Handler) http.Handler { return s.jars(limited(s.sessions(h))) },
		"inside":  func(s *shop, h http.Handler) http.Handler { return s.jars(s.sessions(limited(h))) },
	} {
		t.Run(name, func(t *testing.T) {
			shop := newShop(t)
			gone := make(chan struct{}, 1)
			server, served := shop.stand(t, false, wrap(shop, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				visits.Set(s, visits.Get(s)+1)
				if r.URL.Path == "/slow" {
					defer func() { gone <- struct{}{} }()
					<-r.Context().Done()
					time.Sleep(limit / 2) // the 503 has left
					if _, err := io.WriteString(w, "at last"); !errors.Is(err, http.ErrHandlerTimeout) {
						t.Errorf("a write after the timeout: %v", err)
					}
					return
				}
				nick.Set(cookie.Local(r.Context()), "Bob")
				fmt.Fprint(w, visits.Get(s))
			})))
			bob := visitorOf(server)
			for n, path := range []string{"/", "/slow", "/"} {
				resp, body := fetch(t, bob, ask(t, "GET", server.URL+path))
				served()
				want := fmt.Sprint("200 ", n+1)
				if path == "/slow" {
					<-gone
					want = "503 too late"
				}
				if got := fmt.Sprint(resp.StatusCode, " ", body); got != want {
					t.Errorf("%s: %s, want %s", path, got, want)
				}
				if session, local := cookiesOf(resp); n == 0 && (session != 1 || local != 1) || n == 1 && session != 0 {
					t.Errorf("%s: %q", path, resp.Header["Set-Cookie"])
				}
			}
		})
	}
}
