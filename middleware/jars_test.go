package middleware_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/sessiontest"
)

// Jars in a browser, over days.

var (
	jarName  = cookie.NewKey[string]("name")
	jarAge   = cookie.NewKey[int]("age")
	jarTheme = cookie.NewKey[string]("theme")
)

// jarsOf are the two jars of a request.
var jarsOf = map[string]func(r *http.Request) *cookie.Jar{
	"Local":  func(r *http.Request) *cookie.Jar { return cookie.Local(r.Context()) },
	"Shared": func(r *http.Request) *cookie.Jar { return cookie.Shared(r.Context()) },
}

// jarApp serves one function after the other to a browser.
type jarApp struct {
	t       *testing.T
	server  *sessiontest.Server
	browser *http.Client
	serve   func(w http.ResponseWriter, r *http.Request)
}

func jarOptions() *middleware.CookieOptions {
	return &middleware.CookieOptions{Shared: cookie.DevKeys("team"), ShareWith: "hardy.test"}
}

func newJarApp(t *testing.T, o *middleware.CookieOptions) *jarApp {
	a := &jarApp{t: t}
	a.server = sessiontest.NewServer(t, middleware.Cookies(cookie.DevKeys("bell"), o)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r) })))
	a.browser = a.server.Browser()
	return a
}

// visit is one request of the browser.
func (a *jarApp) visit(f func(r *http.Request)) *http.Response {
	a.t.Helper()
	a.serve = func(_ http.ResponseWriter, r *http.Request) { f(r) }
	resp, err := a.browser.Get(a.server.URL)
	if err != nil {
		a.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// sent is the Cookie field that the browser would send now.
func (a *jarApp) sent() string {
	site, err := url.Parse(a.server.URL)
	if err != nil {
		a.t.Fatal(err)
	}
	var pairs []string
	for _, c := range a.browser.Jar.Cookies(site) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// replay is a request with a Cookie field of the sender's choice.
func (a *jarApp) replay(cookies string, f func(r *http.Request)) {
	a.t.Helper()
	a.serve = func(_ http.ResponseWriter, r *http.Request) { f(r) }
	r, err := http.NewRequest("GET", a.server.URL, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Cookie", cookies)
	client := *a.browser
	client.Jar = nil
	resp, err := client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	resp.Body.Close()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// Anvil, 10: a value stays for 30 days, and no trick of its owner keeps it longer.
func TestAnvilCookieLastsThirtyDays(t *testing.T) {
	const day = 24 * time.Hour
	for kind, jar := range jarsOf {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newJarApp(t, jarOptions())
				a.visit(func(r *http.Request) { check(t, jarName.Set(jar(r), "Bob")) })
				kept := a.sent()

				reads := func(when string, there bool) {
					t.Helper()
					look := func(how string) func(r *http.Request) {
						return func(r *http.Request) {
							v, ok := jarName.Lookup(jar(r))
							if ok != there || there && v != "Bob" {
								t.Errorf("%s, %s: %q %v", when, how, v, ok)
							}
							if keys := jar(r).Keys(); (len(keys) == 1) != there {
								t.Errorf("%s, %s: keys %q", when, how, keys)
							}
						}
					}
					a.visit(look("by the browser"))
					a.replay(kept, look("replayed"))
				}
				time.Sleep(29*day + 23*time.Hour)
				reads("at 29 d 23 h", true)
				time.Sleep(time.Hour + time.Minute)
				if s := a.sent(); s != "" {
					t.Errorf("at 30 d 1 min the browser still sends %q", s)
				}
				reads("at 30 d 1 min", false)
			})
		})
	}
}

// Anvil, 10: set(3, name="Bob", age=42). Both go after three days, and what lay beside them stays.
func TestAnvilSeveralForThreeDays(t *testing.T) {
	const day = 24 * time.Hour
	for kind, jar := range jarsOf {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newJarApp(t, jarOptions())
				a.visit(func(r *http.Request) { check(t, jarTheme.Set(jar(r), "dark")) })
				a.visit(func(r *http.Request) {
					check(t, jar(r).SetFor(3*day, jarName.Value("Bob"), jarAge.Value(42)))
				})
				kept := a.sent()
				look := func(when string, keys ...string) {
					t.Helper()
					see := func(r *http.Request) {
						if got := jar(r).Keys(); !slices.Equal(got, keys) {
							t.Errorf("%s: keys %q, want %q", when, got, keys)
						}
						name, age := "nobody", -1
						if len(keys) == 3 {
							name, age = "Bob", 42
						}
						if n, y, c := jarName.GetOr(jar(r), "nobody"), jarAge.GetOr(jar(r), -1), jarTheme.GetOr(jar(r), "none"); n != name || y != age ||
							c != "dark" && len(keys) > 0 {
							t.Errorf("%s: %q, %d, %q", when, n, y, c)
						}
					}
					a.visit(see)
					a.replay(kept, see)
				}
				look("at once", "age", "name", "theme")
				time.Sleep(3*day - time.Minute)
				look("a minute before 3 days", "age", "name", "theme")
				time.Sleep(2 * time.Minute)
				look("a minute after 3 days", "theme")

				// A write at this point brings nothing back and gives the neighbour no more time.
				a.visit(func(r *http.Request) { check(t, jarAge.SetFor(jar(r), day, 43)) })
				a.visit(func(r *http.Request) {
					if got := jar(r).Keys(); !slices.Equal(got, []string{"age", "theme"}) {
						t.Errorf("after a write: keys %q", got)
					}
				})
				time.Sleep(27 * day)
				look("after 30 days and a minute")
			})
		})
	}
}

