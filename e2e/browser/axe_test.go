package browser

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

const axeVersion = "4.14.1"

var axeSource = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "axe-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, "axe-core@"+axeVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return string(out), err
	}
	source, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
})

// axe finds what stands in the way of people who see, hear or move otherwise.
func axe(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		absent(t, "there is no npm to fetch axe-core with")
	}
	source, err := axeSource()
	if err != nil {
		absent(t, "axe-core can't be fetched: "+err.Error()+" "+source)
	}
	return source
}

// check runs axe on the page in light and dark, and sees that it fits a narrow screen (WCAG 2.2, 1.4.10).
func (p *tab) check(source, name string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(320, 900))
	if wide := eval[int](p, "document.documentElement.scrollWidth"); wide > 320 {
		p.t.Errorf("%s is %d pixels wide on a screen of 320", name, wide)
	}
	p.shoot(name + "-narrow")
	p.do(chromedp.EmulateViewport(1100, 900))
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		p.shoot(name + "-" + scheme)
		if !eval[bool](p, "typeof axe === 'object'") {
			eval[bool](p, source+"; true")
		}
		found := eval[string](p, `axe.run().then(r => JSON.stringify({
			passes: r.passes.length,
			violations: r.violations.map(v => v.id + ": " + v.help + "\n    " + v.nodes.map(n => n.html + "\n    " + n.failureSummary).join("\n    ")),
		}))`)
		var result struct {
			Passes     int
			Violations []string
		}
		if err := json.Unmarshal([]byte(found), &result); err != nil {
			p.t.Fatal(err)
		}
		if result.Passes < 10 {
			p.t.Errorf("%s, %s: axe checked next to nothing: %d rules passed", name, scheme, result.Passes)
		}
		if len(result.Violations) > 0 {
			p.t.Errorf("%s, %s:\n  %s", name, scheme, strings.Join(result.Violations, "\n  "))
		}
	}
}

// Every page, before and after a session has begun, and every answer to a mistake, in light and dark.
func TestAccessible(t *testing.T) {
	t.Parallel()
	source := axe(t)
	paths := []string{"/", "/script", "/cookies", "/note", "/sign-in", "/sessions", "/inside"}
	b := hang(t)
	p := visitor(t, b.site("bell"))
	for _, path := range paths {
		p.open(path)
		p.check(source, "new"+strings.ReplaceAll(path, "/", "-"))
	}

	p.open("/sign-in")
	p.fill("#user", "ann")
	p.fill("#password", "wrong")
	p.expect(p.press("main button"), 422, "do not go together")
	p.check(source, "sign-in-refused")
	p.open("/note")
	p.fill("#password", "wrong")
	p.expect(p.press("main button"), 422, "not the password")
	p.check(source, "note-refused")
	p.open("/cookies")
	eval[bool](p, "document.getElementById('name').maxLength = 100, true")
	p.fill("#name", strings.Repeat("x", 60))
	p.expect(p.press("form[action='/cookies/name'] button"), 422, "longer than 40")
	p.check(source, "name-refused")

	other := visitor(t, b.site("bell"))
	signIn(other, "ann")
	signIn(p, "ann")
	p.press("button.bell")
	p.open("/cookies")
	p.fill("#name", "Ann")
	p.press("form[action='/cookies/name'] button")
	p.fill("#metal", "copper")
	p.press("form[action='/cookies/metal'] button")
	p.open("/note")
	p.fill("#password", "clapper")
	p.press("main button")
	p.fill("#note", "Ring twice for coffee.")
	p.press("main button")
	for _, path := range paths {
		p.expect(p.open(path), 200, "Signed in as ann")
		p.check(source, "ann"+strings.ReplaceAll(path, "/", "-"))
	}
	p.open(b.site("two") + "/")
	p.check(source, "second")
}

// The page of an ended session, the notice after it, and the dialog that hardy.js opens.
func TestEndsAreAccessible(t *testing.T) {
	t.Parallel()
	source := axe(t)
	b := hang(t)
	p, other := visitor(t, b.site("bell")), visitor(t, b.site("bell"))
	end := func() {
		other.open("/sessions")
		other.press("form[action='/sessions/end-others'] button")
	}
	signIn(other, "ann")
	signIn(p, "ann")
	p.open("/script")
	end()
	p.click("#ring")
	p.until("document.querySelector('dialog.hardy-expired')?.open === true")
	p.check(source, "ended-script")
	p.open("/")
	p.shows("has ended")
	p.check(source, "ended-notice")

	signIn(p, "ann")
	end()
	p.expect(p.press("button.bell"), 401, "Refresh now")
	p.check(source, "ended-page")
}
