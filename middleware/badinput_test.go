package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Whatever stands in a Cookie field, the visitor is served as a new one, without a store call and without a Set-Cookie, and
// the genuine cookie opens its session afterwards.
func TestBadCookies(t *testing.T) {
	shop := newShop(t)
	var outcomes []cookie.Outcome
	duplicates := 0
	shop.keys.Trace = &cookie.Trace{
		Opened:    func(o cookie.OpenedInfo) { outcomes = append(outcomes, o.Outcome) },
		Duplicate: func(string, int) { duplicates++ },
	}
	server, served := shop.stand(t, false, shop.jars(shop.sessions(http.HandlerFunc(bell))))
	bob := visitorOf(server)
	fetch(t, bob, ask(t, "POST", server.URL+"/?ring"))
	served()
	fetch(t, bob, ask(t, "POST", server.URL+"/?jar=Bob"))
	served()
	held := map[string]string{}
	site := ask(t, "GET", server.URL)
	for _, c := range bob.Jar.Cookies(site.URL) {
		held[c.Name] = c.Value
	}
	own, jar := held["bell-session"], held["bell-local"]
	if own == "" || jar == "" {
		t.Fatal(held)
	}
	many := func(n int) string { return strings.Repeat("a=b; ", n) }
	const known, blank = `"" 1 "Bob"`, `"" 0 ""`
	genuine := "bell-session=" + own + "; bell-local=" + jar
	for name, c := range map[string]struct {
		lines  []string
		want   string // of the handler
		status int    // 0: 200
	}{
		"nothing in it":                 {[]string{""}, blank, 0},
		"an empty value":                {[]string{"bell-session=; bell-local="}, blank, 0},
		"no value":                      {[]string{"bell-session; bell-local"}, blank, 0},
		"garbage":                       {[]string{"bell-session=%00%ff<script>; bell-local=\"'--"}, blank, 0},
		"bytes that are no text":        {[]string{"bell-session=\xff\xfe\x80; bell-local=\xc3\x28"}, blank, 0},
		"garbage all around":            {[]string{";;;=;= ;\t; " + genuine + " ;;=;"}, known, 0},
		"only the version":              {[]string{"bell-session=v1.; bell-local=v1.."}, blank, 0},
		"a later version":               {[]string{"bell-session=v2" + own[2:] + "; bell-local=v2" + jar[2:]}, blank, 0},
		"another key":                   {[]string{"bell-session=v1.AAAAAAAA" + own[11:] + "; bell-local=v1.AAAAAAAA" + jar[11:]}, blank, 0},
		"cut off":                       {[]string{"bell-session=" + own[:len(own)-4] + "; bell-local=" + jar[:len(jar)-4]}, blank, 0},
		"something behind":              {[]string{"bell-session=" + own + "AAAA; bell-local=" + jar + "="}, blank, 0},
		"quoted":                        {[]string{`bell-session="` + own + `"; bell-local="` + jar + `"`}, blank, 0},
		"exchanged":                     {[]string{"bell-session=" + jar + "; bell-local=" + own}, blank, 0},
		"another case":                  {[]string{"Bell-Session=" + own + "; BELL-LOCAL=" + jar}, blank, 0},
		"a __Host- in front":            {[]string{"__Host-bell-session=" + own}, blank, 0},
		"oversize, 5 KB":                {[]string{"bell-session=" + strings.Repeat("A", 5<<10) + "; bell-local=v1." + strings.Repeat("A", 5<<10)}, blank, 0},
		"oversize, 500 KB":              {[]string{"bell-session=v1.AAAAAAAA." + strings.Repeat("A", 500<<10)}, blank, 0},
		"oversize, 2 MB":                {[]string{"bell-session=" + strings.Repeat("A", 2<<20)}, "", 431},
		"two of one name":               {[]string{"bell-session=" + own + "; bell-session=" + own + "; bell-local=" + jar + "; bell-local=" + jar}, blank, 0},
		"two of one name, one forged":   {[]string{"bell-session=forged; bell-session=" + own + "; bell-local=" + jar}, `"" 0 "Bob"`, 0},
		"two of one name, in two lines": {[]string{genuine, genuine}, blank, 0},
		"3,001 cookies":                 {[]string{many(2999) + genuine}, blank, 0},
		"3,001 cookies, in two lines":   {[]string{many(1500), many(1499) + genuine}, blank, 0},
		"3,000 cookies":                 {[]string{many(2998) + genuine}, known, 0},
		"genuine":                       {[]string{genuine}, known, 0},
	} {
		t.Run(name, func(t *testing.T) {
			outcomes, duplicates = nil, 0
			loads := shop.faults.Calls("")
			resp, body := raw(t, server, append([]string{"POST / HTTP/1.1", "Host: bell"}, prefixed("Cookie: ", c.lines)...)...)
			if c.status != 0 {
				if resp.StatusCode != c.status {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
			} else {
				served()
				if resp.StatusCode != 200 || body != c.want || resp.Header["Set-Cookie"] != nil {
					t.Errorf("%d %s %q, want %s", resp.StatusCode, body, resp.Header["Set-Cookie"], c.want)
				}
				if n := shop.faults.Calls("") - loads; (n > 0) != (c.want == known) {
					t.Errorf("%d calls of the store", n)
				}
				if strings.HasPrefix(name, "two of one name") && duplicates == 0 {
					t.Error("not traced as a duplicate")
				}
				for _, o := range outcomes {
					if c.want == blank && o == cookie.OK {
						t.Error("something was opened")
					}
				}
			}
			if _, body := fetch(t, bob, ask(t, "POST", server.URL)); body != known {
				t.Errorf("the genuine cookies bring %s", body)
			}
			served()
		})
	}
}

// What HTTP forbids in a header, net/http refuses before anything of ours is asked.
func TestHeaderOfNULs(t *testing.T) {
	shop := newShop(t)
	server, _ := shop.stand(t, false, shop.jars(shop.sessions(http.HandlerFunc(bell))))
	for _, line := range []string{
		"Cookie: bell-session=" + strings.Repeat("\x00", 100), "Cookie: \x00", "Cookie: a=b\x01", "Cook\x00ie: a=b", "X-\x00: y",
	} {
		if resp, body := raw(t, server, "GET / HTTP/1.1", "Host: bell", line); resp.StatusCode != 400 {
			t.Errorf("%q: %d %s", line, resp.StatusCode, body)
		}
	}
	if n := shop.faults.Calls(""); n != 0 {
		t.Errorf("%d calls of the store", n)
	}
}

func prefixed(prefix string, lines []string) (all []string) {
	for _, line := range lines {
		all = append(all, prefix+line)
	}
	return all
}

// raw sends the lines of a request as they are.
func raw(t *testing.T, server *httptest.Server, lines ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := make(chan bool)
	go func() {
		// The server may answer and hang up before it has read everything.
		io.WriteString(conn, strings.Join(append(lines, "Connection: close", "Content-Length: 0"), "\r\n")+"\r\n\r\n")
		close(sent)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	conn.Close()
	<-sent
	return resp, string(body)
}

// A stored value whose type has changed since reads as absent and is traced; nothing else is lost, the page is no 500, and
// the next Set or Update makes it good.
func TestValueOfAFormerType(t *testing.T) {
	type point struct{ X, Y int }
	var (
		asText   = session.NewKey[string]("pos")
		asPoint  = session.NewKey[point]("pos")
		asNumber = session.NewKey[int]("pos")
		asList   = session.NewKey[[]bool]("pos")
		jarText  = cookie.NewKey[string]("pos")
		jarPoint = cookie.NewKey[point]("pos")
	)
	undecodable := map[string]int{}
	keys := cookie.DevKeys("bell")
	keys.Trace = &cookie.Trace{Undecodable: func(c, key string, err error) { undecodable[c+" "+key]++ }}
	manager := session.NewManager(store.NewMemory(nil), &session.Options{Trace: &session.Trace{
		Undecodable: func(handle, key string, err error) {
			if handle == "" || err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("traced %q, %v", handle, err)
			}
			undecodable[key]++
		},
	}})
	var handler http.HandlerFunc
	server := sessiontest.NewServer(t, middleware.Cookies(keys, nil)(middleware.Sessions(manager, keys, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r)
	}))))
	bob := server.Browser()
	do := func(f func(s *session.Session, j *cookie.Jar, ctx context.Context) error) {
		t.Helper()
		handler = func(w http.ResponseWriter, r *http.Request) {
			if err := f(session.From(r.Context()), cookie.Local(r.Context()), r.Context()); err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, "ok")
		}
		if resp, body := fetch(t, bob, ask(t, "POST", server.URL)); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	do(func(s *session.Session, j *cookie.Jar, _ context.Context) error {
		return errors.Join(s.Login("bob"), asText.Set(s, "secret"), visits.Set(s, 7), jarText.Set(j, "secret"), nick.Set(j, "Bob"))
	})
	for range 2 { // it does not end the session either
		do(func(s *session.Session, j *cookie.Jar, _ context.Context) error {
			if v, ok := asPoint.Lookup(s); ok || v != (point{}) {
				t.Errorf("session: %v", v)
			}
			if asNumber.GetOr(s, 3) != 3 || asList.Get(s) != nil || visits.Get(s) != 7 || s.User() != "bob" || asText.Get(s) != "secret" {
				t.Errorf("session: %v %v %v %q", asNumber.Get(s), asList.Get(s), visits.Get(s), s.User())
			}
			if v, ok := jarPoint.Lookup(j); ok || v != (point{}) || nick.Get(j) != "Bob" || jarText.Get(j) != "secret" {
				t.Errorf("jar: %v %q", v, nick.Get(j))
			}
			return nil
		})
	}
	if undecodable["pos"] < 6 || undecodable["__Host-bell-local pos"] != 2 {
		t.Errorf("traced %v", undecodable)
	}
	do(func(s *session.Session, j *cookie.Jar, ctx context.Context) error {
		n, err := asNumber.Update(ctx, s, func(n int) int { return n + 1 })
		if n != 1 {
			t.Errorf("Update begins with %d", n-1)
		}
		return errors.Join(err, jarPoint.Set(j, point{1, 2}))
	})
	do(func(s *session.Session, j *cookie.Jar, _ context.Context) error {
		if asNumber.Get(s) != 1 || jarPoint.Get(j) != (point{1, 2}) || visits.Get(s) != 7 {
			t.Errorf("made good: %d, %v", asNumber.Get(s), jarPoint.Get(j))
		}
		was, err := asText.Delete(s)
		if !was {
			t.Error("Delete does not find a value of another type")
		}
		return err
	})
}

