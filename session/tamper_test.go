package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// A store that somebody edits by hand.

// byHand is a store that can be edited in two ways: in place, and on the way out.
type byHand struct {
	session.Store
	onLoad func(r *session.Record) // nil: nothing
	ids    []string                // of what was created
}

func (h *byHand) Load(ctx context.Context, id string) (session.Record, error) {
	r, err := h.Store.Load(ctx, id)
	if err == nil && h.onLoad != nil {
		r.Data = slices.Clone(r.Data)
		h.onLoad(&r)
	}
	return r, err
}

func (h *byHand) Create(ctx context.Context, r session.Record) error {
	h.ids = append(h.ids, r.ID)
	return h.Store.Create(ctx, r)
}

// records returns all that is there.
func (h *byHand) records(t *testing.T) (all []session.Record) {
	t.Helper()
	for _, id := range h.ids {
		r, err := h.Store.Load(ctx, id)
		must(t, err)
		all = append(all, r)
	}
	return all
}

// of returns the record of a user.
func (h *byHand) of(t *testing.T, user string) session.Record {
	t.Helper()
	for _, r := range h.records(t) {
		if r.User == user && r.Ended == "" {
			return r
		}
	}
	t.Fatalf("%q has no record", user)
	return session.Record{}
}

// edit changes what lies in the store under id.
func (h *byHand) edit(t *testing.T, id string, f func(r *session.Record)) {
	t.Helper()
	next := store.NewMemory(nil)
	for _, r := range h.records(t) {
		if r.ID == id {
			r.Data = slices.Clone(r.Data)
			f(&r)
		}
		must(t, next.Import(ctx, r))
	}
	h.Store = next
}

// vandal is an application on such a store, with two visitors and what its traces were told.
type vandal struct {
	*pages
	store   *byHand
	faults  *sessiontest.Faults
	manager *session.Manager
	bob     *http.Client
	heard   []string
}

var secret = session.NewKey[string]("secret")

func newVandal(t *testing.T) *vandal {
	v := &vandal{store: &byHand{}}
	v.faults = sessiontest.NewFaults(v.store)
	o := quiet()
	o.Trace = &session.Trace{
		Corrupt: func(handle string, err error) { v.heard = append(v.heard, "corrupt "+handle) },
		Ended:   func(handle string, reason session.Reason) { v.heard = append(v.heard, string(reason)+" "+handle) },
	}
	v.manager = session.NewManager(v.faults, o)
	v.pages = newPages(t, v.manager)
	v.bob = v.server.Browser()
	return v
}

// begin empties the store and signs user ("": nobody) and bob in, each with a secret. It returns the user's
// record with an older secret, and as it is now.
func (v *vandal) begin(user string) (older, mine, bobs session.Record) {
	t := v.t
	t.Helper()
	*v.store = byHand{Store: store.NewMemory(nil)}
	v.faults.Clear()
	sign := func(browser *http.Client, user, text string) {
		browser.Jar, _ = cookiejar.New(nil)
		v.server.Visit(browser, v.sessions, func(s *session.Session) {
			if user != "" {
				must(t, s.Login(user))
			}
			must(t, secret.Set(s, text))
			must(t, s.SetMeta("device", user))
		})
	}
	sign(v.browser, user, "an older one")
	older = v.store.of(t, user)
	time.Sleep(time.Second)
	v.server.Visit(v.browser, v.sessions, func(s *session.Session) { must(t, secret.Set(s, "mine")) })
	sign(v.bob, "bob", "bob's")
	v.heard = nil
	return older, v.store.of(t, user), v.store.of(t, "bob")
}

// shown is what a program can learn from a session; of one that was tampered with nothing but that.
func (v *vandal) shown(r *http.Request) (learned []string) {
	s := session.From(r.Context())
	user, handle := session.Peek(r.Context())
	text, ok := secret.Lookup(s)
	for what, is := range map[string]bool{
		"Peek's user " + user: user != "", "Peek's handle " + handle: handle != "",
		"User " + s.User(): s.User() != "", "Authenticated": s.Authenticated(),
		"AuthTime": !s.AuthTime().IsZero(), "Handle " + s.Handle(): s.Handle() != "",
		"a value: " + text: ok || text != "", "a default ignored": secret.GetOr(s, "default") != "default",
		"Keys": len(s.Keys()) > 0, "Meta": len(s.Meta()) > 0, "Token": s.Token() != nil,
		"Created": !s.Created().IsZero(), "Deadline": !s.Deadline().IsZero(),
	} {
		if is {
			learned = append(learned, what)
		}
	}
	return learned
}

