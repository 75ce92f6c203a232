package middleware_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
)

// How long a session lives.

// Anvil, 6: a session stays open as long as a request came in the last 30 minutes; it lives at most a thirtieth
// longer, whether or not its last request was one that had to renew it.
func TestAnvilThirtyMinutes(t *testing.T) {
	for _, row := range []struct {
		before, after time.Duration // from sign-in to the last request, and from that to the question
		alive         bool
	}{
		{0, 30 * time.Minute, true},
		{0, 31*time.Minute - 1, true},
		{0, 31*time.Minute + time.Second, false},
		{59 * time.Second, 30 * time.Minute, true}, // this request was too soon to renew
		{59 * time.Second, 31*time.Minute + time.Second, false},
		{time.Minute, 30 * time.Minute, true},
		{time.Minute, 31*time.Minute + time.Second, false},
		{90 * time.Second, 30 * time.Minute, true},
		{20 * time.Minute, 30 * time.Minute, true},
		{20 * time.Minute, 31*time.Minute + time.Second, false},
		{30 * time.Minute, 30 * time.Minute, true},
		{30 * time.Minute, 31*time.Minute + time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := newStand(t, nil, nil)
			ann := st.browser()
			st.post(ann, "/login", url.Values{"user": {"ann"}})
			time.Sleep(row.before)
			if got := st.send(ann, "GET", "/idle"); got.StatusCode != 200 {
				t.Fatalf("after %v: %d", row.before, got.StatusCode)
			}
			time.Sleep(row.after)
			got := st.send(ann, "GET", "/look")
			switch {
			case row.alive && got.StatusCode != 200:
				t.Errorf("last request after %v: %d at %v, want it alive", row.before, got.StatusCode, row.after)
			case !row.alive && (got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="expired", reason="idle"`):
				t.Errorf("last request after %v: %d %q at %v, want the end", row.before, got.StatusCode, got.Header.Get("WWW-Authenticate"), row.after)
			}
		})
	}
}

// Any request renews, whatever its handler does with the session and however it is answered, but for one that
// nobody asked for: a prefetch, and what a page polls by itself.
func TestWhatRenews(t *testing.T) {
	for _, row := range []struct {
		name, method, path string
		fields             []string
		renews             bool
	}{
		{"a page", "GET", "/look", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, true},
		{"a call", "GET", "/look", []string{"Sec-Fetch-Mode", "cors"}, true},
		{"a call that leaves the session alone", "GET", "/idle", nil, true},
		{"HEAD", "HEAD", "/idle", nil, true},
		{"a write", "POST", "/ring", nil, true},
		{"an answer of 404", "GET", "/nothing", nil, true},
		{"an answer of 500", "GET", "/broken", nil, true},
		{"prefetch", "GET", "/look", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, false},
		{"prerender", "GET", "/look", []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"}, false},
		{"prefetch that leaves the session alone", "GET", "/idle", []string{"Sec-Purpose", "prefetch"}, false},
		{"polling", "GET", "/poll", []string{"Sec-Fetch-Mode", "cors"}, false},
		{"polling by HEAD", "HEAD", "/poll", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStand(t, nil, &middleware.Options{Passive: []string{"GET /poll"}})
				mux := http.NewServeMux()
				app := st.sessions(mux)
				mux.HandleFunc("/ring", func(w http.ResponseWriter, r *http.Request) { standRings.Set(session.From(r.Context()), 1) })
				mux.HandleFunc("/idle", func(http.ResponseWriter, *http.Request) {})
				mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
				for _, path := range []string{"/look", "/poll"} {
					mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
						if user := session.From(r.Context()).User(); user != "ann" {
							t.Errorf("%s is served as %q", path, user)
						}
					})
				}
				st.server = sessiontest.NewServer(t, app)
				ann := st.browser()
				st.server.SignIn(ann, st.sessions, "ann")
				for range 6 { // every five minutes, up to 30:00
					time.Sleep(5 * time.Minute)
					if got := st.send(ann, row.method, row.path, row.fields...); got.StatusCode == 401 || got.StatusCode == 503 {
						t.Fatalf("%d", got.StatusCode)
					}
				}
				if n := st.faults.Calls("touch"); row.renews && n != 6 || !row.renews && n != 0 {
					t.Errorf("%d renewals for 6 requests", n)
				}
				if n := st.faults.Calls("replace"); n > 0 && row.path != "/ring" {
					t.Errorf("%d writes", n)
				}
				time.Sleep(5 * time.Minute)
				want := 401
				if row.renews {
					want = 200
				}
				if got := st.send(ann, "GET", "/idle"); got.StatusCode != want {
					t.Errorf("35 minutes after the sign-in: %d, want %d", got.StatusCode, want)
				}
			})
		})
	}
}

// A request a minute, for a day.
func TestADayOfRequestsEndsAt24Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, nil, nil)
		ann := st.browser()
		began := time.Now()
		st.post(ann, "/login", url.Values{"user": {"ann"}})
		for n := 1; n < 24*60; n++ {
			time.Sleep(time.Minute)
			if got := st.send(ann, "GET", "/idle"); got.StatusCode != 200 {
				t.Fatalf("%d after %v", got.StatusCode, time.Since(began))
			}
		}
		time.Sleep(time.Minute - time.Second)
		if v, status := st.look(ann); status != 200 || v.User != "ann" {
			t.Errorf("a second before 24 hours: %d %+v", status, v)
		}
		time.Sleep(time.Second)
		if since := time.Since(began); since != 24*time.Hour {
			t.Fatal(since)
		}
		got := st.send(ann, "GET", "/look")
		if got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") != `Session error="expired", reason="lifetime"` {
			t.Errorf("at 24 hours: %d %q", got.StatusCode, got.Header.Get("WWW-Authenticate"))
		}
		if n := st.faults.Calls("touch"); n > 24*60 {
			t.Errorf("%d renewals in a day", n)
		}
		if n := st.faults.Calls("create") + st.faults.Calls("replace") + st.faults.Calls("end"); n != 1 {
			t.Errorf("%d other writes, want the birth alone", n)
		}
	})
}

// What other systems have no bound for: who is active for 25 hours is signed out after 24, unless Lifetime says
// otherwise.
func TestAnActiveSessionOf25Hours(t *testing.T) {
	for lifetime, alive := range map[time.Duration]bool{0: false, session.DefaultLifetime: false, 48 * time.Hour: true} {
		synctest.Test(t, func(t *testing.T) {
			st := newStand(t, &session.Options{Lifetime: lifetime}, nil)
			ann := st.browser()
			st.post(ann, "/login", url.Values{"user": {"ann"}})
			for range 100 { // 25 hours
				time.Sleep(15 * time.Minute)
				st.send(ann, "GET", "/idle")
			}
			if v, _ := st.look(ann); (v.User == "ann") != alive {
				t.Errorf("Lifetime %v: after 25 hours it shows %q", lifetime, v.User)
			}
		})
	}
}

// Only a new sign-in begins the lifetime again: neither values nor Renew do.
func TestLifetimeBeginsWithLogin(t *testing.T) {
	for _, row := range []struct {
		path  string
		alive bool
	}{{"/ring", false}, {"/renew", false}, {"/login", true}} {
		synctest.Test(t, func(t *testing.T) {
			st := newStand(t, nil, nil)
			ann := st.browser()
			st.post(ann, "/login", url.Values{"user": {"ann"}})
			for range 50 { // 25 hours
				time.Sleep(30 * time.Minute)
				if time.Now().Hour() == 23 { // the clock begins at midnight
					if got := st.post(ann, row.path, url.Values{"user": {"ann"}}); got.StatusCode >= 400 {
						t.Fatalf("%s after 23 hours: %d", row.path, got.StatusCode)
					}
				}
				st.send(ann, "GET", "/idle")
			}
			if _, status := st.look(ann); (status == 200) != row.alive {
				t.Errorf("%s after 23 hours: %d after 25", row.path, status)
			}
		})
	}
}

// However often a browser asks, the store is written to once in a thirtieth of the idle timeout.
func TestRenewedOnceInAThirtieth(t *testing.T) {
	for _, row := range []struct{ idle, every, during time.Duration }{
		{0, time.Second, 10 * time.Minute},
		{0, 7 * time.Second, time.Hour},
		{0, 59 * time.Second, time.Hour},
		{0, time.Minute, time.Hour},
		{10 * time.Minute, time.Second, 10 * time.Minute},
		{time.Minute, 500 * time.Millisecond, 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := newStand(t, &session.Options{Idle: row.idle}, nil)
			idle := st.manager.Idle()
			ann := st.browser()
			st.post(ann, "/login", url.Values{"user": {"ann"}})
			began := time.Now()
			var last time.Time
			st.faults.Add(sessiontest.Fault{Op: "touch", After: func(sessiontest.Call) {
				if !last.IsZero() && time.Since(last) < idle/30 {
					t.Errorf("idle %v, a request each %v: renewed again after %v", idle, row.every, time.Since(last))
				}
				last = time.Now()
			}})
			for time.Since(began) < row.during {
				time.Sleep(row.every)
				if got := st.send(ann, "GET", "/look"); got.StatusCode != 200 {
					t.Fatal(got.StatusCode)
				}
			}
			// Not less than a thirtieth and one request's wait apart, and not more.
			n, most, least := st.faults.Calls("touch"), int(row.during/(idle/30)), int(row.during/(idle/30+row.every))
			if n > most || n < least {
				t.Errorf("idle %v, a request each %v for %v: renewed %d times, want %d to %d", idle, row.every, row.during, n, least, most)
			}
			if w := st.faults.Calls("replace"); w != 0 {
				t.Errorf("%d writes of a session that is only read", w)
			}
		})
	}
}
