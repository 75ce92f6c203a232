package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/internal/servers"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store/sqlitestore"
)

const importSecret = "a secret of thirty-two bytes or more"

// scsStores are those of scs on real servers, by the address that "import" takes.
var scsStores = map[string]func(t *testing.T) (scs.Store, string){
	"SQLite": func(t *testing.T) (scs.Store, string) {
		path := filepath.Join(t.TempDir(), "old %3f.db") // a name that an address could mangle
		db, err := sql.Open("sqlite", "file:"+url.PathEscape(path)+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
		noError(t, err)
		t.Cleanup(func() { db.Close() })
		_, err = db.Exec("CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)")
		noError(t, err)
		return sqlite3store.NewWithCleanupInterval(db, 0), "sqlite:" + path
	},
	"PostgreSQL": func(t *testing.T) (scs.Store, string) {
		t.Setenv("HARDY_TEST_OLD", servers.SharedPostgres(t).URL())
		pool, err := pgxpool.New(t.Context(), os.Getenv("HARDY_TEST_OLD"))
		noError(t, err)
		t.Cleanup(pool.Close)
		_, err = pool.Exec(t.Context(), "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)")
		noError(t, err)
		return pgxstore.NewWithCleanupInterval(pool, 0), "env:HARDY_TEST_OLD"
	},
	"Redis": func(t *testing.T) (scs.Store, string) {
		t.Setenv("HARDY_TEST_OLD", servers.SharedRedis(t).URL())
		o, err := redis.ParseURL(os.Getenv("HARDY_TEST_OLD"))
		noError(t, err)
		client := redis.NewClient(o)
		t.Cleanup(func() { client.Close() })
		return goredisstore.New(client), "env:HARDY_TEST_OLD"
	},
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browse opens a page with a browser's jar, which is one for 127.0.0.1 whatever the port.
func browse(t *testing.T, jar http.CookieJar, server *httptest.Server, path string) string {
	t.Helper()
	client := *server.Client()
	client.Jar = jar
	resp, err := client.Get(server.URL + path)
	noError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	noError(t, err)
	return fmt.Sprint(resp.StatusCode, " ", string(b))
}

func newJar(t *testing.T) http.CookieJar {
	jar, err := cookiejar.New(nil)
	noError(t, err)
	return jar
}

// scsApp is an application on scs.
func scsApp(t *testing.T, m *scs.SessionManager) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		noErrorIn(w, m.RenewToken(r.Context()))
		m.Put(r.Context(), "userID", r.FormValue("user"))
		m.Put(r.Context(), "theme", "dark")
		m.Put(r.Context(), "n", 2)
		m.Put(r.Context(), "item", appItem{3})
	})
	mux.HandleFunc("/anonymous", func(w http.ResponseWriter, r *http.Request) { m.Put(r.Context(), "theme", "light") })
	server := httptest.NewTLSServer(m.LoadAndSave(mux))
	t.Cleanup(server.Close)
	return server
}