// stops runs f and checks that it stops the program with a message that names all of what is wanted.
func stops(t *testing.T, name string, f func(), wants ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		why := recover()
		if why == nil {
			t.Errorf("%s: accepted", name)
			return
		}
		text := fmt.Sprint(why)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the message lacks %q: %s", name, want, text)
			}
		}
	}()
	f()
}

// Wrong wiring that can be seen when the program starts stops it there, and the message says how to mend it.
func TestWrongWiringAtStart(t *testing.T) {
	keys, other := cookie.DevKeys("bell"), cookie.DevKeys("bell")
	m, m2 := session.NewManager(store.NewMemory(nil), nil), session.NewManager(store.NewMemory(nil), nil)
	h := http.NotFoundHandler()
	options := func(o middleware.Options) func() { return func() { middleware.Sessions(m, keys, &o) } }
	jars := func(o middleware.CookieOptions) func() { return func() { middleware.Cookies(keys, &o) } }
	named := func(name string) *cookie.Keys {
		text := cookie.NewMaster()
		source := &ringText{}
		source.text.Store(&text)
		k, err := cookie.NewKeys(t.Context(), source, name)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ring := cookie.NewMaster()
	appRing, teamRing := &ringText{}, &ringText{}
	appRing.text.Store(&ring)
	teamRing.text.Store(&ring)
	appKeys, err1 := cookie.NewKeys(t.Context(), appRing, "bell")
	teamKeys, err2 := cookie.NewKeys(t.Context(), teamRing, "acme")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	sessions := middleware.Sessions(m, keys, nil)
	for name, c := range map[string]struct {
		do    func()
		wants []string
	}{
		"no manager":                   {func() { middleware.Sessions(nil, keys, nil) }, []string{"session.NewManager"}},
		"no keys":                      {func() { middleware.Sessions(m, nil, nil) }, []string{"cookie.KeysFromEnv"}},
		"jars without keys":            {func() { middleware.Cookies(nil, nil) }, []string{"KeysFromEnv"}},
		"ResetHandler without manager": {func() { middleware.ResetHandler(nil, keys, nil) }, []string{"session.NewManager"}},
		"a session in the local jar's cookie": {func() {
			middleware.Cookies(keys, nil)(middleware.Sessions(m, keys, &middleware.Options{Name: "bell-local"})(h))
		}, []string{"cookie __Host-bell-local", "Options.Name"}},
		"the local jar in a session's cookie": {func() {
			middleware.Sessions(m, keys, &middleware.Options{Name: "bell-local"})(middleware.Cookies(keys, nil)(h))
		}, []string{"cookie __Host-bell-local", "Options.Name"}},
		"the same over plain HTTP": {func() {
			middleware.Sessions(m, keys, &middleware.Options{Name: "bell-local", InsecureHTTP: true})(
				middleware.Cookies(keys, &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}})(h))
		}, []string{"cookie bell-local", "Options.Name"}},
		"a session in the shared jar's cookie": {func() {
			middleware.Cookies(keys, &middleware.CookieOptions{Shared: named("acme"), ShareWith: "example.com", Cookie: cookie.Options{InsecureHTTP: true}})(
				middleware.Sessions(m2, other, nil)(middleware.Sessions(m, keys, &middleware.Options{Name: "acme-shared", InsecureHTTP: true})(h)))
		}, []string{"cookie acme-shared", "Options.Name"}},
		"Aware without a path":          {options(middleware.Options{Aware: []string{"POST"}}), []string{"Options.Aware", `"POST"`, `"POST /login"`}},
		"Aware with a host and no path": {options(middleware.Options{Aware: []string{"login"}}), []string{"Options.Aware", `"login"`}},
		"Aware with an open brace":      {options(middleware.Options{Aware: []string{"/ok", "/{id"}}), []string{"Options.Aware", `"/{id"`}},
		"Aware empty":                   {options(middleware.Options{Aware: []string{""}}), []string{"Options.Aware", `""`}},
		"Aware twice":                   {options(middleware.Options{Aware: []string{"/a", "/a"}}), []string{"Options.Aware", `"/a"`}},
		"Aware, two that conflict":      {options(middleware.Options{Aware: []string{"/a/{x}/b", "/a/c/{y}"}}), []string{"Options.Aware"}},
		"a bad Skip":                    {options(middleware.Options{Skip: []string{"static"}}), []string{"Options.Skip", `"static"`}},
		"a bad Passive":                 {options(middleware.Options{Passive: []string{"GET  "}}), []string{"Options.Passive"}},
		"SameSite None":                 {options(middleware.Options{SameSite: http.SameSiteNoneMode}), []string{"SameSite", "Lax"}},
		"SameSite of no kind":           {options(middleware.Options{SameSite: 9}), []string{"SameSite", "Lax"}},
		"Ended of no kind":              {options(middleware.Options{Ended: 9}), []string{"Restart", "Strict", "Fresh"}},
		"MaxOpened negative":            {options(middleware.Options{MaxOpened: -1}), []string{"MaxOpened", "10,000"}},
		"TLS without InsecureHTTP":      {options(middleware.Options{TLS: func(*http.Request) bool { return true }}), []string{"InsecureHTTP"}},
		"a name with a space":           {options(middleware.Options{Name: "my session"}), []string{"Options.Name", "my session"}},
		"a name with a line break":      {options(middleware.Options{Name: "a\r\nSet-Cookie: b"}), []string{"Options.Name"}},
		"__Host- over plain HTTP":       {options(middleware.Options{Name: "__Host-bell", InsecureHTTP: true}), []string{"Options.Name", "__Host-", "Secure"}},
		"Header Cookie":                 {func() { middleware.Header("cookie") }, []string{"X-Session"}},
		"Header without a name":         {func() { middleware.Header("") }, []string{"X-Session"}},
		"shared keys without a domain":  {jars(middleware.CookieOptions{Shared: named("acme")}), []string{"Shared", "ShareWith"}},
		"a domain without shared keys":  {jars(middleware.CookieOptions{ShareWith: "example.com"}), []string{"Shared", "ShareWith"}},
		"the app's own key shared": {func() {
			middleware.Cookies(appKeys, &middleware.CookieOptions{Shared: teamKeys, ShareWith: "example.com"})
		}, []string{"make keys for the team"}},
		"__Host- with a Domain":           {jars(middleware.CookieOptions{Shared: named("__Host-acme"), ShareWith: "example.com", Cookie: cookie.Options{InsecureHTTP: true}}), []string{"__Host-acme-shared", "without a Domain"}},
		"a shared domain of one label":    {jars(middleware.CookieOptions{Shared: named("acme"), ShareWith: "localhost"}), []string{"localhost", "example.com"}},
		"a shared domain with a port":     {jars(middleware.CookieOptions{Shared: named("acme"), ShareWith: "example.com:443"}), []string{"without port"}},
		"a shared domain that is a URL":   {jars(middleware.CookieOptions{Shared: named("acme"), ShareWith: "https://example.com"}), []string{"https://example.com"}},
		"SameSite None over plain HTTP":   {jars(middleware.CookieOptions{Cookie: cookie.Options{SameSite: http.SameSiteNoneMode, InsecureHTTP: true}}), []string{"SameSite=None", "Secure"}},
		"the same manager twice":          {func() { sessions(sessions(h)) }, []string{"same manager", "wrap once"}},
		"the same manager, other options": {func() { sessions(middleware.Sessions(m, keys, &middleware.Options{Name: "x"})(h)) }, []string{"same manager", "wrap once"}},
		"the same manager around Cookies": {func() { sessions(middleware.Cookies(keys, nil)(sessions(h))) }, []string{"same manager", "wrap once"}},
		"the same manager in a Chain":     {func() { middleware.Chain(h, sessions, middleware.RequireOrigin(), sessions) }, []string{"same manager", "wrap once"}},
		"two managers under one name":     {func() { sessions(middleware.Sessions(m2, keys, nil)(h)) }, []string{"two managers", "__Host-bell-session", "Options.Name"}},
		"two managers and two rings":      {func() { sessions(middleware.Sessions(m2, other, nil)(h)) }, []string{"two managers", "__Host-bell-session", "Options.Name"}},
		"two managers in a Chain": {func() {
			middleware.Chain(h, sessions, middleware.Cookies(keys, nil), middleware.Sessions(m2, keys, nil))
		}, []string{"two managers"}},
		"Cookies twice":                     {func() { middleware.Chain(h, middleware.Cookies(keys, nil), sessions, middleware.Cookies(keys, nil)) }, []string{"wrap once"}},
		"DevKeys for an app without a name": {func() { cookie.DevKeys("") }, []string{"name"}},
		"an app's name with a space":        {func() { cookie.DevKeys("my bell") }, []string{`"my bell"`, "letters"}},
	} {
		stops(t, name, c.do, c.wants...)
	}
}

