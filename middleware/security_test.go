package middleware_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"math/bits"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// The acceptance list of the security list, row by row, as a client meets it. Attacks (§4) are in
// attacks_test.go.

// Every row has a test that bears its id, here or beside the code that it is about.
func TestEveryRowHasATest(t *testing.T) {
	named := map[string]bool{}
	for _, dir := range []string{".", "../cookie", "../session", "../store", "../internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
					named[f.Name.Name] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for row := range strings.FieldsSeq("A1 A2 A3 A4 A5 A6 A9 A14 C1 C2 C3 C4 C5 C6 C7 C8 C9 H1 H2 L1 L2 K1" +
		" AttackFixation AttackWeakRandom AttackResurrection AttackRenewRace AttackLostUpdate AttackReplayAfterLogout AttackCookieSwap" +
		" AttackTossing AttackBitFlips AttackManyCookies AttackOversize AttackLookupTiming AttackStoreExhaustion AttackCollision" +
		" AttackExpiredStillServed AttackHeaderInjection AttackCacheLeak AttackIDAsPath AttackTokenInLogs AttackClockRollback AttackStoreError") {
		found := false
		for name := range named {
			rest, ok := strings.CutPrefix(name, "Test"+row)
			found = found || ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
		}
		if !found {
			t.Errorf("row %s has no test", row)
		}
	}
}

// site is one process of an application with the whole chain around it.
type site struct {
	*stand
	db   *store.Memory
	team *cookie.Keys
}

var (
	siteName   = cookie.NewKey[string]("name")
	siteSecret = session.NewKey[string]("secret")
)

// newSite makes a process; one beside another shares its store and its keys. routes are added to those of every site.
func newSite(t *testing.T, beside *site, mo *session.Options, o *middleware.Options, routes map[string]http.HandlerFunc) *site {
	t.Helper()
	if mo == nil {
		mo = &session.Options{}
	}
	if mo.Logger == nil {
		mo.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	st := &site{stand: &stand{t: t}}
	if beside != nil {
		st.db, st.ring, st.team = beside.db, beside.ring, beside.team
	} else {
		st.db, st.ring = store.NewMemory(nil), &ringSource{cookie.NewMaster()}
		st.team = ringFor(t, &ringSource{cookie.NewMaster()}, "team")
	}
	st.faults = sessiontest.NewFaults(st.db)
	st.manager = session.NewManager(st.faults, mo)
	st.keys = ringFor(t, st.ring, "bell")
	st.sessions = middleware.Sessions(st.manager, st.keys, o)

	all := map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
		},
		"/ring": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			standRings.Set(s, standRings.Get(s)+1)
			json.NewEncoder(w).Encode(viewOf(s))
		},
		"POST /login": func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Login(r.FormValue("user")) },
		"POST /stay": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			s.Login(r.FormValue("user"))
			s.Remember(14 * 24 * time.Hour)
		},
		"POST /logout": func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Logout() },
		"POST /reset":  func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Reset() },
		"POST /renew":  func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() },
		"/plain":       func(http.ResponseWriter, *http.Request) {},
		"GET /jars": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s,%s", siteName.Get(cookie.Local(r.Context())), siteName.Get(cookie.Shared(r.Context())))
		},
		"POST /jars": func(w http.ResponseWriter, r *http.Request) {
			life := cookie.DefaultLifetime
			if d := r.FormValue("days"); d != "" {
				n, _ := strconv.Atoi(d)
				life = time.Duration(n) * 24 * time.Hour
			}
			for _, jar := range []*cookie.Jar{cookie.Local(r.Context()), cookie.Shared(r.Context())} {
				if err := siteName.SetFor(jar, life, r.FormValue("name")); err != nil {
					http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
					return
				}
			}
		},
		"POST /clear": func(w http.ResponseWriter, r *http.Request) {
			cookie.Local(r.Context()).Clear()
			cookie.Shared(r.Context()).Clear()
		},
	}
	maps.Copy(all, routes)
	mux := http.NewServeMux()
	for pattern, h := range all {
		mux.HandleFunc(pattern, h)
	}
	st.server = sessiontest.NewServer(t, middleware.Chain(mux,
		middleware.RequireOrigin(),
		http.NewCrossOriginProtection().Handler,
		middleware.Cookies(st.keys, &middleware.CookieOptions{Shared: st.team, ShareWith: "hardy.test"}),
		st.sessions))
	return st
}

