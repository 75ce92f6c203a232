package recipe

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// What bob reads after ann has chosen: hers from the global, nothing from his session.
func TestGlobals(t *testing.T) {
	sessions = session.NewManager(store.NewMemory(nil), nil)
	wrap := middleware.Sessions(sessions, cookie.DevKeys("globals"), &middleware.Options{InsecureHTTP: true})
	for want, handler := range map[string]http.HandlerFunc{"tea": failing, "": mended} {
		server := httptest.NewServer(wrap(handler))
		ann, bob := visitor(), visitor()
		answer, err := ann.PostForm(server.URL, url.Values{"choice": {"tea"}})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		for who, c := range map[string]*http.Client{"ann": ann, "bob": bob} {
			answer, err := c.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if who == "ann" && string(got) != "tea" || who == "bob" && string(got) != want {
				t.Errorf("%s reads %q", who, got)
			}
		}
		server.Close()
	}
}

func visitor() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar}
}
