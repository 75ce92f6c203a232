package browser

import (
	"testing"
	"time"
)

// A session that is ended in one browser says so in the other within a second, without a reload.
func TestDevices(t *testing.T) {
	t.Parallel()
	source := axe(t)
	site := startExample(t, "devices")
	one, two := visitor(t, site), visitor(t, site)
	one.open("/")
	one.check(source, "devices-sign-in")
	for _, p := range []*tab{one, two} {
		p.open("/")
		p.fill("#user", "ann")
		p.expect(p.press("main button"), 200, "Signed in as ann", "this one")
	}
	one.open("/")
	one.check(source, "devices")
	two.front()
	// The page notes when it learned of its end, and the other when it asked for it: one machine, one clock.
	eval[bool](two, `new MutationObserver(() => { window.told ??= Date.now() }).observe(document.querySelector("dialog"), {attributes: true}), true`)
	two.until("events.readyState === EventSource.OPEN")
	asked := time.Now()
	one.expect(one.press("form[action='/end'] button"), 200, "Signed in as ann")
	two.until("document.querySelector('dialog').open")
	took := time.UnixMilli(int64(eval[float64](two, "window.told"))).Sub(asked)
	t.Logf("told after %v", took)
	if took > 10*time.Second { // a second, and a busy machine
		t.Errorf("told after %v", took)
	}
	two.shows("ended from another device")
	two.check(source, "devices-ended")
	if status := two.press("dialog a"); status != 200 {
		t.Errorf("%d", status)
	}
	two.shows("Your former session has ended", "Your name")
	one.shows("!End all others")
}