func noErrorIn(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// newApp is the same application on Hardy, with a store that "import" has filled.
func newApp(t *testing.T, to string, imported *middleware.Import) (*httptest.Server, *session.Manager) {
	at, err := parseAddress(to)
	noError(t, err)
	db, closing, err := at.open(t.Context(), true)
	noError(t, err)
	t.Cleanup(func() { closing() })
	m := session.NewManager(db, &session.Options{Logger: quiet})
	keys, err := cookie.NewKeys(t.Context(), text(cookie.NewMaster()), "bell")
	noError(t, err)
	theme, n := session.NewKey[string]("theme"), session.NewKey[int]("n")
	mux := http.NewServeMux()
	mux.HandleFunc("/look", func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fmt.Fprint(w, s.User(), " ", theme.Get(s), " ", n.Get(s), " ", s.Handle())
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { session.From(r.Context()).Logout() })
	server := httptest.NewTLSServer(middleware.Sessions(m, keys, &middleware.Options{Import: imported, Ended: middleware.Fresh})(mux))
	t.Cleanup(server.Close)
	return server, m
}

// byCookie is what an app on Hardy needs to find by scs's cookie what was imported: its old store is gone.
func byCookie() *middleware.Import {
	return &middleware.Import{
		Secret: []byte(importSecret),
		Cookie: &http.Cookie{Name: "session", Path: "/"},
		Read: func(r *http.Request) (string, *session.Old, error) {
			c, err := r.Cookie("session")
			if err != nil {
				return "", nil, nil
			}
			return c.Value, nil, nil
		},
	}
}

// twoTabs opens a page twice at once, with the old cookie.
func twoTabs(t *testing.T, jar http.CookieJar, server *httptest.Server) string {
	var answers [2]string
	var both sync.WaitGroup
	for i := range answers {
		both.Go(func() { answers[i] = browse(t, jar, server, "/look") })
	}
	both.Wait()
	if answers[0] != answers[1] {
		t.Errorf("two tabs: %q, %q", answers[0], answers[1])
	}
	return answers[0]
}

// Users who are signed in to an application on scs still are, in two tabs at once, once it is on Hardy with an empty hand but
// for what "import" has made.
func TestImportSCS(t *testing.T) {
	registerApp()
	for name, open := range scsStores {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HARDY_TEST_SECRET", importSecret)
			rows, from := open(t)
			m := scs.New()
			m.Store, m.Lifetime = rows, 90*time.Minute
			old := scsApp(t, m)
			ann, bob, guest, gone := newJar(t), newJar(t), newJar(t), newJar(t)
			browse(t, ann, old, "/login?user=ann")
			browse(t, bob, old, "/login?user=bob")
			browse(t, guest, old, "/anonymous")
			began := time.Now()
			gone.SetCookies(must(url.Parse(old.URL)), []*http.Cookie{{Name: "session", Value: strings.Repeat("x", 43)}})
			noError(t, commit(t, rows, "damaged", []byte("half a row"), began.Add(time.Hour)))
			noError(t, commit(t, rows, "empty", must(scs.GobCodec{}.Encode(began.Add(time.Hour), nil)), began.Add(time.Hour)))

			to := "sqlite:" + filepath.Join(t.TempDir(), "new.db")
			args := []string{"--json", "import", "scs", from, to, "--secret", "env:HARDY_TEST_SECRET", "--user", "userID"}
			dry := lines[imported](t, hardy(t, append(args, "--dry-run")...).must(t, exitFailed))[0]
			if _, err := os.Stat(strings.TrimPrefix(to, "sqlite:")); err == nil {
				t.Error("a dry run made the new store")
			}
			got := hardy(t, args...).must(t, exitFailed)
			is := lines[imported](t, got)[0]
			dry.DryRun, dry.Seconds, is.Seconds = false, 0, 0
			want := imported{Made: 3, SignedIn: 2, Empty: 1, Refused: map[string]int{"can't be read": 1}, Left: []leftValues{{leftover{"item", "app.Item"}, 2}}}
			if !reflect.DeepEqual(is, want) || !reflect.DeepEqual(dry, want) {
				t.Errorf("%+v\ndry run: %+v\nwant %+v", is, dry, want)
			}
			if all := got.out + got.messages; strings.Contains(all, "ann") || strings.Contains(all, "dark") || strings.Contains(all, importSecret) {
				t.Errorf("a value was printed: %s", all)
			}
			again := lines[imported](t, hardy(t, args...).must(t, exitFailed))[0]
			if again.Made != 0 || again.Present != 3 {
				t.Errorf("again: %+v", again)
			}

			app, sessions := newApp(t, to, byCookie())
			if got := twoTabs(t, ann, app); !strings.HasPrefix(got, "200 ann dark 2 ") {
				t.Errorf("ann: %q", got)
			}
			if got := browse(t, guest, app, "/look"); !strings.HasPrefix(got, "200  light 0 ") {
				t.Errorf("a guest: %q", got)
			}
			if got := browse(t, gone, app, "/look"); got != "200   0 " {
				t.Errorf("a cookie that scs does not know: %q", got)
			}
			list, err := sessions.List(t.Context(), "ann")
			noError(t, err)
			if len(list) != 1 || list[0].Deadline.After(began.Add(91*time.Minute)) || list[0].Deadline.Before(began.Add(88*time.Minute)) {
				t.Errorf("ann's: %+v", list)
			}
			// Signed out is signed out, for who kept the old cookie, too; and a second import brings nothing back.
			copied := newJar(t)
			copied.SetCookies(must(url.Parse(old.URL)), ann.Cookies(must(url.Parse(old.URL))))
			browse(t, ann, app, "/logout")
			hardy(t, args...).must(t, exitFailed)
			for _, jar := range []http.CookieJar{ann, copied} {
				if got := browse(t, jar, app, "/look"); got != "200   0 " {
					t.Errorf("after signing out: %q", got)
				}
			}
			if got := browse(t, bob, app, "/look"); !strings.HasPrefix(got, "200 bob dark 2 ") {
				t.Errorf("bob: %q", got)
			}
		})
	}
}

