package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// callAPI asks the API, and says with what status it answers.
func callAPI(t *testing.T, address, key string) int {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// The page of one's own bucket, full, drained and refused; what accounts have used; and the page that a browser
// gets from a limit that has none of its own: in light and dark.
func TestLimitsAreAccessible(t *testing.T) {
	t.Parallel()
	source := axe(t)
	site := startExample(t, "api")
	p := visitor(t, site)
	p.open("/")
	p.shows("Your bucket", "10 of 10 are left", "It holds 10 clicks and gets one back each second")
	p.check(source, "bucket-full")
	eval[bool](p, "for (let i = 0; i < 12; i++) document.getElementById('form').requestSubmit(); true")
	p.until("document.querySelectorAll('#dots path').length >= 12")
	p.check(source, "bucket-drained")

	for range 3 {
		callAPI(t, site+"/v1/quote", "free-ann")
	}
	p.open("/usage")
	p.shows("ann", "bob", "3/200", "measured only")
	p.check(source, "usage")

	p.scripts(false)
	p.open("/")
	status := p.press("button.take")
	for status == 200 {
		status = p.press("button.take")
	}
	p.expect(status, 429, "The bucket was empty. Come again in")
	p.scripts(true)
	p.check(source, "bucket-refused")

	for status = 0; status != 429; { // guessed keys cost their address more than they may
		for callAPI(t, site+"/v1/quote", "guess") != 429 {
		}
		status = p.open("/v1/quote")
	}
	p.shows("Too many requests", "Please try again in")
	p.check(source, "too-many")
}

// A newcomer clicks faster than the bucket fills, is refused, waits as the page says, and is let in: with scripts
// as without.
func TestBucketDrainsAndFills(t *testing.T) {
	t.Parallel()
	p := visitor(t, startExample(t, "api"))
	p.open("/")
	number := "Number(document.getElementById('number').textContent)"
	p.click("button.take")
	p.until("document.getElementById('word').textContent.startsWith('Let in')")
	if n := eval[int](p, number); n < 9 {
		t.Errorf("after one click the bucket shows %d", n)
	}
	eval[bool](p, "for (let i = 0; i < 30; i++) document.getElementById('form').requestSubmit(); true")
	p.until("document.getElementById('word').textContent.includes('429: refused. Come again in 1 s.')")
	p.until("document.getElementById('fields').textContent.includes('Retry-After: 1')")
	p.until(number + " === 0")
	p.until("document.querySelector('#standings td').textContent < 5") // what the server says
	p.until("document.querySelectorAll('#dots path.no').length > 5")
	p.until("document.getElementById('word').textContent === 'It holds one again.'")
	p.until(number + " >= 3") // it fills by itself
	p.click("button.take")
	p.until("document.getElementById('word').textContent.startsWith('Let in')")
	p.do(chromedp.EmulateViewport(1100, 900))
	p.shoot("bucket-after")
}
