package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
)

// The whole program over sockets: two visitors ring, keep a name, sign in and out.
func TestBell(t *testing.T) {
	site, stop := start(t, t.TempDir())
	ann, bob := browser(t, site), browser(t, site)

	status, page := ann.open("/")
	expect(t, status, page, 200, "It has not been rung in this session", "Nothing is stored for you yet")
	for _, path := range []string{"/script", "/cookies", "/note", "/sign-in", "/sessions", "/inside"} {
		status, page = ann.open(path)
		expect(t, status, page, 200, `<a href="`+path+`" aria-current="page">`, "!has ended")
	}
	if len(ann.cookies()) != 0 {
		t.Errorf("a visitor who did nothing has %v", ann.cookies())
	}
	for n := 1; n <= 3; n++ {
		status, page = ann.post("/ring")
		expect(t, status, page, 200, fmt.Sprintf("rang <strong>%d</strong>", n))
	}
	status, page = bob.open("/")
	expect(t, status, page, 200, "It has not been rung")

	status, page = ann.post("/sign-in", "user", "ann", "password", "wrong")
	expect(t, status, page, 422, "do not go together", `value="ann"`)
	status, page = ann.post("/sign-in", "user", "nobody", "password", demoPassword)
	expect(t, status, page, 422, "do not go together")
	before := ann.cookies()["bell-session"]
	status, page = ann.post("/sign-in", "user", "ann", "password", demoPassword)
	expect(t, status, page, 200, "Signed in as <strong>ann</strong>", "rang <strong>3</strong>")
	signedIn := ann.cookies()["bell-session"]
	if signedIn == before || signedIn == "" {
		t.Error("signing in came with no new token")
	}

	status, page = ann.post("/sign-out")
	expect(t, status, page, 200, "It has not been rung", "!Signed in")
	if ann.cookies()["bell-session"] != "" {
		t.Error("signing out left the cookie")
	}
	r, _ := http.NewRequest("POST", site+"/ring", nil)
	r.AddCookie(&http.Cookie{Name: "bell-session", Value: signedIn})
	resp, err := http.DefaultClient.Do(r)
	if status, _ := read(t, resp, err); status != 401 {
		t.Errorf("a copy of the cookie after the sign-out: %d", status)
	}
	if err := stop(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// Sessions, jars and the note survive a restart.
func TestBellRestarts(t *testing.T) {
	folder := t.TempDir()
	site, stop := start(t, folder)
	v := browser(t, site)
	v.post("/ring")
	v.post("/ring")
	v.post("/cookies/name", "name", "Bob")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	start(t, folder, "-http", strings.TrimPrefix(site, "http://"))
	status, page := v.post("/ring")
	expect(t, status, page, 200, "rang <strong>3</strong>", "Hello, Bob.")
}

// Anvil's bell example: n_rings from 0, one more with each ring, kept between calls.
func TestAnvilBellCountsRings(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		for n := 1; n <= 5; n++ {
			status, page := v.post("/ring")
			expect(v.t, status, page, 200, fmt.Sprintf("rang <strong>%d</strong>", n))
			time.Sleep(29 * time.Minute)
		}
	})
}

// Anvil's example of a use of the session: which pages the user visited.
func TestAnvilPagesVisited(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		v.open("/note") // before the session begins
		v.post("/ring")
		v.open("/inside")
		v.open("/cookies")
		v.open("/inside")
		_, page := v.open("/")
		expect(v.t, 200, page, 200, `Pages you visited</dt><dd><a href="/">/</a>, <a href="/inside">/inside</a>, <a href="/cookies">/cookies</a>:`)
	})
}

