package middleware_test

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// The attacks of the security list that a single process can meet. Limits and clients' addresses
// are tested with their own middleware.

// Fiber CVE-2024-38513, passport CVE-2022-25896: a victim signs in with a session that the attacker began and knows.
func TestAttackFixation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		eve := st.browser()
		st.send(eve, "POST", "/ring")
		known := st.token(eve.Jar) // genuine and live
		victim := st.browser()
		victim.Jar = st.jarWith(known)
		st.post(victim, "/login", url.Values{"user": {"ann"}})
		st.send(victim, "POST", "/ring")
		for _, wait := range []time.Duration{0, session.Grace, time.Hour} {
			time.Sleep(wait)
			if v, _ := st.look(st.as(known)); v.User != "" || v.Rings != 0 {
				t.Errorf("after %v the attacker sees %+v", wait, v)
			}
			if got := st.send(st.as(known), "POST", "/ring"); got.StatusCode == 200 {
				t.Errorf("after %v the attacker writes", wait)
			}
		}
		// Nor does the attacker end the victim's session by signing out with it: after a change of user
		// Logout follows no further than the record that the request came with had become.
		st = newSite(t, nil, nil, nil, nil)
		ann := st.signIn("ann", 1)
		eve = st.signIn("eve", 1)
		st.post(eve, "/login", url.Values{"user": {"mallory"}})
		st.send(eve, "POST", "/logout")
		if v, _ := st.look(ann); v.User != "ann" || v.Rings != 1 {
			t.Errorf("another visitor's logout left %+v", v)
		}
	})
}

// Fiber CVE-2025-66630: where the system's generator fails, the program ends; it makes no weak token and no session.
func TestAttackWeakRandom(t *testing.T) {
	if os.Getenv("HARDY_WEAK_RANDOM") != "" {
		st := newSite(t, nil, nil, nil, nil)
		b := st.browser()
		st.send(b, "GET", "/plain")
		crand.Reader = brokenReader{}
		fmt.Println("served", st.send(b, "POST", "/ring").StatusCode)
		return
	}
	again := exec.Command(os.Args[0], "-test.run=^TestAttackWeakRandom$", "-test.v")
	again.Env = append(os.Environ(), "HARDY_WEAK_RANDOM=1")
	out, err := again.CombinedOutput()
	if err == nil || strings.Contains(string(out), "served") || !strings.Contains(string(out), "fatal error: crypto/rand") {
		t.Errorf("without a generator: %v\n%s", err, out)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

// rack-session CVE-2025-46336, scs 2.9.0 data.go:81, express-session 632: a request that is under way while the session
// ends, by whatever means, brings nothing back, whether it wrote, read or merely renewed.
func TestAttackResurrection(t *testing.T) {
	for end, endIt := range map[string]func(st *site, b *http.Client){
		"logout": func(st *site, b *http.Client) { st.send(b, "POST", "/logout") },
		"reset":  func(st *site, b *http.Client) { st.send(b, "POST", "/reset") },
		"revoke": func(st *site, _ *http.Client) { st.manager.RevokeUser(context.Background(), "ann") },
		"login":  func(st *site, b *http.Client) { st.post(b, "/login", url.Values{"user": {"bob"}}) },
		"idle":   func(*site, *http.Client) { time.Sleep(31*time.Minute + time.Second) },
	} {
		for does, do := range map[string]func(s *session.Session) error{
			"writes":  func(s *session.Session) error { return standRings.Set(s, 100) },
			"updates": nil,
			"reads":   func(s *session.Session) error { standRings.Get(s); return nil },
			"renews":  func(s *session.Session) error { return s.Renew() },
			"signs in": func(s *session.Session) error {
				if end == "login" {
					return nil // a double click: TestDoubleClickedLoginOverHTTP
				}
				return s.Login("eve")
			},
		} {
			t.Run(end+", "+does, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					arrived, go_ := make(chan bool), make(chan bool)
					st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
						"POST /slow": func(w http.ResponseWriter, r *http.Request) {
							s := session.From(r.Context())
							standRings.Get(s)
							arrived <- true
							<-go_
							if do != nil {
								do(s)
							} else {
								standRings.Update(r.Context(), s, func(n int) int { return n + 100 })
							}
						},
					})
					ann := st.signIn("ann", 1)
					old := st.token(ann.Jar)
					time.Sleep(2 * time.Minute) // a Touch is due
					answered := make(chan reply)
					slow := st.as(old)
					go func() { answered <- st.send(slow, "POST", "/slow") }()
					<-arrived
					endIt(st, ann)
					now := st.token(ann.Jar)
					close(go_)
					got := <-answered
					if does != "signs in" && len(got.setCookies()) > 0 {
						t.Errorf("%d with %v", got.StatusCode, got.setCookies())
					}
					if does == "writes" && got.StatusCode != 401 && got.StatusCode != 409 {
						t.Errorf("a lost write was answered %d", got.StatusCode)
					}
					if v, _ := st.look(st.as(old)); v.User != "" || v.Rings != 0 {
						t.Errorf("the old cookie opens %+v", v)
					}
					time.Sleep(session.Grace)
					if _, status := st.look(st.as(old)); status != 401 {
						t.Errorf("the old cookie: %d", status)
					}
					if end == "login" {
						if v, _ := st.look(st.as(now)); v.User != "bob" || v.Rings != 0 {
							t.Errorf("who signed in has %+v", v)
						}
					}
					if list, err := st.manager.List(t.Context(), "ann"); err != nil || len(list) != 0 {
						t.Errorf("%d sessions of ann, %v", len(list), err)
					}
				})
			})
		}
	}
}

