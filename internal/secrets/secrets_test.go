package secrets_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/secrets"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// L1 of the security list (Spring Session CVE-2023-20866): a tour through every public call, good and bad,
// with every log line, trace, error and panic on the way written in every way that Go writes, and searched for the tokens,
// keys, values and cookies that were on the way.

const canary = "canary-of-the-value-0123456789-" // what values hold

// said is everything that anybody said.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) add(where, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, where+": "+text)
}

// Write is for loggers.
func (s *said) Write(b []byte) (int, error) {
	s.add("log", string(b))
	return len(b), nil
}

// print says v in every way.
func (s *said) print(where string, v any) {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} { // %p, which go vet allows for pointers only, asks no Formatter
		fmt.Fprintf(&b, verb+"\n", v)
		fmt.Fprintf(&b, verb+"\n", []any{v})
		fmt.Fprintf(&b, verb+"\n", struct{ V any }{v})
		fmt.Fprintf(&b, verb+"\n", map[string]any{"v": v})
	}
	if p := reflect.ValueOf(v); p.IsValid() && p.Kind() == reflect.Pointer && !p.IsNil() && p.Elem().Kind() == reflect.Struct && p.Elem().CanInterface() {
		if _, formats := v.(fmt.Formatter); !formats {
			fmt.Fprintf(&b, "%+v\n", p.Elem().Interface())
		}
	}
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
	}
	s.add(where, b.String())
	if err, ok := v.(error); ok && !(reflect.ValueOf(v).Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil()) {
		s.add(where, err.Error())
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			s.add(where, fmt.Sprintf("%v %+v %#v", inner, inner, inner))
		}
	}
}

// listen fills every func of a Trace, those of later versions too, with one that prints what it is told.
func listen(s *said, heard map[string]int, trace any) {
	v := reflect.ValueOf(trace).Elem()
	for i := range v.NumField() {
		name := v.Type().String() + "." + v.Type().Field(i).Name
		heard[name] += 0
		v.Field(i).Set(reflect.MakeFunc(v.Field(i).Type(), func(args []reflect.Value) []reflect.Value {
			s.mu.Lock()
			heard[name]++
			s.mu.Unlock()
			for _, arg := range args {
				s.print(name, arg.Interface())
			}
			return nil
		}))
	}
}

// tour is one application, with all that it said and what it must not have said.
type tour struct {
	*said
	t       *testing.T
	secrets secrets.Secrets
	heard   map[string]int // calls of each func of the traces
	ring    *source
	keys    *cookie.Keys
	team    *cookie.Keys
	db      *store.Memory
	faults  *sessiontest.Faults
	manager *session.Manager
	trace   *session.Trace
	server  *sessiontest.Server
	wrap    func(http.Handler) http.Handler
	sealers []*cookie.Sealer
	chain   []any          // the middleware
	types   map[string]any // an instance of each exported type
}

type source struct{ text string }

func (s *source) Masters(context.Context) (string, error) { return s.text, nil }

var (
	note  = session.NewKey[string]("note")
	deep  = session.NewKey[any]("deep")
	count = session.NewKey[int]("note") // the wrong type on purpose
	name  = cookie.NewKey[string]("name")
	age   = cookie.NewKey[int]("name")
)

func TestAttackTokenInLogs(t *testing.T) { synctest.Test(t, walk) }

