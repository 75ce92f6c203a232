package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

// resetForm is the POST of a page's form.
func (v *visited) resetForm(next string) *http.Request {
	r := httptest.NewRequest("POST", "https://example.com/hardy/reset", strings.NewReader("next="+next))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if v.cookie != nil {
		r.AddCookie(&http.Cookie{Name: v.cookie.Name, Value: v.cookie.Value})
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// alive says whether the visitor's session still opens and somebody is signed in.
func (v *visited) alive(o *Options) bool {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.cookie)
	return serve(Sessions(v.manager, v.keys, o)(http.HandlerFunc(greet)), r).Body.String() == "hello ann at /"
}

// Only a genuine cookie of an ended session is cleared, and nothing is ended. The same outside of Sessions
// and inside, in Skip and in Aware.
func TestResetHandlerClearsOnlyTheEnded(t *testing.T) {
	const path = "POST /hardy/reset"
	wirings := map[string]func(v *visited) http.Handler{
		"outside": func(v *visited) http.Handler { return ResetHandler(v.manager, v.keys, nil) },
		"inside, Skip": func(v *visited) http.Handler {
			return Sessions(v.manager, v.keys, &Options{Skip: []string{path}})(ResetHandler(v.manager, v.keys, nil))
		},
		"inside, Aware": func(v *visited) http.Handler {
			return Sessions(v.manager, v.keys, &Options{Aware: []string{path}})(ResetHandler(v.manager, v.keys, nil))
		},
	}
	cases := []struct {
		name    string
		prepare func(t *testing.T, v *visited)
		status  int
		cleared bool
		alive   bool
	}{
		{"live", func(t *testing.T, v *visited) {}, 303, false, true},
		{"ended", func(t *testing.T, v *visited) { v.end(t) }, 303, true, false},
		{"no cookie", func(t *testing.T, v *visited) { v.cookie = nil }, 303, false, false},
		{"forged", func(t *testing.T, v *visited) {
			v.end(t)
			v.cookie.Value = v.cookie.Value[:len(v.cookie.Value)-2] + "AA"
		}, 303, false, false},
		{"unknown key", func(t *testing.T, v *visited) {
			v.end(t)
			other := visit(t, nil)
			v.cookie.Value = other.cookie.Value
		}, 303, false, false},
		{"store down", func(t *testing.T, v *visited) { v.end(t); v.store.off = true }, 503, false, false},
	}
	for wiring, wire := range wirings {
		for _, tt := range cases {
			t.Run(wiring+"/"+tt.name, func(t *testing.T) {
				v := visit(t, nil)
				h := wire(v)
				tt.prepare(t, v)
				w := serve(h, v.resetForm("/orders"))
				if w.Code != tt.status {
					t.Errorf("status %d, want %d", w.Code, tt.status)
				}
				if got := v.cookie != nil && v.cleared(t, w); got != tt.cleared || !tt.cleared && len(w.Result().Cookies()) > 0 {
					t.Errorf("cleared %v, want %v: %v", got, tt.cleared, w.Header())
				}
				if w.Code == 303 && w.Header().Get("Location") != "/orders" {
					t.Errorf("Location %q", w.Header().Get("Location"))
				}
				if w.Header().Get("Cache-Control") != noStore {
					t.Errorf("Cache-Control %q", w.Header().Get("Cache-Control"))
				}
				if v.cookie != nil && !v.store.off {
					if got := v.alive(nil); got != tt.alive {
						t.Errorf("session alive: %v, want %v", got, tt.alive)
					}
				}
			})
		}
	}
}

// A key that was revoked ends its sessions; a token replaced moments ago belongs to a live one.
func TestResetHandlerRotated(t *testing.T) {
	v := visit(t, nil)
	renew := Sessions(v.manager, v.keys, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Renew(); err != nil {
			t.Error(err)
		}
	}))
	r := httptest.NewRequest("POST", "/renew", nil)
	r.AddCookie(v.cookie)
	serve(renew, r)
	w := serve(ResetHandler(v.manager, v.keys, nil), v.resetForm("/"))
	if w.Code != 303 || v.cleared(t, w) {
		t.Errorf("within the grace: %d %v, want the newer cookie left alone", w.Code, w.Header())
	}
}