// spring-session 1270, express-session 923: a token is renewed while other requests with it write. One of the renewals wins;
// each write is stored or its client told; the old token writes nothing and makes no token.
func TestAttackRenewRace(t *testing.T) {
	for range 20 {
		st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
			"POST /once": func(w http.ResponseWriter, r *http.Request) {
				_, err := standRings.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
				if err != nil {
					w.WriteHeader(http.StatusConflict)
				}
			},
		})
		ann := st.signIn("ann", 0)
		old := st.token(ann.Jar)
		var mu sync.Mutex
		var tokens []string
		stored := 0
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
				path := "/once"
				if i%2 == 0 {
					path = "/renew"
				}
				got := st.send(st.as(old), "POST", path)
				mu.Lock()
				defer mu.Unlock()
				for _, line := range got.setCookies() {
					_, text, _ := parseSetCookie(line)
					tokens = append(tokens, text)
				}
				if path == "/once" && got.StatusCode == 200 {
					stored++
				}
			})
		}
		all.Wait()
		if len(tokens) != 1 {
			t.Fatalf("%d new tokens", len(tokens))
		}
		if v, _ := st.look(st.as(tokens[0])); v.User != "ann" || v.Rings != stored {
			t.Errorf("the new token opens %+v, and %d writes were acknowledged", v, stored)
		}
		if n := st.live(); n != 1 {
			t.Errorf("%d live sessions", n)
		}
		if got := st.send(st.as(old), "POST", "/renew"); got.StatusCode != 409 || len(got.setCookies()) > 0 {
			t.Errorf("the old token renews: %d", got.StatusCode)
		}
	}
}

// express resave, lfx 1938: two requests write different keys of one session, the faster one in between: both stay.
func TestAttackLostUpdate(t *testing.T) {
	arrived, go_ := make(chan bool), make(chan bool)
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"POST /slow": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			siteSecret.Get(s)
			arrived <- true
			<-go_
			siteSecret.Set(s, "kept")
		},
		"GET /both": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			fmt.Fprint(w, siteSecret.Get(s), standRings.Get(s))
		},
	})
	other := newSite(t, st, nil, nil, nil)
	ann := st.signIn("ann", 1)
	done := make(chan reply)
	go func() { done <- st.send(st.as(st.token(ann.Jar)), "POST", "/slow") }()
	<-arrived
	st.send(ann, "POST", "/ring")
	other.send(other.as(st.token(ann.Jar)), "POST", "/ring") // another process: no queue between them
	close(go_)
	if got := <-done; got.StatusCode != 200 {
		t.Errorf("the slow one: %d", got.StatusCode)
	}
	if got := st.send(ann, "GET", "/both"); string(got.body) != "kept3" {
		t.Errorf("the session holds %s, want kept3", got.body)
	}
}