func TestBellExpires(t *testing.T) {
	in(t, 10*time.Second, false, func(v *visitor) {
		v.post("/ring")
		time.Sleep(9 * time.Second)
		status, page := v.post("/ring")
		expect(v.t, status, page, 200, "rang <strong>2</strong>", "ends in 10 seconds")

		time.Sleep(11 * time.Second)
		for _, path := range []string{"/ring", "/script/ring", "/note"} {
			if status, _ := v.post(path); status != 401 {
				v.t.Errorf("%s from an old page: %d", path, status)
			}
		}
		status, page = v.open("/")
		expect(v.t, status, page, 200, "has ended: nobody rang for a while", "It has not been rung")
		status, page = v.post("/ring")
		expect(v.t, status, page, 200, "rang <strong>1</strong>", "!has ended")
	})
}

func TestBellExpiresStrict(t *testing.T) {
	in(t, 10*time.Second, true, func(v *visitor) {
		v.post("/ring")
		time.Sleep(11 * time.Second)
		for _, path := range []string{"/", "/inside", "/"} {
			status, page := v.open(path)
			expect(v.t, status, page, 401, "Refresh now")
		}
		// Signing in works from the old page, and starts over.
		status, page := v.post("/sign-in", "user", "bob", "password", demoPassword)
		expect(v.t, status, page, 200, "Signed in as <strong>bob</strong>", "It has not been rung")
	})
}

// A page's script resets and repeats its call, which works, blank.
func TestBellResets(t *testing.T) {
	in(t, 10*time.Second, false, func(v *visitor) {
		v.post("/script/ring")
		v.post("/script/ring")
		time.Sleep(11 * time.Second)
		if status, _ := v.post("/script/ring"); status != 401 {
			v.t.Errorf("a call after the end: %d", status)
		}
		if status, page := v.post("/hardy/reset"); status != 204 {
			v.t.Errorf("reset: %d %s", status, page)
		}
		status, page := v.post("/script/ring")
		expect(v.t, status, page, 200, `{"rings":1}`)
	})
}

// Anvil's set(3, name=…): three days, in the browser and inside the seal.
func TestAnvilNameForThreeDays(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		v.post("/cookies/name", "name", "Bo<b>")
		kept := v.cookies()["bell-local"]
		time.Sleep(nameLives - time.Minute)
		status, page := v.open("/")
		expect(v.t, status, page, 200, "Hello, Bo&lt;b&gt;.")
		status, page = v.post("/cookies/name", "name", strings.Repeat("ü", 41))
		expect(v.t, status, page, 422, "longer than 40 characters")
		time.Sleep(2 * time.Minute)
		status, page = v.open("/")
		expect(v.t, status, page, 200, "Ring the bell!", "!Bo&lt;")
		if len(v.cookies()) != 0 {
			v.t.Errorf("after three days there is %v", v.cookies())
		}
		r, _ := http.NewRequest("GET", v.site+"/", nil)
		r.AddCookie(&http.Cookie{Name: "bell-local", Value: kept})
		resp, err := v.Do(r)
		if _, page := read(v.t, resp, err); kept == "" || strings.Contains(page, "Bo&lt;") {
			v.t.Error("a copy of the cookie still says the name")
		}
	})
}

// Anvil's local.get with a default, del and clear.
func TestAnvilLocalJar(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		_, page := v.open("/cookies")
		expect(v.t, 200, page, 200, "<option selected>brass", "jar is empty")
		_, page = v.post("/cookies/metal", "metal", "copper")
		expect(v.t, 200, page, 200, "<option selected>copper", "<code>metal</code>")
		status, page := v.post("/cookies/metal", "metal", "lead")
		expect(v.t, status, page, 422, "no bell of that metal")
		_, page = v.post("/cookies/name", "name", "Bob")
		expect(v.t, 200, page, 200, "<code>metal</code>, <code>name</code>")
		_, page = v.post("/cookies/name", "name", "Bob", "forget", "yes")
		expect(v.t, 200, page, 200, "<code>metal</code>", "!<code>name</code>")
		time.Sleep(cookie.DefaultLifetime - time.Hour)
		_, page = v.open("/")
		expect(v.t, 200, page, 200, `class="hero copper"`)
		_, page = v.post("/cookies/clear")
		expect(v.t, 200, page, 200, "<option selected>brass", "jar is empty")
		if len(v.cookies()) != 0 {
			v.t.Errorf("an empty jar is %v", v.cookies())
		}
	})
}

