package gorilla_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// A session that begins before the sign-in: its cookie opens nothing after it, whatever way the application has to note
// that somebody is signed in.
func TestFixation(t *testing.T) {
	type step = map[any]any
	for what, test := range map[string]struct{ before, login step }{
		"a name appears":             {step{"visits": 1}, step{"user": "ann"}},
		"a flag appears":             {step{"visits": 1}, step{"in": true}},
		"a flag changes":             {step{"in": false}, step{"in": true}},
		"an id leaves 0":             {step{"who": 0}, step{"who": 7}},
		"a text leaves the empty":    {step{"who": ""}, step{"who": "ann"}},
		"a guest becomes somebody":   {step{"username": "guest"}, step{"username": "ann"}},
		"a guest's id":               {step{"userId": 9001}, step{"userId": 7}},
		"a role":                     {step{"role": "none"}, step{"role": "admin"}},
		"a struct appears":           {step{"visits": 1}, step{"me": profile{Name: "ann"}}},
		"a struct leaves the zero":   {step{"me": profile{}}, step{"me": profile{Name: "ann"}}},
		"a struct changes":           {step{"profile": profile{Name: "guest"}}, step{"profile": profile{Name: "ann"}}},
		"a struct changes in place":  {step{"roles": map[string]int{"guest": 1}}, step{"roles": map[string]int{"admin": 1}}},
		"a list that was empty":      {step{"granted": []string{}}, step{"granted": []string{"all"}}},
		"a key that is no text":      {step{userKey: "guest"}, step{userKey: "ann"}},
		"after a flash":              {step{"_flash": []any{"please sign in"}}, step{"user": "ann"}},
		"after an OAuth transaction": {step{"state": "x"}, step{"id_token": "y"}},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, setup{}, func(t *testing.T, st *site) {
				st.handle("/page", func(s *sessions.Session, r *http.Request) string { maps.Copy(s.Values, test.before); return "" })
				st.handle("/login", func(s *sessions.Session, r *http.Request) string { maps.Copy(s.Values, test.login); return "" })
				victim := st.browser()
				st.body(victim, "/page")
				planted := st.cookie(victim)
				anonymous := st.body(victim, "/get")
				st.body(victim, "/login")
				if st.cookie(victim) == planted {
					t.Fatal("the token stays")
				}
				signedIn := st.body(victim, "/get")
				for _, later := range []time.Duration{0, 11 * time.Second} {
					time.Sleep(later)
					got := st.body(st.with(planted), "/get")
					if got != "map[]" && (got != anonymous || later > 0) {
						t.Errorf("%v later the anonymous cookie shows %s", later, got)
					}
					// Nor does it write.
					if code, _, set := st.get(st.with(planted), "/set?planted=yes"); later == 0 && (code != http.StatusConflict || set != nil) {
						t.Errorf("a write with it: %d, %q", code, set)
					}
				}
				if got := st.body(victim, "/get"); got != signedIn {
					t.Errorf("the victim has %s, had %s", got, signedIn)
				}
			})
		})
	}
}

// What is no sign-in leaves the token as it is, so that requests at once don't get into each other's way.
func TestNoNewTokenForTheRest(t *testing.T) {
	type step = map[any]any
	for what, test := range map[string]struct{ before, change step }{
		"a counter":        {step{"visits": 1}, step{"visits": 2}},
		"a clock":          {step{"seen": time.Unix(1, 0)}, step{"seen": time.Unix(2, 0)}},
		"a preference":     {step{"theme": "dark"}, step{"theme": "light"}},
		"the cart":         {step{"cart": []string{"a"}}, step{"cart": []string{"a", "b"}}},
		"a CSRF token":     {step{"csrf_token": "a"}, step{"csrf_token": "b"}},
		"a flash":          {step{"visits": 1}, step{"_flash": []any{"saved"}}},
		"another flash":    {step{"visits": 1}, step{"warnings": []any{"careful"}}},
		"counted by a key": {step{userKey: 1}, step{userKey: 2}},
		"a flag goes":      {step{"in": true}, step{"in": false}},
		"an empty value":   {step{"visits": 1}, step{"next": ""}},
		"paid":             {step{"paid": "no"}, step{"paid": "yes"}},
	} {
		t.Run(what, func(t *testing.T) {
			st := newSite(t, setup{})
			st.handle("/before", func(s *sessions.Session, r *http.Request) string { maps.Copy(s.Values, test.before); return "" })
			st.handle("/change", func(s *sessions.Session, r *http.Request) string { maps.Copy(s.Values, test.change); return "" })
			b := st.browser()
			st.body(b, "/before")
			token := st.cookie(b)
			if _, _, set := st.get(b, "/change"); set != nil || st.cookie(b) != token {
				t.Errorf("%q", set)
			}
			want := maps.Clone(test.before)
			maps.Copy(want, test.change)
			if got := st.body(b, "/get"); len(got) < len("map[:]") || strings.Count(got, ":") < len(want) {
				t.Errorf("%s", got)
			}
		})
	}
}