// Spring Security CVE-2023-20862: a cookie that was copied before the sign-out, sent in every way a request can be.
func TestAttackReplayAfterLogout(t *testing.T) {
	for _, ended := range []middleware.Ended{middleware.Restart, middleware.Strict, middleware.Fresh} {
		st := newSite(t, nil, nil, &middleware.Options{Ended: ended, Aware: []string{"POST /aware"}}, nil)
		ann := st.signIn("ann", 2)
		stolen := st.token(ann.Jar)
		st.send(ann, "POST", "/logout")
		for _, request := range []struct {
			method, path string
			fields       []string
		}{
			{"GET", "/look", nil},
			{"GET", "/look", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}},
			{"GET", "/look?hardy-start-over", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}},
			{"GET", "/look", []string{"Sec-Fetch-Dest", "image"}},
			{"GET", "/look", []string{"Sec-Purpose", "prefetch"}},
			{"OPTIONS", "/look", nil},
			{"POST", "/aware", nil},
			{"POST", "/ring", nil},
			{"POST", "/renew", nil},
			{"POST", "/stay", nil},
		} {
			got := st.send(st.as(stolen), request.method, request.path, request.fields...)
			var v view
			if json.Unmarshal(got.body, &v) == nil && (v.User != "" || v.Rings > 1) {
				t.Errorf("Ended %d: %s %s %v: %+v", ended, request.method, request.path, request.fields, v)
			}
		}
		list, err := st.manager.List(t.Context(), "ann")
		if err != nil || len(list) != 0 {
			t.Errorf("Ended %d: %d sessions of ann, %v", ended, len(list), err)
		}
	}
}

// Laravel before 7.22: a cookie under another's name. Every genuine cookie of a visitor, under every name.
func TestAttackCookieSwap(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	b := st.signIn("ann", 1)
	st.post(b, "/jars", url.Values{"name": {"ann"}})
	names := []string{standCookie, "__Host-bell-local", "__Secure-team-shared"}
	for _, from := range names {
		for _, to := range names {
			if from == to {
				continue
			}
			line := to + "=" + jarText(st, b, from)
			var v view
			if got := st.cookieLine("GET", "/look", line); json.Unmarshal(got.body, &v) != nil || v != (view{}) {
				t.Errorf("%s as %s: %d %+v", from, to, got.StatusCode, v)
			}
			if got := st.cookieLine("GET", "/jars", line); string(got.body) != "," {
				t.Errorf("%s as %s: %s", from, to, got.body)
			}
		}
	}
}

// PortSwigger's Cookie Chaos, Werkzeug CVE-2023-23934, PHP CVE-2020-7070: another host of the domain plants a cookie
// under a name that the server mistakes for ours, though the browser does not keep it to its prefix.
func TestAttackTossing(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	eve := st.signIn("eve", 1)
	text := st.token(eve.Jar)
	for _, name := range []string{
		"\u2000" + standCookie, "\u00a0" + standCookie, standCookie + "\u2000", standCookie + "\u00a0", "=" + standCookie, "==" + standCookie,
		"__HOST-bell-session", "__host-bell-session", "%5F_Host-bell-session", "__Host-bell%2Dsession", "__Host-bell-session[]", "__Host-bell.session",
		"__Host-bell_session", "\"" + standCookie + "\"", "$Path=/; __Host-Bell-Session", "__Secure-bell-session", "bell-session", "x" + standCookie, standCookie + "x",
	} {
		conn := rawRequest(t, st, "GET /look HTTP/1.1\r\nHost: app.hardy.test\r\nConnection: close\r\nCookie: "+name+"="+text+"\r\n\r\n")
		if strings.Contains(conn, "eve") {
			t.Errorf("%q is taken for ours", name)
		}
	}
	// The name is ours, the value is not written as we write it.
	for _, value := range []string{`"` + text + `"`, text + " ", " " + text, text + "=", text + "\t x", "%76" + text[1:], text + ",x", text[:20] + " " + text[20:]} {
		conn := rawRequest(t, st, "GET /look HTTP/1.1\r\nHost: app.hardy.test\r\nConnection: close\r\nCookie: "+standCookie+"="+value+"\r\n\r\n")
		if strings.Contains(conn, "eve") && strings.TrimSpace(value) != text {
			t.Errorf("the value %q opens", strings.ReplaceAll(value, text, "…"))
		}
	}
	// Beside the victim's own cookie neither counts: the victim is not signed in as eve.
	ann := st.signIn("ann", 1)
	if got := st.cookieLine("GET", "/look", standCookie+"="+text+"; "+standCookie+"="+st.token(ann.Jar)); strings.Contains(string(got.body), "eve") || strings.Contains(string(got.body), "ann") {
		t.Errorf("of two cookies one is taken: %s", got.body)
	}
}