// With HashTokenInStore the rows hold no token, and their keys are credentials as good.
func TestImportSCSHashed(t *testing.T) {
	registerApp()
	t.Setenv("HARDY_TEST_SECRET", importSecret)
	rows, from := scsStores["SQLite"](t)
	m := scs.New()
	m.Store, m.HashTokenInStore = rows, true
	ann := newJar(t)
	browse(t, ann, scsApp(t, m), "/login?user=ann")
	to := "sqlite:" + filepath.Join(t.TempDir(), "new.db")
	hardy(t, "import", "scs", from, to, "--secret", "env:HARDY_TEST_SECRET", "--user", "userID").must(t, exitOK)
	hashed := byCookie()
	hashed.Read = func(r *http.Request) (string, *session.Old, error) {
		c, err := r.Cookie("session")
		if err != nil {
			return "", nil, nil
		}
		sum := sha256.Sum256([]byte(c.Value))
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil, nil
	}
	app, _ := newApp(t, to, hashed)
	if got := twoTabs(t, ann, app); !strings.HasPrefix(got, "200 ann dark 2 ") {
		t.Errorf("ann: %q", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func commit(t *testing.T, s scs.Store, token string, row []byte, expiry time.Time) error {
	if c, ok := s.(scs.CtxStore); ok {
		return c.CommitCtx(t.Context(), token, row, expiry)
	}
	return s.Commit(token, row, expiry)
}

// Files of gorilla's FilesystemStore, for an app that leaves gorilla by gorilla.Import.
func TestImportGorilla(t *testing.T) {
	registerApp()
	folder, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "key")
	hash, block := bytes.Repeat([]byte("h"), 64), bytes.Repeat([]byte{0, '\n'}, 16)
	noError(t, os.WriteFile(keyFile, block, 0o600))
	t.Setenv("HARDY_TEST_HASH", string(hash))
	t.Setenv("HARDY_TEST_SECRET", importSecret)
	files := sessions.NewFilesystemStore(folder, []byte("a newer key"), nil, hash, block)
	before := sessions.NewFilesystemStore(folder, hash, block) // before the keys were rotated
	store := before
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "bell-old")
		s.Values["user"], s.Values["theme"], s.Values["n"], s.Values["item"], s.Values[7] = r.FormValue("user"), "dark", 2, appItem{3}, "seven"
		noErrorIn(w, s.Save(r, w))
		store = files
	})
	mux.HandleFunc("/other", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "another")
		noErrorIn(w, s.Save(r, w))
	})
	old := httptest.NewTLSServer(mux)
	defer old.Close()
	ann, bob := newJar(t), newJar(t)
	browse(t, ann, old, "/login?user=ann")
	browse(t, bob, old, "/login?user=bob")
	noError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("not ours"), 0o600))

	to := "sqlite:" + filepath.Join(t.TempDir(), "new.db")
	t.Setenv("HARDY_TEST_NEWER", "a newer key")
	args := []string{"--json", "import", "gorilla", folder, to, "--cookie", "bell-old", "--secret", "env:HARDY_TEST_SECRET", "--user", "user",
		"--key", "env:HARDY_TEST_NEWER", "--key", "none", "--key", "env:HARDY_TEST_HASH", "--key", "file:" + keyFile}
	is := lines[imported](t, hardy(t, args...).must(t, exitOK))[0]
	if is.Made != 2 || is.SignedIn != 2 || !reflect.DeepEqual(is.Left, []leftValues{{leftover{"(a key of type int)", "string"}, 2}, {leftover{"item", "app.Item"}, 2}}) {
		t.Errorf("%+v", is)
	}
	// One that is expired to the app, and one of another cookie.
	browse(t, newJar(t), old, "/other")
	if is = lines[imported](t, hardy(t, args...).must(t, exitFailed))[0]; is.Present != 2 || is.Refused["does not open under these keys and this cookie's name"] != 1 {
		t.Errorf("again: %+v", is)
	}
	if is = lines[imported](t, hardy(t, append(args, "--max-age", "1ns")...).must(t, exitOK))[0]; is.Expired != 3 {
		t.Errorf("expired: %+v", is)
	}

	carried := gorilla.Import(files, &http.Cookie{Name: "bell-old", Path: "/"}, []byte(importSecret), func(map[any]any) *session.Old {
		return nil // what has not been imported by the command starts over, so that it is seen
	})
	app, m := newApp(t, to, carried)
	if got := twoTabs(t, ann, app); !strings.HasPrefix(got, "200 ann dark 2 ") {
		t.Errorf("ann: %q", got)
	}
	if list, err := m.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("ann's: %+v, %v", list, err)
	}
	copied := newJar(t)
	copied.SetCookies(must(url.Parse(old.URL)), ann.Cookies(must(url.Parse(old.URL))))
	browse(t, ann, app, "/logout")
	for _, jar := range []http.CookieJar{ann, copied} {
		if got := browse(t, jar, app, "/look"); got != "200   0 " {
			t.Errorf("after signing out: %q", got)
		}
	}
	if files, err := filepath.Glob(filepath.Join(folder, "session_*")); err != nil || len(files) != 2 {
		t.Errorf("ann's file stays: %v", files)
	}
	if got := browse(t, bob, app, "/look"); !strings.HasPrefix(got, "200 bob dark 2 ") {
		t.Errorf("bob: %q", got)
	}
}