func walk(t *testing.T) {
	x := &tour{said: &said{}, t: t, heard: map[string]int{}, types: map[string]any{}}
	defaultLog, flags := slog.Default(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(x, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(x)
	t.Cleanup(func() {
		slog.SetDefault(defaultLog)
		log.SetFlags(flags)
	})
	x.build()
	x.sessions()
	x.jars()
	x.faulty()
	x.ends()
	x.locks()
	x.panics()
	x.refusals()
	x.everyType()
	x.search()
}

// master makes a key, and tells the search of it and of all that is derived from it.
func (x *tour) master(apps ...string) string {
	text := cookie.NewMaster()
	x.secrets.Add("key", text)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		x.t.Fatal(err)
	}
	x.secrets.Add("key", string(b))
	for _, app := range apps {
		for _, use := range [][2]string{{"session", "__Host-bell-session"}, {"session", "X-Session"}, {"local", "__Host-bell-local"}, {"shared", "__Secure-team-shared"}} {
			info := "hardy/1"
			for _, part := range []string{app, use[0], use[1]} {
				info += string(binary.AppendUvarint(nil, uint64(len(part)))) + part
			}
			derived, err := hkdf.Key(sha256.New, b, nil, info, 64)
			if err != nil {
				x.t.Fatal(err)
			}
			x.secrets.Add("derived key", string(derived[:32]))
			x.secrets.Add("derived key", string(derived[32:]))
		}
	}
	return text
}

// took learns a token, with all that it opens.
func (x *tour) took(secret string) {
	x.secrets.Add("token", secret)
	id := sha256.Sum256([]byte("hardy/1 session id" + secret))
	key := sha256.Sum256([]byte("hardy/1 session data" + secret))
	x.secrets.Add("data key", string(key[:]))
	x.secrets.Add("record id", base64.RawURLEncoding.EncodeToString(id[:]))
}

// cookie learns the text of a cookie.
func (x *tour) cookie(text string) {
	if cut := strings.LastIndexByte(text, '.'); cut > 0 && len(text) > 40 {
		x.secrets.Add("cookie", text[cut+1+16:]) // version and key id are public; then comes the date
	}
	for _, s := range x.sealers {
		if o, outcome := s.Open(text); outcome == cookie.OK && len(o.Plain) == 32 {
			x.took(string(o.Plain))
		}
	}
}

func (x *tour) build() {
	x.secrets.Add("value", canary)
	x.ring = &source{x.master("bell") + "\n" + x.master("bell") + "\nrevoked:" + x.master("bell")}
	var err error
	if x.keys, err = cookie.NewKeys(x.t.Context(), x.ring, "bell"); err != nil {
		x.t.Fatal(err)
	}
	if x.team, err = cookie.NewKeys(x.t.Context(), &source{x.master("team")}, "team"); err != nil {
		x.t.Fatal(err)
	}
	x.sealers = []*cookie.Sealer{x.keys.Sealer("session", "__Host-bell-session"), x.keys.Sealer("session", "X-Session")}
	cookies := &cookie.Trace{}
	listen(x.said, x.heard, cookies)
	x.keys.Trace, x.team.Trace = cookies, cookies
	sessions := &session.Trace{}
	listen(x.said, x.heard, sessions)
	x.trace = sessions
	x.db = store.NewMemory(nil)
	x.faults = sessiontest.NewFaults(x.db)
	// The logger keeps both forms of each line.
	x.manager = session.NewManager(x.faults, &session.Options{Trace: sessions, MaxBytes: 4096, Logger: slog.New(slog.NewJSONHandler(x, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))})
	o := &middleware.Options{Aware: []string{"/aware/"}}
	x.wrap = middleware.Sessions(x.manager, x.keys, o)

	mux := http.NewServeMux()
	for path, do := range x.handlers() {
		h := func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			do(w, r, s)
			for _, v := range []any{s, s.Err(), s.Token(), s.Ended(), r.Context(), cookie.Local(r.Context()), cookie.Shared(r.Context()), w} {
				x.print(path, v)
			}
		}
		mux.HandleFunc("/"+path, h)
		mux.HandleFunc("/aware/"+path, h)
	}
	chain := middleware.Chain(mux,
		middleware.RequireOrigin(),
		http.NewCrossOriginProtection().Handler,
		middleware.Cookies(x.keys, &middleware.CookieOptions{Shared: x.team, ShareWith: "hardy.test"}),
		x.wrap)
	x.server = sessiontest.NewServer(x.t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if what := recover(); what != nil { // what net/http would print
				x.print("panic", what)
				x.add("panic", string(debug.Stack()))
				panic(http.ErrAbortHandler)
			}
		}()
		chain.ServeHTTP(w, r)
	}))
	x.chain = []any{chain, o, x.wrap, x.wrap(mux), middleware.Cookies(x.keys, nil)(mux), middleware.ResetHandler(x.manager, x.keys, o), x.server}
}

