package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// Opening a page after the end starts over, and says so.
func TestOpeningAPageStartsOver(t *testing.T) {
	t.Parallel()
	b := hang(t, "-idle", short.String())
	p := visitor(t, b.site("bell"))
	p.open("/")
	p.expect(p.press("button.bell"), 200, "rang 1 time")
	outlive()
	p.expect(p.open("/"), 200, "has ended: nobody rang for a while", "It has not been rung")
	p.shoot("started-over")
	p.expect(p.press("button.bell"), 200, "rang 1 time", "!has ended")
}

// A form from an old page meets the dialog. Refresh now leads back, with scripts and without, by mouse and by keyboard.
func TestOldFormMeetsTheDialog(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hang(t, "-idle", short.String())
			p := visitor(t, b.site("bell"))
			p.scripts(scripts)
			p.open("/")
			p.press("button.bell")
			outlive()
			p.expect(p.press("button.bell"), 401, "Your session has ended", "timed out", "Refresh now")
			p.shoot("dialog")
			if role := eval[string](p, "document.activeElement.closest('[role]').getAttribute('role')"); role != "alertdialog" {
				t.Errorf("the focus is in %q", role)
			}
			if scripts {
				p.expect(p.press("a"), 200, "It has not been rung")
			} else {
				p.expect(p.key(kb.Enter), 200, "It has not been rung")
			}
			if at := eval[string](p, "location.pathname+location.search"); at != "/" {
				t.Errorf("it led to %s", at)
			}
			p.expect(p.press("button.bell"), 200, "rang 1 time")
		})
	}
}

// Under -strict every page says that the session has ended, until somebody starts over.
func TestStrictShowsTheDialogOnEveryPage(t *testing.T) {
	t.Parallel()
	b := hang(t, "-idle", short.String(), "-strict")
	p := visitor(t, b.site("bell"))
	p.open("/")
	p.press("button.bell")
	outlive()
	for _, path := range []string{"/", "/script", "/cookies", "/note", "/sign-in", "/sessions", "/inside", "/"} {
		p.expect(p.open(path), 401, "Your session has ended", "Refresh now")
	}
	p.open("/inside")
	p.expect(p.press("a"), 200, "What lies where", "Nothing: no cookie")
	if at := eval[string](p, "location.pathname+location.search"); at != "/inside" {
		t.Errorf("it led to %s", at)
	}
	p.open("/")
	p.expect(p.press("button.bell"), 200, "rang 1 time")
}

// Anvil's rule in a page's script: each call raises until somebody resets; the repeated one works, blank.
func TestScriptCatchesResetsAndRepeats(t *testing.T) {
	t.Parallel()
	b := hang(t, "-idle", short.String())
	p := visitor(t, b.site("bell"))
	p.open("/script")
	p.click("#ring")
	p.until("document.getElementById('rings').textContent === '1'")
	p.click("#ring")
	p.until("document.getElementById('rings').textContent === '2'")
	outlive()

	// Uncaught: a dialog, and another for the next call.
	for range 2 {
		p.click("#ring")
		p.until("document.querySelector('dialog.hardy-expired')?.open === true")
		p.shows("Your session has ended", "Refresh now")
		p.shoot("script-dialog")
		run(p, "Escape", keyEvent(kb.Escape))
		p.until("document.querySelector('dialog.hardy-expired') === null")
	}
	p.shows("rang 2 times") // Nothing was lost in silence.

	// Caught: reset, and the same call again.
	p.click("#ring-again")
	p.until("document.getElementById('rings').textContent === '1'")
	if eval[bool](p, "document.querySelector('dialog') !== null") {
		t.Error("a dialog, although the page has caught the end")
	}
	p.click("#ring")
	p.until("document.getElementById('rings').textContent === '2'")

	// Refresh now: the page anew, blank.
	outlive()
	p.click("#ring")
	p.until("document.querySelector('dialog.hardy-expired')?.open === true")
	p.expect(p.press("dialog.hardy-expired button"), 200, "rang 0 times")
}

// A form from an old tab, after another tab started over or signed in: it acts in the session that the browser has by
// then, as every form does.
func TestFormFromAnOldTab(t *testing.T) {
	t.Parallel()
	b := hang(t, "-idle", short.String())
	old := visitor(t, b.site("bell"))
	old.open("/")
	old.press("button.bell")
	old.press("button.bell")
	outlive()
	other := old.another()
	other.expect(other.open("/"), 200, "has ended", "It has not been rung")
	old.front()
	old.expect(old.press("button.bell"), 200, "rang 1 time") // the first of a new session

	other.front()
	signIn(other, "ann")
	other.expect(other.open("/"), 200, "Signed in as ann", "rang 1 time")
	old.front()
	old.expect(old.press("button.bell"), 200, "rang 2 times", "Signed in as ann")

	other.front()
	other.press(".who button")
	old.front()
	old.expect(old.press("button.bell"), 200, "rang 1 time", "!Signed in")
}