// rawRequest sends bytes as they are, over TLS, and returns the answer's.
func rawRequest(t *testing.T, st *site, request string) string {
	t.Helper()
	server := &http.Server{Handler: st.sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
	}))}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if all = append(all, buf[:n]...); err != nil {
			return string(all)
		}
	}
}

// cookie-encrypter CVE-2024-53441: a cookie with one bit flipped, cut off, or with something added is nobody's: a new
// visitor and an event, for each place of it.
func TestAttackBitFlips(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	var mu sync.Mutex
	refused := 0
	st.keys.Trace = &cookie.Trace{Opened: func(o cookie.OpenedInfo) {
		mu.Lock()
		defer mu.Unlock()
		if o.Outcome != cookie.OK {
			refused++
		}
	}}
	ann := st.signIn("ann", 1)
	text := st.token(ann.Jar)
	look := st.sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := viewOf(session.From(r.Context()))
		w.Header().Set("X-User", v.User+v.Err)
	}))
	tries := 0
	check := func(changed, what string) {
		t.Helper()
		tries++
		r, _ := http.NewRequest("GET", "/look", nil)
		r.Header["Cookie"] = []string{standCookie + "=" + changed}
		w := &nearlyNothing{header: http.Header{}}
		look.ServeHTTP(w, r)
		if w.status != 0 && w.status != 200 || w.header.Get("X-User") != "" || w.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", what, w.status, w.header)
		}
	}
	for i := range text {
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			if b[i] == ';' { // ends the value: a truncation
				continue
			}
			check(string(b), fmt.Sprintf("bit %d of byte %d", bit, i))
		}
		check(text[:i], fmt.Sprintf("cut at %d", i))
		check(text[:i]+"A"+text[i:], fmt.Sprintf("one more at %d", i))
		check(text[:i]+"\n"+text[i:], fmt.Sprintf("a line break at %d", i))
		check(text[i+1:], fmt.Sprintf("begun at %d", i+1))
	}
	if refused < tries-50 { // a few are no cookie of that name at all
		t.Errorf("%d events for %d changed cookies", refused, tries)
	}
	if v, _ := st.look(ann); v.User != "ann" || v.Rings != 1 {
		t.Errorf("afterwards the session is %+v", v)
	}
}

type nearlyNothing struct {
	header http.Header
	status int
}

func (w *nearlyNothing) Header() http.Header         { return w.header }
func (w *nearlyNothing) WriteHeader(code int)        { w.status = code }
func (w *nearlyNothing) Write(b []byte) (int, error) { return len(b), nil }

// CVE-2025-58186: of more than 3,000 cookies net/http shows none. Such a request is a new visitor's; it signs nobody out.
func TestAttackManyCookies(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	ann := st.signIn("ann", 1)
	mine := standCookie + "=" + st.token(ann.Jar)
	for _, n := range []int{2_999, 3_000, 20_000} {
		got := st.cookieLine("GET", "/look", mine+strings.Repeat("; a=b", n))
		var v view
		if json.Unmarshal(got.body, &v); got.StatusCode != 200 || len(got.Header["Set-Cookie"]) > 0 {
			t.Errorf("%d cookies: %d %v", n+1, got.StatusCode, got.Header)
		}
		if want := map[bool]string{true: "ann"}[n+1 <= 3000]; v.User != want {
			t.Errorf("%d cookies: signed in is %q, want %q", n+1, v.User, want)
		}
	}
	if v, _ := st.look(ann); v.User != "ann" || v.Rings != 1 {
		t.Errorf("afterwards: %+v", v)
	}
}