// Anvil's shared cookie: read and written by all apps of a team; local is not.
func TestAnvilSharedCookie(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		two := &visitor{v.t, "http://two.hardy.test", v.Client}
		v.post("/cookies/name", "name", "Bob")
		_, page := v.post("/cookies/greeting", "greeting", "Moin")
		expect(v.t, 200, page, 200, "<option selected>Moin", "http://two.hardy.test/cookies")
		_, page = two.open("/")
		expect(v.t, 200, page, 200, "<option selected>Moin", "<strong>none</strong>", "<code>belfry-shared</code>", "!<code>bell-", "!Bob")
		_, page = two.post("/cookies/greeting", "greeting", "Salut")
		expect(v.t, 200, page, 200, "<option selected>Salut")
		_, page = v.open("/")
		expect(v.t, 200, page, 200, "Salut, Bob.")

		elsewhere := &visitor{v.t, "http://127.0.0.1", v.Client}
		_, page = elsewhere.open("/cookies")
		expect(v.t, 200, page, 200, "only for hosts of one domain", "http://bell.hardy.test/cookies")
		status, page := elsewhere.post("/cookies/greeting", "greeting", "Moin")
		expect(v.t, status, page, 422)
	})
}

// Anvil's password example: what is authenticated may overwrite the file, nobody else.
func TestAnvilPasswordUnlocksTheNote(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		status, page := v.post("/note", "note", "hello")
		expect(v.t, status, page, 403, "Only who knows the password")
		status, page = v.post("/note/unlock", "password", "anvil")
		expect(v.t, status, page, 422, "not the password")
		v.post("/ring")
		before := v.cookies()["bell-session"]
		status, page = v.post("/note/unlock", "password", demoNotePassword)
		expect(v.t, status, page, 200, "You may change it", "Nobody has written")
		if v.cookies()["bell-session"] == before {
			v.t.Error("the new right came with no new token")
		}
		status, page = v.post("/note", "note", "hello <board>")
		expect(v.t, status, page, 200, "hello &lt;board&gt;")
		status, page = v.post("/note", "note", strings.Repeat("ä", longestNote+1))
		expect(v.t, status, page, 422, "longer than 1,000")
		v.post("/sign-out")
		status, page = v.post("/note", "note", "once more")
		expect(v.t, status, page, 403, "hello &lt;board&gt;")
	})
}

func TestBellRefusesOtherSites(t *testing.T) {
	in(t, 0, false, func(v *visitor) {
		r, _ := http.NewRequest("POST", v.site+"/ring", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := v.Do(r)
		if status, _ := read(v.t, resp, err); status != 403 || len(v.cookies()) != 0 {
			v.t.Errorf("a post from another site: %d, %v", status, v.cookies())
		}
		status, page := v.open("/")
		expect(v.t, status, page, 200, "It has not been rung")
	})
}

// The files of the page have no session, so that caches may keep them and nobody is renewed by them.
func TestBellStaticFiles(t *testing.T) {
	in(t, 30*time.Second, false, func(v *visitor) {
		v.post("/ring")
		for path, want := range map[string]string{"/style.css": "--idle: 31.000s", "/bell.js": "ringAgain", "/hardy.js": "hardy:expired"} {
			resp, err := v.Get(v.site + path)
			status, text := read(v.t, resp, err)
			if status != 200 || !strings.Contains(text, want) || resp.Header.Get("Vary") != "" || len(resp.Cookies()) != 0 {
				v.t.Errorf("%s: %d %v\n%s", path, status, resp.Header, text)
			}
		}
	})
}