func ringFor(t *testing.T, source cookie.Source, app string) *cookie.Keys {
	t.Helper()
	keys, err := cookie.NewKeys(t.Context(), source, app)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// as is a client of its own that sends one session cookie, whatever the server says: who has stolen or kept it.
func (st *site) as(cookie string) *http.Client {
	b := st.browser()
	b.Jar = frozenJar(cookie)
	return b
}

// frozenJar is the text of a Cookie field that never changes.
type frozenJar string

func (frozenJar) SetCookies(*url.URL, []*http.Cookie) {}
func (j frozenJar) Cookies(*url.URL) []*http.Cookie {
	return []*http.Cookie{{Name: standCookie, Value: string(j)}}
}

// cookieLine sends a Cookie field as it stands.
func (st *site) cookieLine(method, path, line string) reply {
	st.t.Helper()
	b := st.browser()
	b.Jar = nil
	return st.send(b, method, path, "Cookie", line)
}

// signIn is a browser signed in by the site's own form, with some rings.
func (st *site) signIn(user string, rings int) *http.Client {
	st.t.Helper()
	b := st.browser()
	st.post(b, "/login", url.Values{"user": {user}})
	for range rings {
		st.send(b, "POST", "/ring")
	}
	if v, _ := st.look(b); v.User != user || v.Rings != rings {
		st.t.Fatalf("signed in as %q with %d rings, want %q and %d", v.User, v.Rings, user, rings)
	}
	return b
}

// records are all that the store holds, as one who has stolen it sees them.
func (st *site) records() []session.Record {
	st.t.Helper()
	page, next, err := st.db.Scan(st.t.Context(), "", 100_000)
	for next != "" && err == nil {
		var more []session.Record
		more, next, err = st.db.Scan(st.t.Context(), next, 100_000)
		page = append(page, more...)
	}
	if err != nil {
		st.t.Fatal(err)
	}
	return page
}

func (st *site) live() (n int) {
	for _, r := range st.records() {
		if r.Ended == "" && r.Expires.After(time.Now()) {
			n++
		}
	}
	return n
}

func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// A1: reference tokens from the system's generator, 256 bits: of fixed length, without repeats, every bit as often set
// as not. A million by the format itself, and some as they come over HTTP.
func TestA1Tokens(t *testing.T) {
	const n = 1_000_000
	seen := make([]uint64, n)
	var histogram [32][256]int
	for i := range n {
		secret := session.Sealed.NewSecret()
		if len(secret) != 32 {
			t.Fatalf("a token of %d bytes", len(secret))
		}
		for j := range 8 {
			seen[i] = seen[i]<<8 | uint64(secret[j])
		}
		for j := range 32 {
			histogram[j][secret[j]]++
		}
	}
	slices.Sort(seen)
	if n != len(slices.Compact(seen)) {
		t.Error("two tokens share their first 64 bits")
	}
	for j := range histogram {
		for bit := range 8 {
			ones := 0
			for value, times := range histogram[j] {
				if value>>bit&1 == 1 {
					ones += times
				}
			}
			// Seven standard deviations: 500 each.
			if ones < n/2-3500 || ones > n/2+3500 {
				t.Errorf("bit %d of byte %d is set in %d of %d", bit, j, ones, n)
			}
		}
	}

	st := newSite(t, nil, nil, nil, nil)
	sealer := st.keys.Sealer("session", standCookie)
	tokens := map[string]bool{}
	ones := 0
	for range 200 {
		b := st.browser()
		st.send(b, "POST", "/ring")
		opened, outcome := sealer.Open(st.token(b.Jar))
		if outcome != cookie.OK || len(opened.Plain) != 32 {
			t.Fatalf("the cookie holds %v, %d bytes", outcome, len(opened.Plain))
		}
		tokens[string(opened.Plain)] = true
		for _, c := range opened.Plain {
			ones += bits.OnesCount8(c)
		}
	}
	if len(tokens) != 200 {
		t.Errorf("%d tokens for 200 visitors", len(tokens))
	}
	if half := 200 * 128; ones < half-800 || ones > half+800 {
		t.Errorf("%d bits of %d are set", ones, 2*half)
	}
}

// A2: the cookie is of one length whatever the session holds, and nothing of the session can be read from it or from the
// store.
func TestA2CookieSaysNothing(t *testing.T) {
	const secret = "the-visitors-own-secret"
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"POST /secret": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			siteSecret.Set(s, secret)
			session.NewKey[[]byte]("ballast").Set(s, make([]byte, 50_000))
		},
	})
	anon := st.browser()
	st.send(anon, "POST", "/ring")
	full := st.signIn("ann@example.com", 3)
	st.send(full, "POST", "/secret")
	st.send(full, "POST", "/renew")
	again := st.signIn("ann@example.com", 3)

	small, large, other := st.token(anon.Jar), st.token(full.Jar), st.token(again.Jar)
	if len(small) != len(large) || len(large) != len(other) {
		t.Errorf("cookies of %d, %d and %d bytes: the length tells what is in the session", len(small), len(large), len(other))
	}
	for _, text := range []string{small, large, other} {
		layer := text[strings.LastIndexByte(text, '.')+1:]
		all := text
		for range 2 { // securecookie's two layers
			b, _ := base64.URLEncoding.DecodeString(layer)
			all += string(b)
			if _, rest, ok := bytes.Cut(b, []byte("|")); ok {
				layer = string(rest[:max(0, bytes.LastIndexByte(rest, '|'))])
			}
		}
		for _, told := range []string{"ann", "example", secret, "rings", "bell", "user"} {
			if strings.Contains(all, told) {
				t.Errorf("the cookie says %q", told)
			}
		}
	}
	prefix := 0
	for prefix < len(large) && large[prefix] == other[prefix] {
		prefix++
	}
	if prefix > 40 { // version, key id, and the second in which both were made
		t.Errorf("two sessions of one user share the first %d characters", prefix)
	}
	for _, r := range st.records() {
		all := r.ID + r.Handle + string(r.Data) + string(r.Meta)
		for _, told := range []string{secret, "secret", "n_rings"} {
			if strings.Contains(all, told) {
				t.Errorf("the store shows %q", told)
			}
		}
	}
}

// A3: a session id is never taken from a client: an invented one is worth nothing, before or after somebody signs in with it.
func TestA3InventedTokens(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	stranger := cookie.DevKeys("bell").Sealer("session", standCookie)
	foreign, _ := stranger.Seal(bytes.Repeat([]byte{7}, 32))
	// Even under the site's own key: who knows it can make a token up, but no session.
	genuine, _ := st.keys.Sealer("session", standCookie).Seal(bytes.Repeat([]byte{7}, 32))
	for name, invented := range map[string]string{
		"32 bytes":            base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		"a word":              "admin",
		"another ring's":      foreign,
		"no record behind it": genuine,
		"a record's own id":   "",
	} {
		if name == "a record's own id" {
			st.signIn("eve", 1)
			invented = st.records()[0].ID
		}
		before := st.live()
		if v, status := st.look(st.as(invented)); v.User != "" || v.Rings != 0 || status != 200 && status != 401 {
			t.Errorf("%s: %d %+v", name, status, v)
		}
		if n := st.live(); n != before {
			t.Errorf("%s: a look made %d records", name, n-before)
		}
		// The victim's browser has been given the invented one, and the victim signs in.
		victim := st.browser()
		victim.Jar = st.jarWith(invented)
		if resp, err := st.server.Open(victim, "/"); err == nil {
			resp.Body.Close()
		}
		st.post(victim, "/login", url.Values{"user": {"ann"}})
		if v, _ := st.look(victim); v.User != "ann" {
			t.Fatalf("%s: could not sign in: %+v", name, v)
		}
		if st.token(victim.Jar) == invented {
			t.Errorf("%s: it is the cookie after the sign-in", name)
		}
		if v, _ := st.look(st.as(invented)); v.User != "" || v.Rings != 0 {
			t.Errorf("%s: after the sign-in it opens %+v", name, v)
		}
	}

	// Nor from any other place than the cookie.
	ann := st.signIn("ann", 2)
	text := st.token(ann.Jar)
	for name, r := range map[string]func(*http.Request){
		"query":         func(r *http.Request) { r.URL.RawQuery = standCookie + "=" + text },
		"path":          func(r *http.Request) { r.URL.Path += ";" + standCookie + "=" + text },
		"header":        func(r *http.Request) { r.Header.Set("X-Session", text) },
		"authorization": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) },
		"unprefixed":    func(r *http.Request) { r.Header.Set("Cookie", "bell-session="+text) },
		"other case":    func(r *http.Request) { r.Header.Set("Cookie", "__host-bell-session="+text) },
	} {
		req, _ := http.NewRequest("GET", st.server.URL+"/look", nil)
		r(req)
		var v view
		got := st.do(&http.Client{Transport: st.browser().Transport}, req)
		if json.Unmarshal(got.body, &v); v.User != "" || v.Rings != 0 {
			t.Errorf("a token in the %s was taken: %+v", name, v)
		}
	}
}

