package gorilla_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
	"github.com/gorilla/sessions"
)

// What real applications demand of an adapter.

func TestValuesOfAnyGobType(t *testing.T) {
	st := newSite(t, setup{})
	values := map[any]any{
		"text": "ann", "number": 7, "long": int64(1) << 40, "float": 1.5, "yes": true, "bytes": []byte{0, 1},
		"strings": []string{"a", "b"}, "list": []any{"x", 1}, "struct": profile{"ann", []string{"admin"}},
		"map": map[string]int{"a": 1}, userKey: "typed key", 42: "a number as key", true: "a bool as key",
		strings.Repeat("long key ", 100): "x",
	}
	st.handle("/fill", func(s *sessions.Session, r *http.Request) string {
		for k, v := range values {
			s.Values[k] = v
		}
		return ""
	})
	st.mux.HandleFunc("/compare", func(w http.ResponseWriter, r *http.Request) {
		s, err := st.store.Get(r, name)
		if err != nil || s.IsNew || !reflect.DeepEqual(s.Values, values) {
			t.Errorf("IsNew %v, %v: %#v", s.IsNew, err, s.Values)
		}
	})
	b := st.browser()
	st.body(b, "/fill")
	for range 3 {
		st.body(b, "/compare")
	}
}

func TestIsNewAndID(t *testing.T) {
	st := newSite(t, setup{})
	st.mux.HandleFunc("/new", func(w http.ResponseWriter, r *http.Request) {
		s, _ := st.store.Get(r, name)
		fmt.Fprint(w, s.IsNew, s.ID != "", s.ID)
	})
	b := st.browser()
	if got := st.body(b, "/new"); got != "true false" {
		t.Errorf("before: %s", got)
	}
	st.body(b, "/set?a=1")
	first := st.body(b, "/new")
	if !strings.HasPrefix(first, "false true") {
		t.Errorf("after: %s", first)
	}
	st.body(b, "/set?user=ann")
	if again := st.body(b, "/new"); again != first {
		t.Errorf("the ID changed: %s, %s", first, again)
	}
	st.body(b, "/logout")
	if got := st.body(b, "/new"); got != "true false" {
		t.Errorf("after signing out: %s", got)
	}
	if got := st.body(st.with("forged"), "/new"); got != "true false" {
		t.Errorf("forged: %s", got)
	}
}

