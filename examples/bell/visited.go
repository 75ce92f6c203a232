package main

import (
	"net/http"
	"slices"

	"example.com/hardy/session"
)

// visited holds the pages that were opened in this session, in their order.
var visited = session.NewKey[[]string]("visited")

// visit notes that a page is opened, where a session has begun: who only looks around costs no cookie and no
// record. Within the seconds after a sign-in an old tab can only read (s.Err says so), and nothing is noted.
func visit(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if s.Handle() != "" && s.Err() == nil {
			pages := visited.Get(s)
			if !slices.Contains(pages, r.URL.Path) {
				visited.Set(s, append(pages, r.URL.Path))
			}
		}
		page(w, r)
	}
}
