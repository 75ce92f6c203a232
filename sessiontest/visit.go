package sessiontest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"example.com/hardy/session"
)

// SignIn signs user in with the browser, without the application's form: as Visit with Session.Login does.
func (s *Server) SignIn(browser *http.Client, sessions func(http.Handler) http.Handler, user string) {
	s.t.Helper()
	s.Visit(browser, sessions, func(held *session.Session) {
		if err := held.Login(user); err != nil {
			s.t.Fatalf("sessiontest: sign %q in: %v", user, err)
		}
	})
}

// Visit runs f on the browser's session, in a request of its own that carries the browser's cookies; the
// cookies of the answer go into its jar. f prepares what the session holds, or reads it. sessions is the
// middleware that the application wraps its handler in, with the options it has there:
//
//	sessions := middleware.Sessions(manager, keys, nil)
//	server := sessiontest.NewServer(t, sessions(mux))
//	ann := server.Browser()
//	server.Visit(ann, sessions, func(s *session.Session) { cart.Set(s, []string{"anvil"}) })
//
// The request opens a page, so a session that has ended starts over. The test ends where the session
// can't be had or stored.
func (s *Server) Visit(browser *http.Client, sessions func(http.Handler) http.Handler, f func(*session.Session)) {
	s.t.Helper()
	site, err := url.Parse(s.URL + "/sessiontest")
	if err != nil {
		s.t.Fatalf("sessiontest: Server.URL: %v", err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, site.String(), nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, c := range browser.Jar.Cookies(site) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f(session.From(r.Context()))
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		s.t.Fatalf("sessiontest: Visit was answered %d: %s", w.Code, w.Body)
	}
	browser.Jar.SetCookies(site, w.Result().Cookies())
}

// Request returns r with a session of m in its context, for a handler that is called without a server. fill
// prepares the session, which is then stored and arrives like that of a visitor who comes back: after a Login in it,
// somebody is signed in. With a nil fill it is blank, as for a new visitor. For a session that has
// ended use session.With and Manager.Refuse.
//
//	r := sessiontest.Request(t, httptest.NewRequest("POST", "/ring", nil), manager, func(s *session.Session) {
//		rings.Set(s, 3)
//	})
//	ring(httptest.NewRecorder(), r)
//	got := rings.Get(sessiontest.Stored(t, r, manager))
func Request(t testing.TB, r *http.Request, m *session.Manager, fill func(*session.Session)) *http.Request {
	t.Helper()
	s := m.New()
	if fill != nil {
		fill(s)
		s = reload(t, r, m, s)
	}
	return r.WithContext(session.With(r.Context(), s))
}

// Stored commits the session of a request made by Request, as the middleware does for a handler that has
// returned, and gives back what the store then holds. It is blank where nothing is stored: the handler
// set nothing, or ended the session. The test ends where the commit fails: ask Manager.Commit for the error.
func Stored(t testing.TB, r *http.Request, m *session.Manager) *session.Session {
	t.Helper()
	return reload(t, r, m, m.From(r.Context()))
}

func reload(t testing.TB, r *http.Request, m *session.Manager, s *session.Session) *session.Session {
	t.Helper()
	if err := m.Commit(r.Context(), s); err != nil {
		t.Fatalf("sessiontest: commit: %v", err)
	}
	token := s.Token()
	if token == nil {
		return m.New()
	}
	loaded, err := m.Load(r.Context(), token)
	if err != nil {
		t.Fatalf("sessiontest: load what was stored: %v", err)
	}
	return loaded
}
