package middleware_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Sessions of another system, carried over while their users stay signed in.

// jwtCookie is the cookie of an application that keeps its sign-ins in JWTs.
const jwtCookie = "auth"

var (
	jwtKey       = []byte("the key under which the old app signs")
	importSecret = bytes.Repeat([]byte{7}, 32)
)

func jwtOf(key []byte, head, claims string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(head)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

func jwt(user string, expires time.Time) string {
	return jwtOf(jwtKey, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d,"rings":2}`, user, time.Now().Unix(), expires.Unix()))
}

// verifyJWT is what stands in many a middleware.
func verifyJWT(text string) (signed string, old *session.Old) {
	at := strings.LastIndexByte(text, '.')
	if at < 0 {
		return "", nil
	}
	signed = text[:at]
	// The decoder is lax, as those of some libraries are: several texts are one signature.
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text[at+1:], "="))
	mac := hmac.New(sha256.New, jwtKey)
	mac.Write([]byte(signed))
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return "", nil
	}
	_, body, _ := strings.Cut(signed, ".")
	plain, err := base64.RawURLEncoding.DecodeString(body)
	var claims struct {
		Sub        string
		Iat, Exp   int64
		Rings      int
		Unreadable bool
	}
	if err != nil || json.Unmarshal(plain, &claims) != nil {
		return "", nil
	}
	return signed, &session.Old{
		Expires: time.Unix(claims.Exp, 0), User: claims.Sub, AuthTime: time.Unix(claims.Iat, 0),
		Fill: func(s *session.Session) error {
			if claims.Unreadable {
				return errors.New("no value can be made of it")
			}
			return standRings.Set(s, claims.Rings)
		},
	}
}

// fromJWT reads JWTs out of a cookie.
func fromJWT() *middleware.Import {
	return &middleware.Import{
		Secret: importSecret,
		Cookie: &http.Cookie{Name: jwtCookie, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode},
		Read: func(r *http.Request) (string, *session.Old, error) {
			c, err := r.Cookie(jwtCookie)
			if err != nil {
				return "", nil, nil
			}
			signed, old := verifyJWT(c.Value)
			return signed, old, nil
		},
	}
}

const jwtCleared = jwtCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"

// give puts the old cookie into a browser.
func give(t *testing.T, server string, b *http.Client, name, value string) {
	t.Helper()
	site, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	b.Jar.SetCookies(site, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

func holds(t *testing.T, server string, b *http.Client, name string) bool {
	t.Helper()
	site, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(site) {
		if c.Name == name {
			return true
		}
	}
	return false
}

func week() time.Time { return time.Now().Add(7 * 24 * time.Hour) }

// The whole way over a real connection: signed in with the old cookie, signed in after it, and the old one goes.
func TestImportKeepsUsersSignedIn(t *testing.T) {
	keys, err := cookie.NewKeys(t.Context(), &ringSource{cookie.NewMaster()}, "bell")
	check(t, err)
	imported := fromJWT()
	db := store.NewMemory(nil)
	m := session.NewManager(db, &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	server := httptest.NewTLSServer(middleware.Sessions(m, keys, &middleware.Options{Import: imported})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(viewOf(session.From(r.Context())))
		})))
	defer server.Close()
	b := server.Client()
	if b.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	give(t, server.URL, b, jwtCookie, jwt("ann", week()))
	for visit := range 3 {
		resp, err := b.Get(server.URL)
		check(t, err)
		var v view
		if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || v != (view{User: "ann", Rings: 2}) {
			t.Errorf("visit %d: %+v, %v", visit, v, err)
		}
		resp.Body.Close()
		if set := len(resp.Header["Set-Cookie"]); visit == 0 && set != 1 || visit > 0 && set != 0 {
			t.Errorf("visit %d: %d cookies were set", visit, set)
		}
	}
	if !holds(t, server.URL, b, standCookie) || !holds(t, server.URL, b, jwtCookie) {
		t.Error("the new cookie is not there, or the old one is gone before the new one has shown itself")
	}
	if n, err := db.Count(t.Context()); n != 1 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
	if r := imported.Report(); r.Imported != 1 || r.Remaining != 1 || r.Ended != 0 || time.Since(r.Last) > time.Minute {
		t.Errorf("report: %+v", r)
	}
}

// At the first renewal after the import the old session is ended and its cookie taken back; a fault of its store is met
// again a minute later.
func TestImportRetiresTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		imported := fromJWT()
		var ended []string
		fails := true
		imported.End = func(ctx context.Context, credential string) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("End has no deadline")
			}
			if fails {
				return errors.New("the old store is down")
			}
			ended = append(ended, credential)
			return nil
		}
		st := newStand(t, nil, &middleware.Options{Import: imported})
		imported.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
		b := st.browser()
		old := jwt("ann", week())
		give(t, st.server.URL, b, jwtCookie, old)
		for _, step := range []struct {
			after   time.Duration
			retired bool
		}{{0, false}, {time.Second, false}, {50 * time.Second, false}, {61 * time.Second, false}, {61 * time.Second, true}, {time.Minute, false}} {
			time.Sleep(step.after)
			fails = !step.retired
			resp := st.send(b, "GET", "/look")
			if cleared := strings.Contains(strings.Join(resp.Header["Set-Cookie"], "\n"), jwtCleared); cleared != step.retired {
				t.Errorf("after %v: cleared %v, %q", step.after, cleared, resp.Header["Set-Cookie"])
			}
			if step.retired && (resp.Header.Get("Cache-Control") != "private, no-store" || !resp.varies("Cookie")) {
				t.Errorf("the answer that takes the cookie back may be cached: %v", resp.Header)
			}
			if !strings.Contains(string(resp.body), `"User":"ann"`) {
				t.Errorf("after %v: %s", step.after, resp.body)
			}
		}
		if signed, _ := verifyJWT(old); len(ended) != 1 || ended[0] != signed {
			t.Errorf("%d ended", len(ended))
		}
		if holds(t, st.server.URL, b, jwtCookie) {
			t.Error("the browser holds the old cookie still")
		}
		if r := imported.Report(); r.Imported != 1 || r.Ended != 1 || r.Remaining != 0 {
			t.Errorf("report: %+v", r)
		}
	})
}

// Two tabs that a browser opens at its start bring the old cookie at the same moment.
func TestImportTwoTabsTogether(t *testing.T) {
	imported := fromJWT()
	var arrived sync.WaitGroup
	arrived.Add(2)
	read := imported.Read
	imported.Read = func(r *http.Request) (string, *session.Old, error) {
		arrived.Done()
		arrived.Wait()
		return read(r)
	}
	var handles sync.Map
	st := newSite(t, nil, nil, &middleware.Options{Import: imported}, map[string]http.HandlerFunc{
		"/tab": func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			handles.Store(s.Handle(), true)
			_, err := standRings.Update(r.Context(), s, func(n int) int { return n + 1 })
			if err != nil {
				http.Error(w, err.Error(), http.StatusTeapot)
			}
		},
	})
	b := st.browser()
	give(t, st.server.URL, b, jwtCookie, jwt("ann", week()))
	var tabs sync.WaitGroup
	for range 2 {
		tabs.Go(func() {
			if resp := st.send(b, "GET", "/tab"); resp.StatusCode != 200 || len(resp.setCookies()) != 1 {
				t.Errorf("%s, %q", resp.Status, resp.Header["Set-Cookie"])
			}
		})
	}
	tabs.Wait()
	n := 0
	handles.Range(func(any, any) bool { n++; return true })
	if records, err := st.db.Count(t.Context()); n != 1 || records != 1 || err != nil {
		t.Errorf("%d sessions, %d records, %v", n, records, err)
	}
	if v, _ := st.look(b); v != (view{User: "ann", Rings: 4}) {
		t.Errorf("afterwards: %+v", v)
	}
	if r := imported.Report(); r.Imported != 1 {
		t.Errorf("report: %+v", r)
	}
}

// The answer that brings the cookie is lost: the old credential finds the session that was made, with what was stored.
func TestImportWhoseAnswerIsLost(t *testing.T) {
	st := newStand(t, nil, &middleware.Options{Import: fromJWT()})
	lost, again := st.browser(), st.browser()
	old := jwt("ann", week())
	give(t, st.server.URL, lost, jwtCookie, old)
	st.send(lost, "GET", "/ring")
	give(t, st.server.URL, again, jwtCookie, old)
	if v, _ := st.look(again); v != (view{User: "ann", Rings: 3}) {
		t.Errorf("%+v", v)
	}
	if st.token(again.Jar) == "" {
		t.Error("no cookie")
	}
}

// Who has signed out stays signed out, whoever kept the JWT: as a page, as a call, the next day, under each way
// to meet an end. A new sign-in works, and needs no look at the old one.
func TestImportLogoutThenTheSameJWT(t *testing.T) {
	page := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}
	call := []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	for name, want := range map[string]struct {
		ended      middleware.Ended
		page, call int
	}{
		"Restart": {middleware.Restart, 200, 401},
		"Strict":  {middleware.Strict, 401, 401},
		"Fresh":   {middleware.Fresh, 200, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				imported := fromJWT()
				st := newStand(t, nil, &middleware.Options{Import: imported, Ended: want.ended})
				b := st.browser()
				old := jwt("ann", week())
				give(t, st.server.URL, b, jwtCookie, old)
				if v, _ := st.look(b); v.User != "ann" {
					t.Fatalf("%+v", v)
				}
				if resp := st.send(b, "POST", "/logout"); strings.Join(resp.Header["Set-Cookie"], "\n") != cleared+"\n"+jwtCleared {
					t.Errorf("signing out set %q", resp.Header["Set-Cookie"])
				}
				if v, status := st.look(b); v != (view{}) || status != 200 {
					t.Errorf("after signing out: %+v, %d", v, status)
				}
				for _, later := range []time.Duration{0, 11 * time.Second, 25 * time.Hour, 5 * 24 * time.Hour} {
					time.Sleep(later)
					thief := st.browser()
					give(t, st.server.URL, thief, jwtCookie, old)
					if resp := st.send(thief, "GET", "/look", call...); resp.StatusCode != want.call || strings.Contains(string(resp.body), "ann") {
						t.Errorf("%v later, a call: %s %s", later, resp.Status, resp.body)
					}
					resp := st.send(thief, "GET", "/look", page...)
					if resp.StatusCode != want.page || strings.Contains(string(resp.body), "ann") {
						t.Errorf("%v later, a page: %s %s", later, resp.Status, resp.body)
					}
					// Who started over is free of it.
					if want.page == 200 {
						if v, status := st.look(thief); v != (view{}) || status != 200 || holds(t, st.server.URL, thief, jwtCookie) {
							t.Errorf("%v later, after starting over: %+v, %d", later, v, status)
						}
					}
					st.post(thief, "/login", url.Values{"user": {"bob"}})
					if want.ended != middleware.Strict {
						if v, _ := st.look(thief); v.User != "bob" {
							t.Errorf("%v later, signed in again: %+v", later, v)
						}
					}
				}
				if r := imported.Report(); r.Imported != 1 {
					t.Errorf("report: %+v", r)
				}
				// Another JWT of hers is another session.
				b = st.browser()
				give(t, st.server.URL, b, jwtCookie, jwt("ann", week()))
				if v, _ := st.look(b); v.User != "ann" {
					t.Errorf("another JWT: %+v", v)
				}
			})
		})
	}
}

// Under Strict the link of the dialog, and elsewhere the reset, get rid of an old cookie whose session has ended.
func TestImportStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, nil, &middleware.Options{Import: fromJWT(), Ended: middleware.Strict})
		for _, way := range []string{"link", "reset"} {
			old := jwt("ann", week())
			time.Sleep(time.Second) // the next one differs
			first := st.browser()
			give(t, st.server.URL, first, jwtCookie, old)
			st.look(first)
			b := st.browser()
			give(t, st.server.URL, b, jwtCookie, old)
			reset := func() reply {
				if way == "link" {
					return st.send(b, "GET", "/look?hardy-start-over", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin")
				}
				return st.send(b, "POST", "/reset", "Sec-Fetch-Site", "same-origin")
			}
			if resp := reset(); len(resp.Header["Set-Cookie"]) != 0 || !holds(t, st.server.URL, b, jwtCookie) {
				t.Errorf("%s: a live session's cookie was taken back: %q", way, resp.Header["Set-Cookie"])
			}
			st.send(first, "POST", "/logout")
			if _, status := st.look(b); status != 401 {
				t.Errorf("%s: %d", way, status)
			}
			reset()
			if v, status := st.look(b); status != 200 || v != (view{}) || holds(t, st.server.URL, b, jwtCookie) {
				t.Errorf("%s: %d, %+v", way, status, v)
			}
		}
	})
}

// An imported session that idled out is met as ended, though the JWT has days to go.
func TestImportedSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, nil, &middleware.Options{Import: fromJWT()})
		b, other := st.browser(), st.browser()
		old := jwt("ann", week())
		give(t, st.server.URL, b, jwtCookie, old)
		give(t, st.server.URL, other, jwtCookie, old)
		st.look(b)
		time.Sleep(32 * time.Minute)
		for _, c := range []*http.Client{b, other} {
			if resp := st.send(c, "POST", "/ring"); resp.StatusCode != 401 || !strings.Contains(resp.Header.Get("WWW-Authenticate"), `reason="idle"`) {
				t.Errorf("%s, %q", resp.Status, resp.Header.Get("WWW-Authenticate"))
			}
			resp := st.send(c, "GET", "/look", "Sec-Fetch-Mode", "navigate")
			if !strings.Contains(string(resp.body), `"Ended":"idle"`) || strings.Contains(string(resp.body), "ann") {
				t.Errorf("%s %s", resp.Status, resp.body)
			}
			if v, status := st.look(c); status != 200 || v != (view{}) {
				t.Errorf("afterwards: %d, %+v", status, v)
			}
		}
	})
}

// What is no credential any more, and what never was one, is a new visitor: no record, no cookie, no error.
func TestImportOfWhatIsNotGenuine(t *testing.T) {
	st := newSite(t, nil, nil, &middleware.Options{Import: fromJWT()}, nil)
	good := jwt("ann", week())
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, text := range map[string]string{
		"expired":      jwt("ann", time.Now().Add(-time.Second)),
		"another key":  jwtOf([]byte("another key"), `{"alg":"HS256"}`, `{"sub":"ann","exp":99999999999}`),
		"a bit":        string(flipped),
		"cut":          good[:len(good)-4],
		"no signature": good[:strings.LastIndexByte(good, '.')+1],
		"nothing":      "",
		"dots":         "...",
		"8 kB":         strings.Repeat("a", 8<<10),
	} {
		b := st.browser()
		give(t, st.server.URL, b, jwtCookie, text)
		resp := st.send(b, "GET", "/")
		if resp.StatusCode != 200 || strings.TrimSpace(string(resp.body)) != `{"Err":"","Ended":"","User":"","Rings":0}` || len(resp.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s: %s %s %q", name, resp.Status, resp.body, resp.Header["Set-Cookie"])
		}
	}
	if n, err := st.db.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}

// A credential that has expired opens nothing, not even the live session that was made of it.
func TestImportedSessionOutlivesItsCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, nil, &middleware.Options{Import: fromJWT()})
		b := st.browser()
		old := jwt("ann", time.Now().Add(10*time.Minute))
		give(t, st.server.URL, b, jwtCookie, old)
		st.look(b)
		time.Sleep(11 * time.Minute)
		if v, _ := st.look(b); v.User != "ann" {
			t.Errorf("with the new cookie: %+v", v)
		}
		finder := st.browser()
		give(t, st.server.URL, finder, jwtCookie, old)
		if v, status := st.look(finder); v != (view{}) || status != 200 {
			t.Errorf("with the expired JWT: %+v, %d", v, status)
		}
	})
}

// One signature has several texts under a lax decoder. All are the one session.
func TestImportOfOneSignatureInTwoForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, nil, &middleware.Options{Import: fromJWT()})
		b := st.browser()
		old := jwt("ann", week())
		give(t, st.server.URL, b, jwtCookie, old)
		st.look(b)
		st.send(b, "POST", "/logout")
		other := st.browser()
		give(t, st.server.URL, other, jwtCookie, old+"=")
		if v, status := st.look(other); status != 401 {
			t.Errorf("%d, %+v", status, v)
		}
	})
}

// A session that can't be carried over is no error for ever: its user signs in again.
func TestImportOfWhatCannotBeCarried(t *testing.T) {
	st := newStand(t, nil, &middleware.Options{Import: fromJWT()})
	exp := week().Unix()
	for name, claims := range map[string]string{
		"user":   fmt.Sprintf(`{"sub":"a\u0000b","exp":%d}`, exp),
		"values": fmt.Sprintf(`{"sub":"ann","exp":%d,"unreadable":true}`, exp),
		"empty":  fmt.Sprintf(`{"sub":"","exp":%d,"rings":0}`, exp),
	} {
		b := st.browser()
		give(t, st.server.URL, b, jwtCookie, jwtOf(jwtKey, `{}`, claims))
		if v, status := st.look(b); status != 200 || v.User != "" {
			t.Errorf("%s: %d, %+v", name, status, v)
		}
		if resp := st.post(b, "/login", url.Values{"user": {"ann"}}); resp.StatusCode != 303 {
			t.Errorf("%s: %s", name, resp.Status)
		}
		if v, _ := st.look(b); v.User != "ann" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// Where a store can't be asked, the visitor is not taken for a new one, and nothing is set; afterwards all is as it was.
func TestImportUnderStoreFailure(t *testing.T) {
	down := errors.New("down")
	for name, test := range map[string]struct {
		fault sessiontest.Fault
		old   error
	}{
		"load":      {fault: sessiontest.Fault{Op: "load", Err: down}},
		"create":    {fault: sessiontest.Fault{Op: "create", Err: down}},
		"lost":      {fault: sessiontest.Fault{Op: "create", Lost: down}}, // it was made, and nobody was told
		"old store": {old: down},
	} {
		t.Run(name, func(t *testing.T) {
			imported := fromJWT()
			imported.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
			var oldDown atomic.Bool
			read := imported.Read
			imported.Read = func(r *http.Request) (string, *session.Old, error) {
				if oldDown.Load() {
					return "", nil, test.old
				}
				return read(r)
			}
			st := newStand(t, nil, &middleware.Options{Import: imported})
			b := st.browser()
			give(t, st.server.URL, b, jwtCookie, jwt("ann", week()))
			oldDown.Store(test.old != nil)
			if test.fault.Op != "" {
				st.faults.Add(test.fault)
			}
			for _, path := range []string{"/look", "/ring", "/look?hardy-start-over"} {
				resp := st.send(b, "GET", path, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Accept", "application/json")
				if name == "lost" && path != "/look" || (name == "create" && strings.Contains(path, "?")) {
					continue // it is there by then; looking for an end makes nothing
				}
				if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || len(resp.Header["Set-Cookie"]) != 0 || strings.Contains(string(resp.body), "User") {
					t.Errorf("%s: %s %q %s", path, resp.Status, resp.Header["Set-Cookie"], resp.body)
				}
			}
			st.faults.Clear()
			oldDown.Store(false)
			if v, status := st.look(b); v.User != "ann" || v.Rings < 2 || status != 200 {
				t.Errorf("afterwards: %+v, %d", v, status)
			}
		})
	}
}

// An answer that is late must not put the imported token in the place of the one that a sign-in has brought meanwhile.
func TestImportLateAnswerBringsNoOldToken(t *testing.T) {
	slow, on := make(chan struct{}), make(chan struct{})
	st := newSite(t, nil, nil, &middleware.Options{Import: fromJWT()}, map[string]http.HandlerFunc{
		"/slow": func(w http.ResponseWriter, r *http.Request) {
			close(slow)
			<-on
			fmt.Fprint(w, session.From(r.Context()).User())
		},
	})
	b := st.browser()
	give(t, st.server.URL, b, jwtCookie, jwt("ann", week()))
	var late sync.WaitGroup
	late.Go(func() {
		if resp := st.send(b, "GET", "/slow"); resp.StatusCode != 200 || len(resp.Header["Set-Cookie"]) != 0 {
			t.Errorf("the late answer: %s, %q", resp.Status, resp.Header["Set-Cookie"])
		}
	})
	<-slow
	st.post(b, "/login", url.Values{"user": {"ann"}})
	token := st.token(b.Jar)
	close(on)
	late.Wait()
	if token == "" || st.token(b.Jar) != token {
		t.Error("the browser lost its token")
	}
	if v, status := st.look(b); status != 200 || v.User != "ann" {
		t.Errorf("%d, %+v", status, v)
	}
}

// An old credential that came after the session is not retired by it, but goes with it.
func TestImportLetsAYoungerCredentialBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		imported := fromJWT()
		st := newStand(t, nil, &middleware.Options{Import: imported})
		b := st.browser()
		st.post(b, "/login", url.Values{"user": {"ann"}})
		old := jwt("ann", week())
		give(t, st.server.URL, b, jwtCookie, old) // the old program, still running beside, has set it
		time.Sleep(2 * time.Minute)
		if resp := st.send(b, "GET", "/look"); len(resp.Header["Set-Cookie"]) != 0 {
			t.Errorf("renewed: %q", resp.Header["Set-Cookie"])
		}
		if r := imported.Report(); r.Imported != 0 {
			t.Errorf("imported beside a session: %+v", r)
		}
		st.send(b, "POST", "/logout")
		if v, status := st.look(b); v != (view{}) || status != 200 || holds(t, st.server.URL, b, jwtCookie) {
			t.Errorf("after signing out: %+v, %d", v, status)
		}
		thief := st.browser()
		give(t, st.server.URL, thief, jwtCookie, old)
		if _, status := st.look(thief); status != 401 {
			t.Errorf("with the JWT of a session that was signed out beside: %d", status)
		}
	})
}

// API clients: a JWT in, the session's own token out.
func TestImportForAPIClients(t *testing.T) {
	imported := fromJWT()
	imported.Cookie = nil
	imported.Read = func(r *http.Request) (string, *session.Old, error) {
		text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		signed, old := verifyJWT(text)
		return signed, old, nil
	}
	var ended atomic.Int32
	imported.End = func(context.Context, string) error { ended.Add(1); return nil }
	st := newStand(t, nil, &middleware.Options{Import: imported, Carrier: middleware.Header("X-Session")})
	c := st.browser()
	bearer := "Bearer " + jwt("ann", week())
	resp := st.send(c, "POST", "/ring", "Authorization", bearer)
	token := resp.Header.Get("X-Session")
	if resp.StatusCode != 200 || token == "" || !strings.Contains(string(resp.body), `"User":"ann","Rings":3`) {
		t.Fatalf("%s %s %q", resp.Status, resp.body, token)
	}
	if resp := st.send(c, "POST", "/ring", "X-Session", token); !strings.Contains(string(resp.body), `"Rings":4`) {
		t.Errorf("%s %s", resp.Status, resp.body)
	}
	// Who goes on with the JWT meets the same session.
	if resp := st.send(c, "POST", "/ring", "Authorization", bearer); !strings.Contains(string(resp.body), `"Rings":5`) {
		t.Errorf("%s %s", resp.Status, resp.body)
	}
	for name, fields := range map[string][]string{
		"nothing":      {},
		"not a JWT":    {"Authorization", "Bearer x"},
		"not a token":  {"X-Session", "x", "Authorization", bearer},
		"expired JWT":  {"Authorization", "Bearer " + jwt("ann", time.Now().Add(-time.Minute))},
		"two sessions": {"X-Session", "x, y"},
	} {
		if resp := st.send(c, "POST", "/ring", fields...); resp.StatusCode != 401 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	st.send(c, "POST", "/logout", "X-Session", token, "Authorization", bearer)
	if resp := st.send(c, "POST", "/ring", "Authorization", bearer); resp.StatusCode != 401 || ended.Load() != 1 {
		t.Errorf("after signing out: %s, ended %d times", resp.Status, ended.Load())
	}
}

// A JWT without exp, of which Read knows no Expires, is not dropped in silence.
func TestImportWithoutExpires(t *testing.T) {
	var heard bytes.Buffer
	imported := fromJWT()
	imported.Logger = slog.New(slog.NewTextHandler(&heard, nil))
	imported.Read = func(*http.Request) (string, *session.Old, error) { return "x", &session.Old{User: "ann"}, nil }
	st := newStand(t, nil, &middleware.Options{Import: imported})
	if v, status := st.look(st.browser()); status != 200 || v.User != "" || !strings.Contains(heard.String(), "no Expires") {
		t.Errorf("%d, %+v, %q", status, v, heard.String())
	}
}

// A credential in a header, from a gateway say, comes with every request, and nobody can take it back. Who has signed out
// can sign in again all the same.
func TestImportFromAGatewayStartsOver(t *testing.T) {
	for _, ended := range []middleware.Ended{middleware.Restart, middleware.Strict} {
		imported := fromJWT()
		imported.Cookie = nil
		imported.Read = func(r *http.Request) (string, *session.Old, error) {
			signed, old := verifyJWT(r.Header.Get("X-Assertion"))
			return signed, old, nil
		}
		st := newStand(t, nil, &middleware.Options{Import: imported, Ended: ended})
		b, assertion := st.browser(), jwt("ann", week())
		ask := func(method, path string, status int, body string) {
			t.Helper()
			if resp := st.send(b, method, path, "X-Assertion", assertion); resp.StatusCode != status || !strings.Contains(string(resp.body), body) {
				t.Errorf("%v: %s %s: %d %s", ended, method, path, resp.StatusCode, resp.body)
			}
		}
		ask("GET", "/look", 200, `"User":"ann"`)
		ask("POST", "/logout", 200, "")
		ask("GET", "/look", 200, `"User":""`)
		ask("POST", "/login?user=bob", 303, "")
		ask("GET", "/look", 200, `"User":"bob"`)
		ask("POST", "/logout", 200, "")
		ask("GET", "/look", 200, `"User":""`)
	}
}

// A row whose session was carried over may be gone by the time that the browser comes again without its new cookie.
func TestImportOfARowThatIsGone(t *testing.T) {
	rows := map[string]string{"r1": "ann", "r2": "bob"}
	imported := &middleware.Import{
		Secret: importSecret,
		Cookie: &http.Cookie{Name: "row", Path: "/"},
		Read: func(r *http.Request) (string, *session.Old, error) {
			c, err := r.Cookie("row")
			if err != nil {
				return "", nil, nil
			}
			user, ok := rows[c.Value]
			if !ok {
				return c.Value, nil, nil
			}
			return c.Value, &session.Old{Expires: week(), User: user}, nil
		},
		End: func(_ context.Context, credential string) error { delete(rows, credential); return nil },
	}
	st := newStand(t, nil, &middleware.Options{Import: imported})
	b := st.browser()
	give(t, st.server.URL, b, "row", "r1")
	st.look(b)
	delete(rows, "r1")
	again := st.browser()
	give(t, st.server.URL, again, "row", "r1")
	if v, _ := st.look(again); v.User != "ann" {
		t.Errorf("%+v", v)
	}
	stranger := st.browser()
	give(t, st.server.URL, stranger, "row", "r3")
	if v, status := st.look(stranger); v != (view{}) || status != 200 {
		t.Errorf("a row that never was: %+v, %d", v, status)
	}
	// Signing out ends the row.
	other := st.browser()
	give(t, st.server.URL, other, "row", "r2")
	if v, _ := st.look(other); v.User != "bob" {
		t.Errorf("%+v", v)
	}
	st.send(other, "POST", "/logout")
	if len(rows) != 0 {
		t.Errorf("left: %v", rows)
	}
}

// An import of what the old app remembered lasts as long, and so does the cookie.
func TestImportRemembered(t *testing.T) {
	imported := fromJWT()
	read := imported.Read
	imported.Read = func(r *http.Request) (string, *session.Old, error) {
		credential, old, err := read(r)
		if old != nil {
			old.Fill = func(s *session.Session) error { return s.Remember(14 * 24 * time.Hour) }
		}
		return credential, old, err
	}
	st := newStand(t, nil, &middleware.Options{Import: imported})
	b := st.browser()
	give(t, st.server.URL, b, jwtCookie, jwt("ann", week()))
	if lines := st.send(b, "GET", "/look").setCookies(); len(lines) != 1 || !strings.Contains(lines[0], "Max-Age=1209") {
		t.Errorf("%q", lines)
	}
}

// What has expired opens nothing in the old system either.
func TestImportReportForgetsWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		imported := fromJWT()
		st := newStand(t, nil, &middleware.Options{Import: imported})
		for i := range 5 {
			b := st.browser()
			give(t, st.server.URL, b, jwtCookie, jwt(fmt.Sprint("user", i), time.Now().Add(time.Duration(2*i+1)*time.Hour)))
			st.look(b)
		}
		for want := range 6 {
			if r := imported.Report(); r.Remaining != 5-want || r.Imported != 5 {
				t.Errorf("after %d hours: %+v", 2*want, r)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

func TestImportWiring(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), nil)
	keys := cookie.DevKeys("bell")
	for name, wrong := range map[string]struct {
		break_ func(*middleware.Import)
		says   string
	}{
		"secret":     {func(i *middleware.Import) { i.Secret = i.Secret[:31] }, "31 bytes"},
		"no secret":  {func(i *middleware.Import) { i.Secret = nil }, "0 bytes"},
		"Read":       {func(i *middleware.Import) { i.Read = nil }, "without Read"},
		"cookie":     {func(i *middleware.Import) { i.Cookie.Name = "a b" }, "Cookie"},
		"own cookie": {func(i *middleware.Import) { i.Cookie.Name = "__Host-bell-session" }, "Options.Name"},
	} {
		imported := fromJWT()
		wrong.break_(imported)
		stops(t, name, func() { middleware.Sessions(m, keys, &middleware.Options{Import: imported}) }, wrong.says)
		stops(t, name+", reset", func() { middleware.ResetHandler(m, keys, &middleware.Options{Import: imported}) }, wrong.says)
	}
}