// What stands between can hide wrong wiring from the start; then the first request stops, and the log says how to mend it.
func TestWrongWiringAtTheFirstRequest(t *testing.T) {
	keys := cookie.DevKeys("bell")
	m, m2 := session.NewManager(store.NewMemory(nil), nil), session.NewManager(store.NewMemory(nil), nil)
	one, two := middleware.Sessions(m, keys, nil), middleware.Sessions(m2, keys, nil)
	named := middleware.Sessions(m2, keys, &middleware.Options{Name: "admin"})
	jars := middleware.Cookies(keys, nil)
	inJar := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), keys, &middleware.Options{Name: "bell-local"})
	looks := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, visits.Get(session.From(r.Context()))) })
	plain := func(next http.Handler) http.Handler { return http.HandlerFunc(next.ServeHTTP) }
	handler := func(f func(ctx context.Context)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(r.Context()) })
	}
	for name, c := range map[string]struct {
		h     http.Handler
		wants []string
	}{
		"the same manager, a stranger's between":          {one(unwrapping(one(looks))), []string{"same manager", "wrap once"}},
		"the same manager, a func between":                {one(plain(one(looks))), []string{"same manager", "wrap once"}},
		"the same manager, a ServeMux between":            {one(mux(one(looks))), []string{"same manager", "wrap once"}},
		"the same manager, nothing seen through":          {one(opaque(one(looks))), []string{"once"}},
		"two managers, one name, a stranger between":      {one(unwrapping(two(looks))), []string{"two managers", "__Host-bell-session", "Options.Name"}},
		"two managers, one name, a ServeMux between":      {jars(one(mux(jars(two(looks))))), []string{"two managers", "__Host-bell-session", "Options.Name"}},
		"two managers, one name, another between":         {one(mux(middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), keys, &middleware.Options{Name: "x"})(mux(two(looks))))), []string{"two managers"}},
		"a session in a jar's cookie, a ServeMux between": {jars(mux(inJar(looks))), []string{"cookie __Host-bell-local", "Options.Name"}},
		"a jar in a session's cookie, a ServeMux between": {inJar(mux(jars(looks))), []string{"cookie __Host-bell-local", "Options.Name"}},
		"a jar in a session's cookie, a stranger between": {inJar(unwrapping(one(mux(jars(looks))))), []string{"cookie __Host-bell-local", "Options.Name"}},
		"no Sessions":                       {handler(func(ctx context.Context) { session.From(ctx) }), []string{"middleware.Sessions"}},
		"no Sessions for that manager":      {one(handler(func(ctx context.Context) { m2.From(ctx) })), []string{"this manager", "middleware.Sessions"}},
		"no Sessions on a path in Skip":     {middleware.Sessions(m, keys, &middleware.Options{Skip: []string{"/"}})(looks), []string{"Options.Skip"}},
		"no Cookies":                        {one(handler(func(ctx context.Context) { cookie.Local(ctx) })), []string{"middleware.Cookies"}},
		"no Cookies for the shared jar":     {handler(func(ctx context.Context) { cookie.Shared(ctx) }), []string{"middleware.Cookies"}},
		"Cookies without a shared jar":      {jars(handler(func(ctx context.Context) { cookie.Shared(ctx) })), []string{"team's keys", "options"}},
		"the request's context is not used": {one(handler(func(context.Context) { session.From(context.Background()) })), []string{"middleware.Sessions"}},
		"nested, and asked for neither":     {one(named(handler(func(ctx context.Context) { session.NewManager(store.NewMemory(nil), nil).From(ctx) }))), []string{"this manager"}},
	} {
		var logged bytes.Buffer
		server := httptest.NewUnstartedServer(c.h)
		server.Config.ErrorLog = log.New(&logged, "", 0)
		server.Start()
		resp, err := http.Post(server.URL, "", nil)
		if err == nil {
			t.Errorf("%s: answered %d", name, resp.StatusCode)
			resp.Body.Close()
		}
		server.Close() // waits for the log
		first, _, _ := strings.Cut(logged.String(), "\n")
		for _, want := range c.wants {
			if !strings.Contains(first, want) {
				t.Errorf("%s: the message lacks %q: %s", name, want, first)
			}
		}
	}
}