// edits are what somebody does to a record that is not theirs. bobs is the record of another user, older
// the same one before its last write.
var edits = []struct {
	name string
	user string // whose record it is; "": an anonymous visitor's
	edit func(r *session.Record, older, bobs *session.Record)
}{
	{"another user's name", "ann", func(r, _, bobs *session.Record) { r.User = "bob" }},
	{"a new user's name", "ann", func(r, _, _ *session.Record) { r.User = "admin" }},
	{"a name that differs in its last letter", "ann", func(r, _, _ *session.Record) { r.User = "anna" }},
	{"no user's name", "ann", func(r, _, _ *session.Record) { r.User = "" }},
	{"a name on an anonymous record", "", func(r, _, _ *session.Record) { r.User = "bob" }},
	{"a name and a time on an anonymous record", "", func(r, _, _ *session.Record) { r.User, r.AuthTime = "bob", r.Seen }},
	{"a name, and its first letter from the handle", "ann", func(r, _, _ *session.Record) {
		r.User, r.Handle = r.User+r.Handle[:1], r.Handle[1:]
	}},
	{"another record's Data", "ann", func(r, _, bobs *session.Record) { r.Data = bobs.Data }},
	{"another record's Data and user", "ann", func(r, _, bobs *session.Record) { r.Data, r.User = bobs.Data, bobs.User }},
	{"another record but for the id", "ann", func(r, _, bobs *session.Record) {
		id := r.ID
		*r = *bobs
		r.ID = id
	}},
	{"another record's Data on an anonymous one", "", func(r, _, bobs *session.Record) { r.Data = bobs.Data }},
	{"older Data under the new version", "ann", func(r, older, _ *session.Record) { r.Data = older.Data }},
	{"older Data under the next version", "ann", func(r, older, _ *session.Record) { r.Data, r.Version = older.Data, r.Version+1 }},
	{"older Data of an anonymous record", "", func(r, older, _ *session.Record) { r.Data = older.Data }},
	{"the Data under another version", "ann", func(r, _, _ *session.Record) { r.Version++ }},
	{"the Data under version 0", "ann", func(r, _, _ *session.Record) { r.Version = 0 }},
	{"another handle", "ann", func(r, _, bobs *session.Record) { r.Handle = bobs.Handle }},
	{"no handle", "ann", func(r, _, _ *session.Record) { r.Handle = "" }},
	{"a later AuthTime", "ann", func(r, _, _ *session.Record) { r.AuthTime = r.AuthTime.Add(time.Hour) }},
	{"an AuthTime a nanosecond earlier", "ann", func(r, _, _ *session.Record) { r.AuthTime = r.AuthTime.Add(-1) }},
	{"no AuthTime", "ann", func(r, _, _ *session.Record) { r.AuthTime = time.Time{} }},
	{"an AuthTime on an anonymous record", "", func(r, _, _ *session.Record) { r.AuthTime = r.Seen }},
	{"no Data", "ann", func(r, _, _ *session.Record) { r.Data = nil }},
	{"no Data and no user", "ann", func(r, _, _ *session.Record) { r.Data, r.User, r.AuthTime = nil, "", time.Time{} }},
	{"a byte of Data", "ann", func(r, _, _ *session.Record) { r.Data[len(r.Data)/2] ^= 1 }},
	{"the form of Data", "ann", func(r, _, _ *session.Record) { r.Data[0]++ }},
	{"Data cut off", "ann", func(r, _, _ *session.Record) { r.Data = r.Data[:len(r.Data)-1] }},
	{"Data of one byte", "ann", func(r, _, _ *session.Record) { r.Data = r.Data[:1] }},
	{"Data with a byte more", "ann", func(r, _, _ *session.Record) { r.Data = append(r.Data, 0) }},
}