// Those who read flashes call Save on every page.
func TestNothingIsStoredForEmptyNewSessions(t *testing.T) {
	st := newSite(t, setup{})
	st.handle("/page", func(s *sessions.Session, r *http.Request) string {
		return fmt.Sprint(s.Flashes())
	})
	for range 3 {
		if _, body, set := st.get(st.browser(), "/page"); body != "[]" || set != nil {
			t.Errorf("%s, %q", body, set)
		}
	}
	if n := st.records(); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestFlashes(t *testing.T) {
	st := newSite(t, setup{})
	st.handle("/add", func(s *sessions.Session, r *http.Request) string {
		s.AddFlash("saved")
		s.AddFlash(profile{Name: "ann"})
		s.AddFlash("careful", "warnings")
		return ""
	})
	st.handle("/show", func(s *sessions.Session, r *http.Request) string {
		return fmt.Sprint(s.Flashes(), s.Flashes("warnings"))
	})
	b := st.browser()
	st.body(b, "/set?user=ann")
	token := st.cookie(b)
	st.body(b, "/add")
	for _, want := range []string{"[saved {ann []}] [careful]", "[] []"} {
		if got := st.body(b, "/show"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if st.cookie(b) != token {
		t.Error("a flash is no sign-in")
	}
	if got := st.body(b, "/get?user"); got != "ann" {
		t.Errorf("user: %s", got)
	}
}

// The defaults of gorilla 1.4.0, since applications only switch them off.
func TestOptions(t *testing.T) {
	st := newSite(t, setup{})
	if want := (sessions.Options{Path: "/", MaxAge: 86400 * 30, SameSite: http.SameSiteNoneMode, Secure: true}); *st.store.Options != want {
		t.Errorf("%+v", *st.store.Options)
	}
	if theirs := sessions.NewCookieStore([]byte("k")).Options; *theirs != *st.store.Options {
		t.Errorf("gorilla's own: %+v", *theirs)
	}
	var how func(o **sessions.Options)
	st.handle("/how", func(s *sessions.Session, r *http.Request) string {
		how(&s.Options)
		s.Values["n"] = time.Now().String()
		return ""
	})
	for name, test := range map[string]struct {
		store, session func(o **sessions.Options)
		want           string
	}{
		"defaults":  {nil, nil, "Path=/; Max-Age=2592000; Secure; SameSite=None"},
		"of store":  {func(o **sessions.Options) { (*o).HttpOnly, (*o).Domain = true, "example.com" }, nil, "Path=/; Domain=example.com; Max-Age=2592000; HttpOnly; Secure; SameSite=None"},
		"replaced":  {func(o **sessions.Options) { *o = &sessions.Options{Path: "/app", MaxAge: 60} }, nil, "Path=/app; Max-Age=60"},
		"MaxAge(0)": {func(o **sessions.Options) { (*o).MaxAge = 0 }, nil, "Path=/; Secure; SameSite=None"},
		"session's": {nil, func(o **sessions.Options) {
			*o = &sessions.Options{Path: "/", MaxAge: 7 * 86400, HttpOnly: true, SameSite: http.SameSiteLaxMode}
		}, "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"},
		"partitioned":  {nil, func(o **sessions.Options) { (*o).Partitioned = true }, "Path=/; Max-Age=2592000; Secure; SameSite=None; Partitioned"},
		"its MaxAge 0": {nil, func(o **sessions.Options) { (*o).MaxAge = 0 }, "Path=/; Secure; SameSite=None"},
		"very long":    {nil, func(o **sessions.Options) { (*o).MaxAge = 1 << 31 }, "Path=/; Max-Age=34560000; Secure; SameSite=None"},
	} {
		st.store.Options = sessions.NewCookieStore([]byte("k")).Options
		if test.store != nil {
			test.store(&st.store.Options)
		}
		if how = test.session; how == nil {
			how = func(**sessions.Options) {}
		}
		_, _, set := st.get(st.browser(), "/how")
		if len(set) != 1 {
			t.Errorf("%s: %q", name, set)
			continue
		}
		var kept []string
		for _, part := range strings.Split(set[0], "; ")[1:] {
			if !strings.HasPrefix(part, "Expires=") {
				kept = append(kept, part)
			}
		}
		if got := strings.Join(kept, "; "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	st.store.MaxAge(77)
	if st.store.Options.MaxAge != 77 {
		t.Error("MaxAge")
	}
}

// MaxAge below 0 ends session and cookie, wherever the cookie has been copied to.
func TestMaxAgeBelowZeroSignsOut(t *testing.T) {
	st := newSite(t, setup{})
	b := st.browser()
	st.body(b, "/set?user=ann")
	stolen := st.cookie(b)
	_, _, set := st.get(b, "/logout")
	if len(set) != 1 || !strings.HasPrefix(set[0], name+"=; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0") {
		t.Errorf("%q", set)
	}
	if st.cookie(b) != "" {
		t.Error("the browser holds its cookie still")
	}
	if got := st.body(st.with(stolen), "/get?user"); got != "<nil>" {
		t.Errorf("the copy shows %s", got)
	}
	// Signing out without a session is harmless, and what comes after signing out is a session of its own.
	st.body(st.browser(), "/logout")
	st.handle("/again", func(s *sessions.Session, r *http.Request) string {
		w := httptest.NewRecorder()
		s.Options.MaxAge = -1
		if err := s.Save(r, w); err != nil {
			t.Error(err)
		}
		s.Options.MaxAge = 60
		s.Values = map[any]any{"after": "yes"}
		return ""
	})
	c := st.browser()
	st.body(c, "/set?before=yes")
	st.body(c, "/again")
	if got := st.body(c, "/get"); got != "map[after:yes]" {
		t.Errorf("%s", got)
	}
}

// 0: until the browser ends, and no longer than the manager lets it; above 0: counted from the last Save, in steps.
func TestMaxAgeSpans(t *testing.T) {
	inBubble(t, setup{}, func(t *testing.T, st *site) {
		st.handle("/stay", func(s *sessions.Session, r *http.Request) string {
			s.Options.MaxAge = 10 * 86400
			s.Values["user"] = "ann"
			return ""
		})
		st.handle("/short", func(s *sessions.Session, r *http.Request) string {
			s.Options = &sessions.Options{Path: "/", Secure: true}
			s.Values["user"] = "bob"
			return ""
		})
		st.handle("/flash", func(s *sessions.Session, r *http.Request) string {
			s.AddFlash("hello")
			return ""
		})
		stays, short := st.browser(), st.browser()
		st.body(stays, "/stay")
		st.body(short, "/short")
		if got := st.body(short, "/get?user"); got != "bob" {
			t.Errorf("short: %s", got)
		}
		time.Sleep(32 * time.Minute)
		if got := st.body(short, "/get?user"); got != "<nil>" {
			t.Errorf("MaxAge 0, after 32 minutes: %s", got)
		}
		// A Save under the store's default of 30 days does not make 30 of the 10 days.
		for day := range 40 {
			time.Sleep(24 * time.Hour)
			st.body(stays, "/flash")
			if got := st.body(stays, "/get?user"); got != "ann" {
				t.Fatalf("day %d: %s", day, got)
			}
		}
		kept := st.cookie(stays)
		time.Sleep(11 * 24 * time.Hour)
		if got := st.body(st.with(kept), "/get?user"); got != "<nil>" {
			t.Errorf("11 days after the last Save: %s", got)
		}
	})
}

func TestSaveManyTimes(t *testing.T) {
	st := newSite(t, setup{})
	st.mux.HandleFunc("/often", func(w http.ResponseWriter, r *http.Request) {
		s, err := st.store.Get(r, name)
		check(t, err)
		for i := range 5 {
			s.Values[fmt.Sprint("k", i)] = i
			check(t, s.Save(r, w))
			again, err := st.store.Get(r, name)
			if err != nil || again != s {
				t.Error("another session", err)
			}
		}
		check(t, sessions.Save(r, w))
		io.WriteString(w, strings.Repeat("cookie ", len(w.Header()["Set-Cookie"])))
	})
	b := st.browser()
	for _, cookies := range []string{"cookie ", ""} { // the second time nothing changes
		if got := st.body(b, "/often"); got != cookies {
			t.Errorf("%q, want %q", got, cookies)
		}
		if got := st.body(b, "/get"); got != "map[k0:0 k1:1 k2:2 k3:3 k4:4]" {
			t.Errorf("%s", got)
		}
	}
}

func TestSeveralSessionsInARequest(t *testing.T) {
	st := newSite(t, setup{})
	names := []string{"a", "b", "c"}
	st.mux.HandleFunc("/all", func(w http.ResponseWriter, r *http.Request) {
		for _, n := range names {
			s, err := st.store.Get(r, n)
			check(t, err)
			fmt.Fprint(httptest.NewRecorder(), s.Values)
			s.Values["in"] = n
		}
		check(t, sessions.Save(r, w))
	})
	st.mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		s, err := st.store.Get(r, "b")
		check(t, err)
		s.Options.MaxAge = -1
		check(t, s.Save(r, w))
	})
	st.mux.HandleFunc("/show", func(w http.ResponseWriter, r *http.Request) {
		for _, n := range names {
			s, err := st.store.Get(r, n)
			check(t, err)
			fmt.Fprint(w, s.Values["in"], " ")
		}
	})
	b := st.browser()
	if _, _, set := st.get(b, "/all"); len(set) != 3 {
		t.Errorf("%q", set)
	}
	if got := st.body(b, "/show"); got != "a b c " {
		t.Errorf("%s", got)
	}
	st.body(b, "/end")
	if got := st.body(b, "/show"); got != "a <nil> c " {
		t.Errorf("%s", got)
	}
	// A cookie under another's name opens nothing.
	cookies := map[string]string{}
	for _, c := range b.Jar.Cookies(st.url()) {
		cookies[c.Name] = c.Value
	}
	swapped := st.browser()
	swapped.Jar.SetCookies(st.url(), []*http.Cookie{{Name: "a", Value: cookies["c"], Path: "/", Secure: true}})
	if got := st.body(swapped, "/show"); got != "<nil> <nil> <nil> " {
		t.Errorf("swapped: %s", got)
	}
}

// A store that can't be asked: an error with a session that can be used, and nothing is saved over what is there.
func TestStoreThatIsDown(t *testing.T) {
	for _, op := range []string{"load", "replace", "create", "end", "touch"} {
		st := newSite(t, setup{})
		b := st.browser()
		st.body(b, "/set?user=ann")
		before := st.cookie(b)
		st.mux.HandleFunc("/careless", func(w http.ResponseWriter, r *http.Request) {
			s, err := st.store.Get(r, name)
			if s == nil || s.Values == nil || s.Options == nil {
				t.Fatal("no session that can be used")
			}
			if op == "load" && !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s: Get: %v", op, err)
			}
			s.Values["other"] = "x" // a new key: replace, or a new token
			if err := s.Save(r, w); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s: Save: %v", op, err)
			}
		})
		st.mux.HandleFunc("/bye", func(w http.ResponseWriter, r *http.Request) {
			s, _ := st.store.Get(r, name)
			s.Options.MaxAge = -1
			if err := s.Save(r, w); !errors.Is(err, session.ErrUnavailable) || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%s: signing out: %v, %q", op, err, w.Header()["Set-Cookie"])
			}
		})
		st.faults.Add(sessiontest.Fault{Op: op, Err: errors.New("down")})
		switch op {
		case "touch": // not due
		case "end":
			st.body(b, "/bye")
			fallthrough
		default:
			st.body(b, "/careless")
		}
		st.faults.Clear()
		if got := st.body(b, "/get?user"); got != "ann" {
			t.Errorf("%s: afterwards %s; %v", op, got, before != st.cookie(b))
		}
	}
}