func TestResetHandlerUnderTheSameOptions(t *testing.T) {
	o := &Options{Name: "other", SameSite: http.SameSiteStrictMode}
	v := visit(t, o)
	v.end(t)
	if w := serve(ResetHandler(v.manager, v.keys, o), v.resetForm("/")); !v.cleared(t, w) {
		t.Errorf("not cleared: %v", w.Header())
	}
}

func TestResetHandlerMethods(t *testing.T) {
	v := visit(t, nil)
	v.end(t)
	h := ResetHandler(v.manager, v.keys, nil)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		r := v.resetForm("/")
		r.Method = method
		w := serve(h, r)
		if w.Code != 405 || w.Header().Get("Allow") != "POST" || v.cleared(t, w) {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

// Row H2 of the acceptance list: no other origin can start over for the visitor.
func TestResetHandlerH2(t *testing.T) {
	tests := []struct {
		site, origin string
		allowed      bool
	}{
		{"same-origin", "https://example.com", true},
		{"none", "", true},
		{"same-site", "https://other.example.com", false},
		{"cross-site", "https://evil.example", false},
		{"cross-site", "null", false},
		{"", "https://example.com", true},
		{"", "https://evil.example", false},
		{"", "null", false},
		{"", "", true}, // no browser
	}
	for _, tt := range tests {
		v := visit(t, nil)
		v.end(t)
		r := v.resetForm("/")
		r.Header.Del("Sec-Fetch-Site")
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := serve(ResetHandler(v.manager, v.keys, nil), r)
		want := 403
		if tt.allowed {
			want = 303
		}
		if w.Code != want || v.cleared(t, w) != tt.allowed {
			t.Errorf("Sec-Fetch-Site %q, Origin %q: %d %v, want %d", tt.site, tt.origin, w.Code, w.Header(), want)
		}
	}
}

func TestResetHandlerNext(t *testing.T) {
	v := visit(t, nil)
	h := ResetHandler(v.manager, v.keys, nil)
	for next, want := range map[string]string{
		"/orders%3Fyear%3D2026":                     "/orders?year=2026",
		"":                                          "/",
		"https://evil.example/":                     "/",
		"//evil.example":                            "/",
		"/%5Cevil.example":                          "/",
		"%5C%5Cevil.example":                        "/",
		"/%09/evil.example":                         "/",
		"/%0d%0aSet-Cookie:a=b":                     "/",
		"javascript:alert(1)":                       "/",
		"%2Forders&next=https://evil.example":       "/orders",
		"/" + strings.Repeat("a", 5*maxLocal):       "/",
		"/" + strings.Repeat("a", 100)[:50] + "%ZZ": "/",
	} {
		w := serve(h, v.resetForm(next))
		if got := w.Header()["Location"]; w.Code != 303 || len(got) != 1 || got[0] != want {
			t.Errorf("next=%.40s: %d %q, want %q", next, w.Code, got, want)
		}
	}
	r := v.resetForm("")
	r.URL.RawQuery = "next=/evil"
	if got := serve(h, r).Header().Get("Location"); got != "/" {
		t.Errorf("next in the query: %q; it counts in the form only", got)
	}
}

func TestResetHandlerForScripts(t *testing.T) {
	v := visit(t, nil)
	v.end(t)
	r := v.resetForm("/orders")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	w := serve(ResetHandler(v.manager, v.keys, nil), r)
	if w.Code != 204 || !v.cleared(t, w) || w.Header().Get("Location") != "" || w.Body.Len() > 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestResetHandlerWiring(t *testing.T) {
	v := visit(t, nil)
	for name, make := range map[string]func(){
		"nil manager": func() { ResetHandler(nil, v.keys, nil) },
		"nil keys":    func() { ResetHandler(v.manager, (*cookie.Keys)(nil), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}