// A4: a new token at every sign-in and re-authentication, and where rights change. The old one reads and writes nothing of
// what is the new one's, and after the grace it is a 401 where no page is opened.
func TestA4TokenAfterLogin(t *testing.T) {
	for _, row := range []struct {
		name  string
		first string // signed in before; "": anonymous with two rings
		path  string
		reads int // rings that the old token reads in the grace
	}{
		{"sign-in", "", "/login", 0},
		{"re-authentication", "ann", "/login", 0},
		{"another user", "bob", "/login", 0},
		{"sign-in to stay", "", "/stay", 0},
		{"change of rights", "ann", "/renew", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := newSite(t, nil, nil, nil, nil)
				other := newSite(t, st, nil, nil, nil) // another process, which has opened the cookie before
				b := st.browser()
				if row.first != "" {
					st.post(b, "/login", url.Values{"user": {row.first}})
				}
				st.send(b, "POST", "/ring")
				st.send(b, "POST", "/ring")
				old := st.token(b.Jar)
				if v, _ := other.look(other.as(old)); v.Rings != 2 {
					t.Fatalf("before: %+v", v)
				}
				if got := st.post(b, row.path, url.Values{"user": {"ann"}}); len(got.setCookies()) != 1 {
					t.Fatalf("%d Set-Cookie", len(got.setCookies()))
				}
				now := st.token(b.Jar)
				if now == old || now == "" {
					t.Fatal("no new token")
				}
				keeps := 2
				if row.first == "bob" {
					keeps = 0
				}
				if v, _ := st.look(b); v.User != "ann" || v.Rings != keeps {
					t.Errorf("the new token opens %+v, want ann and %d rings", v, keeps)
				}
				for _, st := range []*site{st, other} {
					thief := st.as(old)
					v, status := st.look(thief)
					user := ""
					if row.path == "/renew" {
						user = "ann"
					}
					if status != 200 || v.User != user || v.Rings != row.reads || v.Err == "" {
						t.Errorf("in the grace the old token opens %d %+v", status, v)
					}
					if got := st.send(thief, "POST", "/ring"); got.StatusCode != http.StatusConflict || len(got.setCookies()) > 0 {
						t.Errorf("in the grace it writes: %d", got.StatusCode)
					}
				}
				time.Sleep(session.Grace)
				for _, st := range []*site{st, other} {
					thief := st.as(old)
					for _, request := range [][2]string{{"GET", "/look"}, {"POST", "/ring"}, {"POST", "/renew"}} {
						got := st.send(thief, request[0], request[1], "Sec-Fetch-Mode", "cors")
						if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="expired", reason="rotated"` {
							t.Errorf("after the grace: %s %s %d", request[0], request[1], got.StatusCode)
						}
					}
				}
				if v, _ := st.look(b); v.User != "ann" || v.Rings != keeps {
					t.Errorf("in the end the new token opens %+v", v)
				}
			})
		})
	}
}

// A5: idle timeout by the server's clock; what the cookie says of its end plays no part.
func TestA5IdleIsTheServers(t *testing.T) {
	for _, path := range []string{"/login", "/stay"} {
		bubble(t, func(t *testing.T) {
			st := newSite(t, nil, nil, nil, nil)
			other := newSite(t, st, nil, nil, nil)
			b := st.browser()
			st.post(b, path, url.Values{"user": {"ann"}})
			replay := st.token(b.Jar)
			idle := 30 * time.Minute
			if path == "/stay" {
				idle = 14 * 24 * time.Hour
			}
			time.Sleep(idle - time.Second)
			if v, status := other.look(other.as(replay)); status != 200 || v.User != "ann" {
				t.Errorf("%s: before the timeout: %d %+v", path, status, v)
			}
			time.Sleep(idle + idle/30 + time.Second)
			for _, st := range []*site{st, other} {
				if _, status := st.look(st.as(replay)); status != 401 {
					t.Errorf("%s: a replay after the timeout: %d", path, status)
				}
				if got := st.send(st.as(replay), "POST", "/ring"); got.StatusCode != 401 {
					t.Errorf("%s: a write after the timeout: %d", path, got.StatusCode)
				}
			}
		})
	}
}

// A5, the price: a session is renewed once in a thirtieth of its timeout, by however many processes it is seen, and
// however many requests come at once.
func TestA5RenewedOnceInAThirtieth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		other := newSite(t, st, nil, nil, nil)
		ann := st.signIn("ann", 1)
		cookie := st.token(ann.Jar)
		// Those that come at once have all read the record before the first of them has renewed it.
		st.faults.Add(sessiontest.Fault{Op: "touch", Delay: 50 * time.Millisecond})
		touches := func() int { return st.faults.Calls("touch") + other.faults.Calls("touch") }
		other.look(other.as(cookie))
		for minute := 1; minute <= 10; minute++ {
			time.Sleep(time.Minute + time.Second)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { st.look(st.as(cookie)) })
			}
			all.Wait()
			for range 5 { // the record says when it was renewed, to whom it does not remember
				time.Sleep(time.Second)
				other.look(other.as(cookie))
			}
			if n := touches(); n != minute {
				t.Fatalf("%d writes after %d minutes", n, minute)
			}
		}
	})
}

// A6: an absolute lifetime that neither activity nor Renew extends; signing in again begins it anew.
func TestA6Lifetime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		b := st.signIn("ann", 1)
		for at := time.Duration(0); at < 24*time.Hour-time.Minute; at += time.Minute {
			path := "/look"
			if at%(25*time.Minute) == 0 {
				path = "/renew"
			}
			if got := st.send(b, "POST", path); got.StatusCode != 200 {
				t.Fatalf("%v after the sign-in: %d", at, got.StatusCode)
			}
			time.Sleep(time.Minute)
		}
		again := st.browser()
		again.Jar = st.jarWith(st.token(b.Jar))
		time.Sleep(time.Minute + time.Second)
		got := st.send(b, "POST", "/look")
		if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="expired", reason="lifetime"` {
			t.Errorf("after a day of activity: %d %s", got.StatusCode, got.Header.Get("WWW-Authenticate"))
		}
	})
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		b := st.signIn("ann", 1)
		for range 47 {
			time.Sleep(30 * time.Minute)
			st.send(b, "GET", "/look")
		}
		st.post(b, "/login", url.Values{"user": {"ann"}}) // re-authentication resets both
		for range 47 {
			time.Sleep(30 * time.Minute)
			if v, status := st.look(b); status != 200 || v.User != "ann" || v.Rings != 1 {
				t.Fatalf("after a second sign-in: %d %+v", status, v)
			}
		}
		time.Sleep(30*time.Minute + time.Second)
		if _, status := st.look(b); status != 401 {
			t.Errorf("24 hours after the second sign-in: %d", status)
		}
	})
}

// A9: sign-out and expiry end the session in the store: a replay is a 401 on every process, and neither reads nor writes.
func TestA9Replay(t *testing.T) {
	for name, end := range map[string]func(st *site, b *http.Client){
		"logout": func(st *site, b *http.Client) { st.send(b, "POST", "/logout") },
		"reset":  func(st *site, b *http.Client) { st.send(b, "POST", "/reset") },
		"idle":   func(*site, *http.Client) { time.Sleep(31*time.Minute + time.Second) },
		"revoke": func(st *site, _ *http.Client) {
			if n, err := st.manager.RevokeUser(st.t.Context(), "ann"); n != 1 || err != nil {
				st.t.Fatalf("revoked %d, %v", n, err)
			}
		},
		"lifetime": func(st *site, b *http.Client) {
			for range 24 * 3 {
				time.Sleep(20 * time.Minute)
				st.send(b, "GET", "/look")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := newSite(t, nil, nil, nil, nil)
				aware := &middleware.Options{Aware: []string{"/aware"}}
				other := newSite(t, st, nil, aware, nil)
				b := st.signIn("ann", 3)
				stolen := st.token(b.Jar)
				if v, _ := other.look(other.as(stolen)); v.User != "ann" {
					t.Fatalf("before: %+v", v)
				}
				end(st, b)
				for _, st := range []*site{st, other} {
					thief := st.as(stolen)
					for _, request := range [][2]string{{"GET", "/look"}, {"POST", "/ring"}, {"PUT", "/look"}, {"POST", "/renew"}, {"POST", "/logout"}} {
						if got := st.send(thief, request[0], request[1]); got.StatusCode != 401 || len(got.setCookies()) > 0 {
							t.Errorf("replay: %s %s: %d", request[0], request[1], got.StatusCode)
						}
					}
					// Where a page is opened it starts over, blank.
					resp, err := st.server.Open(thief, "/look")
					if err != nil {
						t.Fatal(err)
					}
					var v view
					json.NewDecoder(resp.Body).Decode(&v)
					resp.Body.Close()
					if v.User != "" || v.Rings != 0 || v.Ended == "" {
						t.Errorf("a page that is opened sees %+v", v)
					}
				}
				got := other.send(other.as(stolen), "POST", "/aware")
				var v view
				if json.Unmarshal(got.body, &v); v.User != "" || v.Rings != 0 || v.Err == "" {
					t.Errorf("an Aware route sees %+v", v)
				}
				if n := st.live(); n != 0 {
					t.Errorf("%d live records are left", n)
				}
			})
		})
	}
}