// A cookie longer than any that was ever sent is not looked at: no decoding, no MAC, no store.
func TestAttackOversize(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	outcomes := map[cookie.Outcome]int{}
	st.keys.Trace = &cookie.Trace{Opened: func(o cookie.OpenedInfo) { outcomes[o.Outcome]++ }}
	for _, n := range []int{4_097, 100_000, 900_000} {
		got := st.cookieLine("GET", "/look", standCookie+"="+strings.Repeat("A", n))
		if got.StatusCode != 200 || len(got.setCookies()) > 0 {
			t.Errorf("%d bytes: %d", n, got.StatusCode)
		}
	}
	if len(outcomes) != 1 || outcomes[cookie.TooLarge] != 3 {
		t.Errorf("outcomes %v", outcomes)
	}
	if st.faults.Calls("load") != 0 {
		t.Error("the store was asked")
	}
}

// Rack CVE-2019-16782: no comparison of the store depends on the token. The store is asked for a hash of it, which nobody
// without the token can choose, and does not hold it.
func TestAttackLookupTiming(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	var asked []string
	st.faults.Add(sessiontest.Fault{Op: "load", Before: func(c sessiontest.Call) { asked = append(asked, c.ID) }})
	ann := st.signIn("ann", 1)
	opened, _ := st.keys.Sealer("session", standCookie).Open(st.token(ann.Jar))
	if len(opened.Plain) != 32 || len(asked) == 0 {
		t.Fatalf("a token of %d bytes, %d loads", len(opened.Plain), len(asked))
	}
	everything := strings.Join(asked, "\n")
	for _, r := range st.records() {
		everything += fmt.Sprintf("\n%s %s %s %s %s %x", r.ID, r.Handle, r.Next, r.Data, r.Meta, r.Data)
	}
	for _, form := range append(forms(string(opened.Plain)), st.token(ann.Jar)) {
		if strings.Contains(everything, form) {
			t.Error("the store was given the token")
		}
	}
	// What was never sealed here never comes so far.
	asked = nil
	for i := range 100 {
		st.cookieLine("GET", "/look", standCookie+"="+strings.Repeat(strconv.Itoa(i%10), 43))
	}
	if len(asked) != 0 {
		t.Errorf("the store was asked %d times for made up tokens", len(asked))
	}
}

// Django CVE-2015-5963 and 5964: nobody fills the store by asking, by signing out nobody, or by forged cookies; one session holds
// no more than its size; a bounded store refuses new ones and keeps the live.
func TestAttackStoreExhaustion(t *testing.T) {
	st := newSite(t, nil, &session.Options{MaxBytes: 10_000}, nil, map[string]http.HandlerFunc{
		"POST /fill": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			for i := range 1000 {
				if err := session.NewKey[string](strconv.Itoa(i)).Set(s, strings.Repeat("x", 1000)); err != nil {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
			}
		},
		"POST /meta": func(w http.ResponseWriter, r *http.Request) {
			for i := range 1000 {
				if session.From(r.Context()).SetMeta(strconv.Itoa(i), strings.Repeat("x", 100)) != nil {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
			}
		},
		"POST /nothing": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			standRings.Delete(s)
			standRings.Take(s)
			s.Clear()
			s.Keys()
			s.Renew()
		},
	})
	for _, path := range []string{"/look", "/logout", "/reset", "/renew", "/nothing", "/jars"} {
		for range 50 {
			method := "POST"
			if path == "/look" {
				method = "GET"
			}
			if got := st.send(st.browser(), method, path); len(got.setCookies()) > 0 {
				t.Fatalf("%s sets a cookie for nobody", path)
			}
		}
	}
	if n := len(st.records()); n != 0 || st.faults.Calls("") != 0 {
		t.Errorf("%d records, %d calls of the store", n, st.faults.Calls(""))
	}
	for path, most := range map[string]int{"/fill": 10_000 + 64, "/meta": 1024} {
		if got := st.send(st.browser(), "POST", path); got.StatusCode != 413 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
		for _, r := range st.records() {
			if len(r.Data)+len(r.Meta) > most {
				t.Errorf("%s: a record of %d bytes", path, len(r.Data)+len(r.Meta))
			}
		}
		st.db = store.NewMemory(nil)
	}
}

