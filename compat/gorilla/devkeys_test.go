package gorilla_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/hardy/compat/gorilla"
	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// Development keys serve on loopback and nowhere else, unless allowed by name, whichever call comes first.
func TestDevKeysAreForLoopback(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), nil)
	own := keysOf(t, &ring{cookie.NewMaster()})
	calls := map[string]func(st *gorilla.Store, r *http.Request) error{
		"Get": func(st *gorilla.Store, r *http.Request) error { _, err := st.Get(r, name); return err },
		"New": func(st *gorilla.Store, r *http.Request) error { _, err := st.New(r, name); return err },
	}
	for where, local := range map[string]bool{"127.0.0.1:8080": true, "[::1]:8080": true, "192.0.2.1:8080": false, "[2001:db8::1]:8080": false} {
		addr, err := net.ResolveTCPAddr("tcp", where)
		check(t, err)
		for what, c := range map[string]struct {
			st      *gorilla.Store
			refused bool
		}{
			"DevKeys":          {gorilla.NewStore(m, cookie.DevKeys("bell"), nil), !local},
			"DevKeys, allowed": {gorilla.NewStore(m, cookie.DevKeys("bell"), &gorilla.Options{AllowDevKeys: true}), false},
			"other keys":       {gorilla.NewStore(m, own, nil), false},
		} {
			for call, do := range calls {
				r := httptest.NewRequest("GET", "/", nil)
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
				var stopped any
				func() {
					defer func() { stopped = recover() }()
					check(t, do(c.st, r))
				}()
				if says := fmt.Sprint(stopped); (stopped != nil) != c.refused || c.refused && !(strings.Contains(says, where) && strings.Contains(says, "gorilla: ") && strings.Contains(says, "AllowDevKeys")) {
					t.Errorf("%s, %s at %s: %v", what, call, where, stopped)
				}
			}
		}
	}
}
