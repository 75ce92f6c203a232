package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/hardy/session"
)

// element is one start tag of a page with the text directly behind it.
type element struct {
	name string
	attr map[string]string
	text string
}

// parsePage fails where tags do not pair or an attribute is written wrongly.
func parsePage(t *testing.T, body []byte) []*element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta"}, xml.HTMLEntity
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("page is not well-formed: %v\n%s", err, body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				if _, twice := e.attr[a.Name.Local]; twice {
					t.Errorf("<%s> has %s twice", e.name, a.Name.Local)
				}
				e.attr[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			if last := open[len(open)-1]; last.name != token.Name.Local {
				t.Errorf("</%s> closes <%s>", token.Name.Local, last.name)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		}
	}
	if len(open) != 0 {
		t.Errorf("%d elements left open", len(open))
	}
	return all
}

func named(all []*element, name string) (found []*element) {
	for _, e := range all {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}

func endedProblem(reason session.Reason) problem {
	return problem{
		Type: "hardy/1/session-ended", Status: http.StatusUnauthorized, Reason: string(reason),
		Title: "Your session has ended", Detail: endedText(reason),
	}
}

func navigation(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

func page(t *testing.T, r *http.Request, p problem) (*httptest.ResponseRecorder, []*element) {
	t.Helper()
	w := httptest.NewRecorder()
	answer(w, r, p)
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("Content-Type %q, want a page", got)
	}
	return w, parsePage(t, w.Body.Bytes())
}

// href is where the page's one link leads.
func href(t *testing.T, all []*element) string {
	t.Helper()
	links := named(all, "a")
	if len(links) != 1 {
		t.Fatalf("%d links, want 1", len(links))
	}
	return links[0].attr["href"]
}

func TestPageIsAccessible(t *testing.T) {
	problems := []problem{unavailable, replaced, unstorable, missing, invalid, crossOrigin, onlyPost, undecidable, limiterDown,
		{Type: quotaExceeded, Status: 429, Title: "Too many requests", Detail: patience(9)}}
	for _, reason := range []session.Reason{
		session.ReasonIdle, session.ReasonLifetime, session.ReasonLogout, session.ReasonRevoked,
		session.ReasonEvicted, session.ReasonRotated, session.ReasonCorrupt, session.ReasonUnknown,
	} {
		problems = append(problems, endedProblem(reason))
	}
	for _, p := range problems {
		t.Run(strings.TrimPrefix(p.Type, "hardy/1/")+p.Reason, func(t *testing.T) {
			w, all := page(t, navigation("GET", "/orders"), p)
			if w.Code != p.Status {
				t.Errorf("status %d, want %d", w.Code, p.Status)
			}
			one := func(name string) *element {
				found := named(all, name)
				if len(found) != 1 {
					t.Fatalf("%d <%s>, want 1", len(found), name)
				}
				return found[0]
			}
			if !strings.HasPrefix(w.Body.String(), "<!doctype html>\n") || one("html").attr["lang"] != "en" {
				t.Error("no doctype, or no language")
			}
			if one("title").text != p.Title || one("h1").text != p.Title {
				t.Errorf("title %q, heading %q, want %q", one("title").text, one("h1").text, p.Title)
			}
			if one("p").text != p.Detail {
				t.Errorf("text %q, want %q", one("p").text, p.Detail)
			}
			one("main")
			link := one("a")
			if _, ok := link.attr["autofocus"]; !ok || strings.TrimSpace(link.text) == "" {
				t.Errorf("link %v %q: want the focus and a text", link.attr, link.text)
			}
			if p.Reason != "" && link.text != "Refresh now" {
				t.Errorf("link %q, want Refresh now", link.text)
			}
			ids := map[string]bool{}
			dialogs := 0
			for _, e := range all {
				if id := e.attr["id"]; id != "" {
					if ids[id] {
						t.Errorf("id %s twice", id)
					}
					ids[id] = true
				}
				if e.attr["role"] == "alertdialog" {
					dialogs++
				}
			}
			for _, e := range all {
				for _, ref := range []string{"aria-labelledby", "aria-describedby"} {
					if id, ok := e.attr[ref]; ok && !ids[id] {
						t.Errorf("%s names %q, which is not there", ref, id)
					}
				}
				if e.name == "svg" && e.attr["aria-hidden"] != "true" {
					t.Error("a decoration is read out")
				}
			}
			if want := p.Reason != ""; (dialogs == 1) != want {
				t.Errorf("%d dialogs, want one: %v", dialogs, want)
			}
		})
	}
}

// The page is usable where nothing but its own style is allowed, and its style is what the policy names.
func TestPagePolicy(t *testing.T) {
	w, all := page(t, navigation("GET", "/"), endedProblem(session.ReasonIdle))
	styles := named(all, "style")
	if len(styles) != 1 {
		t.Fatalf("%d <style>, want 1", len(styles))
	}
	_, css, _ := strings.Cut(w.Body.String(), "<style>")
	css, _, _ = strings.Cut(css, "</style>")
	sum := sha256.Sum256([]byte(css))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
	if got := w.Header()["Content-Security-Policy"]; !slices.Equal(got, []string{want}) {
		t.Errorf("Content-Security-Policy\n%q, want\n%q", got, want)
	}
	if strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error("the style loads something")
	}
	for _, e := range all {
		switch e.name {
		case "script", "link", "img", "iframe", "form", "base":
			t.Errorf("<%s> on the page", e.name)
		}
		for name := range e.attr {
			if name == "style" || name == "src" || strings.HasPrefix(name, "on") {
				t.Errorf("<%s %s> on the page", e.name, name)
			}
		}
	}
}