// An application that asks for a new token in the way of gorilla's stores that keep rows.
func TestEmptyIDAsksForAToken(t *testing.T) {
	st := newSite(t, setup{})
	st.handle("/renew", func(s *sessions.Session, r *http.Request) string { s.ID = ""; return "" })
	b := st.browser()
	st.body(b, "/set?user=ann")
	token := st.cookie(b)
	st.body(b, "/renew")
	if st.cookie(b) == token || st.body(b, "/get?user") != "ann" {
		t.Error("no new token, or no values under it")
	}
	st.body(st.browser(), "/renew") // of nothing
}

func userOf(values map[any]any) string {
	user, _ := values["user"].(string)
	return user
}

// Nor does a second Save of the request that signed in as another user store what the one before had left.
func TestUserSavesTwice(t *testing.T) {
	st := newSite(t, setup{gorilla: gorilla.Options{User: userOf}})
	st.mux.HandleFunc("/switch", func(w http.ResponseWriter, r *http.Request) {
		s, _ := st.store.Get(r, name)
		s.Values["user"] = "bob"
		for i := range 2 {
			s.Values["n"] = i
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		}
		fmt.Fprint(w, s.Values)
	})
	b := st.browser()
	st.body(b, "/set?user=ann&cart=book")
	if got := st.body(b, "/switch"); got != "map[n:1 user:bob]" {
		t.Errorf("the request sees %s", got)
	}
	if got := st.body(b, "/get"); got != "map[n:1 user:bob]" {
		t.Errorf("stored: %s", got)
	}
}

// With Options.User a sign-in is a sign-in.
func TestUser(t *testing.T) {
	inBubble(t, setup{gorilla: gorilla.Options{User: userOf}, manager: session.Options{MaxPerUser: 2}}, func(t *testing.T, st *site) {
		st.handle("/forget", func(s *sessions.Session, r *http.Request) string { delete(s.Values, "user"); return "" })
		st.handle("/be", func(s *sessions.Session, r *http.Request) string {
			for k := range s.Values {
				delete(s.Values, k)
			}
			s.Values["user"] = r.FormValue("name")
			return ""
		})
		b := st.browser()
		st.body(b, "/set?cart=book")
		anonymous := st.cookie(b)
		st.body(b, "/set?theme=dark") // a new key is no sign-in here
		if st.cookie(b) != anonymous {
			t.Error("a new token")
		}
		st.body(b, "/set?user=ann")
		if got := st.body(b, "/get"); st.cookie(b) == anonymous || got != "map[cart:book theme:dark user:ann]" {
			t.Errorf("signed in: %s", got)
		}
		if got := st.body(st.with(anonymous), "/get"); got != "map[]" {
			t.Errorf("the anonymous cookie shows %s", got)
		}
		list, err := st.manager.List(t.Context(), "ann")
		if err != nil || len(list) != 1 {
			t.Errorf("%d sessions, %v", len(list), err)
		}
		// Another user's session begins from nothing but what the request sets.
		anns := st.cookie(b)
		st.body(b, "/set?user=bob&cart=pen")
		if got := st.body(b, "/get"); got != "map[cart:pen user:bob]" {
			t.Errorf("another user: %s", got)
		}
		if got := st.body(st.with(anns), "/get"); got != "map[]" {
			t.Errorf("ann's cookie shows %s", got)
		}
		// Signing out by taking the name away.
		bobs := st.cookie(b)
		st.body(b, "/forget")
		if got := st.body(b, "/get"); got != "map[cart:pen]" {
			t.Errorf("signed out: %s", got)
		}
		if got := st.body(st.with(bobs), "/get"); got != "map[]" {
			t.Errorf("bob's cookie shows %s", got)
		}
		if list, err := st.manager.List(t.Context(), "bob"); err != nil || len(list) != 0 {
			t.Errorf("bob: %d sessions, %v", len(list), err)
		}
		// The manager's bound and its ends are for these sessions, too.
		for range 3 {
			st.body(st.browser(), "/be?name=eve")
			time.Sleep(time.Second)
		}
		if n, err := st.manager.RevokeUser(t.Context(), "eve"); err != nil || n != 2 {
			t.Errorf("eve had %d sessions, %v", n, err)
		}
		c := st.browser()
		st.body(c, "/be?name=ann")
		check(t, st.manager.Revoke(t.Context(), "ann", func() string {
			list, err := st.manager.List(t.Context(), "ann")
			if err != nil || len(list) != 1 {
				t.Fatal(len(list), err)
			}
			return list[0].Handle
		}()))
		if got := st.body(c, "/get"); got != "map[]" {
			t.Errorf("revoked: %s", got)
		}
		st.body(c, "/be?name=ann")
		st.body(c, "/forget")
		if got := st.body(c, "/get"); got != "map[]" || st.cookie(c) != "" {
			t.Errorf("nothing left: %s, %q", got, fmt.Sprint(st.cookie(c)))
		}
	})
}