// handlers call everything that a handler can, and print every error.
func (x *tour) handlers() map[string]func(http.ResponseWriter, *http.Request, *session.Session) {
	err := func(what string, err error) {
		if err != nil {
			x.print("error of "+what, err)
		}
	}
	return map[string]func(http.ResponseWriter, *http.Request, *session.Session){
		"read": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			note.Get(s)
			count.Get(s) // another type: traced
			deep.Get(s)
			session.Peek(r.Context())
		},
		"write": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			err("Set", note.Set(s, canary))
			err("Set any", deep.Set(s, map[string]any{canary: []any{canary, 1}}))
			err("Set too large", note.Set(s, strings.Repeat(canary, 1000)))
			err("Set a func", deep.Set(s, map[string]any{canary: func() {}}))
			err("Set a bad name", session.NewKey[string]("\x00"+"name").Set(s, canary))
			err("SetMeta", s.SetMeta("device", "laptop"))
			err("SetMeta too large", s.SetMeta("device", strings.Repeat(canary, 100)))
		},
		"update": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			_, e := note.Update(r.Context(), s, func(string) string { return canary + "updated" })
			err("Update", e)
			_, e = deep.Update(r.Context(), s, func(any) any { return make(chan string) })
			err("Update to a chan", e)
			_, e = note.Update(r.Context(), s, func(string) string { return strings.Repeat(canary, 1000) })
			err("Update too large", e)
		},
		"take": func(_ http.ResponseWriter, _ *http.Request, s *session.Session) {
			note.Take(s)
			_, e := deep.Delete(s)
			err("Delete", e)
		},
		"login": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			err("Login", s.Login("ann"))
			err("Login of nobody", s.Login(""))
			err("Login", s.Login("ann\x00"+canary))
		},
		"logout": func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { err("Logout", s.Logout()) },
		"reset":  func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { err("Reset", s.Reset()) },
		"renew":  func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { err("Renew", s.Renew()) },
		"clear":  func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { err("Clear", s.Clear()) },
		"remember": func(_ http.ResponseWriter, _ *http.Request, s *session.Session) {
			err("Remember", s.Remember(time.Hour))
		},
		"save": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			err("Set", note.Set(s, canary+"saved"))
			err("Save", s.Save(r.Context()))
			err("Reload", s.Reload(r.Context()))
		},
		"late": func(w http.ResponseWriter, r *http.Request, s *session.Session) {
			w.WriteHeader(200)
			err("late Set", note.Set(s, canary+"late"))
			err("late Login", s.Login("ann"))
			err("late jar", name.Set(cookie.Local(r.Context()), canary))
		},
		"others": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			_, e := x.manager.RevokeOthers(r.Context(), s)
			err("RevokeOthers", e)
		},
		"jars": func(_ http.ResponseWriter, r *http.Request, _ *session.Session) {
			for _, jar := range []*cookie.Jar{cookie.Local(r.Context()), cookie.Shared(r.Context())} {
				name.Get(jar)
				age.Get(jar) // another type: traced
				err("jar", name.Set(jar, canary))
				err("jar too large", name.Set(jar, strings.Repeat(canary, 500)))
				err("jar for ever", name.SetFor(jar, 500*24*time.Hour, canary))
				err("jar of a func", cookie.NewKey[any]("f").Set(jar, map[string]any{canary: func() {}}))
				v := name.Value(canary)
				x.print("cookie.Value", v)
				err("SetFor", jar.SetFor(time.Hour, v))
			}
		},
		"panic":       func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { panic(s) },
		"panic-token": func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { panic(fmt.Sprintf("%+v", s.Token())) },
		"panic-jar":   func(_ http.ResponseWriter, r *http.Request, _ *session.Session) { panic(cookie.Local(r.Context())) },
		"panic-late": func(w http.ResponseWriter, r *http.Request, s *session.Session) {
			w.Write([]byte("begun"))
			note.Set(s, canary)
			panic(fmt.Errorf("broken: %v", s))
		},
		"wrong-wiring": func(_ http.ResponseWriter, r *http.Request, s *session.Session) {
			session.With(r.Context(), x.manager.New())
		},
	}
}

// do sends a request; the answer is told, with its Set-Cookie left out, and its cookies learnt.
func (x *tour) do(b *http.Client, method, path string, fields ...string) {
	r, err := http.NewRequest(method, x.server.URL+path, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		return // a panic has cut it off
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		x.cookie(c.Value)
	}
	resp.Header.Del("Set-Cookie")
	if text := resp.Header.Get("X-Session"); text != "" {
		x.cookie(text)
	}
	resp.Header.Del("X-Session")
	var body bytes.Buffer
	body.ReadFrom(resp.Body)
	x.add("answer of "+path, fmt.Sprint(resp.Status, resp.Header, body.String()))
}

func (x *tour) browser(with ...string) *http.Client {
	b := x.server.Browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range with {
		x.do(b, "POST", "/"+path)
	}
	return b
}

