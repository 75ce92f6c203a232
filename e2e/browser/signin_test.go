package browser

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

func keyEvent(key string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(key) }

// signIn fills in the form and sends it.
func signIn(p *tab, user string) {
	p.t.Helper()
	p.open("/sign-in")
	p.fill("#user", user)
	p.fill("#password", "anvil")
	p.expect(p.press("main button"), 200, "Signed in as "+user)
}

// Two tabs send the form at the same moment: both arrive, whichever cookie the browser keeps.
func TestSignInInTwoTabsAtOnce(t *testing.T) {
	t.Parallel()
	b := hang(t)
	one := visitor(t, b.site("bell"))
	one.open("/")
	one.press("button.bell")
	two := one.another()
	tabs := []*tab{one, two}
	for _, p := range tabs {
		p.open("/sign-in")
		p.fill("#user", "ann")
		p.fill("#password", "anvil")
	}
	var both sync.WaitGroup
	for _, p := range tabs {
		both.Go(func() { p.later("document.querySelector('main form').requestSubmit()") })
	}
	both.Wait()
	for _, p := range tabs {
		p.until("location.pathname === '/' && document.readyState === 'complete'")
	}
	for i, p := range tabs {
		p.front()
		p.expect(p.open("/"), 200, "Signed in as ann")
		p.expect(p.press("button.bell"), 200, "Signed in as ann", fmt.Sprintf("rang %d times", i+2))
	}
	one.expect(one.open("/sessions"), 200, "Here")
}

// Clicked twice, the browser drops the answer to the first; the second signs in all the same.
func TestSignInClickedTwice(t *testing.T) {
	t.Parallel()
	b := hang(t)
	p := visitor(t, b.site("bell"))
	p.open("/")
	p.press("button.bell")
	p.open("/sign-in")
	p.fill("#user", "ann")
	p.fill("#password", "anvil")
	p.later("const f = document.querySelector('main form'); f.submit(); setTimeout(() => f.submit(), 15)")
	p.until("location.pathname === '/' && document.readyState === 'complete'")
	p.expect(p.open("/"), 200, "Signed in as ann", "rang 1 time")
}

// The way back after signing out shows nothing that was private.
func TestBackAfterSignOut(t *testing.T) {
	for name, flags := range map[string][]string{"HTTP": nil, "TLS": certificate(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hang(t, flags...)
			elsewhere := visitor(t, b.site("bell"))
			signIn(elsewhere, "ann")
			p := visitor(t, b.site("bell"))
			signIn(p, "ann")
			p.press("button.bell")
			p.expect(p.open("/inside"), 200, "n_rings")
			p.expect(p.open("/sessions"), 200, "End all others")
			p.expect(p.press(".who button"), 200, "!Signed in")
			for range 3 {
				before := eval[string](p, "location.pathname + history.length + performance.timeOrigin")
				p.later("history.back()")
				p.until("location.pathname + history.length + performance.timeOrigin !== '" + before + "' && document.readyState === 'complete'")
				text := p.text()
				for _, private := range []string{"Signed in", "End all others", "n_rings", "rang 1"} {
					if strings.Contains(text, private) {
						t.Errorf("%s shows %q:\n%s", eval[string](p, "location.pathname"), private, text)
					}
				}
			}
		})
	}
}

// A session that ends elsewhere changes no cookie here, so a page of it may come back from memory. hardy.js has it
// ask the server; for pages without, docs/browsers.md has the line that does.
func TestBackAfterAnEndElsewhere(t *testing.T) {
	const line = `addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }), true`
	for path, ask := range map[string]string{"/inside": line, "/script": "fetch.hardy"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			b := hang(t, certificate(t)...)
			elsewhere, p := visitor(t, b.site("bell")), visitor(t, b.site("bell"))
			signIn(elsewhere, "ann")
			signIn(p, "ann")
			p.open(path)
			if !eval[bool](p, ask) {
				t.Fatal("the page does not ask")
			}
			eval[bool](p, `addEventListener("pageshow", (event) => { sessionStorage.kept = event.persisted; }), true`)
			p.open("/note")
			elsewhere.open("/sessions")
			elsewhere.press("form[action='/sessions/end-others'] button")
			p.later("history.back()")
			p.until("location.pathname === '" + path + "' && document.body.innerText.includes('ended from another place')")
			p.shows("!Signed in", "!device")
			t.Logf("the page came from memory: %s", eval[string](p, "sessionStorage.kept ?? 'false'"))
		})
	}
}

// One of your sessions is ended from another browser: the next page says so.
func TestSessionEndedFromAnotherBrowser(t *testing.T) {
	t.Parallel()
	b := hang(t)
	desk, phone := visitor(t, b.site("bell")), visitor(t, b.site("bell"))
	signIn(desk, "ann")
	signIn(phone, "ann")
	desk.expect(desk.open("/sessions"), 200, "Chrome on ", "End all others")
	desk.shoot("sessions")
	desk.expect(desk.press(".sessions button"), 200, "Nowhere.")
	phone.expect(phone.press("button.bell"), 401, "ended from another place")
	phone.expect(phone.open("/"), 200, "ended from another place", "!Signed in")
	desk.expect(desk.open("/"), 200, "Signed in as ann")
}
