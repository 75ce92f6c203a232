package foreign

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store"
	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/tester"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/gitea"
)

type ring struct{ text string }

func (r ring) Masters(context.Context) (string, error) { return r.text, nil }

func newStore(t *testing.T, o *gorilla.Options) (*gorilla.Store, *store.Memory) {
	t.Helper()
	keys, err := cookie.NewKeys(t.Context(), ring{cookie.NewMaster()}, "app")
	if err != nil {
		t.Fatal(err)
	}
	db := store.NewMemory(nil)
	m := session.NewManager(db, &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return gorilla.NewStore(m, keys, o), db
}

// The suite that gin-contrib/sessions has for stores.
func TestGinSuite(t *testing.T) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter = t.Output()
	factory := func(t *testing.T) ginsessions.Store {
		st, _ := newStore(t, nil)
		return gorilla.Gin[ginsessions.Options]{Store: st}
	}
	for name, test := range map[string]func(*testing.T, func(*testing.T) ginsessions.Store){
		"GetSet":    func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.GetSet(t, f) },
		"DeleteKey": func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.DeleteKey(t, f) },
		"Flashes":   func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.Flashes(t, f) },
		"Clear":     func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.Clear(t, f) },
		"Options":   func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.Options(t, f) },
		"Many":      func(t *testing.T, f func(*testing.T) ginsessions.Store) { tester.Many(t, f) },
	} {
		t.Run(name, func(t *testing.T) { test(t, factory) })
	}
}

// browser is a client with a cookie jar, to a server over TLS.
type browser struct {
	t *testing.T
	*http.Client
	address string
}

func serve(t *testing.T, h http.Handler) *browser {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	b := &browser{t, server.Client(), server.URL}
	b.Jar, _ = cookiejar.New(nil)
	return b
}