// held is the text of the session cookie in a browser.
func (x *tour) held(b *http.Client) string {
	site, _ := url.Parse(x.server.URL)
	for _, c := range b.Jar.Cookies(site) {
		if c.Name == "__Host-bell-session" {
			return c.Value
		}
	}
	return ""
}

func (x *tour) sessions() {
	b := x.browser("write", "read", "update", "login", "write", "save", "read", "renew", "late", "remember", "clear", "write", "take", "others", "logout", "write", "reset", "late")
	x.do(b, "GET", "/read", "Accept", "text/html")
	// Forged, foreign and doubled cookies.
	genuine := x.held(x.browser("write"))
	for _, text := range []string{genuine[:len(genuine)-8] + "AAAAAAAA", "v1.AAAAAAAA." + genuine[12:], genuine + strings.Repeat("x", 5000), "x", genuine + "; __Host-bell-session=" + genuine} {
		stranger := x.server.Browser()
		stranger.Jar = nil
		x.do(stranger, "GET", "/read", "Cookie", "__Host-bell-session="+text)
		x.do(stranger, "GET", "/jars", "Cookie", "__Host-bell-local="+text)
	}
}

func (x *tour) jars() {
	b := x.browser("jars", "jars")
	site, _ := url.Parse(x.server.URL)
	for _, c := range b.Jar.Cookies(site) {
		x.cookie(c.Value)
	}
	// A jar whose value is no frame.
	text, err := x.keys.Sealer("local", "__Host-bell-local").Seal([]byte(canary))
	if err != nil {
		x.t.Fatal(err)
	}
	x.cookie(text)
	stranger := x.server.Browser()
	stranger.Jar = nil
	x.do(stranger, "GET", "/jars", "Cookie", "__Host-bell-local="+text)
}

// faulty walks with a store that fails at each of its calls.
func (x *tour) faulty() {
	for _, op := range []string{"create", "load", "replace", "touch", "end", "list"} {
		b := x.browser("write", "login", "write")
		time.Sleep(2 * time.Minute)
		x.faults.Add(sessiontest.Fault{Op: op, Err: errors.New("connection refused")})
		for _, path := range []string{"write", "update", "save", "renew", "late", "login", "others", "logout"} {
			x.do(b, "POST", "/"+path)
		}
		x.browser("write")
		if _, err := x.manager.List(x.t.Context(), "ann"); err != nil {
			x.print("List", err)
		}
		if _, err := x.manager.RevokeUser(x.t.Context(), "ann"); err != nil {
			x.print("RevokeUser", err)
		}
		x.faults.Clear()
	}
	b := x.browser("write", "login")
	x.faults.Add(sessiontest.Fault{Op: "replace", Nth: 1, Err: session.ErrConflict})
	x.do(b, "POST", "/write")
	x.faults.Clear()
}

// ends meets every end.
func (x *tour) ends() {
	ctx := x.t.Context()
	everywhere := func(b *http.Client) {
		for _, path := range []string{"/read", "/write", "/update", "/late", "/renew", "/aware/read", "/aware/write", "/aware/update", "/aware/late"} {
			x.do(b, "POST", path)
			x.do(b, "GET", path, "Accept", "text/html")
		}
		x.do(b, "GET", "/read", "HX-Request", "true")
		x.do(b, "GET", "/read?hardy-start-over", "Sec-Fetch-Mode", "navigate")
	}
	for name, end := range map[string]func(*http.Client){
		"idle":    func(*http.Client) { time.Sleep(time.Hour) },
		"logout":  func(b *http.Client) { x.do(b, "POST", "/logout") },
		"revoked": func(*http.Client) { x.manager.RevokeUser(ctx, "ann") },
		"rotated": func(b *http.Client) { x.do(b, "POST", "/renew") },
		"gone":    func(*http.Client) { time.Sleep(60 * 24 * time.Hour); x.db.Sweep(ctx, time.Now(), 100_000) },
	} {
		b := x.browser("write", "login", "write")
		stolen := x.server.Browser()
		site, _ := url.Parse(x.server.URL)
		stolen.Jar.SetCookies(site, b.Jar.Cookies(site))
		end(b)
		everywhere(stolen)
		if name == "rotated" {
			time.Sleep(session.Grace)
			everywhere(stolen)
		}
	}
	// Corrupt: the store's Data are another's.
	b := x.browser("write", "login", "write")
	page, _, err := x.db.Scan(ctx, "", 100_000)
	if err != nil {
		x.t.Fatal(err)
	}
	x.types["session.Record"] = session.Record{Handle: "h", User: "ann"}
	for _, r := range page {
		if r.Ended == "" && r.User == "ann" {
			r.Version++
			r.Data = append([]byte{1}, make([]byte, 60)...)
			x.db.Replace(ctx, r)
		}
	}
	x.do(b, "POST", "/write")
	x.do(b, "POST", "/read")

	// Under a revoked key.
	b = x.browser("write", "login", "jars")
	x.ring.text = x.master("bell") + ",revoked:" + strings.SplitN(x.ring.text, "\n", 2)[0]
	if err := x.keys.Reload(ctx); err != nil {
		x.t.Fatal(err)
	}
	everywhere(b)
	for _, bad := range []string{"", canary, x.ring.text + "," + x.ring.text, x.ring.text[:42], "revoked:" + x.ring.text, strings.Repeat("A", 43), x.ring.text + " " + canary} {
		good := x.ring.text
		x.ring.text = bad
		err := x.keys.Reload(ctx)
		if err == nil {
			x.t.Errorf("the ring %q was taken", bad)
		}
		x.print("Reload", err)
		x.ring.text = good
	}
	swept, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	x.print("Run", x.manager.Run(swept))
}

