package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

// Six ways for a request to come without a live session, which the program tells apart.
// What a peer makes of the same six is in bench: TestOutcomesOfAPeer.
func TestSixOutcomes(t *testing.T) {
	for _, row := range []struct {
		name string
		// cookie makes what the browser sends from the genuine cookie of a live session with 3 rings.
		cookie func(w *outcomes, genuine string) string

		status int
		err    string   // of Session.Err; "-": the handler has not run
		events []string // that the traces of cookie and session were told, in their order
		rings  int      // that a read shows
	}{
		{
			"no cookie", func(*outcomes, string) string { return "" },
			200, "", nil, 0,
		},
		{
			"forged", func(_ *outcomes, genuine string) string {
				b := []byte(genuine)
				if b[40]++; b[40] > 'z' || b[40] == '[' || b[40] == ':' {
					b[40] = 'a'
				}
				return standCookie + "=" + string(b)
			},
			200, "", []string{"cookie: tampered"}, 0,
		},
		{
			"unknown key", func(w *outcomes, _ string) string {
				stranger := cookie.DevKeys("bell")
				text, err := stranger.Sealer("session", standCookie).Seal(make([]byte, 32))
				if err != nil {
					w.t.Fatal(err)
				}
				return standCookie + "=" + text
			},
			200, "", []string{"cookie: unknown key"}, 0,
		},
		{
			"ended", func(w *outcomes, genuine string) string {
				time.Sleep(31*time.Minute + time.Second)
				return standCookie + "=" + genuine
			},
			200, "session: ended (idle)", []string{"session: met idle"}, 0,
		},
		{
			"store down", func(w *outcomes, genuine string) string {
				w.faults.Add(sessiontest.Fault{Op: "load", Err: errors.New("connection refused")})
				return standCookie + "=" + genuine
			},
			503, "-", []string{"store: load: connection refused"}, 0,
		},
		{
			"rotated", func(w *outcomes, genuine string) string {
				if got := w.send("POST", "/renew", standCookie+"="+genuine); got.StatusCode != 200 {
					w.t.Fatal(got.StatusCode)
				}
				w.heard = nil
				return standCookie + "=" + genuine
			},
			200, session.ErrRotated.Error(), []string{"session: rotated moments ago"}, 3,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newOutcomes(t)
				w.send("POST", "/ring", "")
				w.send("POST", "/ring", standCookie+"="+w.issued)
				w.send("POST", "/ring", standCookie+"="+w.issued)
				genuine := w.issued
				w.heard = nil
				sent := row.cookie(w, genuine)

				got := w.send("POST", "/look", sent) // Aware: the program decides
				if got.StatusCode != row.status {
					t.Errorf("status %d, want %d", got.StatusCode, row.status)
				}
				if !slices.Equal(w.heard, row.events) {
					t.Errorf("traces heard %q, want %q", w.heard, row.events)
				}
				var saw struct {
					Err   string
					Rings int
				}
				ran := json.Unmarshal(got.body, &saw) == nil && got.Header.Get("X-Ran") != ""
				switch {
				case row.err == "-":
					if ran {
						t.Errorf("the handler ran and saw %+v", saw)
					}
					if got.Header.Get("Retry-After") == "" || len(got.setCookies()) > 0 {
						t.Errorf("Retry-After %q, Set-Cookie %q", got.Header.Get("Retry-After"), got.setCookies())
					}
				case !ran || saw.Rings != row.rings || !strings.HasPrefix(saw.Err, row.err) || (row.err == "") != (saw.Err == ""):
					t.Errorf("the handler saw %s, want error %q and %d rings", got.body, row.err, row.rings)
				}

				// A write tells them apart, too, without a look at Err: by the answer.
				want := map[string]int{"ended": 401, "store down": 503, "rotated": 409}[row.name]
				if want == 0 {
					want = 200 // a new visitor's
				}
				got = w.send("POST", "/ring", sent)
				if got.StatusCode != want {
					t.Errorf("a write: %d, want %d", got.StatusCode, want)
				}
				if born := len(got.setCookies()) == 1; born != (want == 200) {
					t.Errorf("a write: Set-Cookie %q", got.setCookies())
				}
				if (got.Header.Get("Retry-After") != "") != (want == 503 || want == 409) {
					t.Errorf("a write: %d with Retry-After %q", want, got.Header.Get("Retry-After"))
				}

				// In none of them is the genuine session harmed.
				w.faults.Clear()
				if row.name == "rotated" {
					genuine = w.issued
				}
				if row.name != "ended" {
					if got := w.send("POST", "/look", standCookie+"="+genuine); !strings.Contains(string(got.body), `"Rings":3`) {
						t.Errorf("the genuine session afterwards: %d %s", got.StatusCode, got.body)
					}
				}
			})
		})
	}
}