// No session lives longer than the old one would have, the old idle timeout included; users may be numbers; --take takes
// nothing else.
func TestImportKeepsTimesAndTakesKeys(t *testing.T) {
	registerApp()
	rows, from := scsStores["SQLite"](t)
	now := time.Now()
	put := func(token string, expiry, deadline time.Duration, values map[string]any) {
		t.Helper()
		noError(t, rows.Commit(token, must(scs.GobCodec{}.Encode(now.Add(deadline), values)), now.Add(expiry)))
	}
	put("idle", 20*time.Minute, 10*time.Hour, map[string]any{"id": int64(42), "theme": "dark", "n": 5})
	put("long", 100*24*time.Hour, 100*24*time.Hour, map[string]any{"id": uint32(43), "theme": "dark", "item": appItem{1}, "__rememberMe": true})
	put("role", time.Hour, time.Hour, map[string]any{"id": appRole("admin")})
	put("list", time.Hour, time.Hour, map[string]any{"id": []string{"x"}})
	put("large", time.Hour, time.Hour, map[string]any{"id": "ann", "theme": strings.Repeat("x", 70000)})
	put("past", -time.Hour, time.Hour, map[string]any{"id": "ann"})
	put("over", time.Hour, -time.Hour, map[string]any{"id": "ann"})
	put("name", time.Hour, time.Hour, map[string]any{"id": "a\x00b"})
	put("ended", time.Hour, time.Hour, map[string]any{"__hardy": "ended logout 1 "})

	secret := filepath.Join(t.TempDir(), "secret")
	noError(t, os.WriteFile(secret, []byte(importSecret+"\n"), 0o600))
	path := filepath.Join(t.TempDir(), "new.db")
	got := hardy(t, "--json", "import", "scs", from, "sqlite:"+path, "--secret", "file:"+secret, "--user", "id", "--take", "theme", "--idle", "15m").must(t, exitFailed)
	is := lines[imported](t, got)[0]
	want := imported{Made: 2, SignedIn: 2, Empty: 1, Expired: 2, Seconds: is.Seconds, Refused: map[string]int{
		"the user's value is of type app.Role": 1, "the user's value is of type []string": 1, "holds more than a session may": 1, "its user has a name that no user can have": 1}}
	if !reflect.DeepEqual(is, want) {
		t.Errorf("%+v\nwant %+v", is, want)
	}

	db, err := sqlitestore.Open(t.Context(), path, nil)
	noError(t, err)
	defer db.Close()
	m := session.NewManager(db, &session.Options{Logger: quiet})
	theme, n := session.NewKey[string]("theme"), session.NewKey[int]("n")
	for credential, want := range map[string]struct {
		user              string
		expires, deadline time.Duration
		idle              time.Duration
		maxAge            bool
	}{
		"idle": {"42", 20 * time.Minute, 10 * time.Hour, 20 * time.Minute, false},
		"long": {"43", 100 * 24 * time.Hour, 100 * 24 * time.Hour, 100 * 24 * time.Hour, true},
	} {
		s, err := m.Load(t.Context(), must(m.ImportToken([]byte(importSecret), credential)))
		noError(t, err)
		list, err := m.List(t.Context(), want.user)
		noError(t, err)
		near := func(at time.Time, d time.Duration) bool {
			off := at.Sub(now.Add(d))
			return off < 10*time.Millisecond && off > -10*time.Millisecond
		}
		if len(list) != 1 || s.User() != want.user || theme.Get(s) != "dark" || n.Get(s) != 0 || (s.MaxAge() > 0) != want.maxAge {
			t.Errorf("%s: %q, %q, %d, %v", credential, s.User(), theme.Get(s), n.Get(s), s.MaxAge())
		} else if !near(list[0].Expires, want.expires) || !near(list[0].Deadline, want.deadline) {
			t.Errorf("%s expires in %v, ends in %v", credential, list[0].Expires.Sub(now), list[0].Deadline.Sub(now))
		}
	}
}