// mux stands between as an application's own routes do.
func mux(h http.Handler) http.Handler {
	m := http.NewServeMux()
	m.Handle("/", h)
	return m
}

// opaque is a middleware whose writer can't be looked through.
func opaque(next http.Handler) http.Handler {
	type hidden struct{ http.ResponseWriter }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(hidden{w}, r) })
}

// Development keys serve on loopback and nowhere else, unless allowed by name.
func TestDevKeysAreForLoopback(t *testing.T) {
	dev, env := cookie.DevKeys("bell"), keysOf(t, "bell")
	m := session.NewManager(store.NewMemory(nil), nil)
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	handlers := map[string]struct {
		h       http.Handler
		refused bool
	}{
		"Sessions":                   {middleware.Sessions(m, dev, nil)(ok), true},
		"Sessions, allowed":          {middleware.Sessions(m, dev, &middleware.Options{AllowDevKeys: true})(ok), false},
		"Sessions, no DevKeys":       {middleware.Sessions(m, env, nil)(ok), false},
		"Sessions, on a Skip route":  {middleware.Sessions(m, dev, &middleware.Options{Skip: []string{"/"}})(ok), false},
		"Cookies":                    {middleware.Cookies(dev, nil)(ok), true},
		"Cookies, allowed":           {middleware.Cookies(dev, &middleware.CookieOptions{AllowDevKeys: true})(ok), false},
		"Cookies, no DevKeys":        {middleware.Cookies(env, nil)(ok), false},
		"Cookies, the shared are":    {middleware.Cookies(env, &middleware.CookieOptions{Shared: cookie.DevKeys("acme"), ShareWith: "example.com"})(ok), true},
		"Cookies, the shared aren't": {middleware.Cookies(env, &middleware.CookieOptions{Shared: keysOf(t, "acme"), ShareWith: "example.com"})(ok), false},
	}
	addresses := map[string]struct {
		addr     net.Addr
		loopback bool
	}{
		"127.0.0.1":   {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, true},
		"127.9.9.9":   {&net.TCPAddr{IP: net.IPv4(127, 9, 9, 9), Port: 8080}, true},
		"::1":         {&net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, true},
		"192.0.2.1":   {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080}, false},
		"2001:db8::1": {&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 8080}, false},
		"a socket":    {&net.UnixAddr{Name: "/run/bell", Net: "unix"}, true},
	}
	for name, h := range handlers {
		for where, a := range addresses {
			r := httptest.NewRequest("GET", "/", nil)
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, a.addr))
			serve := func() {
				w := httptest.NewRecorder()
				if h.h.ServeHTTP(w, r); w.Code != 204 {
					t.Errorf("%s at %s: %d", name, where, w.Code)
				}
			}
			if h.refused && !a.loopback {
				stops(t, name+" at "+where, serve, "DevKeys", where, "KeysFromEnv", "AllowDevKeys")
			} else {
				serve()
			}
		}
	}

	// What the server says of itself counts, too: it hears strangers, though this request came from here.
	for addr, exposed := range map[string]bool{
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, ":http": true, "192.0.2.1:80": true, "[2001:db8::1]:80": true,
		"127.0.0.1:8080": false, "[::1]:8080": false, "localhost:8080": false, "bell.example:8080": false, "": false, "/run/bell": false,
	} {
		for name, h := range handlers {
			for where, a := range addresses {
				if !a.loopback {
					continue
				}
				r := httptest.NewRequest("GET", "/", nil)
				ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, a.addr)
				r = r.WithContext(context.WithValue(ctx, http.ServerContextKey, &http.Server{Addr: addr}))
				serve := func() {
					w := httptest.NewRecorder()
					if h.h.ServeHTTP(w, r); w.Code != 204 {
						t.Errorf("%s, server on %q: %d", name, addr, w.Code)
					}
				}
				if h.refused && exposed && where != "a socket" {
					stops(t, name+", server on "+addr, serve, "DevKeys on "+addr, "localhost", "KeysFromEnv", "AllowDevKeys")
				} else {
					serve()
				}
			}
		}
	}
	for _, addr := range []string{":0", "127.0.0.1:0"} { // as ListenAndServe does
		var logged bytes.Buffer
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Addr: addr, Handler: handlers["Sessions"].h, ErrorLog: log.New(&logged, "", 0)}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			resp.Body.Close()
		}
		if (err != nil) != (addr == ":0") {
			t.Errorf("by loopback, server on %s: %v", addr, err)
		}
		server.Close()
		<-served
	}

	// On a listener of its own, where this machine has an address that is not loopback.
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(a net.Addr) bool {
		ip, ok := a.(*net.IPNet)
		return ok && ip.IP.To4() != nil && !ip.IP.IsLoopback()
	})
	if at < 0 {
		t.Skip("every address of this machine is loopback")
	}
	ip := all[at].(*net.IPNet).IP
	for name, h := range handlers {
		var logged bytes.Buffer
		server := httptest.NewUnstartedServer(h.h)
		server.Listener.Close()
		if server.Listener, err = net.Listen("tcp", net.JoinHostPort("0.0.0.0", "0")); err != nil {
			t.Fatal(err)
		}
		server.Config.ErrorLog = log.New(&logged, "", 0)
		server.Start()
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy
		for _, host := range []string{"127.0.0.1", ip.String()} {
			refused := h.refused && host != "127.0.0.1"
			resp, err := direct.Get("http://" + net.JoinHostPort(host, port))
			if err == nil {
				resp.Body.Close()
			}
			if (err != nil) != refused {
				t.Errorf("%s by %s: %v", name, host, err)
			}
		}
		server.Close()
		if h.refused != strings.Contains(logged.String(), "DevKeys on "+ip.String()) {
			t.Errorf("%s: logged %q", name, logged.String())
		}
	}
}

