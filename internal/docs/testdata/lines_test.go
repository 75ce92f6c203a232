package recipe

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/session"
	"example.com/hardy/session/lease"
	"example.com/hardy/store"
)

// Each line of code in the tables works, in a request of Ann, who is signed in.
func TestLines(t *testing.T) {
	t.Setenv("HARDY_KEYS", cookie.NewMaster())
	t.Setenv("TEAM_KEYS", cookie.NewMaster())
	t.Chdir(t.TempDir()) // files that they open lie there
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, l := range lines {
		t.Run(l.code, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			team, err := cookie.KeysFromEnv("TEAM_KEYS", "tower")
			must(t, err)
			keys, err = cookie.KeysFromEnv("HARDY_KEYS", "bell")
			must(t, err)
			if strings.Contains(l.code, "DevUsers") {
				keys = cookie.DevKeys("bell")
			}
			sessions = session.NewManager(store.NewMemory(nil), nil)
			calls = ratelimit.MustNew(nil, ratelimit.CallsPerMinute(100))
			ledger, err = quota.New(quota.NewMemory(), nil)
			must(t, err)
			mux = http.NewServeMux()
			workers = lease.NewPool(lease.PoolOptions[*http.Client]{Make: func(context.Context) (*http.Client, error) { return new(http.Client), nil }})
			ran := false
			app := middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, jar = session.From(r.Context()), cookie.Local(r.Context())
				must(t, s.Login("ann"))
				must(t, s.Save(r.Context()))
				must(t, l.run(r.Context(), w, r))
				ran = true
			}),
				middleware.Cookies(keys, &middleware.CookieOptions{Shared: team, ShareWith: "example.com", AllowDevKeys: true}),
				middleware.Sessions(sessions, keys, &middleware.Options{AllowDevKeys: true}))
			w := httptest.NewRecorder()
			app.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
			if !ran || w.Code != http.StatusOK {
				t.Errorf("answered %d", w.Code)
			}
		})
	}
	if len(lines) == 0 {
		t.Error("there are none")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