// What was stopped in the middle goes on.
func TestImportStoppedInTheMiddle(t *testing.T) {
	rows, from := scsStores["SQLite"](t)
	const n = 1700
	for i := range n {
		noError(t, rows.Commit(fmt.Sprint("token", i), must(scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": fmt.Sprint("user", i)})), time.Now().Add(time.Hour)))
	}
	t.Setenv("HARDY_TEST_SECRET", importSecret)
	path := filepath.Join(t.TempDir(), "new.db")
	db, err := sqlitestore.Open(t.Context(), path, nil)
	noError(t, err)
	defer db.Close()
	args := []string{"--json", "import", "scs", from, "sqlite:" + path, "--secret", "env:HARDY_TEST_SECRET", "--user", "user"}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if made, err := db.Count(context.Background()); err == nil && made > n/4 {
				stop()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	var out, messages bytes.Buffer
	if code := run(ctx, args, &out, &messages); code != exitFailed || !strings.Contains(messages.String(), "goes on from here") {
		t.Fatalf("stopped: %d, %s", code, messages.String())
	}
	stop()
	halfway, err := db.Count(t.Context())
	noError(t, err)
	is := lines[imported](t, hardy(t, args...).must(t, exitOK))[0]
	if halfway < n/4 || halfway == n || is.Present != halfway || is.Made+is.Present != n || is.SignedIn != is.Made {
		t.Errorf("%d of %d after the first run; then %+v", halfway, n, is)
	}
}

// What is wrong is said before anything is read, and without a secret in it.
func TestImportRefusesAndNamesTheMend(t *testing.T) {
	folder := t.TempDir()
	rows, from := scsStores["SQLite"](t)
	readable, short := filepath.Join(folder, "readable"), filepath.Join(folder, "short")
	noError(t, os.WriteFile(readable, []byte(importSecret), 0o644))
	noError(t, os.Chmod(readable, 0o644))
	noError(t, os.WriteFile(short, []byte("hunter2"), 0o600))
	t.Setenv("HARDY_TEST_SECRET", importSecret)
	to := "sqlite:" + filepath.Join(folder, "new.db")
	secret := []string{"--secret", "env:HARDY_TEST_SECRET"}
	noTable := filepath.Join(folder, "other.db")
	fill(t, noTable, 1)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"scs", from, to}, exitUsage, "secret"},
		{[]string{"scs", from, to, "--secret", "hunter2hunter2hunter2hunter2hunter2"}, exitUsage, "env:VARIABLE"},
		{[]string{"scs", from, to, "--secret", "file:" + readable}, exitFailed, "chmod 600"},
		{[]string{"scs", from, to, "--secret", "file:" + short}, exitUsage, "7 bytes"},
		{[]string{"scs", from, to, "--secret", "env:HARDY_TEST_ABSENT"}, exitUsage, "0 bytes"},
		{append([]string{"scs", from, to, "--idle", "-1s"}, secret...), exitUsage, "--idle"},
		{append([]string{"scs", from, "nonsense"}, secret...), exitUsage, "no store"},
		{append([]string{"scs", "sqlite:" + filepath.Join(folder, "absent.db"), to}, secret...), exitAbsent, "no such file"},
		{append([]string{"scs", "sqlite:" + noTable, to}, secret...), exitFailed, "scs's table"},
		{append([]string{"gorilla", folder, to, "--cookie", "x", "--key", "env:HARDY_TEST_SECRET"}, secret...), exitAbsent, "CookieStore keeps nothing"},
		{append([]string{"gorilla", folder, to, "--cookie", "x", "--key", "hunter2"}, secret...), exitUsage, "env:VARIABLE"},
		{append([]string{"gorilla", folder, to, "--key", "env:HARDY_TEST_SECRET"}, secret...), exitUsage, "cookie"},
		{[]string{"jwt", from, to}, exitUsage, ""},
	} {
		got := hardy(t, append([]string{"import"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.messages, c.says) || strings.Contains(got.out+got.messages, "hunter2") {
			t.Errorf("%v: %d %s%s", c.args, got.code, got.out, got.messages)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(to, "sqlite:")); err == nil {
		t.Error("a new store was made")
	}
	// A user's key that nobody has is told.
	noError(t, rows.Commit("token", must(scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"uid": "ann"})), time.Now().Add(time.Hour)))
	got := hardy(t, append([]string{"import", "scs", from, to, "--user", "userID"}, secret...)...).must(t, exitOK)
	if !strings.Contains(got.messages, `is "userID" the key`) || strings.Contains(got.out, "ann") {
		t.Errorf("%s%s", got.out, got.messages)
	}
	var probe imported
	if json.Unmarshal([]byte(got.out), &probe) == nil {
		t.Error("JSON without --json")
	}
}
