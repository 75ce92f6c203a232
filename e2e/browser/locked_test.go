package browser

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/store"
)

// lockingSite has a page that calls with fetch, and one that unlocks.
func lockingSite(t *testing.T) string {
	const head = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Notes</title>`
	page := func(w http.ResponseWriter, format string, args ...any) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'")
		fmt.Fprintf(w, head+format, args...)
	}
	rings := session.NewKey[int]("n_rings")
	mux := http.NewServeMux()
	mux.Handle("GET /hardy.js", middleware.Script())
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `document.getElementById("ring").addEventListener("click", async () => {
			const answer = await fetch("/ring", { method: "POST" });
			if (answer.ok) document.getElementById("rings").textContent = await answer.text();
		});`)
	})
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		session.From(r.Context()).Login("ann")
		http.Redirect(w, r, "/notes?of=today", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page(w, `<main><h1>Notes</h1><form method="post" action="/sign-in"><button>Sign in</button></form></main>`)
	})
	mux.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) {
		page(w, `<script src="/hardy.js"></script><main><h1>Notes of %s</h1><label>A note <input id="note"></label>
			<p>Rung: <span id="rings">%d</span></p><button id="ring">Ring</button></main><script src="/page.js"></script>`,
			html.EscapeString(session.From(r.Context()).User()), rings.Get(session.From(r.Context())))
	})
	mux.HandleFunc("POST /ring", func(w http.ResponseWriter, r *http.Request) {
		n, err := rings.Update(r.Context(), session.From(r.Context()), func(n int) int { return n + 1 })
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("GET /unlock", func(w http.ResponseWriter, r *http.Request) {
		user, _ := session.From(r.Context()).Locked()
		page(w, `<main><h1>Unlock</h1><form method="post"><p>The password of %s:</p><input type="hidden" name="next" value="%s">
			<label>Password <input id="password" name="password" type="password"></label><button>Unlock</button></form></main>`,
			html.EscapeString(user), html.EscapeString(r.FormValue("next")))
	})
	mux.HandleFunc("POST /unlock", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("password") != "anvil" {
			http.Error(w, "no", http.StatusUnprocessableEntity)
			return
		}
		if err := session.From(r.Context()).Unlock(); err != nil {
			t.Error(err)
		}
		next, ok := middleware.LocalPath(r.FormValue("next"))
		if !ok {
			next = "/"
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	})
	m := session.NewManager(store.NewMemory(nil), &session.Options{Idle: short, Lock: true})
	app := middleware.Sessions(m, cookie.DevKeys("notes"), &middleware.Options{
		InsecureHTTP: true, Unlock: "/unlock", Skip: []string{"GET /hardy.js", "GET /page.js"}, Aware: []string{"POST /sign-in"},
	})(mux)
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return server.URL
}

// A page whose session is locked says so at the next call, and leads to where it is unlocked and back. In another tab the
// page, and what was typed into it, stays.
func TestLockedPageSaysSo(t *testing.T) {
	t.Parallel()
	source := axe(t)
	p := visitor(t, lockingSite(t))
	p.open("/")
	p.expect(p.press("button"), 200, "Notes of ann")
	p.click("#ring")
	p.until("document.getElementById('rings').textContent === '1'")
	outlive()

	// Escape closes the dialog; the next call opens it again.
	p.fill("#note", "not saved yet")
	for range 2 {
		p.click("#ring")
		p.until("document.querySelector('dialog.hardy-locked')?.open === true")
		p.shows("Your session is locked", "Nothing is lost", "Unlock", "!has ended")
		if focus := eval[string](p, "document.activeElement.textContent"); focus != "Unlock" {
			t.Errorf("the focus is on %q", focus)
		}
		run(p, "Escape", keyEvent(kb.Escape))
		p.until("document.querySelector('dialog') === null")
	}
	p.click("#ring")
	p.until("document.querySelector('dialog.hardy-locked')?.open === true")
	p.check(source, "locked")

	// Unlocked in another tab, this page goes on.
	other := p.another()
	other.front()
	other.expect(other.open(eval[string](p, "document.querySelector('dialog.hardy-locked a').href")), 200, "The password of ann")
	other.fill("#password", "anvil")
	other.expect(other.press("button"), 200, "Notes of ann", "Rung: 1")
	if at := eval[string](other, "location.pathname + location.search"); at != "/notes?of=today" {
		t.Errorf("it led to %s", at)
	}
	p.front()
	run(p, "Escape", keyEvent(kb.Escape))
	p.until("document.querySelector('dialog') === null")
	p.click("#ring")
	p.until("document.getElementById('rings').textContent === '2'")
	if note := eval[string](p, "document.getElementById('note').value"); note != "not saved yet" {
		t.Errorf("the note is %q", note)
	}

	// In this one.
	outlive()
	p.click("#ring")
	p.until("document.querySelector('dialog.hardy-locked')?.open === true")
	p.expect(p.press("dialog.hardy-locked a"), 200, "The password of ann")
	p.fill("#password", "anvil")
	p.expect(p.press("button"), 200, "Notes of ann", "Rung: 2")
}