// A9: a session that ends while a request asks for it, between its Load and its Touch, is not served.
func TestA9EndsBetweenLoadAndTouch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		ann := st.signIn("ann", 3)
		time.Sleep(2 * time.Minute)
		st.faults.Add(sessiontest.Fault{Op: "touch", Nth: 1, Before: func(sessiontest.Call) {
			if n, err := st.manager.RevokeUser(context.Background(), "ann"); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
		}})
		if got := st.send(ann, "GET", "/look"); got.StatusCode != 401 || strings.Contains(string(got.body), "ann") {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	})
}

// A9: all sessions of a user end that are there when RevokeUser returns, one that begins meanwhile too.
func TestA9RevokeUserMeetsASignIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		st.signIn("ann", 1)
		var late *http.Client
		st.faults.Add(sessiontest.Fault{Op: "end", Nth: 1, Before: func(sessiontest.Call) { late = st.signIn("ann", 1) }})
		if n, err := st.manager.RevokeUser(t.Context(), "ann"); n != 2 || err != nil {
			t.Errorf("revoked %d, %v", n, err)
		}
		if _, status := st.look(late); status != 401 {
			t.Errorf("the one that began meanwhile: %d", status)
		}
	})
}

// A14: what is stateless (jars) is authenticated before it is read, by a key set beforehand and one algorithm, for one use, one
// app and one span of time.
func TestA14Jars(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, nil)
		b := st.signIn("ann", 1)
		st.post(b, "/jars", url.Values{"name": {"Bob"}, "days": {"3"}})
		site, _ := url.Parse(st.server.URL)
		held := map[string]string{}
		for _, c := range b.Jar.Cookies(site) {
			held[c.Name] = c.Value
		}
		const local, shared = "__Host-bell-local", "__Secure-team-shared"
		if len(held) != 3 || held[local] == "" || held[shared] == "" || held[standCookie] == "" {
			t.Fatalf("the browser holds %v", slices.Sorted(maps.Keys(held)))
		}
		if got := st.cookieLine("GET", "/jars", local+"="+held[local]+"; "+shared+"="+held[shared]); string(got.body) != "Bob,Bob" {
			t.Fatalf("both jars: %s", got.body)
		}

		// Another app, and another process of the same name with other keys, seal their own.
		elsewhere := newSite(t, nil, nil, nil, nil)
		there := elsewhere.browser()
		elsewhere.post(there, "/jars", url.Values{"name": {"Eve"}})
		sameKeys, err := cookie.NewLocal(ringFor(t, st.ring, "hammer"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("GET", "/", nil)
		jar := sameKeys.Jar(r)
		header := http.Header{}
		if err := errors.Join(siteName.Set(jar, "Eve"), jar.Commit(header)); err != nil {
			t.Fatal(err)
		}
		crossApp, _, _ := strings.Cut(strings.TrimPrefix(header.Get("Set-Cookie"), "__Host-hammer-local="), ";")

		body := held[local][strings.LastIndexByte(held[local], '.')+1:]
		for name, line := range map[string]string{
			"local as shared":    shared + "=" + held[local],
			"shared as local":    local + "=" + held[shared],
			"session as local":   local + "=" + held[standCookie],
			"another ring":       local + "=" + jarText(elsewhere, there, local),
			"another app's":      local + "=" + crossApp,
			"no version":         local + "=" + strings.TrimPrefix(held[local], "v1."),
			"version 0":          local + "=v0." + strings.TrimPrefix(held[local], "v1."),
			"algorithm none":     local + "=v1.none." + body,
			"no MAC":             local + "=" + held[local][:len(held[local])-44],
			"unsealed":           local + "=" + base64.RawURLEncoding.EncodeToString([]byte("name=Eve")),
			"another key's name": local + "=v1.AAAAAAAA." + body,
		} {
			if got := st.cookieLine("GET", "/jars", line); string(got.body) != "," || got.StatusCode != 200 {
				t.Errorf("%s opens: %s", name, got.body)
			}
		}
		for _, text := range []string{held[local], held[shared]} {
			if v, _ := st.look(st.as(text)); v.User != "" || v.Rings != 0 {
				t.Errorf("a jar opens a session: %+v", v)
			}
		}
		time.Sleep(3*24*time.Hour + time.Second)
		if got := st.cookieLine("GET", "/jars", local+"="+held[local]+"; "+shared+"="+held[shared]); string(got.body) != "," {
			t.Errorf("a replay after its end opens: %s", got.body)
		}
	})
}