// tower-sessions 180: a new session that gets an id which is there already does not take that one over.
func TestAttackCollision(t *testing.T) {
	st := newSite(t, nil, &session.Options{Format: oneSecret{}}, nil, nil)
	ann := st.browser()
	st.post(ann, "/login", url.Values{"user": {"ann"}})
	if v, _ := st.look(ann); v.User != "ann" {
		t.Fatalf("%+v", v)
	}
	eve := st.browser()
	got := st.post(eve, "/login", url.Values{"user": {"eve"}})
	if got.StatusCode < 500 || len(got.setCookies()) > 0 {
		t.Errorf("a session under an id that is taken: %d, %d Set-Cookie", got.StatusCode, len(got.setCookies()))
	}
	if v, _ := st.look(ann); v.User != "ann" {
		t.Errorf("afterwards the first is %+v", v)
	}
}

// oneSecret is a Format whose generator is broken.
type oneSecret struct{}

func (oneSecret) NewSecret() string { return strings.Repeat("s", 32) }

func (oneSecret) Derive(secret string) (string, session.Vault, error) {
	return session.Sealed.Derive(secret)
}

// tower-sessions 0.4.3: a store that gives out what has expired, or what has ended, serves nobody: the manager judges.
func TestAttackExpiredStillServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		ann := st.signIn("ann", 1)
		bob := st.signIn("bob", 1)
		gone := st.token(bob.Jar)
		st.send(bob, "POST", "/logout")
		for _, r := range st.records() {
			if r.User == "bob" && len(r.Data) > 0 {
				t.Error("the store keeps what was in a session that ended")
			}
		}
		time.Sleep(31*time.Minute + time.Second)
		if n := len(st.records()); n < 2 {
			t.Fatalf("only %d records: the store hides what has expired, and this test shows nothing", n)
		}
		for _, b := range []*http.Client{ann, st.as(gone)} {
			for _, path := range []string{"/look", "/ring", "/renew", "/jars"} {
				method := "POST"
				if path == "/look" {
					method = "GET"
				}
				if got := st.send(b, method, path); got.StatusCode != 401 {
					t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
				}
			}
		}
	})
}