// uses are what the request may want that meets it first.
var uses = []struct {
	name   string
	do     func(t *testing.T, v *vandal, r *http.Request, s *session.Session)
	status int
	over   bool // the browser has started over by it
}{
	{"reads", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {}, 200, false},
	{"looks at the user first", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		if s.User() != "" {
			t.Errorf("User %q", s.User())
		}
	}, 200, false},
	{"sets", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		wantCorrupt(t, "Set", secret.Set(s, "new"))
	}, 401, false},
	{"deletes", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		was, err := secret.Delete(s)
		if wantCorrupt(t, "Delete", err); was {
			t.Error("Delete found a value")
		}
	}, 401, false},
	{"updates", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		_, err := secret.Update(r.Context(), s, func(old string) string {
			t.Errorf("Update was given %q", old)
			return old
		})
		wantCorrupt(t, "Update", err)
	}, 401, false},
	{"clears", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) { wantCorrupt(t, "Clear", s.Clear()) }, 401, false},
	{"renews", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) { wantCorrupt(t, "Renew", s.Renew()) }, 401, false},
	{"asks to be remembered", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		wantCorrupt(t, "Remember", s.Remember(time.Hour))
	}, 401, false},
	{"sets metadata", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		wantCorrupt(t, "SetMeta", s.SetMeta("device", "mine"))
	}, 401, false},
	{"revokes the others", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		_, err := v.manager.RevokeOthers(r.Context(), s)
		wantCorrupt(t, "RevokeOthers", err)
	}, 200, false},
	{"signs out", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) { must(t, s.Logout()) }, 200, true},
	{"resets", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) { must(t, s.Reset()) }, 200, true},
	{"signs in", func(t *testing.T, v *vandal, r *http.Request, s *session.Session) {
		must(t, s.Login("carl"))
		if text, ok := secret.Lookup(s); ok {
			t.Errorf("after Login it shows %q", text)
		}
	}, 200, true},
}

func wantCorrupt(t *testing.T, call string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*session.ExpiredError](err); !ok || e.Reason != session.ReasonCorrupt {
		t.Errorf("%s: %v, want ended (corrupt)", call, err)
	}
}

// Whatever is edited, in place or on the way out, and whatever the first request after it wants: no user and no value
// is served from it, it ends as corrupt, the trace hears of it once, and the next request says so.
func TestEditedStoreServesNothing(t *testing.T) {
	for _, e := range edits {
		for _, way := range []string{"in place", "on the way out"} {
			t.Run(e.name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := newVandal(t)
					for _, use := range uses {
						older, mine, bobs := v.begin(e.user)
						if way == "in place" {
							v.store.edit(t, mine.ID, func(r *session.Record) { e.edit(r, &older, &bobs) })
						} else {
							v.store.onLoad = func(r *session.Record) {
								if r.ID == mine.ID && r.Ended == "" {
									e.edit(r, &older, &bobs)
								}
							}
						}
						v.meets(mine.ID, use.status, use.over, func(r *http.Request, s *session.Session) { use.do(t, v, r, s) })
						if t.Failed() {
							t.Fatalf("where the first request %s", use.name)
						}
					}
				})
			})
		}
	}
}

// meets sends the first request after an edit of the record under id, and the next ones.
func (v *vandal) meets(id string, status int, over bool, do func(*http.Request, *session.Session)) {
	t := v.t
	t.Helper()
	edited, err := v.store.Load(ctx, id)
	must(t, err)
	v.serve = func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		do(r, s)
		if !over {
			if learned := v.shown(r); len(learned) > 0 {
				t.Errorf("shows %q", learned)
			}
			wantCorrupt(t, "Err", s.Err())
		}
	}
	resp, err := v.browser.Post(v.server.URL, "", nil)
	whole(t, resp, err)
	if resp.StatusCode != status || (len(resp.Header["Set-Cookie"]) > 0) != over {
		t.Errorf("the request: %d, Set-Cookie %q", resp.StatusCode, resp.Header["Set-Cookie"])
	}

	// It has ended as corrupt, once, and its Data is gone.
	if want := []string{"corrupt " + edited.Handle, "corrupt " + v.ended(t, id)}; !slices.Equal(v.heard, want) {
		t.Errorf("traced %q, want %q", v.heard, want)
	}
	if r, err := v.store.Load(ctx, id); err != nil || r.Ended != session.ReasonCorrupt || r.Data != nil {
		t.Errorf("the record: ended %q, %d bytes: %v", r.Ended, len(r.Data), err)
	}
	if !over {
		v.serve = func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }
		resp, err = v.browser.Post(v.server.URL, "", nil)
		whole(t, resp, err)
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || got != `Session error="expired", reason="corrupt"` {
			t.Errorf("the next request: %d %q", resp.StatusCode, got)
		}
		v.serve = func(_ http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			if learned := v.shown(r); len(learned) > 0 || s.Ended() == nil || s.Ended().Reason != session.ReasonCorrupt {
				t.Errorf("the page that starts over: %v, shows %q", s.Ended(), learned)
			}
		}
		resp, err = v.server.Open(v.browser, "/")
		whole(t, resp, err)
	}

	// Nobody else is harmed.
	v.server.Visit(v.bob, v.sessions, func(s *session.Session) {
		if s.User() != "bob" || secret.Get(s) != "bob's" {
			t.Errorf("bob is %q with %q", s.User(), secret.Get(s))
		}
	})
}