// jarText is the value of the cookie in a browser.
func jarText(st *site, b *http.Client, name string) string {
	site, _ := url.Parse(st.server.URL)
	for _, c := range b.Jar.Cookies(site) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// tour asks for everything that may send a cookie, and returns the answers.
func tour(st *site) (all []reply) {
	st.t.Helper()
	b := st.browser()
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/ring", nil},
		{"/login", url.Values{"user": {"ann"}}},
		{"/jars", url.Values{"name": {"Bob"}}},
		{"/jars", url.Values{"name": {"Bob"}, "days": {"400"}}},
		{"/renew", nil},
		{"/stay", url.Values{"user": {"ann"}}},
		{"/look", nil},
		{"/clear", nil},
		{"/reset", nil},
		{"/login", url.Values{"user": {"bob"}}},
		{"/logout", nil},
	} {
		got := st.post(b, step.path, step.form)
		if got.StatusCode != 200 {
			st.t.Fatalf("%s: %d %s", step.path, got.StatusCode, got.body)
		}
		all = append(all, got)
	}
	// The dead cookie, as a page meets it.
	ann := st.signIn("ann", 1)
	st.manager.RevokeUser(st.t.Context(), "ann")
	all = append(all, st.send(ann, "GET", "/look", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"))
	all = append(all, st.send(st.signIn("ann", 0), "GET", "/look", "Host", "evil.example"))
	return all
}

// sent are all Set-Cookie lines of a tour.
func sent(t *testing.T, all []reply) (lines []string) {
	for _, got := range all {
		lines = append(lines, got.Header["Set-Cookie"]...)
	}
	if len(lines) < 14 {
		t.Fatalf("only %d Set-Cookie lines on the tour", len(lines))
	}
	return lines
}

// parseSetCookie parses a Set-Cookie line as RFC 6265bis does, without net/http's help.
func parseSetCookie(line string) (name, value string, attrs map[string]string) {
	pair, rest, _ := strings.Cut(line, ";")
	name, value, _ = strings.Cut(pair, "=")
	attrs = map[string]string{}
	for part := range strings.SplitSeq(rest, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := attrs[k]; twice {
			attrs["twice"] = k
		}
		attrs[k] = v
	}
	return name, value, attrs
}

// C1: Secure and __Host- on every cookie, but the one that is shared on purpose; combinations that a browser would
// drop are refused at construction.
func TestC1Cookies(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	for _, line := range sent(t, tour(st)) {
		name, _, a := parseSetCookie(line)
		_, secure := a["Secure"]
		domain, hasDomain := a["Domain"]
		switch {
		case !secure || a["Path"] != "/" || a["twice"] != "":
			t.Errorf("%s: %v", name, a)
		case name == "__Secure-team-shared":
			if domain != "hardy.test" {
				t.Errorf("%s: Domain %q", name, domain)
			}
		case !strings.HasPrefix(name, "__Host-") || hasDomain:
			t.Errorf("%s: Domain %q", name, domain)
		}
	}

	keys := st.keys
	for name, o := range map[string]*middleware.Options{
		"SameSite=None":   {SameSite: http.SameSiteNoneMode},
		"SameSite=7":      {SameSite: 7},
		"a name with ;":   {Name: "a;b"},
		"a name with =":   {Name: "a=b"},
		"a name with CR":  {Name: "a\r\nX: y"},
		"TLS without":     {TLS: func(*http.Request) bool { return true }},
		"__Host- on HTTP": {InsecureHTTP: true, Name: "__Host-x"},
		"an endless name": {Name: strings.Repeat("x", 300)},
	} {
		if panics(func() { middleware.Sessions(st.manager, keys, o) }) == nil {
			t.Errorf("%s: served", name)
		}
	}
	for name, o := range map[string]*middleware.CookieOptions{
		"shared without a domain":   {Shared: st.team},
		"a domain without keys":     {ShareWith: "example.com"},
		"the app's own keys":        {Shared: ringFor(t, st.ring, "team"), ShareWith: "example.com"},
		"a domain of one label":     {Shared: st.team, ShareWith: "com"},
		"an address":                {Shared: st.team, ShareWith: "192.0.2.1"},
		"a domain with attributes":  {Shared: st.team, ShareWith: "example.com; Path=/x"},
		"a leading dot":             {Shared: st.team, ShareWith: ".example.com"},
		"prefix over plain HTTP":    {Shared: st.team, ShareWith: "EXAMPLE.com"},
		"SameSite=None, not Secure": {Cookie: cookie.Options{InsecureHTTP: true, SameSite: http.SameSiteNoneMode}},
	} {
		if panics(func() { middleware.Cookies(keys, o) }) == nil {
			t.Errorf("%s: served", name)
		}
	}
}

func panics(f func()) (what any) {
	defer func() { what = recover() }()
	f()
	return nil
}

// C2: HttpOnly on every cookie, and the token nowhere but in Set-Cookie: not in a body, an address, or another field.
func TestC2TokenOnlyInSetCookie(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	all := tour(st)
	var texts []string
	sealer := st.keys.Sealer("session", standCookie)
	for _, line := range sent(t, all) {
		name, value, a := parseSetCookie(line)
		if _, ok := a["HttpOnly"]; !ok {
			t.Errorf("%s without HttpOnly", name)
		}
		if value != "" {
			texts = append(texts, value)
		}
		if o, outcome := sealer.Open(value); outcome == cookie.OK {
			texts = append(texts, forms(string(o.Plain))...)
		}
	}
	for _, got := range all {
		rest := got.Header.Clone()
		rest.Del("Set-Cookie")
		everything := fmt.Sprint(got.Request.URL, got.Status, rest, string(got.body))
		for _, text := range texts {
			if strings.Contains(everything, text) {
				t.Errorf("%s %s shows a token outside of Set-Cookie", got.Request.Method, got.Request.URL)
			}
		}
	}
}

// forms are the ways in which bytes may be written.
func forms(secret string) []string {
	b := []byte(secret)
	return []string{
		secret,
		fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), strings.Trim(fmt.Sprint(b), "[]"), strings.Trim(fmt.Sprintf("%q", secret), `"`),
		base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
	}
}

// C3: SameSite is said on every Set-Cookie, deletions included.
func TestC3SameSite(t *testing.T) {
	for _, row := range []struct {
		o    *middleware.Options
		want string
	}{{nil, "Lax"}, {&middleware.Options{SameSite: http.SameSiteStrictMode}, "Strict"}} {
		st := newSite(t, nil, nil, row.o, nil)
		deletions := map[string]bool{}
		for _, line := range sent(t, tour(st)) {
			name, value, a := parseSetCookie(line)
			want := "Lax"
			if name == standCookie {
				want = row.want
			}
			if a["SameSite"] != want {
				t.Errorf("%s: SameSite %q, want %s", name, a["SameSite"], want)
			}
			if value == "" {
				deletions[name] = true
			}
		}
		if len(deletions) != 3 {
			t.Errorf("the tour deletes only %v", deletions)
		}
	}
}

// C4: name and value of a cookie have 4,096 bytes together; one more and Set says so, and nothing is sent.
func TestC4Size(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	try := func(b *http.Client, n int) (size int) {
		got := st.post(b, "/jars", url.Values{"name": {strings.Repeat("x", n)}})
		for _, line := range got.Header["Set-Cookie"] {
			name, value, _ := parseSetCookie(line)
			size = max(size, len(name)+len(value))
		}
		if (got.StatusCode == 200) != (size > 0) {
			t.Fatalf("%d bytes: %d, but a cookie of %d", n, got.StatusCode, size)
		}
		return size
	}
	fits, tooLong := 1, 4096
	for tooLong-fits > 1 {
		if mid := (fits + tooLong) / 2; try(st.browser(), mid) > 0 {
			fits = mid
		} else {
			tooLong = mid
		}
	}
	b := st.browser()
	// Two layers of base64 make steps of up to eight bytes.
	if size := try(b, fits); size > 4096 || size <= 4096-8 {
		t.Errorf("the largest value makes a cookie of %d bytes", size)
	}
	if size := try(b, tooLong); size != 0 {
		t.Errorf("one more makes a cookie of %d bytes", size)
	}
	if got := st.send(b, "GET", "/jars"); len(got.body) != 2*fits+1 {
		t.Errorf("after a refused value the jars hold %d bytes, want %d as before", len(got.body), 2*fits+1)
	}
}

// C5: no Max-Age above 400 days; the session's cookie ends with the browser, and a remembered one no later than its
// session.
func TestC5MaxAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
			"POST /forever": func(w http.ResponseWriter, r *http.Request) {
				d, _ := time.ParseDuration(r.FormValue("d"))
				s := session.From(r.Context())
				if err := cmp.Or(s.Login("ann"), s.Remember(d)); err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
				}
			},
		})
		for _, line := range sent(t, tour(st)) {
			name, value, a := parseSetCookie(line)
			n, err := strconv.Atoi(cmp.Or(a["Max-Age"], "0"))
			if _, dated := a["Expires"]; err != nil || n > 34_560_000 || dated {
				t.Errorf("%s: %v", name, a)
			}
			if _, lasts := a["Max-Age"]; name == standCookie && value != "" && lasts && n > 14*24*3600 {
				t.Errorf("a session's cookie lasts for %d seconds", n)
			}
		}
		if got := st.post(st.browser(), "/login", url.Values{"user": {"ann"}}); strings.Contains(got.setCookies()[0], "Max-Age") {
			t.Error("a plain session's cookie has a Max-Age")
		}
		if got := st.post(st.browser(), "/forever", url.Values{"d": {"9601h"}}); got.StatusCode != 400 || strings.Contains(got.setCookies()[0], "Max-Age") {
			t.Errorf("Remember for more than 400 days: %d %v", got.StatusCode, got.setCookies())
		}
		b := st.browser()
		if got := st.post(b, "/forever", url.Values{"d": {"9600h"}}); !strings.Contains(got.setCookies()[0], "Max-Age=34560000;") {
			t.Errorf("Remember for 400 days: %v", got.setCookies())
		}
		// A later token of the same session lasts no longer than what is left.
		time.Sleep(100 * 24 * time.Hour)
		if got := st.send(b, "POST", "/renew"); len(got.setCookies()) != 1 || !strings.Contains(got.setCookies()[0], "Max-Age=25920000;") {
			t.Errorf("a new token after 100 days: %v", got.setCookies())
		}
		if got := st.post(b, "/jars", url.Values{"name": {"x"}, "days": {"401"}}); got.StatusCode == 200 || len(got.Header["Set-Cookie"]) > 0 {
			t.Errorf("a jar for 401 days: %d", got.StatusCode)
		}
	})
}

