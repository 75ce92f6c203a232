package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is one tab of a browser context.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site string // where paths begin
}

// visitor opens the first tab of a browser of its own, with no cookies yet.
func visitor(t *testing.T, site string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(theChromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &tab{t, ctx, site}
	p.do(chromedp.EmulateViewport(1100, 900))
	return p
}

// another opens a further tab of the same browser.
func (p *tab) another() *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	other := &tab{p.t, ctx, p.site}
	other.do(chromedp.EmulateViewport(1100, 900))
	return other
}

func run[T any](p *tab, what string, a chromedp.Action[T]) T {
	p.t.Helper()
	if chromedp.FromContext(p.ctx).Target == nil { // the first run decides how long the tab lives
		if err := chromedp.Do(p.ctx); err != nil {
			p.t.Fatalf("opening a tab: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	return v
}

func (p *tab) do(a chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, "a step", a)
}

// open opens a page by its address, or a path of the site, and says with what status.
func (p *tab) open(path string) int64 {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.site + path
	}
	return run(p, "opening "+path, chromedp.NavigateResponse(path)).Status
}

// press clicks on what opens a page, and says with what status.
func (p *tab) press(selector string) int64 {
	p.t.Helper()
	return p.lands("pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// key presses a key that opens a page.
func (p *tab) key(key string) int64 {
	p.t.Helper()
	return p.lands("a key", chromedp.KeyEvent(key))
}

func (p *tab) lands(what string, a chromedp.Action[chromedp.Void]) int64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, a)
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	return resp.Status
}

// click clicks on what opens no page.
func (p *tab) click(selector string) {
	p.t.Helper()
	run(p, "clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// fill types a value into a field.
func (p *tab) fill(selector, value string) {
	p.t.Helper()
	run(p, "filling "+selector, chromedp.SetValue(chromedp.CSS(selector), value))
}

// text is what the page says.
func (p *tab) text() string {
	p.t.Helper()
	return eval[string](p, "document.body.innerText")
}

func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return run(p, expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// later runs what leads to another page, which would take the answer to eval with it.
func (p *tab) later(statement string) {
	p.t.Helper()
	eval[bool](p, "setTimeout(() => { "+statement+" }), true")
}

// until waits for an expression to become true, over pages that come and go meanwhile.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for ; ; time.Sleep(20 * time.Millisecond) {
		done, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if done && err == nil {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("never: %s\n%v\nthe page says:\n%s", expression, err, p.text())
		}
	}
}

// shows checks what the page says; what begins with "!" it must not say.
func (p *tab) shows(wants ...string) {
	p.t.Helper()
	text := p.text()
	for _, want := range wants {
		said, not := strings.CutPrefix(want, "!")
		if strings.Contains(text, said) == not {
			p.t.Errorf("the page and %q:\n%s", want, text)
		}
	}
}

// expect checks a status and what the page says.
func (p *tab) expect(status, want int64, wants ...string) {
	p.t.Helper()
	if status != want {
		p.t.Errorf("status %d, want %d", status, want)
	}
	p.shows(wants...)
}

// scripts turns JavaScript on or off, as a person does.
func (p *tab) scripts(on bool) {
	p.t.Helper()
	run(p, "scripts", call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

// scheme asks for light or dark pages.
func (p *tab) scheme(name string) {
	p.t.Helper()
	run(p, "scheme", call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// front makes the tab the one that is seen.
func (p *tab) front() {
	p.t.Helper()
	run(p, "to the front", call(page.BringToFront, cdp.Empty{}))
}

// cookies are those that the browser stored for an address, by name.
func (p *tab) cookies(address string) map[string]*network.Cookie {
	p.t.Helper()
	result := run(p, "cookies", call(network.GetCookies, network.GetCookiesParams{URLs: []string{address}}))
	all := map[string]*network.Cookie{}
	for _, c := range result.Cookies {
		all[c.Name] = c
	}
	return all
}

// shoot keeps a picture of the page, where somebody asked for it.
func (p *tab) shoot(name string) {
	p.t.Helper()
	folder := os.Getenv("HARDY_SCREENS")
	if folder == "" {
		return
	}
	picture := run(p, "a screenshot", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		p.t.Error(err)
	}
}
