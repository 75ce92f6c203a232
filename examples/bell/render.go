package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"example.com/hardy/session"
)

//go:embed pages
var pages embed.FS

//go:embed static
var static embed.FS

// frame is what stands around each page: pages/layout.html.
type frame struct {
	Path  string // of the page that is shown
	User  string
	Ended string // why the session before this one ended
	Page  any    // what the page itself shows
}

// render answers with the named page of the bell.
func render(w http.ResponseWriter, r *http.Request, status int, name string, page any) {
	s := session.From(r.Context())
	f := frame{Path: "/" + strings.TrimPrefix(name, "home"), User: s.User(), Page: page}
	if e := s.Ended(); e != nil {
		f.Ended = ending(e.Reason)
	}
	renderPage(w, status, name, f)
}

func renderPage(w http.ResponseWriter, status int, name string, f frame) {
	var out bytes.Buffer
	if err := templates[name].Execute(&out, f); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

// templates are the pages, each in the layout.
var templates = func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").
		Funcs(template.FuncMap{"ago": ago, "clock": clock, "dict": dict, "iso": func(t time.Time) string { return t.UTC().Format(time.RFC3339) }}).
		ParseFS(pages, "pages/layout.html", "pages/parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"home", "script", "cookies", "note", "sign-in", "sessions", "inside", "second"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pages, "pages/"+name+".html"))
	}
	return all
}()

// style ends with how long the fuse on the page burns: as long as the session may live without a request,
// which is 1/30 more than its idle timeout.
func (b *bell) style(w http.ResponseWriter, r *http.Request) {
	css, _ := static.ReadFile("static/style.css")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprintf(w, "%s:root { --idle: %.3fs; }\n", css, (b.sessions.Idle() + b.sessions.Idle()/30).Seconds())
}

// serveStatic serves a file of the folder static. It has no session, so that caches may keep it.
func serveStatic(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, static, "static"+r.URL.Path)
}

// dict hands several values to a part of a page.
func dict(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}
