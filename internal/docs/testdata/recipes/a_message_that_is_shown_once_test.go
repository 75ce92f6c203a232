package recipe

import (
	"net/http"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func TestFlash(t *testing.T) {
	var shown []any
	render = func(_ http.ResponseWriter, _ string, data any) { shown = append(shown, data) }
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("POST /save", save)
	server := sessiontest.NewServer(t, middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)(mux))
	ann := server.Browser()
	server.Open(ann, "/")
	if resp, err := ann.Post(server.URL+"/save", "", nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("save: %v %v", resp, err)
	}
	server.Open(ann, "/")
	if len(shown) != 3 || shown[0] != "" || shown[1] != "Saved." || shown[2] != "" {
		t.Errorf("shown were %q", shown)
	}
}
