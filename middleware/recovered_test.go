package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// gin and echo keep the writer that the innermost middleware gave them: what recovers further out answers through it.
// Nothing of the handler that panicked is stored by that.
func TestPanicAnsweredThroughOurWriter(t *testing.T) {
	rows := store.NewMemory(nil)
	var inner http.ResponseWriter
	keys := cookie.DevKeys("bell")
	h := middleware.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner = w
		if err := nick.Set(cookie.Local(r.Context()), "Bob"); err != nil {
			t.Error(err)
		}
		if err := session.From(r.Context()).Login("ann"); err != nil {
			t.Error(err)
		}
		panic("half way")
	}), middleware.Cookies(keys, &middleware.CookieOptions{AllowDevKeys: true}), middleware.Sessions(session.NewManager(rows, nil), keys, &middleware.Options{AllowDevKeys: true}))
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if recover() != nil {
				http.Error(inner, "sorry", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	}()
	if n, err := rows.Count(t.Context()); err != nil || n != 0 || w.Code != 500 || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d sessions stored, %v; %d with cookies %v", n, err, w.Code, w.Result().Cookies())
	}
}