// C6: at most three cookies, whole: none is cut into pieces.
func TestC6Count(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	names := map[string]bool{}
	for _, got := range tour(st) {
		inOne := map[string]bool{}
		for _, line := range got.Header["Set-Cookie"] {
			name, _, _ := parseSetCookie(line)
			if inOne[name] {
				t.Errorf("%s: two Set-Cookie of %s", got.Request.URL, name)
			}
			names[name], inOne[name] = true, true
		}
	}
	want := []string{"__Host-bell-local", standCookie, "__Secure-team-shared"}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("cookies %v, want %v", got, want)
	}
}

// C7: of two cookies of one name nobody knows which is meant: neither is taken, an event tells of it, and nothing is
// ended or cleared.
func TestC7Duplicates(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	var mu sync.Mutex
	events := map[string]int{}
	st.keys.Trace = &cookie.Trace{Duplicate: func(name string, n int) {
		mu.Lock()
		defer mu.Unlock()
		events[name] = n
	}}
	ann, eve := st.signIn("ann", 1), st.signIn("eve", 1)
	mine, planted := standCookie+"="+st.token(ann.Jar), standCookie+"="+st.token(eve.Jar)
	for _, line := range []string{
		mine + "; " + planted, planted + "; " + mine, mine + "; " + mine, mine + ";" + standCookie + "=",
		standCookie + "; " + mine, mine + "; x=y; " + planted,
	} {
		clear(events)
		got := st.cookieLine("GET", "/look", line)
		var v view
		if json.Unmarshal(got.body, &v); got.StatusCode != 200 || v != (view{}) || len(got.setCookies()) > 0 {
			t.Errorf("%d %+v, %d Set-Cookie", got.StatusCode, v, len(got.setCookies()))
		}
		if events[standCookie] != 2 {
			t.Errorf("events %v", events)
		}
	}
	// Two Cookie lines are the same as one.
	r, _ := http.NewRequest("GET", st.server.URL+"/look", nil)
	r.Header["Cookie"] = []string{mine, planted}
	var v view
	b := st.browser()
	b.Jar = nil
	if json.Unmarshal(st.do(b, r).body, &v); v != (view{}) {
		t.Errorf("two lines: %+v", v)
	}
	for b, user := range map[*http.Client]string{ann: "ann", eve: "eve"} {
		if v, _ := st.look(b); v.User != user {
			t.Errorf("afterwards %s is %+v", user, v)
		}
	}
}

// C8: a cookie is deleted with the attributes that it was set with, so that a browser deletes it.
func TestC8Deletion(t *testing.T) {
	st := newSite(t, nil, nil, nil, nil)
	set, deleted := map[string]map[string]string{}, map[string]map[string]string{}
	for _, line := range sent(t, tour(st)) {
		name, value, a := parseSetCookie(line)
		age := a["Max-Age"]
		delete(a, "Max-Age")
		if value != "" {
			set[name] = a
			continue
		}
		if age != "0" {
			t.Errorf("%s is deleted with Max-Age %q", name, age)
		}
		deleted[name] = a
	}
	if len(deleted) != 3 || !reflect.DeepEqual(set, deleted) {
		t.Errorf("set with %v\ndeleted with %v", set, deleted)
	}
	b := st.signIn("ann", 1)
	st.post(b, "/jars", url.Values{"name": {"Bob"}})
	st.send(b, "POST", "/clear")
	st.send(b, "POST", "/logout")
	site, _ := url.Parse(st.server.URL)
	if left := b.Jar.Cookies(site); len(left) > 0 {
		t.Errorf("after logout and clear the browser holds %d cookies", len(left))
	}
}

// C9: no cookie is Partitioned, and there is no option that would make it so.
func TestC9NotPartitioned(t *testing.T) {
	for _, options := range []any{middleware.Options{}, middleware.CookieOptions{}, cookie.Options{}} {
		for f := range reflect.TypeOf(options).Fields() {
			if strings.Contains(strings.ToLower(f.Name), "partition") {
				t.Errorf("%T.%s", options, f.Name)
			}
		}
	}
	for _, line := range sent(t, tour(newSite(t, nil, nil, nil, nil))) {
		if strings.Contains(strings.ToLower(line), "partitioned") {
			t.Error(line)
		}
	}
}

