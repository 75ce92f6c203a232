package middleware

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // page.html
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"

	"example.com/hardy/session"
)

// Page is what the template in Options.Page is executed with. Its texts hold nothing of the request.
type Page struct {
	Status int            // of the answer: 401, 409, 429, 500 or 503
	Type   string         // "hardy/1/session-ended", as in application/problem+json
	Title  string         // "Your session has ended"
	Detail string         // a sentence
	Reason session.Reason // why the session ended; "" where another problem is told
	// Href is where the one link of the page must lead, relative to the page or to its host, and always
	// on this origin: opening it starts over, or it is where to sign in or unlock. It is percent-encoded;
	// html/template does the rest.
	Href   string
	Action string // the text of that link: "Refresh now"
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page.html").Parse(pageHTML))

// pagePolicy lets nothing be loaded or run but the page's own style, by its hash. It takes the place of the
// policy that a middleware further out has set for the application's pages, so that the page looks the same
// everywhere. The frame rule lets an application that frames its own pages show it.
var pagePolicy = "default-src 'none'; style-src '" + styleHash(pageHTML) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// styleHash is the source expression (CSP Level 3, §2.3.1) of the only <style> in page.
func styleHash(page string) string {
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// endedText says in a sentence why a session ended.
func endedText(reason session.Reason) string {
	switch reason {
	case session.ReasonIdle:
		return "There was no activity for a while, so the session has timed out."
	case session.ReasonLifetime:
		return "The session reached the end of its lifetime."
	case session.ReasonLogout:
		return "You have signed out."
	case session.ReasonRevoked:
		return "The session was ended from another place."
	case session.ReasonEvicted:
		return "A newer sign-in took the place of this session."
	}
	return "The session is no longer available."
}

// writePage writes p as an accessible HTML page: one sentence and one link, which works without scripts.
func writePage(w http.ResponseWriter, r *http.Request, p problem) {
	page := newPage(r, p)
	var body bytes.Buffer
	ours := p.page == nil || p.page.Execute(&body, page) != nil
	if ours {
		body.Reset()
		if err := pageTemplate.Execute(&body, page); err != nil {
			panic(err) // writing to memory can't fail, nor can the template
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if ours {
		h.Set("Content-Security-Policy", pagePolicy)
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(body.Bytes())
	}
}

func newPage(r *http.Request, p problem) Page {
	page := Page{
		Status: p.Status, Type: p.Type, Title: p.Title, Detail: p.Detail,
		Reason: session.Reason(p.Reason), Action: "Refresh now",
	}
	if p.href != "" {
		page.Href, page.Action = p.href, p.action
		return page
	}
	var again bool
	page.Href, again = wayBack(r, p.Reason != "", p.marked)
	switch {
	case p.Reason != "":
	case again:
		page.Action = "Try again"
	case page.Href == "/":
		page.Action = "Go to the start page"
	default:
		page.Action = "Back to the page"
	}
	return page
}

// checkPage stops the program at its start where a template can't show a Page.
func checkPage(t *template.Template) {
	if t == nil {
		return
	}
	sample := Page{
		Status: http.StatusUnauthorized, Type: "hardy/1/session-ended", Title: "Your session has ended",
		Detail: endedText(session.ReasonIdle), Reason: session.ReasonIdle, Href: "/", Action: "Refresh now",
	}
	if err := t.Execute(io.Discard, sample); err != nil {
		panic(fmt.Sprintf("middleware: Options.Page can't be executed with a middleware.Page: %v", err))
	}
}
