package gorilla_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// before is a type of an application whose next version has renamed it.
type before struct{ Name string }

var stored = session.NewKey[[]byte]("values")

// What was stored by another version of the program, or is no gob at all: a new session, told, and the next Save begins
// anew. Never an error, for a visitor can't mend it.
func TestUndecodableValues(t *testing.T) {
	gob.RegisterName("gorilla_test.renamed", before{})
	var told atomic.Int32
	st := newSite(t, setup{gorilla: gorilla.Options{Trace: &gorilla.Trace{Undecodable: func(n, handle string, err error) {
		if n != name || handle == "" || err == nil {
			t.Errorf("%q %q %v", n, handle, err)
		}
		told.Add(1)
	}}}})
	st.handle("/fill", func(s *sessions.Session, r *http.Request) string {
		s.Values["user"], s.Values["x"] = "ann", before{"ann"}
		return ""
	})
	spoil := map[string]func(b []byte) []byte{
		"renamed":      func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("renamed"), []byte("renameD")) },
		"half written": func(b []byte) []byte { return b[:len(b)/2] },
		"no gob":       func([]byte) []byte { return []byte("something else") },
		"another type": func([]byte) []byte { return []byte{3, 4, 0, 2} },
	}
	for what, spoil := range spoil {
		b := st.browser()
		st.body(b, "/fill")
		kept := st.cookie(b)
		// Another version of the program has written it.
		s, err := st.manager.Load(t.Context(), st.tokenOf(kept))
		check(t, err)
		_, err = stored.Update(t.Context(), s, spoil)
		check(t, err)
		told.Store(0)
		if got := st.body(b, "/get"); got != "map[]" || told.Load() != 1 {
			t.Errorf("%s: %s, told %d times", what, got, told.Load())
		}
		st.body(b, "/set?user=bob")
		if got := st.body(b, "/get"); got != "map[user:bob]" {
			t.Errorf("%s, afterwards: %s", what, got)
		}
		if got := st.body(st.with(kept), "/get"); got != "map[]" {
			t.Errorf("%s: the cookie of the ended session shows %s", what, got)
		}
	}
}

// A cookie that opens nothing never is an error.
func TestCookiesThatOpenNothing(t *testing.T) {
	st := newSite(t, setup{})
	ours := st.browser()
	st.body(ours, "/set?user=ann")
	good := st.cookie(ours)
	other := newSite(t, setup{})
	theirs := other.browser()
	other.body(theirs, "/set?user=eve")
	for what, value := range map[string]string{
		"a bit":          good[:60] + flip(good[60]) + good[61:],
		"cut":            good[:len(good)-1],
		"longer":         good + "A",
		"under unknown":  other.cookie(theirs),
		"a gorilla's":    oldValue(t, sessions.NewCookieStore(oldKey), map[any]any{"user": "ann"}),
		"8 kB":           fmt.Sprintf("%08000d", 7),
		"of another use": sealed(t, st, "session"),
	} {
		b := st.with(value)
		if got := st.body(b, "/get"); got != "map[]" {
			t.Errorf("%s: %s", what, got)
		}
		st.body(b, "/set?user=bob")
		if got := st.body(b, "/get"); got != "map[user:bob]" {
			t.Errorf("%s, afterwards: %s", what, got)
		}
	}
	if got := st.body(ours, "/get"); got != "map[user:ann]" {
		t.Errorf("%s", got)
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// sealed is a genuine token of the manager's, sealed for another purpose.
func sealed(t *testing.T, st *site, purpose string) string {
	t.Helper()
	s := st.manager.New()
	check(t, stored.Set(s, nil))
	check(t, s.Save(t.Context()))
	text, err := st.keys.Sealer(purpose, name).Seal([]byte(s.Token().Secret()))
	check(t, err)
	return text
}

// tokenOf opens a cookie as the store does.
func (st *site) tokenOf(value string) *session.Token {
	st.t.Helper()
	o, outcome := st.keys.Sealer("gorilla", name).Open(value)
	token, err := st.manager.Token(string(o.Plain))
	if err != nil {
		st.t.Fatal(outcome, err)
	}
	return token
}
