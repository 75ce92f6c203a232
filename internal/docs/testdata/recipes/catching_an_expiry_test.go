package recipe

import (
	"net/http"
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

func TestDraft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown string
		render = func(_ http.ResponseWriter, _ string, data any) { shown = data.(string) }
		mux := http.NewServeMux()
		mux.HandleFunc("POST /draft", draft)
		wrap := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), &middleware.Options{Aware: []string{"POST /draft"}})
		server := sessiontest.NewServer(t, wrap(mux))
		ann := server.Browser()
		server.SignIn(ann, wrap, "ann")
		for _, want := range []string{"", "You were signed out (idle). Your text is still here: dear"} {
			resp, err := ann.Post(server.URL+"/draft", "application/x-www-form-urlencoded", strings.NewReader("text=dear"))
			if err != nil || resp.StatusCode != 200 || shown != want {
				t.Errorf("%v %v: %q, want %q", resp, err, shown, want)
			}
			time.Sleep(31*time.Minute + time.Second)
		}
	})
}
