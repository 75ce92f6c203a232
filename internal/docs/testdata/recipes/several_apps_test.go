package recipe

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func TestTwoKinds(t *testing.T) {
	keys = cookie.DevKeys("bell")
	visitors := session.NewManager(store.NewMemory(nil), nil)
	staff := session.NewManager(store.NewMemory(nil), nil)
	app := http.NewServeMux()
	app.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		visitor, member := both(visitors, staff, r)
		if session.From(r.Context()) != staff.From(r.Context()) {
			t.Error("the innermost is not the staff's")
		}
		fmt.Fprint(w, visitor, "/", member)
	})
	app.HandleFunc("POST /visitor", func(w http.ResponseWriter, r *http.Request) { visitors.From(r.Context()).Login("ann") })
	app.HandleFunc("POST /staff", func(w http.ResponseWriter, r *http.Request) { staff.From(r.Context()).Login("root") })
	app.HandleFunc("POST /out", func(w http.ResponseWriter, r *http.Request) { staff.From(r.Context()).Logout() })
	server := sessiontest.NewServer(t, twoKinds(visitors, staff, app))
	ann := server.Browser()
	for _, step := range []struct{ post, want string }{{"/visitor", "ann/"}, {"/staff", "ann/root"}, {"/out", "ann/"}} {
		if _, err := ann.Post(server.URL+step.post, "", nil); err != nil {
			t.Fatal(err)
		}
		resp, err := ann.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != step.want || err != nil {
			t.Errorf("after %s: %s (%v), want %s", step.post, body, err, step.want)
		}
	}
}

func TestTeam(t *testing.T) {
	keys = cookie.DevKeys("bell")
	if _, err := withTeam(http.NotFoundHandler()); err == nil {
		t.Error("an app without TEAM_KEYS started")
	}
	t.Setenv("TEAM_KEYS", cookie.NewMaster())
	mux.HandleFunc("POST /dark", dark)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, theme.Get(cookie.Shared(r.Context())))
	})
	bell, err := withTeam(mux)
	if err != nil {
		t.Fatal(err)
	}
	keys = cookie.DevKeys("shop")
	shop, err := withTeam(mux)
	if err != nil {
		t.Fatal(err)
	}
	server := sessiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "shop.example.com" {
			shop.ServeHTTP(w, r)
		} else {
			bell.ServeHTTP(w, r)
		}
	}))
	ann := server.Browser()
	if _, err := ann.Post("https://bell.example.com/dark", "", nil); err != nil {
		t.Fatal(err)
	}
	resp, err := ann.Get("https://shop.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "dark" {
		t.Errorf("the shop reads %q", body)
	}
}