// locks meets a session that is locked, and one that is used from somewhere else.
func (x *tour) locks() {
	ctx := x.t.Context()
	m := session.NewManager(x.db, &session.Options{Lock: true, Trace: x.trace})
	s := m.New()
	note.Set(s, canary)
	s.Login("ann")
	m.Describe(s, map[string]string{"device": "one"})
	if err := m.Commit(ctx, s); err != nil {
		x.t.Fatal(err)
	}
	x.took(s.Token().Secret())
	m.Describe(s, map[string]string{"device": "another"})
	sealed, err := s.Seal([]byte(canary))
	x.print("Seal", err)
	time.Sleep(time.Hour)
	s, err = m.Load(ctx, s.Token())
	if !errors.Is(err, session.ErrLocked) {
		x.t.Fatal(err)
	}
	x.print("locked", err)
	x.print("locked session", s)
	x.print("Set", note.Set(s, canary))
	x.print("context", s.Context())
	x.print("cause", context.Cause(s.Context()))
	_, err = s.Open(sealed)
	x.print("Open", err)
}

func (x *tour) panics() {
	b := x.browser("write", "login", "write", "jars")
	for _, path := range []string{"panic", "panic-token", "panic-jar", "panic-late", "wrong-wiring"} {
		x.do(b, "POST", "/"+path)
	}
}

// refusals are what stops a program at its start, with secrets at hand.
func (x *tour) refusals() {
	master := x.ring.text[:43]
	for what, f := range map[string]func(){
		"nil store":          func() { session.NewManager(nil, nil) },
		"bad options":        func() { session.NewManager(x.db, &session.Options{Idle: -1}) },
		"no keys":            func() { middleware.Sessions(x.manager, nil, nil) },
		"no manager":         func() { middleware.Sessions(nil, x.keys, nil) },
		"bad pattern":        func() { middleware.Sessions(x.manager, x.keys, &middleware.Options{Aware: []string{"a b c"}}) },
		"twice":              func() { x.wrap(x.wrap(http.NotFoundHandler())) },
		"shared with itself": func() { middleware.Cookies(x.keys, &middleware.CookieOptions{Shared: x.keys, ShareWith: "hardy.test"}) },
		"no session":         func() { session.From(context.Background()) },
		"no jar":             func() { cookie.Local(context.Background()) },
		"chan":               func() { session.NewKey[chan string]("c") },
		"sealer":             func() { x.keys.Sealer("", "") },
		"dev keys":           func() { cookie.DevKeys("") },
	} {
		func() {
			defer func() {
				v := recover()
				if v == nil {
					x.t.Errorf("%s did not panic", what)
				}
				x.print("panic of "+what, v)
			}()
			f()
		}()
	}
	x.t.Setenv("HARDY_KEYS", canary)
	_, err := cookie.KeysFromEnv("HARDY_KEYS", "bell")
	x.print("KeysFromEnv", err)
	x.t.Setenv("HARDY_KEYS", master+","+master)
	_, err = cookie.KeysFromEnv("HARDY_KEYS", "bell")
	x.print("KeysFromEnv", err)
	_, err = cookie.KeysFromFile(filepath.Join(x.t.TempDir(), "none"), "bell")
	x.print("KeysFromFile", err)
	_, err = x.manager.Token(canary)
	x.print("Token", err)
	_, outcome := x.sealers[0].Open(x.held(x.browser("write")))
	x.print("Open", outcome)
}