// Anvil, 10: like a dictionary.
func TestAnvilCookieIsADictionary(t *testing.T) {
	for kind, jar := range jarsOf {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newJarApp(t, jarOptions())
				a.visit(func(r *http.Request) {
					j := jar(r)
					if v := jarName.GetOr(j, "stranger"); v != "stranger" {
						t.Errorf("get with a default: %q", v)
					}
					if v, ok := jarName.Lookup(j); v != "" || ok {
						t.Errorf("what nobody set: %q %v", v, ok)
					}
					check(t, jarName.Set(j, "Ann"))
					check(t, jarName.Set(j, "Bob"))
					if v := jarName.Get(j); v != "Bob" {
						t.Errorf("Set then Get in one request: %q", v)
					}
					check(t, jarAge.Set(j, 42))
					check(t, jarTheme.Set(j, "dark"))
				})
				resp := a.visit(func(r *http.Request) {
					was, err := jarAge.Delete(jar(r))
					check(t, err)
					if _, ok := jarAge.Lookup(jar(r)); !was || ok {
						t.Error("del: was", was, "is", ok)
					}
					if was, err := jarAge.Delete(jar(r)); was || err != nil {
						t.Error("del again:", was, err)
					}
				})
				if n := len(resp.Header["Set-Cookie"]); n != 1 {
					t.Errorf("%d cookies for a change", n)
				}
				resp = a.visit(func(r *http.Request) {
					if n, c, keys := jarName.Get(jar(r)), jarTheme.Get(jar(r)), jar(r).Keys(); n != "Bob" || c != "dark" || !slices.Equal(keys, []string{"name", "theme"}) {
						t.Errorf("after del: %q %q %q", n, c, keys)
					}
				})
				if n := len(resp.Header["Set-Cookie"]); n != 0 {
					t.Errorf("%d cookies for a look", n)
				}
				a.visit(func(r *http.Request) {
					check(t, jar(r).Clear())
					if keys := jar(r).Keys(); len(keys) != 0 || jarName.GetOr(jar(r), "gone") != "gone" {
						t.Errorf("after clear, in the same request: %q", keys)
					}
				})
				if s := a.sent(); s != "" {
					t.Errorf("after clear the browser sends %q", s)
				}
				a.visit(func(r *http.Request) {
					check(t, jarName.Set(jar(r), "Bob"))
					check(t, jar(r).Clear())
					check(t, jarAge.Set(jar(r), 7))
				})
				a.visit(func(r *http.Request) {
					if keys := jar(r).Keys(); !slices.Equal(keys, []string{"age"}) || jarAge.Get(jar(r)) != 7 {
						t.Errorf("set, clear, set: %q", keys)
					}
				})
			})
		})
	}
}