// What gob can't encode, and what is too large, is an error of Save, and leaves what was there.
func TestValuesThatCannotBeStored(t *testing.T) {
	type unknown struct{ A int }
	st := newSite(t, setup{manager: session.Options{MaxBytes: 20_000}})
	st.mux.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) {
		for what, v := range map[string]any{"unregistered": unknown{1}, "func": func() {}, "large": strings.Repeat("x", 30_000)} {
			s, err := st.store.New(r, name)
			check(t, err)
			s.Values["bad"] = v
			err = s.Save(r, w)
			if err == nil || what == "large" != errors.Is(err, session.ErrTooLarge) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	st.body(st.browser(), "/bad")
	if n := st.records(); n != 0 {
		t.Errorf("%d records", n)
	}
	b := st.browser()
	st.body(b, "/set?user=ann")
	st.body(b, "/bad")
	if got := st.body(b, "/get"); got != "map[user:ann]" {
		t.Errorf("%s", got)
	}
}

// A session of 8 kB and one of 60 are no matter for a cookie.
func TestLargeValues(t *testing.T) {
	st := newSite(t, setup{})
	st.handle("/large", func(s *sessions.Session, r *http.Request) string {
		s.Values["large"] = strings.Repeat("x", 60_000)
		return ""
	})
	b := st.browser()
	_, _, set := st.get(b, "/large")
	if len(set) != 1 || len(set[0]) > 500 {
		t.Errorf("%d cookies", len(set))
	}
	if got := st.body(b, "/get?large"); len(got) != 60_000 {
		t.Errorf("%d bytes", len(got))
	}
}

// A session that an application makes by itself.
func TestNewSessionWithoutGet(t *testing.T) {
	st := newSite(t, setup{})
	st.mux.HandleFunc("/own", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.NewSession(st.store, name)
		s.Options = &sessions.Options{Path: "/", MaxAge: 60, Secure: true}
		s.Values["own"] = "yes"
		check(t, s.Save(r, w))
	})
	b := st.browser()
	st.body(b, "/own")
	if got := st.body(b, "/get"); got != "map[own:yes]" {
		t.Errorf("%s", got)
	}
	st.body(b, "/set?other=1")
	st.body(b, "/own")
	if got := st.body(b, "/get"); got != "map[own:yes]" {
		t.Errorf("it takes the place of what is stored: %s", got)
	}
}