// everyType prints an instance of every exported type, full of secrets where it can hold any.
func (x *tour) everyType() {
	ctx := x.t.Context()
	held, err := x.manager.Token(session.Sealed.NewSecret())
	if err != nil {
		x.t.Fatal(err)
	}
	x.took(held.Secret())
	_, vault, err := session.Sealed.Derive(held.Secret())
	if err != nil {
		x.t.Fatal(err)
	}
	x.secrets.Add("value", canary+"in-a-frame")
	s := x.manager.New()
	note.Set(s, canary)
	s.Login("ann")
	if err := x.manager.Commit(ctx, s); err != nil {
		x.t.Fatal(err)
	}
	note.Set(s, canary+"pending")
	x.took(s.Token().Secret())
	x.print("pending session", s)
	s2, err := x.manager.Load(ctx, s.Token())
	if err != nil {
		x.t.Fatal(err)
	}
	note.Get(s2)
	x.print("loaded session", s2)
	values := session.NewValues(func(yield func(string, []byte) bool) { yield("note", []byte(canary)) })
	r, _ := http.NewRequest("GET", "/", nil)
	local, err := cookie.NewLocal(x.keys, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	jar := local.Jar(r)
	name.Set(jar, canary)
	sealed, err := x.sealers[1].Seal([]byte(held.Secret()))
	if err != nil {
		x.t.Fatal(err)
	}
	x.cookie(sealed)
	opened, _ := x.sealers[1].Open(sealed)
	list, err := x.manager.List(ctx, "ann")
	if err != nil || len(list) == 0 {
		x.t.Fatal(err, len(list))
	}
	x.print("List", list)
	seconds := middleware.Header("X-Session")(x.manager, x.keys, &middleware.Options{})
	r.Header.Set("X-Session", sealed)
	carried := seconds.Read(r)
	if carried.State != middleware.Opened {
		x.t.Fatal(carried.State)
	}
	visit := &session.Visit{}
	x.print("context", x.manager.Visit(ctx, visit, s))
	for typ, v := range map[string]any{
		"session.Delivery": session.Delivery{Token: held}, "session.Format": session.Sealed, "session.Vault": vault, "session.Values": values,
		"session.Key": note, "session.Options": &session.Options{}, "session.OptionError": &session.OptionError{Field: "Idle"}, "session.CappedError": &session.CappedError{Max: 5}, "session.AAL": session.AAL2,
		"session.Log": session.NewLog[string]("talk", nil), "session.LogOptions": &session.LogOptions{}, "session.Entry": nil, // the application's own
		"session.Manager": x.manager,
		"session.Reason":  session.ReasonIdle, "session.ExpiredError": &session.ExpiredError{Reason: session.ReasonIdle}, "session.Session": s,
		"session.End": session.End{Reason: session.ReasonIdle}, "session.Ended": session.Ended{Reason: session.ReasonIdle}, "session.Swept": session.Swept{},
		"session.Visit": visit, "session.Old": &session.Old{User: "ann"}, "session.Token": held, "session.Trace": &session.Trace{}, "session.Info": list[0],
		"session.Store": x.faults, "session.Capper": x.faults, "session.Scanner": x.faults, "session.Importer": x.faults, "session.Watcher": x.faults, "session.Sweeper": x.faults,
		"cookie.Jar": jar, "cookie.Key": name, "cookie.Value": name.Value(canary), "cookie.Keys": x.keys, "cookie.State": cookie.Primary, "cookie.Outcome": cookie.OK,
		"cookie.Sealer": x.sealers[0], "cookie.Opened": opened, "cookie.Source": nil, // the application's own
		"cookie.Options": &cookie.Options{}, "cookie.Spec": local, "cookie.Trace": &cookie.Trace{}, "cookie.OpenedInfo": cookie.OpenedInfo{}, "cookie.ReloadedInfo": cookie.ReloadedInfo{},
		"middleware.Carrier": seconds, "middleware.Import": &middleware.Import{Secret: []byte(held.Secret())}, "middleware.NewCarrier": middleware.Header("X-Session"), "middleware.Carried": carried, "middleware.State": carried.State,
		"middleware.DevUsersOptions": &middleware.DevUsersOptions{}, "middleware.CookieOptions": &middleware.CookieOptions{Shared: x.team}, "middleware.Ended": middleware.Strict, "middleware.Options": &middleware.Options{}, "middleware.Page": middleware.Page{},
		"store.MemoryOptions": &store.MemoryOptions{}, "store.Memory": nil, // what a store holds is sealed; TestA2 looks at it
	} {
		x.types[typ] = v
	}
	for _, v := range x.chain { // with what they keep of all these requests
		x.print("middleware", v)
	}
	for name, v := range x.types {
		if v != nil {
			x.print("an instance of "+name, v)
		}
	}
	for _, pkg := range []string{"session", "cookie", "middleware", "store"} {
		files, err := filepath.Glob("../../" + pkg + "/*.go")
		if err != nil || len(files) == 0 {
			x.t.Fatal(err, files)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				x.t.Fatal(err)
			}
			for _, decl := range file.Decls {
				g, ok := decl.(*ast.GenDecl)
				if !ok || g.Tok != token.TYPE {
					continue
				}
				for _, spec := range g.Specs {
					name := pkg + "." + spec.(*ast.TypeSpec).Name.Name
					_, ok := x.types[name]
					if !ok && spec.(*ast.TypeSpec).Name.IsExported() && (pkg == "session" || pkg == "cookie" || mentions(spec, "session", "cookie")) {
						x.t.Errorf("%s is exported and not printed here", name)
					}
				}
			}
		}
	}
}