// H1: an answer whose handler looked at the session or a jar in any way is private, no-store and Vary: Cookie. Every
// public call is in the table: one that is added must be, too.
func TestH1EveryAccess(t *testing.T) {
	ctx := t.Context()
	standLog := session.NewLog[int]("talk", nil)
	anySession := map[string]func(s *session.Session, m *session.Manager){
		"User": func(s *session.Session, _ *session.Manager) { s.User() }, "Authenticated": func(s *session.Session, _ *session.Manager) { s.Authenticated() },
		"AuthTime": func(s *session.Session, _ *session.Manager) { s.AuthTime() }, "Handle": func(s *session.Session, _ *session.Manager) { s.Handle() },
		"Created": func(s *session.Session, _ *session.Manager) { s.Created() }, "Seen": func(s *session.Session, _ *session.Manager) { s.Seen() },
		"Expires": func(s *session.Session, _ *session.Manager) { s.Expires() }, "Deadline": func(s *session.Session, _ *session.Manager) { s.Deadline() },
		"Meta": func(s *session.Session, _ *session.Manager) { s.Meta() }, "Keys": func(s *session.Session, _ *session.Manager) { s.Keys() },
		"Err": func(s *session.Session, _ *session.Manager) { s.Err() }, "Ended": func(s *session.Session, _ *session.Manager) { s.Ended() },
		"Token": func(s *session.Session, _ *session.Manager) { s.Token() }, "Save": func(s *session.Session, _ *session.Manager) { s.Save(ctx) },
		"Reload": func(s *session.Session, _ *session.Manager) { s.Reload(ctx) }, "Clear": func(s *session.Session, _ *session.Manager) { s.Clear() },
		"SetMeta": func(s *session.Session, _ *session.Manager) { s.SetMeta("device", "laptop") }, "Login": func(s *session.Session, _ *session.Manager) { s.Login("ann") },
		"Logout": func(s *session.Session, _ *session.Manager) { s.Logout() }, "Renew": func(s *session.Session, _ *session.Manager) { s.Renew() },
		"Reset": func(s *session.Session, _ *session.Manager) { s.Reset() }, "Remember": func(s *session.Session, _ *session.Manager) { s.Remember(time.Hour) },
		"Key.Get": func(s *session.Session, _ *session.Manager) { standRings.Get(s) }, "Key.GetOr": func(s *session.Session, _ *session.Manager) { standRings.GetOr(s, 1) },
		"Key.Lookup": func(s *session.Session, _ *session.Manager) { standRings.Lookup(s) }, "Key.Set": func(s *session.Session, _ *session.Manager) { standRings.Set(s, 1) },
		"Key.Delete": func(s *session.Session, _ *session.Manager) { standRings.Delete(s) }, "Key.Take": func(s *session.Session, _ *session.Manager) { standRings.Take(s) },
		"Key.Update": func(s *session.Session, _ *session.Manager) {
			standRings.Update(ctx, s, func(n int) int { return n })
		},
		"RevokeOthers": func(s *session.Session, m *session.Manager) { m.RevokeOthers(ctx, s) },
		"Context":      func(s *session.Session, _ *session.Manager) { s.Context() },
		"KeepAlive":    func(s *session.Session, _ *session.Manager) { s.KeepAlive(ctx) },
		"OnEnd":        func(s *session.Session, _ *session.Manager) { s.OnEnd(func(error) {}) },
		"Seal":         func(s *session.Session, _ *session.Manager) { s.Seal(nil) },
		"Locked":       func(s *session.Session, _ *session.Manager) { s.Locked() },
		"Unlock":       func(s *session.Session, _ *session.Manager) { s.Unlock() },
		"Open":         func(s *session.Session, _ *session.Manager) { s.Open(nil) },
		"Log.Append":   func(s *session.Session, _ *session.Manager) { standLog.Append(ctx, s, 1) },
		"Log.All":      func(s *session.Session, _ *session.Manager) { standLog.All(s) },
		"Log.Last":     func(s *session.Session, _ *session.Manager) { standLog.Last(s, 1) },
		"Log.Len":      func(s *session.Session, _ *session.Manager) { standLog.Len(s) },
		"Log.Clear":    func(s *session.Session, _ *session.Manager) { standLog.Clear(ctx, s) },
	}
	listed := func(t *testing.T, of reflect.Type, prefix string, has func(string) bool, exempt ...string) {
		for m := range of.Methods() {
			if !has(prefix+m.Name) && !slices.Contains(exempt, m.Name) {
				t.Errorf("%v.%s is not in the table", of, m.Name)
			}
		}
	}
	in := func(name string) bool { return anySession[name] != nil }
	listed(t, reflect.TypeFor[*session.Session](), "", in, "MaxAge", "Format") // of the carrier, which writes a cookie then; prints "[session]"
	listed(t, reflect.TypeFor[session.Key[int]](), "Key.", in, "Name")
	listed(t, reflect.TypeFor[session.Log[int]](), "Log.", in)

	anyJar := map[string]func(j *cookie.Jar){
		"Keys": func(j *cookie.Jar) { j.Keys() }, "Clear": func(j *cookie.Jar) { j.Clear() }, "SetFor": func(j *cookie.Jar) { j.SetFor(time.Hour, siteName.Value("x")) },
		"Key.Get": func(j *cookie.Jar) { siteName.Get(j) }, "Key.GetOr": func(j *cookie.Jar) { siteName.GetOr(j, "x") }, "Key.Lookup": func(j *cookie.Jar) { siteName.Lookup(j) },
		"Key.Set": func(j *cookie.Jar) { siteName.Set(j, "x") }, "Key.SetFor": func(j *cookie.Jar) { siteName.SetFor(j, time.Hour, "x") },
		"Key.Delete": func(j *cookie.Jar) { siteName.Delete(j) }, "Key.Take": func(j *cookie.Jar) { siteName.Take(j) },
	}
	inJar := func(name string) bool { return anyJar[name] != nil }
	// Those that print it as [redacted], and those of the middleware.
	listed(t, reflect.TypeFor[*cookie.Jar](), "", inJar, "String", "Format", "LogValue", "MarshalText", "Touched", "Changed", "Commit")
	listed(t, reflect.TypeFor[cookie.Key[string]](), "Key.", inJar, "Name", "Value")

	var manager *session.Manager
	st := newSite(t, nil, nil, nil, map[string]http.HandlerFunc{
		"/session/{call}": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", r.Header.Get("X-Own"))
			anySession[r.PathValue("call")](session.From(r.Context()), manager)
			w.Write([]byte("page"))
		},
		"/local/{call}": func(w http.ResponseWriter, r *http.Request) {
			anyJar[r.PathValue("call")](cookie.Local(r.Context()))
			w.Write([]byte("page"))
		},
		"/shared/{call}": func(w http.ResponseWriter, r *http.Request) {
			anyJar[r.PathValue("call")](cookie.Shared(r.Context()))
			w.Write([]byte("page"))
		},
		"/peek": func(w http.ResponseWriter, r *http.Request) { session.Peek(r.Context()) },
	})
	manager = st.manager
	check := func(path, own string, want bool) {
		t.Helper()
		for _, b := range []*http.Client{st.browser(), st.signIn("ann", 1)} {
			got := st.send(b, "GET", path, "X-Own", own)
			if cc := got.Header.Get("Cache-Control"); got.StatusCode != 200 || want != (cc == "private, no-store" && got.varies("Cookie")) {
				t.Errorf("%s: %d, Cache-Control %q, Vary %q, private: want %v", path, got.StatusCode, cc, got.Header["Vary"], want)
			}
		}
	}
	for call := range anySession {
		check("/session/"+call, "public, max-age=60", true)
		check("/session/"+call, "s-maxage=60", true)
	}
	for call := range anyJar {
		check("/local/"+call, "", true)
		check("/shared/"+call, "", true)
	}
	for _, path := range []string{"/plain", "/peek"} { // a limiter's or logger's look leaves the page cacheable
		check(path, "", false)
	}
}