func TestBadName(t *testing.T) {
	st := newSite(t, setup{})
	r := httptest.NewRequest("GET", "/", nil)
	if s, err := st.store.Get(r, "session:key"); s != nil || err == nil {
		t.Errorf("%v, %v", s, err)
	}
}

func TestWiring(t *testing.T) {
	st := newSite(t, setup{})
	old := sessions.NewCookieStore([]byte("old key"))
	for what, f := range map[string]func(){
		"manager": func() { gorilla.NewStore(nil, st.keys, nil) },
		"keys":    func() { gorilla.NewStore(st.manager, nil, nil) },
		"secret":  func() { gorilla.NewStore(st.manager, st.keys, &gorilla.Options{Old: old}) },
		"short":   func() { gorilla.NewStore(st.manager, st.keys, &gorilla.Options{Old: old, Secret: []byte("short")}) },
		"no Old":  func() { gorilla.NewStore(st.manager, st.keys, &gorilla.Options{OldMaxAge: time.Hour}) },
		"old age": func() {
			gorilla.NewStore(st.manager, st.keys, &gorilla.Options{Old: old, OldMaxAge: -1, Secret: make([]byte, 32)})
		},
	} {
		func() {
			defer func() {
				if why := recover(); why == nil {
					t.Errorf("%s: served", what)
				}
			}()
			f()
		}()
	}
}

