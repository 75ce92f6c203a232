package gorilla_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

var (
	oldKey    = []byte("the app's old key, as it stood in its settings")
	oldSecret = []byte("a secret of 32 bytes for imports")
)

// oldValue is a cookie as the application's old store has set it.
func oldValue(t *testing.T, old sessions.Store, values map[any]any) string {
	t.Helper()
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s, err := old.Get(r, name)
	check(t, err)
	s.Values = values
	check(t, s.Save(r, w))
	return w.Result().Cookies()[0].Value
}

// Users stay signed in over the change of stores; what was made of an old cookie and has ended stays ended.
func TestOldCookies(t *testing.T) {
	dir := t.TempDir()
	for what, old := range map[string]sessions.Store{
		"cookie store":     sessions.NewCookieStore(oldKey),
		"encrypted":        sessions.NewCookieStore(oldKey, oldSecret),
		"filesystem store": sessions.NewFilesystemStore(dir, oldKey),
	} {
		t.Run(what, func(t *testing.T) {
			st := newSite(t, setup{gorilla: gorilla.Options{Old: old, Secret: oldSecret}})
			value := oldValue(t, old, map[any]any{"user": "ann", "list": []string{"a"}, userKey: 7})
			b := st.with(value)
			for range 2 { // reading needs no cookie of ours
				if got := st.body(b, "/get"); got != "map[0:7 list:[a] user:ann]" {
					t.Errorf("%s", got)
				}
			}
			if n := st.records(); n != 1 {
				t.Errorf("%d records", n)
			}
			if rows, err := filepath.Glob(filepath.Join(dir, "session_*")); err != nil || len(rows) != 0 {
				t.Errorf("the old store keeps %d rows, %v", len(rows), err)
			}
			st.body(b, "/set?n=1")
			if st.cookie(b) == value || st.body(b, "/get?n") != "1" {
				t.Error("no cookie of ours after a Save")
			}
			st.body(b, "/logout")
			thief := st.with(value)
			if got := st.body(thief, "/get"); got != "map[]" {
				t.Errorf("the old cookie after signing out shows %s", got)
			}
			st.body(thief, "/set?user=bob")
			if got := st.body(thief, "/get"); got != "map[user:bob]" {
				t.Errorf("signed in again: %s", got)
			}
		})
	}
}

// Where a Save changes nothing, the cookie of ours goes out all the same.
func TestOldCookieIsReplacedBySave(t *testing.T) {
	old := sessions.NewCookieStore(oldKey)
	st := newSite(t, setup{gorilla: gorilla.Options{Old: old, Secret: oldSecret, User: userOf}})
	value := oldValue(t, old, map[any]any{"user": "ann"})
	b := st.with(value)
	if _, _, set := st.get(b, "/set"); len(set) != 1 || !strings.Contains(set[0], "Max-Age=2592000") || st.cookie(b) == value {
		t.Errorf("%q", set)
	}
	if list, err := st.manager.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
}

// Two tabs bring the old cookie at once.
func TestOldCookieFromTwoTabs(t *testing.T) {
	old := sessions.NewCookieStore(oldKey)
	st := newSite(t, setup{gorilla: gorilla.Options{Old: old, Secret: oldSecret}})
	value := oldValue(t, old, map[any]any{"user": "ann", "theme": "dark"})
	var tabs sync.WaitGroup
	for i := range 4 {
		tabs.Go(func() { st.body(st.with(value), fmt.Sprintf("/set?theme=%d", i)) })
	}
	tabs.Wait()
	live := 0
	page, _, err := st.db.Scan(t.Context(), "", 100)
	check(t, err)
	for _, r := range page {
		if r.Ended == "" {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d live sessions", live)
	}
}

// The decoder of securecookie takes several texts for one value.
func TestOldCookieInAnotherForm(t *testing.T) {
	old := sessions.NewCookieStore(oldKey)
	st := newSite(t, setup{gorilla: gorilla.Options{Old: old, Secret: oldSecret}})
	var value, other string
	for pad := ""; other == ""; pad += "x" {
		value = oldValue(t, old, map[any]any{"user": "ann", "pad": pad})
		if at := strings.IndexByte(value, '='); at > 0 {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			last := strings.IndexByte(alphabet, value[at-1])
			other = value[:at-1] + string(alphabet[last^1]) + value[at:]
		}
	}
	a, err := base64.URLEncoding.DecodeString(value)
	check(t, err)
	if b, err := base64.URLEncoding.DecodeString(other); err != nil || string(a) != string(b) {
		t.Fatal("not the same value", err)
	}
	if got := st.body(st.with(other), "/get?user"); got != "ann" {
		t.Errorf("the other form: %s", got)
	}
	b := st.with(value)
	st.body(b, "/logout")
	if got := st.body(st.with(other), "/get"); got != "map[]" {
		t.Errorf("after signing out the other form shows %s", got)
	}
}

// Expired, forged, under unknown keys, of 8 kB, without a row: a new session, no error, and told.
func TestOldCookiesThatOpenNothing(t *testing.T) {
	old := sessions.NewCookieStore(oldKey)
	var mu sync.Mutex
	refused := map[string]error{}
	st := newSite(t, setup{gorilla: gorilla.Options{Old: old, Secret: oldSecret, Trace: &gorilla.Trace{
		Refused: func(_ string, err error) { mu.Lock(); defer mu.Unlock(); refused[fmt.Sprint(len(refused))] = err },
	}}})
	good := oldValue(t, old, map[any]any{"user": "ann"})
	longKey := sessions.NewCookieStore([]byte("another key altogether"))
	long := securecookie.New(oldKey, nil).MaxLength(0)
	eight, err := long.Encode(name, map[any]any{"user": strings.Repeat("x", 5000)})
	check(t, err)
	dated := func(at int64) string { // its MAC is not right: the date alone must do
		return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%d|%s", at, "x|mac"))
	}
	for what, test := range map[string]struct {
		value string
		told  bool
	}{
		"unknown key": {oldValue(t, longKey, map[any]any{"user": "ann"}), true},
		"a bit":       {good[:40] + "A" + good[41:], true},
		"8 kB":        {eight, true},
		"too old":     {dated(time.Now().Add(-31 * 24 * time.Hour).Unix()), false},
		"no date":     {base64.URLEncoding.EncodeToString([]byte("no date|x")), false},
		"not base64":  {"%%%", false},
		"empty":       {"", false},
	} {
		if test.value == good {
			continue
		}
		before := len(refused)
		b := st.with(test.value)
		for range 2 {
			if got := st.body(b, "/get"); got != "map[]" {
				t.Errorf("%s: %s", what, got)
			}
		}
		if told := len(refused) > before; told != test.told {
			t.Errorf("%s: told %v", what, told)
		}
		st.body(b, "/set?user=bob")
		if got := st.body(b, "/get"); got != "map[user:bob]" {
			t.Errorf("%s, afterwards: %s", what, got)
		}
	}
}

// broken is an old store on a server that is down.
type broken struct{ sessions.Store }

func (b broken) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(b, name)
	s.IsNew, s.Options = true, &sessions.Options{}
	return s, errors.New("connection refused")
}