// outcomes is an application that hears all of its traces.
type outcomes struct {
	*stand
	client *http.Client
	issued string // the last cookie that an answer set
	heard  []string
}

func newOutcomes(t *testing.T) *outcomes {
	w := &outcomes{stand: &stand{t: t, faults: sessiontest.NewFaults(store.NewMemory(nil)), keys: cookie.DevKeys("bell")}}
	hear := func(what string) { w.heard = append(w.heard, what) }
	w.keys.Trace = &cookie.Trace{Opened: func(i cookie.OpenedInfo) {
		if i.Outcome != cookie.OK {
			hear("cookie: " + i.Outcome.String())
		}
	}}
	w.manager = session.NewManager(w.faults, &session.Options{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Trace: &session.Trace{
			Store: func(op string, _ time.Duration, err error) {
				if err != nil {
					hear("store: " + op + ": " + err.Error())
				}
			},
			Met:     func(_ string, e *session.ExpiredError) { hear("session: met " + string(e.Reason)) },
			Rotated: func(string) { hear("session: rotated moments ago") },
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/look", func(rw http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		saw := map[string]any{"Err": "", "Rings": standRings.Get(s)}
		if err := s.Err(); err != nil {
			saw["Err"] = err.Error()
		}
		rw.Header().Set("X-Ran", "yes")
		json.NewEncoder(rw).Encode(saw)
	})
	mux.HandleFunc("/renew", func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Renew() })
	mux.HandleFunc("/ring", func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		standRings.Set(s, standRings.Get(s)+1)
	})
	w.sessions = middleware.Sessions(w.manager, w.keys, &middleware.Options{Aware: []string{"/look"}})
	w.server = sessiontest.NewServer(t, w.sessions(mux))
	w.client = w.browser()
	w.client.Jar = nil
	return w
}

func (w *outcomes) send(method, path, cookie string) reply {
	w.t.Helper()
	var fields []string
	if cookie != "" {
		fields = []string{"Cookie", cookie}
	}
	got := w.stand.send(w.client, method, path, fields...)
	for _, c := range got.Cookies() {
		if c.Name == standCookie && c.Value != "" {
			w.issued = c.Value
		}
	}
	return got
}

// The same six where the program holds a token itself: errors.Is tells them apart.
func TestOutcomesOfManagerLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := sessiontest.NewFaults(store.NewMemory(nil))
		manager := session.NewManager(faults, &session.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
		ctx := context.Background()
		begin := func() *session.Session {
			s := manager.New()
			standRings.Set(s, 3)
			if err := manager.Commit(ctx, s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		if _, err := manager.Token("short"); !errors.Is(err, session.ErrToken) {
			t.Errorf("not a token: %v", err)
		}
		never, err := manager.Token(strings.Repeat("x", 32))
		if err != nil {
			t.Fatal(err)
		}
		renewed := begin()
		old := renewed.Token()
		renewed.Renew()
		if err := manager.Commit(ctx, renewed); err != nil {
			t.Fatal(err)
		}
		if s, err := manager.Load(ctx, old); err != session.ErrRotated || standRings.Get(s) != 3 {
			t.Errorf("rotated: %v", err)
		}
		if s, err := manager.Load(ctx, never); !errors.Is(err, session.ErrExpired) || s.Err() != err {
			t.Errorf("unknown: %v", err)
		}
		live := begin()
		faults.Add(sessiontest.Fault{Op: "load", Nth: 1, Err: errors.New("connection refused")})
		if s, err := manager.Load(ctx, live.Token()); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrExpired) || s != nil {
			t.Errorf("store down: %v, %v", s, err)
		}
		faults.Clear()
		if s, err := manager.Load(ctx, live.Token()); err != nil || standRings.Get(s) != 3 {
			t.Errorf("live: %v", err)
		}
		time.Sleep(32 * time.Minute)
		_, err = manager.Load(ctx, live.Token())
		if e, ok := errors.AsType[*session.ExpiredError](err); !ok || e.Reason != session.ReasonIdle || time.Since(e.Since) != time.Minute {
			t.Errorf("idle: %v", err)
		}
	})
}
