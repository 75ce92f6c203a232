package middleware

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

var localPaths = []struct {
	in, out string // "" is refused
}{
	{"/", "/"},
	{"/orders", "/orders"},
	{"/orders?year=2026&x=//evil.example", "/orders?year=2026&x=//evil.example"},
	{"/orders#top", "/orders#top"},
	{"/a:b", "/a:b"},
	{"/caf\u00e9 au lait", "/caf%C3%A9%20au%20lait"},
	{"/%2f%2fevil.example", "/%2f%2fevil.example"},
	{`/"><script>`, "/%22%3E%3Cscript%3E"},
	{"", ""},
	{"orders", ""},
	{"./orders", ""},
	{"?x", ""},
	{" /orders", ""},
	{"https://evil.example/", ""},
	{"//evil.example", ""},
	{"///evil.example", ""},
	{`/\evil.example`, ""},
	{`\/evil.example`, ""},
	{`\\evil.example`, ""},
	{`/a\b`, ""},
	{"/\t/evil.example", ""},
	{"/\n/evil.example", ""},
	{"/\r\nSet-Cookie: a=b", ""},
	{"/a\x00b", ""},
	{"/a\x7fb", ""},
	{"/.//evil.example", ""},
	{"/..//evil.example", ""},
	{"/%2e//evil.example", ""},
	{"/a//b", ""},
	{"/%zz", ""},
	{"javascript:alert(1)", ""},
	{"data:text/html,x", ""},
	{"/" + strings.Repeat("a", maxLocal), ""},
}

func TestLocalPath(t *testing.T) {
	for _, tt := range localPaths {
		out, ok := LocalPath(tt.in)
		if out != tt.out || ok != (tt.out != "") {
			t.Errorf("LocalPath(%.60q) = %.60q, %v, want %q", tt.in, out, ok, tt.out)
		}
	}
}

// Accepted means: no host to Go, none to a browser, which reads "\" as "/" and drops tabs and newlines,
// and nothing left to escape.
func FuzzLocalPath(f *testing.F) {
	for _, tt := range localPaths {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, ok := LocalPath(s)
		if !ok {
			return
		}
		u, err := url.Parse(out)
		if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
			t.Fatalf("%q → %q is %+v, %v", s, out, u, err)
		}
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(s, " "))
		if !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
			t.Fatalf("%q is %q to a browser", s, seen)
		}
		staysHere(t, out)
		if again, ok := LocalPath(out); !ok || again != out {
			t.Fatalf("%q → %q → %q, %v", s, out, again, ok)
		}
	})
}

func FuzzWayBack(f *testing.F) {
	f.Add("/orders", "year=2026", "https://example.com/a?b")
	f.Add("//evil.example", startOverMark, "https://example.com//evil.example")
	f.Add("/", "#%", "")
	f.Add("/..//x", "a&"+startOverMark+"&b", `https://example.com/\evil.example`)
	f.Fuzz(func(t *testing.T, path, query, referer string) {
		for _, method := range []string{"GET", "POST"} {
			for _, mark := range []bool{false, true} {
				r := &http.Request{Method: method, Host: "example.com", URL: &url.URL{Path: path, RawQuery: query},
					Header: http.Header{"Accept": {"text/html"}, "Referer": {referer}}}
				ref, _ := wayBack(r, true, mark)
				staysHere(t, ref)
			}
		}
	})
}

// visited is a session that a browser holds the cookie of.
type visited struct {
	manager *session.Manager
	keys    *cookie.Keys
	cookie  *http.Cookie
	store   *toggled
}

// toggled is a store that can be switched off.
type toggled struct {
	session.Store
	off bool
}

func (s *toggled) Load(ctx context.Context, id string) (session.Record, error) {
	if s.off {
		return session.Record{}, errors.New("switched off")
	}
	return s.Store.Load(ctx, id)
}

func visit(t *testing.T, o *Options) *visited {
	t.Helper()
	t.Setenv("HARDY_KEYS", cookie.NewMaster())
	keys, err := cookie.KeysFromEnv("HARDY_KEYS", "test")
	if err != nil {
		t.Fatal(err)
	}
	v := &visited{keys: keys, store: &toggled{Store: store.NewMemory(nil)}}
	v.manager = session.NewManager(v.store, &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	h := Sessions(v.manager, v.keys, o)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Login("ann"); err != nil {
			t.Error(err)
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	if cookies := w.Result().Cookies(); len(cookies) == 1 {
		v.cookie = cookies[0]
	} else {
		t.Fatalf("%d cookies after a login, want 1", len(cookies))
	}
	return v
}

// end ends the session as another device of the user does.
func (v *visited) end(t *testing.T) {
	t.Helper()
	if n, err := v.manager.RevokeUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Fatalf("RevokeUser: %d, %v", n, err)
	}
}

// cleared says whether an answer makes the browser forget the session.
func (v *visited) cleared(t *testing.T, w *httptest.ResponseRecorder) bool {
	t.Helper()
	cookies := w.Result().Cookies()
	if len(cookies) == 0 {
		return false
	}
	c := cookies[0]
	if len(cookies) != 1 || c.Name != v.cookie.Name || c.MaxAge >= 0 || c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != v.cookie.SameSite {
		t.Errorf("Set-Cookie %q, want the deletion of %s", w.Header()["Set-Cookie"], v.cookie.Name)
	}
	return true
}

func greet(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "hello "+session.From(r.Context()).User()+" at "+r.URL.String())
}