// keysOf returns a ring that is none of DevKeys.
func keysOf(t *testing.T, app string) *cookie.Keys {
	t.Helper()
	text := cookie.NewMaster()
	source := &ringText{}
	source.text.Store(&text)
	keys, err := cookie.NewKeys(t.Context(), source, app)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Managers of different names nest: each has its own cookie, store and fate.
func TestNestedManagers(t *testing.T) {
	for name, between := range map[string]func(http.Handler) http.Handler{
		"directly": func(h http.Handler) http.Handler { return h }, "a ServeMux between": mux, "a stranger's between": unwrapping, "nothing seen through": opaque,
	} {
		t.Run(name, func(t *testing.T) {
			keys := cookie.DevKeys("bell")
			faults := map[string]*sessiontest.Faults{"shop": sessiontest.NewFaults(store.NewMemory(nil)), "admin": sessiontest.NewFaults(store.NewMemory(nil))}
			shop, admin := session.NewManager(faults["shop"], nil), session.NewManager(faults["admin"], nil)
			m := http.NewServeMux()
			m.HandleFunc("/enter", func(w http.ResponseWriter, r *http.Request) {
				if session.From(r.Context()) != admin.From(r.Context()) || session.From(r.Context()) == shop.From(r.Context()) {
					t.Error("From is not the innermost")
				}
				if err := errors.Join(shop.From(r.Context()).Login("bob"), admin.From(r.Context()).Login("root")); err != nil {
					t.Error(err)
				}
			})
			m.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
				for _, s := range []*session.Session{shop.From(r.Context()), admin.From(r.Context())} {
					if err := visits.Set(s, visits.Get(s)+1); err != nil {
						t.Error(err)
					}
				}
				fmt.Fprint(w, "counted")
			})
			m.HandleFunc("/leave", func(w http.ResponseWriter, r *http.Request) { admin.From(r.Context()).Logout() })
			m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				a, b := shop.From(r.Context()), admin.From(r.Context())
				fmt.Fprintf(w, "%q %d %q %d", a.User(), visits.Get(a), b.User(), visits.Get(b))
			})
			server := sessiontest.NewServer(t, middleware.Sessions(shop, keys, nil)(between(
				middleware.Sessions(admin, keys, &middleware.Options{Name: "admin"})(m))))
			bob := server.Browser()
			get := func(path string) (*http.Response, string) { return fetch(t, bob, ask(t, "GET", server.URL+path)) }

			resp, _ := get("/enter")
			names := map[string]bool{}
			for _, c := range resp.Cookies() {
				names[c.Name] = true
			}
			if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, []string{"__Host-admin", "__Host-bell-session"}) || len(resp.Cookies()) != 2 {
				t.Errorf("cookies %v", got)
			}
			get("/count")
			if _, body := get("/"); body != `"bob" 1 "root" 1` {
				t.Error(body)
			}
			for down, f := range faults { // one store fails: one clean error, and what the other stored is stored
				f.Add(sessiontest.Fault{Op: "replace", Err: errors.New("down")})
				if resp, body := get("/count"); resp.StatusCode != 503 || strings.Contains(body, "counted") || len(resp.Cookies()) > 0 {
					t.Errorf("%s is down: %d %s", down, resp.StatusCode, body)
				}
				f.Clear()
			}
			get("/count")
			// Each stands by itself: where one fails, what the other stored stays.
			if _, body := get("/"); body != `"bob" 3 "root" 3` {
				t.Error(body)
			}
			if resp, _ := get("/leave"); len(resp.Cookies()) != 1 || resp.Cookies()[0].Name != "__Host-admin" || resp.Cookies()[0].MaxAge != -1 {
				t.Errorf("leaving one: %q", resp.Header["Set-Cookie"])
			}
			if _, body := get("/"); body != `"bob" 3 "" 0` {
				t.Error(body)
			}
		})
	}
}