// Rotating keys signs nobody out, and a Save seals anew; a revoked key ends what it sealed, a dropped one too.
func TestKeysRotate(t *testing.T) {
	st := newSite(t, setup{})
	one, two := master(), master()
	text := &ring{one}
	st.keys = keysOf(t, text)
	st.store = gorilla.NewStore(session.NewManager(store.NewMemory(nil), nil), st.keys, nil)
	b := st.browser()
	st.body(b, "/set?user=ann")
	first := st.cookie(b)
	reload := func(ring string) {
		text.text = ring
		check(t, st.keys.Reload(t.Context()))
	}
	reload(two + "," + one)
	if got := st.body(b, "/get?user"); got != "ann" || st.cookie(b) != first {
		t.Errorf("retired: %s", got)
	}
	st.handle("/count", func(s *sessions.Session, r *http.Request) string {
		n, _ := s.Values["n"].(int)
		s.Values["n"] = n + 1
		return ""
	})
	st.body(b, "/count")
	st.body(b, "/count")
	second := st.cookie(b)
	if second == first {
		t.Error("not sealed anew")
	}
	reload(two + ",revoked:" + one)
	if got := st.body(st.with(first), "/get?user"); got != "<nil>" {
		t.Errorf("revoked: %s", got)
	}
	if got := st.body(b, "/get?user"); got != "ann" {
		t.Errorf("under the new key: %s", got)
	}
	reload(master())
	if got := st.body(b, "/get?user"); got != "<nil>" {
		t.Errorf("dropped: %s", got)
	}
}

// Other paths' and parent domains' cookies of one name come along. The one that opens counts; of two that do, none.
func TestTwoCookiesOfOneName(t *testing.T) {
	st := newSite(t, setup{})
	ann, mallory := st.browser(), st.browser()
	st.body(ann, "/set?user=ann")
	st.body(mallory, "/set?user=mallory")
	for what, test := range map[string]struct{ cookies, want string }{
		"a broken one first":  {name + "=broken; " + name + "=" + st.cookie(ann), "ann"},
		"a broken one behind": {name + "=" + st.cookie(ann) + "; " + name + "=broken", "ann"},
		"two that open":       {name + "=" + st.cookie(mallory) + "; " + name + "=" + st.cookie(ann), "<nil>"},
	} {
		r, err := http.NewRequest("GET", st.address+"/get?user", nil)
		check(t, err)
		r.Header.Set("Cookie", test.cookies)
		b := st.browser()
		b.Jar = nil
		resp, err := b.Do(r)
		check(t, err)
		body := make([]byte, 100)
		n, _ := resp.Body.Read(body)
		resp.Body.Close()
		if got := string(body[:n]); got != test.want {
			t.Errorf("%s: %s, want %s", what, got, test.want)
		}
	}
}