// mentions says whether a type is made of what those packages have: others hold no secrets.
func mentions(spec ast.Node, packages ...string) (found bool) {
	ast.Inspect(spec, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if of, ok := s.X.(*ast.Ident); ok && slices.Contains(packages, of.Name) {
				found = true
			}
		}
		return true
	})
	return found
}

// search looks for every secret in everything said, after it has seen that there is something to find in something.
func (x *tour) search() {
	counts := x.secrets.Count()
	for what, least := range map[string]int{"token": 20, "data key": 20, "record id": 20, "cookie": 30, "key": 8, "derived key": 30, "value": 2} {
		if counts[what] < least {
			x.t.Errorf("only %d secrets of the kind %s", counts[what], what)
		}
	}
	for name, n := range x.heard {
		if n == 0 {
			x.t.Errorf("%s was never called on the tour", name)
		}
	}
	kinds := map[string]int{}
	bytes := 0
	found := 0
	for _, line := range x.lines {
		kind, _, _ := strings.Cut(line, " ")
		kinds[strings.TrimSuffix(kind, ":")]++
		bytes += len(line)
		if what, at := x.secrets.Find(line); what != "" && found < 20 {
			found++
			x.t.Errorf("%.40q says a %s: … %.200q", line, what, line[max(0, at-60):])
		}
	}
	for _, kind := range []string{"log", "panic", "error", "answer"} {
		if kinds[kind] < 5 {
			x.t.Errorf("only %d of the kind %s were searched", kinds[kind], kind)
		}
	}
	if bytes < 100_000 {
		x.t.Errorf("only %d bytes were searched", bytes)
	}
	x.t.Logf("%d lines of %d bytes say none of %v", len(x.lines), bytes, counts)
}

// The search finds what it is for.
func TestFind(t *testing.T) {
	var s secrets.Secrets
	secret := "\x00\x01\xfe\xffa secret token of 32 bytes....."[:32]
	s.Add("token", secret)
	for _, verb := range []string{"%s", "%x", "%X", "%q", "%+q"} {
		if what, _ := s.Find("prefix " + fmt.Sprintf(verb, secret) + " suffix"); !strings.HasPrefix(what, "token") {
			t.Errorf("%s: not found", verb)
		}
	}
	for _, v := range []string{fmt.Sprint([]byte(secret)), fmt.Sprintf("%#v", []byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), secret[:20], secret[10:]} {
		if what, _ := s.Find("prefix " + v); what == "" {
			t.Errorf("%q: not found", v)
		}
	}
	if what, _ := s.Find("nothing of it: " + strings.Repeat("x", 100)); what != "" {
		t.Errorf("found %s in nothing", what)
	}
}