func TestPagePolicyReplacesTheApplications(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	answer(w, navigation("GET", "/"), unavailable)
	if got := w.Header()["Content-Security-Policy"]; len(got) != 1 || got[0] != pagePolicy {
		t.Errorf("Content-Security-Policy %q", got)
	}
}

func TestPageHeader(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST"} {
		w := httptest.NewRecorder()
		answer(w, navigation(method, "/"), endedProblem(session.ReasonIdle))
		if w.Code != 401 || w.Header().Get("Cache-Control") != noStore || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
		if got := w.Body.Len() > 0; got != (method != "HEAD") {
			t.Errorf("%s: a body: %v", method, got)
		}
	}
}

func TestPageLink(t *testing.T) {
	const mark = startOverMark
	ended := endedProblem(session.ReasonIdle)
	marked := ended
	marked.marked = true
	tests := []struct {
		name, method, target, mode, referer string
		p                                   problem
		href, action                        string
	}{
		{"opened", "GET", "/shop/orders?year=2026", "navigate", "", ended, "./orders?year=2026", "Refresh now"},
		{"the start page", "GET", "/", "navigate", "", ended, "./", "Refresh now"},
		{"a folder", "GET", "/shop/", "navigate", "https://example.com/other", ended, "./", "Refresh now"},
		{"the mark does not pile up", "GET", "/a?x=1&" + mark + "&y=2", "navigate", "", ended, "./a?x=1&y=2", "Refresh now"},
		{"Strict", "GET", "/a", "navigate", "", marked, "./a?" + mark, "Refresh now"},
		{"Strict with a query", "GET", "/a?x=1", "navigate", "", marked, "./a?x=1&" + mark, "Refresh now"},
		{"a form", "POST", "/save", "navigate", "https://example.com/edit?id=7", ended, "/edit?id=7&" + mark, "Refresh now"},
		{"a form, its page in Strict", "POST", "/save", "navigate", "https://example.com/edit", marked, "/edit?" + mark, "Refresh now"},
		{"a fetch", "GET", "/part", "cors", "https://example.com/page", ended, "/page?" + mark, "Refresh now"},
		{"default port", "POST", "/save", "navigate", "https://EXAMPLE.com:443/edit", ended, "/edit?" + mark, "Refresh now"},
		{"no Referer", "POST", "/save", "navigate", "", ended, "/?" + mark, "Refresh now"},
		{"another host", "POST", "/save", "navigate", "https://evil.example/edit", ended, "/?" + mark, "Refresh now"},
		{"another port", "POST", "/save", "navigate", "https://example.com:8443/edit", ended, "/?" + mark, "Refresh now"},
		{"our host as user", "POST", "/save", "navigate", "https://example.com@evil.example/edit", ended, "/?" + mark, "Refresh now"},
		{"another host as path", "POST", "/save", "navigate", "https://example.com//evil.example/", ended, "/?" + mark, "Refresh now"},
		{"another scheme", "POST", "/save", "navigate", "ftp://example.com/edit", ended, "/?" + mark, "Refresh now"},
		{"no page", "POST", "/save", "navigate", "about:blank", ended, "/?" + mark, "Refresh now"},
		{"trouble, opened", "GET", "/a?b", "navigate", "", unavailable, "./a?b", "Try again"},
		{"trouble with a form", "POST", "/save", "navigate", "https://example.com/edit", unavailable, "/edit", "Back to the page"},
		{"trouble from nowhere", "POST", "/save", "navigate", "", replaced, "/", "Go to the start page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := navigation(tt.method, tt.target)
			r.Header.Set("Sec-Fetch-Mode", tt.mode)
			if tt.referer != "" {
				r.Header.Set("Referer", tt.referer)
			}
			_, all := page(t, r, tt.p)
			if got := href(t, all); got != tt.href {
				t.Errorf("link to %q, want %q", got, tt.href)
			}
			if got := named(all, "a")[0].text; got != tt.action {
				t.Errorf("link says %q, want %q", got, tt.action)
			}
		})
	}
}

