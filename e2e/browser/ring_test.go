package browser

import "testing"

// Ring to 3, restart the server, ring to 4.
func TestRingsSurviveARestart(t *testing.T) {
	t.Parallel()
	b := hang(t)
	p := visitor(t, b.site("bell"))
	p.expect(p.open("/"), 200, "It has not been rung")
	for range 3 {
		p.press("button.bell")
	}
	p.shows("rang 3 times")
	b.stop()
	b.start()
	p.expect(p.press("button.bell"), 200, "rang 4 times")
	p.shoot("rang")
}

// Two tabs of one browser are one visitor; another browser is another one.
func TestTabsAndBrowsers(t *testing.T) {
	t.Parallel()
	b := hang(t)
	one := visitor(t, b.site("bell"))
	one.open("/")
	one.press("button.bell")
	two := one.another()
	two.open("/")
	two.expect(two.press("button.bell"), 200, "rang 2 times")
	one.front()
	one.expect(one.press("button.bell"), 200, "rang 3 times")

	stranger := visitor(t, b.site("bell"))
	stranger.expect(stranger.open("/"), 200, "It has not been rung")
	stranger.expect(stranger.press("button.bell"), 200, "rang 1 time")
	one.expect(one.open("/"), 200, "rang 3 times")
}