func TestOldStoreThatIsDown(t *testing.T) {
	old := sessions.NewCookieStore(oldKey)
	st := newSite(t, setup{gorilla: gorilla.Options{Old: broken{old}, Secret: oldSecret}})
	b := st.with(oldValue(t, old, map[any]any{"user": "ann"}))
	if code, _, set := st.get(b, "/set?a=b"); code != http.StatusServiceUnavailable || set != nil {
		t.Errorf("%d, %q", code, set)
	}
	if n := st.records(); n != 0 {
		t.Errorf("%d records", n)
	}
}

// An application that leaves gorilla altogether.
func TestImport(t *testing.T) {
	for what, newOld := range map[string]func(dir string) sessions.Store{
		"cookie store":     func(string) sessions.Store { return sessions.NewCookieStore(oldKey) },
		"filesystem store": func(dir string) sessions.Store { return sessions.NewFilesystemStore(dir, oldKey) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			old := newOld(dir)
			theme := session.NewKey[string]("theme")
			imported := gorilla.Import(old, &http.Cookie{Name: name, Path: "/"}, oldSecret, func(values map[any]any) *session.Old {
				user, ok := values["user"].(string)
				if !ok {
					return nil
				}
				return &session.Old{User: user, Fill: func(s *session.Session) error { return theme.Set(s, fmt.Sprint(values["theme"])) }}
			})
			keys := keysOf(t, &ring{cookie.NewMaster()})
			m := session.NewManager(store.NewMemory(nil), nil)
			mux := http.NewServeMux()
			mux.HandleFunc("/look", func(w http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				json.NewEncoder(w).Encode(s.User() + " " + theme.Get(s))
			})
			mux.HandleFunc("/quit", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Logout() })
			server := httptest.NewTLSServer(middleware.Sessions(m, keys, &middleware.Options{Import: imported, Ended: middleware.Fresh})(mux))
			defer server.Close()
			st := &site{t: t, address: server.URL, client: func() *http.Client { c := *server.Client(); return &c }}
			value := oldValue(t, old, map[any]any{"user": "ann", "theme": "dark"})
			b := st.with(value)
			if got := st.body(b, "/look"); got != "\"ann dark\"\n" {
				t.Errorf("%s", got)
			}
			rows := func() int {
				entries, err := os.ReadDir(dir)
				check(t, err)
				return len(entries)
			}
			st.body(b, "/quit")
			if st.cookie(b) != "" || rows() != 0 {
				t.Errorf("after signing out: %d rows", rows())
			}
			if got := st.body(st.with(value), "/look"); got != "\" \"\n" {
				t.Errorf("the old cookie shows %s", got)
			}
			for what, value := range map[string]string{
				"forged":     value[:40] + "AB" + value[42:],
				"nobody's":   oldValue(t, old, map[any]any{"cart": "full"}),
				"another's":  oldValue(t, sessions.NewCookieStore([]byte("another")), map[any]any{"user": "eve"}),
				"no cookie":  "x",
				"other name": "",
			} {
				if got := st.body(st.with(value), "/look"); got != "\" \"\n" {
					t.Errorf("%s: %s", what, got)
				}
			}
			if r := imported.Report(); r.Imported != 1 || r.Remaining != 0 || r.Ended != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}