// Whatever stands in path, query or Referer: it comes back in the link alone, escaped, and the link stays on
// the origin.
func TestPageReflectsNothing(t *testing.T) {
	attacks := []string{
		`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.Title}}`,
		`</style><script>alert(1)</script>`, `//evil.example/`, `\\evil.example/`, `%22%3E%3Cscript%3E`, `%0d%0aSet-Cookie:x`,
		`&quot;&gt;`, "\u202eevil", `a:b`, `..//evil.example`, `.%2e//evil.example`, `/%2fevil.example`,
	}
	for _, attack := range attacks {
		requests := map[string]func(r *http.Request){
			"path":      func(r *http.Request) { r.URL = &url.URL{Path: "/" + attack} },
			"raw path":  func(r *http.Request) { r.URL = &url.URL{Path: attack} },
			"query":     func(r *http.Request) { r.URL = &url.URL{Path: "/", RawQuery: attack} },
			"referer":   func(r *http.Request) { r.Method = "POST"; r.Header.Set("Referer", "https://example.com/"+attack) },
			"referer ?": func(r *http.Request) { r.Method = "POST"; r.Header.Set("Referer", "https://example.com/?"+attack) },
			"host":      func(r *http.Request) { r.Method = "POST"; r.Header.Set("Referer", "https://"+attack); r.Host = attack },
		}
		for where, put := range requests {
			for _, mark := range []bool{false, true} {
				r := navigation("GET", "/")
				put(r)
				p := endedProblem(session.ReasonIdle)
				p.marked = mark
				w, all := page(t, r, p)
				body := w.Body.String()
				rest := strings.Replace(body, html.EscapeString(href(t, all)), "", 1)
				for _, bad := range []string{"alert(", "evil", "javascript", "onerror", "{{", "ZgotmplZ", "Set-Cookie"} {
					if strings.Contains(rest, bad) {
						t.Errorf("%s %q: %q beside the link:\n%s", where, attack, bad, body)
					}
				}
				if len(named(all, "script"))+len(named(all, "img")) > 0 {
					t.Errorf("%s %q: an element came in", where, attack)
				}
				staysHere(t, href(t, all))
			}
		}
	}
}

// staysHere resolves ref as a browser does, from a page deep in the site and from one at its root.
func staysHere(t testing.TB, ref string) {
	t.Helper()
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] >= 0x7f || strings.IndexByte("\"'<>\\`", ref[i]) >= 0 {
			t.Errorf("%q holds the byte %#x", ref, ref[i])
			return
		}
	}
	for _, base := range []string{"https://example.com/", "https://example.com/a/b?c", "https://example.com//evil.example/a"} {
		b, _ := url.Parse(base)
		to, err := b.Parse(ref)
		if err != nil {
			t.Errorf("%q is no reference: %v", ref, err)
			return
		}
		if to.Scheme != "https" || to.Host != "example.com" || to.User != nil {
			t.Errorf("%q leads from %s to %s", ref, base, to)
		}
	}
}

func TestOptionsPage(t *testing.T) {
	mine := template.Must(template.New("mine").Parse(`<p>{{.Status}} {{.Type}} {{.Reason}}</p><a href="{{.Href}}">{{.Action}}</a>`))
	checkPage(mine)
	checkPage(nil)
	p := endedProblem(session.ReasonIdle)
	p.page = mine
	w := httptest.NewRecorder()
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	answer(w, navigation("GET", "/a?b=1&c=2"), p)
	if got, want := w.Body.String(), `<p>401 hardy/1/session-ended idle</p><a href="./a?b=1&amp;c=2">Refresh now</a>`; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
	if got := w.Header().Get("Content-Security-Policy"); got != "default-src 'self'" {
		t.Errorf("Content-Security-Policy %q: the application's own must stay", got)
	}
}

func TestOptionsPageThatFails(t *testing.T) {
	defer func() {
		if why, _ := recover().(string); !strings.Contains(why, "Options.Page") {
			t.Errorf("panic %q, want one that names Options.Page", why)
		}
	}()
	checkPage(template.Must(template.New("bad").Parse(`{{.Nothing}}`)))
}

// A template that fails for one page only leaves the visitor with Hardy's.
func TestOptionsPageThatFailsLater(t *testing.T) {
	p := unavailable
	p.page = template.Must(template.New("half").Parse(`half {{if not .Reason}}{{index .Title 9999}}{{end}}`))
	checkPage(p.page)
	w, all := page(t, navigation("GET", "/"), p)
	if w.Header().Get("Content-Security-Policy") != pagePolicy || len(named(all, "main")) != 1 || strings.Contains(w.Body.String(), "half") {
		t.Errorf("got %v\n%s", w.Header(), w.Body)
	}
}