// Under Strict each opened page meets the dialog, reloads too, until its link is followed.
func TestStrictStartsOver(t *testing.T) {
	o := &Options{Ended: Strict}
	v := visit(t, o)
	h := Sessions(v.manager, v.keys, o)(http.HandlerFunc(greet))
	open := func(target, site string) *httptest.ResponseRecorder {
		r := navigation("GET", target)
		r.AddCookie(v.cookie)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	follow := func(from string, w *httptest.ResponseRecorder, ref string) string {
		base, _ := url.Parse(from)
		to, err := base.Parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		return to.String()
	}
	const orders = "https://example.com/shop/orders?year=2026"

	if w := open(orders+"&"+startOverMark, "same-origin"); w.Code != 303 || v.cleared(t, w) {
		t.Errorf("a live session: %d %v, want the page and the cookie as it is", w.Code, w.Header())
	}
	v.end(t)
	for range 2 {
		w := open(orders, "none")
		if w.Code != 401 || v.cleared(t, w) {
			t.Fatalf("opened: %d %v, want the dialog", w.Code, w.Header())
		}
	}
	link := follow(orders, nil, href(t, parsePage(t, open(orders, "none").Body.Bytes())))
	if w := open(link, "cross-site"); w.Code != 303 || v.cleared(t, w) {
		t.Errorf("another site's link: %d %v, want no cookie cleared", w.Code, w.Header())
	}
	if w := open(link, "same-site"); v.cleared(t, w) {
		t.Error("a neighbouring host's link cleared the cookie")
	}
	v.store.off = true
	if w := open(link, "same-origin"); w.Code != 503 || v.cleared(t, w) {
		t.Errorf("store down: %d, want 503 and no cookie cleared", w.Code)
	}
	v.store.off = false

	w := open(link, "same-origin")
	if w.Code != 303 || !v.cleared(t, w) || w.Header().Get("Cache-Control") != noStore || w.Header().Get("Vary") != "Cookie" {
		t.Fatalf("link followed: %d %v, want the cookie cleared", w.Code, w.Header())
	}
	if to := follow(link, w, w.Header().Get("Location")); to != orders {
		t.Errorf("leads to %s, want %s", to, orders)
	}
	r := navigation("GET", orders) // the cookie is gone
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "hello  at "+orders {
		t.Errorf("page after that: %d %s", w.Code, w.Body)
	}
}

// The mark is for pages being opened: a call, a form or a prefetch that carries it is met as ever.
func TestStartOverIsForPages(t *testing.T) {
	v := visit(t, nil)
	v.end(t)
	h := Sessions(v.manager, v.keys, nil)(http.HandlerFunc(greet))
	for name, change := range map[string]func(r *http.Request){
		"form":     func(r *http.Request) { r.Method = "POST" },
		"fetch":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") },
		"prefetch": func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch") },
		"a value":  func(r *http.Request) { r.URL.RawQuery += "=1"; r.Header.Set("Sec-Fetch-Mode", "cors") },
	} {
		r := navigation("GET", "/?"+startOverMark)
		r.AddCookie(v.cookie)
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 303 || v.cleared(t, w) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

// A form on a page in Skip: opening that page alone would not start over.
func TestStartOverFromSkippedPage(t *testing.T) {
	o := &Options{Skip: []string{"GET /static/"}}
	v := visit(t, o)
	v.end(t)
	h := Sessions(v.manager, v.keys, o)(http.HandlerFunc(greet))
	r := navigation("POST", "/save")
	r.AddCookie(v.cookie)
	r.Header.Set("Referer", "https://example.com/static/form.html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	link := href(t, parsePage(t, w.Body.Bytes()))
	if link != "/static/form.html?"+startOverMark {
		t.Fatalf("link to %q", link)
	}
	r = navigation("GET", link)
	r.AddCookie(v.cookie)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 303 || !v.cleared(t, w) || w.Header().Get("Location") != "./form.html" {
		t.Errorf("link followed: %d %v", w.Code, w.Header())
	}
}

// An Aware page that writes without starting over meets the 401 whenever it is opened; the link leads out.
func TestStartOverFromAwarePage(t *testing.T) {
	o := &Options{Aware: []string{"GET /aware"}}
	v := visit(t, o)
	v.end(t)
	h := Sessions(v.manager, v.keys, o)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session.NewKey[int]("n").Set(session.From(r.Context()), 1)
	}))
	r := navigation("GET", "/aware")
	r.AddCookie(v.cookie)
	w := serve(h, r)
	link := href(t, parsePage(t, w.Body.Bytes()))
	if w.Code != 401 || link != "./aware?"+startOverMark {
		t.Fatalf("%d, link to %q", w.Code, link)
	}
	r = navigation("GET", "/aware?"+startOverMark)
	r.AddCookie(v.cookie)
	if w := serve(h, r); w.Code != 303 || !v.cleared(t, w) {
		t.Errorf("link followed: %d %v", w.Code, w.Header())
	}
}
