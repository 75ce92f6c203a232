package browser

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
)

// A jar that was set and flushed stays, although the browser leaves before the answer ends.
func TestFlushedJarStays(t *testing.T) {
	t.Parallel()
	kept := cookie.NewKey[string]("kept")
	flushed := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /begin", func(w http.ResponseWriter, r *http.Request) {
		if err := kept.Set(cookie.Local(r.Context()), "yes"); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>begun</title><p>This page never ends.")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		close(flushed)
		<-r.Context().Done() // the browser has gone
	})
	mux.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "kept: "+kept.GetOr(cookie.Local(r.Context()), "no"))
	})
	jars := middleware.Cookies(cookie.DevKeys("leaving"), &middleware.CookieOptions{Cookie: cookie.Options{InsecureHTTP: true}})
	server := httptest.NewServer(jars(mux))
	t.Cleanup(server.Close)

	p := visitor(t, server.URL)
	p.expect(p.open("/next"), 200, "kept: no")
	p.later("location.href = '/begin'")
	<-flushed
	p.until("document.title === 'begun'")
	p.expect(p.open("/next"), 200, "kept: yes")
}