// Where the outer of two managers can't store, the answer is its 503, but what the inner one has begun or replaced is
// stored, and its new token reaches the visitor with that answer.
func TestNestedManagersOuterFails(t *testing.T) {
	keys := cookie.DevKeys("bell")
	faults := sessiontest.NewFaults(store.NewMemory(nil))
	shop, admin := session.NewManager(faults, nil), session.NewManager(store.NewMemory(nil), nil)
	m := http.NewServeMux()
	m.HandleFunc("/enter", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "own", Value: "secret"})
		if err := errors.Join(visits.Set(shop.From(r.Context()), 1), admin.From(r.Context()).Login("root")); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, "secret")
	})
	m.HandleFunc("/leave", func(w http.ResponseWriter, r *http.Request) {
		visits.Set(shop.From(r.Context()), 1)
		admin.From(r.Context()).Logout()
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, admin.From(r.Context()).User()) })
	server := sessiontest.NewServer(t, middleware.Sessions(shop, keys, nil)(
		middleware.Sessions(admin, keys, &middleware.Options{Name: "admin"})(m)))
	bob := server.Browser()
	faults.Add(sessiontest.Fault{Op: "create", Err: errors.New("down")})
	for range 2 { // a birth, then a rotation
		resp, body := fetch(t, bob, ask(t, "POST", server.URL+"/enter"))
		if resp.StatusCode != 503 || strings.Contains(fmt.Sprint(body, resp.Header), "secret") || len(resp.Cookies()) != 1 || resp.Cookies()[0].Name != "__Host-admin" {
			t.Errorf("%d %s with %q", resp.StatusCode, body, resp.Header["Set-Cookie"])
		}
		if resp, body := fetch(t, bob, ask(t, "POST", server.URL)); resp.StatusCode != 200 || body != "root" {
			t.Errorf("afterwards: %d %s", resp.StatusCode, body)
		}
	}
	resp, _ := fetch(t, bob, ask(t, "POST", server.URL+"/leave"))
	if resp.StatusCode != 503 || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge != -1 {
		t.Errorf("a logout: %d with %q", resp.StatusCode, resp.Header["Set-Cookie"])
	}
	if resp, body := fetch(t, bob, ask(t, "POST", server.URL)); resp.StatusCode != 200 || body != "" {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
}