// CRLF in whatever an attacker can choose that comes back in a field: none begins a line of its own.
func TestAttackHeaderInjection(t *testing.T) {
	const evil = "x\r\nSet-Cookie: " + standCookie + "=planted\r\nX-Evil: 1"
	for _, ended := range []middleware.Ended{middleware.Restart, middleware.Strict} {
		st := newSite(t, nil, nil, &middleware.Options{Ended: ended}, nil)
		ann := st.signIn("ann", 1)
		st.send(ann, "POST", "/logout")
		b := st.signIn("ann", 0)
		dead := st.as(st.token(b.Jar))
		st.manager.RevokeUser(t.Context(), "ann")
		for name, got := range map[string]reply{
			"a user's name":  st.post(st.browser(), "/login", url.Values{"user": {evil}}),
			"a jar's value":  st.post(st.browser(), "/jars", url.Values{"name": {evil}}),
			"the query":      st.send(dead, "GET", "/look?next="+url.QueryEscape(evil)),
			"the path":       st.send(dead, "GET", "/"+url.PathEscape(evil), "Sec-Fetch-Mode", "navigate", "Accept", "text/html"),
			"the start over": st.send(dead, "GET", "/"+url.PathEscape(evil)+"?hardy-start-over", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"),
			"Referer":        st.send(dead, "POST", "/look", "Referer", st.server.URL+"/"+url.PathEscape(evil), "Accept", "text/html"),
		} {
			if got.Header.Get("X-Evil") != "" {
				t.Errorf("%s: %v", name, got.Header)
			}
			for _, line := range got.Header["Set-Cookie"] {
				if strings.Contains(line, "planted") {
					t.Errorf("%s: %s", name, line)
				}
			}
		}
	}
}

// Flask CVE-2023-30861 and CVE-2026-27205: a shared cache before the application never gives one visitor's page to another,
// whatever the handler says about caching, and even if it keys on nothing but the address.
func TestAttackCacheLeak(t *testing.T) {
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"GET /mine": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", r.Header.Get("X-Own"))
			fmt.Fprint(w, "page of ", session.From(r.Context()).User())
		},
		"GET /born": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", r.Header.Get("X-Own"))
			standRings.Set(session.From(r.Context()), 1)
			fmt.Fprint(w, "page of a new visitor")
		},
		"GET /count": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=3600")
			fmt.Fprint(w, "the same for all")
		},
	})
	ann, bob := st.signIn("ann", 1), st.signIn("bob", 1)
	cache := map[string]reply{} // by address alone: the worst there is
	hits := 0
	through := func(b *http.Client, path, own string) reply {
		if got, ok := cache[path]; ok {
			hits++
			return got
		}
		got := st.send(b, "GET", path, "X-Own", own)
		cc := got.Header.Get("Cache-Control")
		mayKeep := !strings.Contains(cc, "no-store") && !strings.Contains(cc, "private") && got.Header.Get("Vary") != "*"
		if mayKeep {
			cache[path] = got
		}
		return got
	}
	for _, own := range []string{"", " , ", "public", "public, max-age=60", "max-age=60, s-maxage=60", "immutable, public", "PUBLIC", "must-revalidate,  Public"} {
		clear(cache)
		for b, user := range map[*http.Client]string{ann: "ann", bob: "bob", st.browser(): ""} {
			if got := through(b, "/mine", own); string(got.body) != "page of "+user {
				t.Errorf("Cache-Control %q: %q gets %q", own, user, got.body)
			}
		}
		for range 2 {
			if got := through(st.browser(), "/born", own); len(got.setCookies()) != 1 {
				t.Errorf("Cache-Control %q: a birth came from the cache", own)
			}
		}
	}
	// What the handler says of its own stands where it names no shared cache; then the page varies by Cookie.
	for _, own := range []string{"max-age=60", "private", "no-cache"} {
		if got := st.send(ann, "GET", "/mine", "X-Own", own); got.Header.Get("Cache-Control") != own || !got.varies("Cookie") {
			t.Errorf("Cache-Control %q became %q, Vary %q", own, got.Header.Get("Cache-Control"), got.Header["Vary"])
		}
	}
	hits = 0
	for _, b := range []*http.Client{ann, bob, st.browser()} {
		through(b, "/count", "")
	}
	if hits != 2 {
		t.Errorf("a page that looks at nothing came %d times from the cache, want 2", hits)
	}
}

// gorilla GO-2024-2730: an id that is a path, a pattern or a command never reaches a store, nor does a user's name that is
// not text.
func TestAttackIDAsPath(t *testing.T) {
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"POST /name": func(w http.ResponseWriter, r *http.Request) {
			if err := session.From(r.Context()).Login(r.FormValue("user")); !errors.Is(err, session.ErrUser) {
				t.Errorf("Login(%q): %v", r.FormValue("user"), err)
			}
		},
	})
	var ids []string
	st.faults.Add(sessiontest.Fault{Before: func(c sessiontest.Call) { ids = append(ids, c.ID) }})
	sealer := st.keys.Sealer("session", standCookie)
	for _, id := range []string{"../../etc/passwd", "*", "%", "a\x00b", "' OR 1=1 --", strings.Repeat("x", 31), strings.Repeat("x", 33), ""} {
		st.cookieLine("GET", "/look", standCookie+"="+url.QueryEscape(id))
		sealed, err := sealer.Seal([]byte(id)) // even with the site's own key
		if err != nil {
			t.Fatal(err)
		}
		var v view
		if got := st.cookieLine("GET", "/look", standCookie+"="+sealed); json.Unmarshal(got.body, &v) != nil || v != (view{}) {
			t.Errorf("%q: %d %+v", id, got.StatusCode, v)
		}
	}
	if len(ids) != 0 {
		t.Errorf("the store was asked for %q", ids)
	}
	for _, user := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 1025)} {
		st.post(st.browser(), "/name", url.Values{"user": {user}})
	}
	if n := len(st.records()); n != 0 {
		t.Errorf("%d records", n)
	}
	b := st.signIn("../ann'; --", 1)
	if v, _ := st.look(b); v.User != "../ann'; --" {
		t.Errorf("a user's name is text: %+v", v)
	}
	for _, id := range ids {
		if len(id) != 43 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("the store was asked for %q", id)
		}
	}
}