func (b *browser) get(path string) (code int, body string) {
	b.t.Helper()
	resp, err := b.Get(b.address + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (b *browser) want(path, want string) {
	b.t.Helper()
	if code, body := b.get(path); code != 200 || body != want {
		b.t.Errorf("%s: %d %q, want %q", path, code, body, want)
	}
}

func (b *browser) cookie(name string) string {
	u, err := url.Parse(b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// An application on gin: sign in, clear to sign out, and a Save that comes too late, which gin's writer tells.
func TestGinApplication(t *testing.T) {
	gin.SetMode(gin.TestMode)
	st, db := newStore(t, nil)
	router := gin.New()
	router.Use(ginsessions.Sessions("mysession", gorilla.Gin[ginsessions.Options]{Store: st}))
	router.GET("/login", func(c *gin.Context) {
		s := ginsessions.Default(c)
		s.Set("user", "ann")
		if err := s.Save(); err != nil {
			t.Error(err)
		}
		c.String(200, "ok")
	})
	router.GET("/me", func(c *gin.Context) { c.String(200, "%v", ginsessions.Default(c).Get("user")) })
	router.GET("/clear", func(c *gin.Context) {
		s := ginsessions.Default(c)
		s.Clear()
		if err := s.Save(); err != nil {
			t.Error(err)
		}
		c.String(200, "ok")
	})
	router.GET("/late", func(c *gin.Context) {
		c.String(200, "the answer leaves")
		s := ginsessions.Default(c)
		s.Set("user", "bob")
		if err := s.Save(); err != session.ErrSent {
			t.Errorf("a late Save: %v", err)
		}
	})
	b := serve(t, router)
	b.want("/late", "the answer leaves")
	if n, err := db.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
	b.want("/me", "<nil>")
	b.want("/login", "ok")
	b.want("/me", "ann")
	b.want("/clear", "ok")
	b.want("/me", "<nil>")
	b.want("/login", "ok")
	b.want("/me", "ann")
}

// An application on echo, as echo's cookbook has it.
func TestEcho(t *testing.T) {
	st, _ := newStore(t, nil)
	e := echo.New()
	e.Use(echosession.Middleware(st))
	e.GET("/create", func(c echo.Context) error {
		sess, err := echosession.Get("session", c)
		if err != nil {
			return err
		}
		sess.Options = &sessions.Options{Path: "/", MaxAge: 86400 * 7, HttpOnly: true}
		sess.Values["foo"] = "bar"
		if err := sess.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	e.GET("/read", func(c echo.Context) error {
		sess, err := echosession.Get("session", c)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, fmt.Sprintf("foo=%v", sess.Values["foo"]))
	})
	e.GET("/logout", func(c echo.Context) error {
		sess, err := echosession.Get("session", c)
		if err != nil {
			return err
		}
		sess.Options.MaxAge = -1
		if err := sess.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	})
	b := serve(t, e)
	b.want("/read", "foo=<nil>")
	b.want("/create", "")
	b.want("/read", "foo=bar")
	b.want("/create", "")
	kept := b.cookie("session")
	b.want("/logout", "")
	b.want("/read", "foo=<nil>")
	u, _ := url.Parse(b.address)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: kept, Path: "/"}})
	b.want("/read", "foo=<nil>")
}

// provider is an OAuth 2 provider as far as a client sees it: it sends everybody back as ann.
func provider(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		back, err := url.Parse(r.FormValue("redirect_uri"))
		if err != nil {
			t.Error(err)
		}
		q := url.Values{"code": {"a-code"}, "state": {r.FormValue("state")}}
		back.RawQuery = q.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("code") != "a-code" {
			http.Error(w, "no such code", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": "a-token", "token_type": "bearer", "expires_in": 3600})
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"id": 7, "login": "ann", "full_name": "Ann", "email": "ann@example.com"})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// goth keeps its transaction in a session of its own, twice in one request, and the application signs in beside it. The
// anonymous cookie opens nothing afterwards.
func TestGoth(t *testing.T) {
	user := func(values map[any]any) string { name, _ := values["user"].(string); return name }
	for name, o := range map[string]*gorilla.Options{"guessed": nil, "with User": {User: user}} {
		t.Run(name, func(t *testing.T) {
			st, _ := newStore(t, o)
			gothic.Store = st
			mux := http.NewServeMux()
			mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
				s, err := st.Get(r, "app")
				if err != nil {
					t.Error(err)
				}
				visits, _ := s.Values["visits"].(int)
				s.Values["visits"] = visits + 1
				if err := s.Save(r, w); err != nil {
					t.Error(err)
				}
				fmt.Fprintf(w, "%v, visit %d", s.Values["user"], visits+1)
			})
			mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
				s, err := st.Get(r, "app")
				fmt.Fprintf(w, "%v %v", s.Values["user"], err)
			})
			mux.HandleFunc("/auth", gothic.BeginAuthHandler)
			mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
				who, err := gothic.CompleteUserAuth(w, r)
				if err != nil {
					http.Error(w, err.Error(), http.StatusForbidden)
					return
				}
				s, err := st.Get(r, "app")
				if err != nil {
					t.Error(err)
				}
				s.Values["user"] = who.NickName
				if err := s.Save(r, w); err != nil {
					t.Error(err)
				}
				http.Redirect(w, r, "/", http.StatusSeeOther)
			})
			b := serve(t, mux)
			idp := provider(t)
			goth.UseProviders(gitea.NewCustomisedURL("client", "secret", b.address+"/callback?provider=gitea", idp.URL+"/authorize", idp.URL+"/token", idp.URL+"/user"))
			defer goth.ClearProviders()

			b.want("/", "<nil>, visit 1")
			anonymous := b.cookie("app")
			b.want("/auth?provider=gitea", "ann, visit 2")
			if b.cookie("_gothic_session") != "" {
				t.Error("goth's transaction is over, and its cookie still there")
			}
			b.want("/", "ann, visit 3")
			if code, body := b.get("/callback?provider=gitea&code=a-code&state=forged"); code != http.StatusForbidden {
				t.Errorf("a callback that nobody has begun: %d %s", code, body)
			}
			b.want("/me", "ann <nil>")
			u, _ := url.Parse(b.address)
			b.Jar.SetCookies(u, []*http.Cookie{{Name: "app", Value: anonymous, Path: "/", Secure: true}})
			b.want("/me", "<nil> <nil>")
		})
	}
}