// ended is the handle that End returned with the record: of an edit on the way out it knows nothing.
func (v *vandal) ended(t *testing.T, id string) string {
	t.Helper()
	r, err := v.store.Store.Load(ctx, id)
	must(t, err)
	return r.Handle
}

// An edit that falls into the middle of a request: between its Load and its write, of whatever kind.
func TestEditedUnderARequest(t *testing.T) {
	for _, row := range []struct {
		name, op string // before which call of the store it happens
		do       func(s *session.Session) error
	}{
		{"a Set", "replace", func(s *session.Session) error { return secret.Set(s, "new") }},
		{"an Update", "replace", func(s *session.Session) error {
			_, err := secret.Update(ctx, s, func(string) string { return "new" })
			return err
		}},
		{"a Renew", "create", func(s *session.Session) error { return s.Renew() }},
		{"a Renew, at its end", "end", func(s *session.Session) error { return s.Renew() }},
		{"a Login", "end", func(s *session.Session) error { return s.Login(or(s.User(), "carl")) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVandal(t)
				for _, e := range edits {
					older, mine, bobs := v.begin(e.user)
					met := false
					v.faults.Add(sessiontest.Fault{Op: row.op, Nth: 1, Before: func(sessiontest.Call) {
						met = true
						v.store.edit(t, mine.ID, func(r *session.Record) { e.edit(r, &older, &bobs) })
					}})
					resp := v.call(func(s *session.Session) { row.do(s) })
					if !met {
						t.Fatalf("%s: no %s was called", e.name, row.op)
					}
					if resp.StatusCode != 200 && resp.StatusCode != 401 {
						t.Errorf("%s: answered %d", e.name, resp.StatusCode)
					}
					// Whoever the browser is now, it is nobody that the edit made of it.
					v.server.Visit(v.browser, v.sessions, func(s *session.Session) {
						if u := s.User(); u != "" && u != e.user && (u != "carl" || e.user != "") {
							t.Errorf("%s: the browser is %q, who was %q", e.name, u, e.user)
						}
						if text := secret.Get(s); text != "" && text != "mine" && text != "new" {
							t.Errorf("%s: the browser reads %q", e.name, text)
						}
					})
				}
			})
		})
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// The read-only view that an old token has for the Grace is no way in either.
func TestEditedWhileRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVandal(t)
		for _, e := range edits {
			older, mine, bobs := v.begin(e.user)
			old := *v.browser
			old.Jar = copied(t, v)
			v.call(func(s *session.Session) { must(t, s.Renew()) })
			v.store.edit(t, mine.ID, func(r *session.Record) {
				ended, at, next := r.Ended, r.EndedAt, r.Next
				e.edit(r, &older, &bobs)
				r.Ended, r.EndedAt, r.Next = ended, at, next
			})
			// A record that shows no values, as after a sign-in, is still one of that handle and those times.
			harmless := []string{"Token", "Created", "Deadline", "Handle " + mine.Handle, "Peek's handle " + mine.Handle}
			for range 2 {
				v.serve = func(_ http.ResponseWriter, r *http.Request) {
					learned := slices.DeleteFunc(v.shown(r), func(what string) bool { return slices.Contains(harmless, what) })
					if len(learned) > 0 {
						t.Errorf("%s: the old token shows %q", e.name, learned)
					}
				}
				resp, err := old.Get(v.server.URL)
				whole(t, resp, err)
			}
			v.server.Visit(v.browser, v.sessions, func(s *session.Session) {
				if s.User() != e.user || secret.Get(s) != "mine" {
					t.Errorf("%s: the successor is %q with %q", e.name, s.User(), secret.Get(s))
				}
			})
		}
	})
}

// copied is a jar with the cookies that the browser has now.
func copied(t *testing.T, v *vandal) http.CookieJar {
	t.Helper()
	site, err := url.Parse(v.server.URL)
	must(t, err)
	jar, err := cookiejar.New(nil)
	must(t, err)
	cookies := v.browser.Jar.Cookies(site)
	for _, c := range cookies {
		c.Path, c.Secure = "/", true
	}
	jar.SetCookies(site, cookies)
	return jar
}