// spring-session 2786, and any clock that is set back: what was seen later stays seen; a session that somebody was told has
// expired is not renewed by a process whose clock is behind. (What is sealed in the future: cookie.TestA14SealUntil.)
func TestAttackClockRollback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		ann := st.signIn("ann", 1)
		time.Sleep(10 * time.Minute)
		st.send(ann, "GET", "/look")
		r := st.records()
		var before session.Record
		for _, rec := range r {
			if rec.Ended == "" {
				before = rec
			}
		}
		// A process whose clock is half an hour behind renews it.
		behind := time.Now().Add(-30 * time.Minute)
		if err := st.db.Touch(t.Context(), before.ID, behind, behind.Add(31*time.Minute), behind.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		after, err := st.db.Load(t.Context(), before.ID)
		if err != nil || !after.Seen.Equal(before.Seen) || !after.Expires.Equal(before.Expires) || !after.Purge.Equal(before.Purge) {
			t.Errorf("it moved back from %v to %v, %v", before.Expires, after.Expires, err)
		}
		time.Sleep(30 * time.Minute)
		if _, status := st.look(ann); status != 200 {
			t.Errorf("30 minutes after the last request: %d", status)
		}
		time.Sleep(31*time.Minute + time.Second)
		if _, status := st.look(ann); status != 401 {
			t.Fatalf("expired: %d", status)
		}
		// A process whose clock is ahead has told the visitor so; one that is behind cannot write later.
		later := time.Now()
		if err := st.db.Touch(t.Context(), before.ID, later, later.Add(time.Hour), later.Add(time.Hour)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("an expired session was renewed: %v", err)
		}
	})
}

// A store that answers with an error never makes a new session of a visitor's, at any of its calls, and does not lose what was
// acknowledged: an answer that got lost on its way is an error as well.
func TestAttackStoreError(t *testing.T) {
	for _, op := range []string{"load", "touch", "replace", "create", "end"} {
		for nth := 1; nth <= 2; nth++ {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d lost %v", op, nth, lost), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						st := newSite(t, nil, nil, nil, nil)
						ann := st.signIn("ann", 0)
						time.Sleep(2 * time.Minute)
						fault := sessiontest.Fault{Op: op, Nth: nth, Err: errors.New("broken")}
						if lost {
							fault.Err, fault.Lost = nil, errors.New("broken")
						}
						st.faults.Add(fault)
						acknowledged, uncertain := 0, 0
						for _, path := range []string{"/ring", "/renew", "/ring", "/renew", "/ring"} {
							time.Sleep(2 * time.Minute)
							got := st.send(ann, "POST", path)
							for range 3 { // as a client does after 503 or 409
								if got.StatusCode == 200 {
									break
								}
								if got.StatusCode != 503 && got.StatusCode != 409 {
									// Its answer was lost after the token had been replaced: nothing else may say 401.
									if lost && (op == "create" || op == "end") && got.StatusCode == 401 {
										return
									}
									t.Fatalf("%s: %d", path, got.StatusCode)
								}
								if path == "/ring" {
									uncertain++
								}
								time.Sleep(time.Second)
								got = st.send(ann, "POST", path)
							}
							if path == "/ring" && got.StatusCode == 200 {
								acknowledged++
							}
							if lost && op == "end" && got.StatusCode != 200 {
								return
							}
						}
						v, status := st.look(ann)
						if status != 200 || v.User != "ann" || v.Rings < acknowledged || v.Rings > acknowledged+uncertain {
							t.Errorf("%d %+v, and %d writes were acknowledged", status, v, acknowledged)
						}
					})
				})
			}
		}
	}
}
