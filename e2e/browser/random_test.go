package browser

import "testing"

// A page that people would like to use, for nobody and for somebody.
func TestRandom(t *testing.T) {
	t.Parallel()
	source := axe(t)
	p := visitor(t, startExample(t, "random"))
	p.open("/")
	p.check(source, "random")
	p.press("form.roll button")
	p.fill("#user", "ann")
	p.expect(p.press("form.card button"), 200, "Signed in as ann", "No call yet")
	p.expect(p.press("form.roll button"), 200, "What the platform has of ann", "rolled ")
	p.check(source, "random-ann")
}