// A browser removes a cookie only where the deletion has the attributes that it was set with.
func TestClearSendsIdenticalAttributes(t *testing.T) {
	for _, row := range []struct {
		name           string
		insecure, http bool
		site           http.SameSite
		local, shared  string
	}{
		{
			"by default", false, false, 0,
			"__Host-bell-local=; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Secure-team-shared=; Path=/; Domain=hardy.test; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"Strict", false, false, http.SameSiteStrictMode,
			"__Host-bell-local=; Path=/; HttpOnly; Secure; SameSite=Strict",
			"__Secure-team-shared=; Path=/; Domain=hardy.test; HttpOnly; Secure; SameSite=Strict",
		},
		{
			"None", false, false, http.SameSiteNoneMode,
			"__Host-bell-local=; Path=/; HttpOnly; Secure; SameSite=None",
			"__Secure-team-shared=; Path=/; Domain=hardy.test; HttpOnly; Secure; SameSite=None",
		},
		{
			"InsecureHTTP, over TLS", true, false, 0,
			"bell-local=; Path=/; HttpOnly; Secure; SameSite=Lax",
			"team-shared=; Path=/; Domain=hardy.test; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"InsecureHTTP", true, true, 0,
			"bell-local=; Path=/; HttpOnly; SameSite=Lax",
			"team-shared=; Path=/; Domain=hardy.test; HttpOnly; SameSite=Lax",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := jarOptions()
				o.Cookie.SameSite, o.Cookie.InsecureHTTP = row.site, row.insecure
				a := newJarApp(t, o)
				if row.http {
					a.server.URL = strings.Replace(a.server.URL, "https:", "http:", 1)
				}
				both := func(f func(j *cookie.Jar)) (lines []string) {
					resp := a.visit(func(r *http.Request) { f(jarsOf["Local"](r)); f(jarsOf["Shared"](r)) })
					return resp.Header["Set-Cookie"]
				}
				set := both(func(j *cookie.Jar) { check(t, jarName.Set(j, "Bob")) })
				if a.sent() == "" {
					t.Fatal("the browser took no cookie")
				}
				clears := both(func(j *cookie.Jar) { check(t, j.Clear()) })
				if len(set) != 2 || len(clears) != 2 {
					t.Fatalf("set %q, cleared %q", set, clears)
				}
				for i, want := range []string{row.local, row.shared} {
					if got := attributes(set[i], "Max-Age=2592000"); got != want {
						t.Errorf("set with %q, want %q", got, want)
					}
					if got := attributes(clears[i], "Max-Age=0"); got != want {
						t.Errorf("cleared with %q, want %q", got, want)
					}
				}
				if s := a.sent(); s != "" {
					t.Errorf("the browser keeps %q", s)
				}
			})
		})
	}
}

// attributes is a Set-Cookie line without its value and the given age, which must be there.
func attributes(line, age string) string {
	pair, rest, _ := strings.Cut(line, "; ")
	name, _, _ := strings.Cut(pair, "=")
	var kept []string
	for part := range strings.SplitSeq(rest, "; ") {
		if part == age {
			age = ""
		} else {
			kept = append(kept, part)
		}
	}
	if age != "" {
		return "no " + age + " in " + line
	}
	return name + "=; " + strings.Join(kept, "; ")
}

// Anvil, 9: local is the app's own; shared is read and written by all of the team's apps.
func TestAnvilLocalAndShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team := cookie.DevKeys("team")
		wrap := func(app string, h http.HandlerFunc) http.Handler {
			return middleware.Cookies(cookie.DevKeys(app), &middleware.CookieOptions{Shared: team, ShareWith: "hardy.test"})(h)
		}
		var serve func(r *http.Request)
		h := func(_ http.ResponseWriter, r *http.Request) { serve(r) }
		// Two apps, even of one name, on two hosts.
		apps := map[string]http.Handler{"app.hardy.test": wrap("bell", h), "two.hardy.test": wrap("bell", h), "three.hardy.test": wrap("clock", h)}
		server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { apps[r.Host].ServeHTTP(w, r) }))
		bob := server.Browser()
		visit := func(host string, f func(local, shared *cookie.Jar), fields ...string) {
			t.Helper()
			serve = func(r *http.Request) { f(cookie.Local(r.Context()), cookie.Shared(r.Context())) }
			r, _ := http.NewRequest("GET", "https://"+host, nil)
			for i := 0; i+1 < len(fields); i += 2 {
				r.Header.Set(fields[i], fields[i+1])
			}
			resp, err := bob.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		visit("app.hardy.test", func(local, shared *cookie.Jar) {
			check(t, jarName.Set(local, "Bob"))
			check(t, jarTheme.Set(shared, "dark"))
		})
		for _, host := range []string{"two.hardy.test", "three.hardy.test"} {
			visit(host, func(local, shared *cookie.Jar) {
				if n, c := jarName.Get(local), jarTheme.Get(shared); n != "" || c != "dark" {
					t.Errorf("%s reads local %q, shared %q", host, n, c)
				}
				check(t, jarAge.Set(shared, len(host)))
			})
		}
		visit("app.hardy.test", func(local, shared *cookie.Jar) {
			if n, c, y := jarName.Get(local), jarTheme.Get(shared), jarAge.Get(shared); n != "Bob" || c != "dark" || y != len("three.hardy.test") {
				t.Errorf("the first app reads %q, %q, %d", n, c, y)
			}
		})
		// Nor does another app read a local cookie that somebody carries to it by hand.
		site, _ := url.Parse("https://app.hardy.test")
		for _, c := range bob.Jar.Cookies(site) {
			visit("two.hardy.test", func(local, shared *cookie.Jar) {
				if keys := local.Keys(); len(keys) != 0 {
					t.Errorf("another app opened %q", keys)
				}
			}, "Cookie", "__Host-bell-local="+c.Value)
		}
	})
}