// H2: requests that another site makes a visitor's browser send neither act nor keep a session alive.
func TestH2CrossSite(t *testing.T) {
	for _, row := range []struct {
		name   string
		method string
		fields []string
		acts   bool
	}{
		{"same origin", "POST", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"typed address", "POST", []string{"Sec-Fetch-Site", "none"}, true},
		{"another site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"another host of the domain", "POST", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"old browser, own page", "POST", []string{"Origin", "https://app.hardy.test"}, true},
		{"old browser, another site", "POST", []string{"Origin", "https://evil.example"}, false},
		{"old browser, a sandbox", "POST", []string{"Origin", "null"}, false},
		{"another site, PUT", "PUT", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"another site, DELETE", "DELETE", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"neither header: a program", "POST", nil, true},
		{"WebSocket of an own page", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://app.hardy.test"}, true},
		{"WebSocket of another site", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://evil.example"}, false},
		{"WebSocket, another site by Fetch Metadata", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-Fetch-Site", "cross-site"}, false},
		{"WebSocket without Origin, with a cookie", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				st := newSite(t, nil, nil, nil, nil)
				ann := st.signIn("ann", 1)
				time.Sleep(20 * time.Minute)
				loads, touches := st.faults.Calls("load"), st.faults.Calls("touch")
				got := st.send(ann, row.method, "/ring", row.fields...)
				if row.acts != (got.StatusCode == 200) || !row.acts && got.StatusCode != 403 {
					t.Errorf("%d", got.StatusCode)
				}
				if !row.acts && (st.faults.Calls("load") != loads || st.faults.Calls("touch") != touches || len(got.Header["Set-Cookie"]) > 0) {
					t.Error("a refused request has reached the session")
				}
				want := 1
				if row.acts {
					want = 2
				}
				if v, _ := st.look(ann); v.Rings != want {
					t.Errorf("%d rings, want %d", v.Rings, want)
				}
			})
		})
	}
}

// L2: a store that can't be asked is a 503, at whatever point of the request, and nobody is taken for a new visitor: after it is
// well again everything is as it was.
func TestL2StoreDown(t *testing.T) {
	down := errors.New("connection refused")
	for _, row := range []struct {
		op, method, path string
		form             url.Values
		anonymous        bool
	}{
		{"load", "GET", "/look", nil, false},
		{"load", "GET", "/plain", nil, false},
		{"load", "POST", "/login", url.Values{"user": {"ann"}}, false},
		{"touch", "GET", "/look", nil, false},
		{"replace", "POST", "/ring", nil, false},
		{"create", "POST", "/ring", nil, true},
		{"create", "POST", "/login", url.Values{"user": {"ann"}}, true},
		{"create", "POST", "/renew", nil, false},
		{"end", "POST", "/logout", nil, false},
		{"end", "POST", "/renew", nil, false},
	} {
		for name, fault := range map[string]sessiontest.Fault{
			"refused": {Op: row.op, Err: down},
			"slow":    {Op: row.op, Delay: time.Hour},
		} {
			t.Run(row.op+row.path+" "+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					st := newSite(t, nil, nil, nil, nil)
					b := st.browser()
					if !row.anonymous {
						b = st.signIn("ann", 2)
					}
					before := st.token(b.Jar)
					time.Sleep(5 * time.Minute) // a Touch is due
					st.faults.Add(fault)
					start := time.Now()
					got := st.do(b, mustRequest(t, row.method, st.server.URL+row.path, row.form))
					if took := time.Since(start); took > 3*time.Second {
						t.Errorf("answered after %v", took)
					}
					if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || len(got.setCookies()) > 0 || bytes.Contains(got.body, []byte("refused")) {
						t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
					}
					st.faults.Clear()
					if st.token(b.Jar) != before {
						t.Error("the browser's cookie has changed")
					}
					if v, status := st.look(b); status != 200 || !row.anonymous && (v.User != "ann" || v.Rings != 2) {
						t.Errorf("afterwards: %d %+v", status, v)
					}
				})
			})
		}
	}
}

func mustRequest(t *testing.T, method, address string, form url.Values) *http.Request {
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// K1: keys rotate under traffic, in the documented steps and on two processes that reload one after the other: nobody
// is signed out and no jar is lost, and by the time that the old key goes nothing lies sealed under it. Revoking ends
// every session at its next request, without asking the store.
func TestK1RotationUnderTraffic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite(t, nil, nil, nil, nil)
		b := newSite(t, a, nil, nil, nil)
		retired := 0
		var mu sync.Mutex
		trace := &cookie.Trace{Opened: func(o cookie.OpenedInfo) {
			mu.Lock()
			defer mu.Unlock()
			if o.Retired {
				retired++
			}
		}}
		a.keys.Trace, b.keys.Trace = trace, trace
		one := a.ring.text
		ann, eve := a.signIn("ann", 1), b.signIn("eve", 1)
		for _, c := range []*http.Client{ann, eve} {
			a.post(c, "/jars", url.Values{"name": {"Bob"}})
		}
		traffic := func(step string) {
			t.Helper()
			for range 3 {
				for c, user := range map[*http.Client]string{ann: "ann", eve: "eve"} {
					for _, st := range []*site{a, b} {
						if v, status := st.look(c); status != 200 || v.User != user || v.Rings != 1 {
							t.Fatalf("%s: %s is %d %+v", step, user, status, v)
						}
						if got := st.send(c, "GET", "/jars"); string(got.body) != "Bob,Bob" {
							t.Fatalf("%s: the jars of %s hold %s", step, user, got.body)
						}
					}
				}
				time.Sleep(time.Minute)
			}
		}
		reload := func(step, text string) {
			a.ring.text = text // both read the same source
			for _, st := range []*site{a, b} {
				if err := st.keys.Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				traffic(step)
			}
		}
		traffic("before")
		two := cookie.NewMaster()
		reload("appended", one+","+two)
		if retired != 0 {
			t.Errorf("the old key is said to be retired before it is")
		}
		reload("in front", two+","+one)
		if retired == 0 {
			t.Error("nobody has heard of the old key's use")
		}
		// Sessions move by themselves; a jar when it is next written.
		for _, c := range []*http.Client{ann, eve} {
			a.post(c, "/jars", url.Values{"name": {"Bob"}})
		}
		retired = 0
		traffic("moved")
		if retired != 0 {
			t.Errorf("%d cookies lie under the old key still", retired)
		}
		reload("dropped", two)

		loads := a.faults.Calls("load")
		a.ring.text = cookie.NewMaster() + ",revoked:" + two
		if err := a.keys.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := a.send(ann, "GET", "/look")
		if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="expired", reason="revoked"` {
			t.Errorf("under a revoked key: %d %s", got.StatusCode, got.Header.Get("WWW-Authenticate"))
		}
		if a.faults.Calls("load") != loads {
			t.Error("the store was asked")
		}
		if got := a.send(ann, "GET", "/jars", "Sec-Fetch-Mode", "navigate"); string(got.body) != ",Bob" { // the team's keys are as they were
			t.Errorf("the jars, the local one under a revoked key, hold %s", got.body)
		}
	})
}

// K1: a cookie under a retired key is written anew only by a request that has itself renewed the session, and only while its
// token opens it: else it would take the place of a newer one, or come back after a sign-out.
func TestK1SealedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		arrived, go_ := make(chan bool), make(chan bool)
		st := newSite(t, nil, nil, &middleware.Options{Passive: []string{"/poll"}}, map[string]http.HandlerFunc{
			"/poll": func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).User() },
			"/slow": func(w http.ResponseWriter, r *http.Request) {
				session.From(r.Context()).User()
				arrived <- true
				<-go_
			},
		})
		retire := func() string {
			next := cookie.NewMaster()
			st.ring.text = next + "," + st.ring.text
			if err := st.keys.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			return standCookie + "=v1." + st.keys.PrimaryID() + "."
		}
		ann := st.signIn("ann", 1)
		prefix := retire()
		if got := st.send(ann, "GET", "/look"); len(got.setCookies()) > 0 {
			t.Error("written by a request that renewed nothing")
		}
		time.Sleep(2 * time.Minute)
		for _, fields := range [][]string{{"/poll"}, {"/look", "Sec-Purpose", "prefetch"}} {
			if got := st.send(ann, "GET", fields[0], fields[1:]...); got.StatusCode != 200 || len(got.setCookies()) > 0 {
				t.Errorf("%v: %d, %d Set-Cookie", fields, got.StatusCode, len(got.setCookies()))
			}
		}
		if got := st.send(ann, "GET", "/look"); len(got.setCookies()) != 1 || !strings.HasPrefix(got.setCookies()[0], prefix) {
			t.Errorf("not written by the request that renewed it: %d Set-Cookie", len(got.setCookies()))
		}
		for _, ends := range []string{"/renew", "/logout"} {
			ann := st.signIn("ann", 1)
			retire()
			time.Sleep(2 * time.Minute)
			answered := make(chan reply)
			old := st.as(st.token(ann.Jar))
			go func() { answered <- st.send(old, "GET", "/slow") }()
			<-arrived
			st.send(ann, "POST", ends)
			go_ <- true
			if got := <-answered; got.StatusCode != 200 || len(got.setCookies()) > 0 {
				t.Errorf("%s during a slow request: its answer is %d with %d Set-Cookie", ends, got.StatusCode, len(got.setCookies()))
			}
		}
	})
}
