package recipe

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

func TestStay(t *testing.T) {
	h := middleware.Sessions(session.NewManager(store.NewMemory(nil), nil), cookie.DevKeys("bell"), nil)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := stay(w, r, "ann"); err != nil {
				t.Error(err)
			}
		}))
	var last *http.Cookie
	for _, ticked := range []bool{true, false, true} {
		form := url.Values{}
		if ticked {
			form.Set("remember", "yes")
		}
		r := httptest.NewRequest("POST", "/?"+form.Encode(), nil)
		if last != nil {
			r.AddCookie(last)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		last = w.Result().Cookies()[0]
		left := time.Duration(last.MaxAge) * time.Second
		if ticked && (left > remembered || left < remembered-time.Minute) || !ticked && left != 0 {
			t.Errorf("ticked %v: Max-Age is %v", ticked, left)
		}
	}
}