// Anvil, 11: an update takes effect at once. The cookie goes out with the header: who navigates away before the page
// has come has it.
func TestAnvilUpdateTakesEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newJarApp(t, jarOptions())
		leave := make(chan struct{})
		a.serve = func(w http.ResponseWriter, r *http.Request) {
			check(t, jarName.Set(cookie.Local(r.Context()), "Bob"))
			w.(http.Flusher).Flush()
			if err := jarName.Set(cookie.Local(r.Context()), "late"); !errors.Is(err, cookie.ErrSent) {
				t.Errorf("Set after the header: %v", err)
			}
			<-leave
		}
		resp, err := a.browser.Get(a.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close() // the page is still being made
		next := a.sent()
		close(leave)
		synctest.Wait()
		a.replay(next, func(r *http.Request) {
			if v := jarName.Get(cookie.Local(r.Context())); v != "Bob" {
				t.Errorf("the next request reads %q", v)
			}
		})
	})
}

// Anvil, 12: too large a value is an error at the call, and the jar keeps what it had.
func TestAnvilCookieError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for kind, jar := range jarsOf {
			a := newJarApp(t, jarOptions())
			a.visit(func(r *http.Request) { check(t, jarName.Set(jar(r), "Bob")) })
			before := a.sent()
			resp := a.visit(func(r *http.Request) {
				for _, err := range []error{
					jarTheme.Set(jar(r), strings.Repeat("x", 4096)),
					jarName.Set(jar(r), strings.Repeat("x", 4096)),
					jar(r).SetFor(time.Hour, jarAge.Value(1), jarTheme.Value(strings.Repeat("x", 4096))),
				} {
					if !errors.Is(err, cookie.ErrTooLarge) {
						t.Errorf("%s: %v", kind, err)
					}
				}
				if keys := jar(r).Keys(); !slices.Equal(keys, []string{"name"}) || jarName.Get(jar(r)) != "Bob" {
					t.Errorf("%s: left with %q", kind, keys)
				}
			})
			if len(resp.Header["Set-Cookie"]) != 0 || a.sent() != before {
				t.Errorf("%s: a refused value changed the cookie", kind)
			}
			// What is in the doc of Jar fits: about 2,200 bytes, in a cookie that every browser keeps.
			resp = a.visit(func(r *http.Request) { check(t, jarTheme.Set(jar(r), strings.Repeat("x", 2150))) })
			for _, line := range resp.Header["Set-Cookie"] {
				pair, _, _ := strings.Cut(line, ";")
				if len(pair) > 4096+1 {
					t.Errorf("%s: a cookie of %d bytes", kind, len(pair))
				}
			}
			a.visit(func(r *http.Request) {
				if len(jarTheme.Get(jar(r))) != 2150 || jarName.Get(jar(r)) != "Bob" {
					t.Errorf("%s: lost what fits", kind)
				}
			})
		}
	})
}

// Anvil, 13: its user can't read it, and what is read was put there by the app.
func TestAnvilCookieIsSealed(t *testing.T) {
	for kind, jar := range jarsOf {
		a := newJarApp(t, jarOptions())
		a.visit(func(r *http.Request) { check(t, jarName.Set(jar(r), "Bartholomew")) })
		sent := a.sent()
		name, text, _ := strings.Cut(sent, "=")
		for layer := text; ; {
			if strings.Contains(layer, "Bartholomew") || strings.Contains(layer, jarName.Name()) {
				t.Errorf("%s: the value can be read in the cookie", kind)
			}
			layer = layer[strings.LastIndexAny(layer, ".|")+1:]
			b, err := base64.URLEncoding.DecodeString(layer)
			if err != nil || len(b) == 0 {
				break
			}
			layer = string(b)
		}
		for _, i := range []int{0, 5, 14, len(text) / 2, len(text) - 3} { // TestEveryByteCounts has all of them
			b := []byte(text)
			if b[i]++; b[i] == 'z'+1 || b[i] == 'Z'+1 || b[i] == '9'+1 {
				b[i] = '0'
			}
			a.replay(name+"="+string(b), func(r *http.Request) {
				if keys := jar(r).Keys(); len(keys) != 0 {
					t.Errorf("%s: opened with character %d changed: %q", kind, i, keys)
				}
			})
		}
	}
}
