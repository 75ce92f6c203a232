package browser

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// desk is the page with several users, each in a frame of their own.
type desk struct{ *tab }

// seat is the frame of one user; app is the application's frame within it.
type seat struct {
	desk
	n   int
	app bool
}

// try evaluates an expression in the frame as it is now, over pages that come and go.
func (s seat) try(expression string) (text string, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	tree, err := chromedp.Run(ctx, call(page.GetFrameTree, cdp.Empty{}))
	if err != nil {
		return "", err
	}
	frame := tree.FrameTree
	for _, n := range []int{s.n, 0} {
		if n >= len(frame.ChildFrames) {
			return "", context.Canceled
		}
		if frame = frame.ChildFrames[n]; !s.app {
			break
		}
	}
	world, err := chromedp.Run(ctx, call(page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frame.Frame.ID}))
	if err != nil {
		return "", err
	}
	yes := true
	result, err := chromedp.Run(ctx, call(runtime.Evaluate, runtime.EvaluateParams{
		Expression: "String(" + expression + ")", ContextID: world.ExecutionContextID, ReturnByValue: &yes,
	}))
	if err != nil {
		return "", err
	}
	return text, json.Unmarshal(result.Result.Value, &text)
}

// until waits for the frame to say something.
func (s seat) until(want string) {
	s.t.Helper()
	var text string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if text, _ = s.try("document.body.innerText"); strings.Contains(text, want) {
			return
		}
	}
	s.t.Fatalf("seat %d (the application: %v) never says %q:\n%s", s.n, s.app, want, text)
}

func (s seat) press(selector string) {
	s.t.Helper()
	if text, err := s.try(`document.querySelector("` + selector + `").click()`); err != nil {
		s.t.Fatalf("seat %d: pressing %s: %v %s", s.n, selector, err, text)
	}
}

func (s seat) be(user string) {
	s.t.Helper()
	s.try(`document.querySelector("#user").value = "` + user + `"`)
	s.press("button[value='sign in']")
}

// Four users at once, each ringing a bell of their own; one is ended from another's frame.
func TestUsersOnOneDesk(t *testing.T) {
	t.Parallel()
	source := axe(t)
	b := hang(t, "-users")
	p := visitor(t, b.scheme+"://users.localhost:"+b.port)
	p.do(chromedp.EmulateViewport(1600, 1100))
	d := desk{p}
	p.open("/")
	users := []string{"ann", "bob", "cleo", "ann"}
	var seats, apps []seat
	for n := range users {
		seats, apps = append(seats, seat{d, n, false}), append(apps, seat{d, n, true})
	}
	for n, user := range users {
		seats[n].until("no session yet")
		seats[n].be(user)
		seats[n].until(user + " · ")
		apps[n].until("Sign out")
	}
	times := []string{"rang 1 time ", "rang 2 times", "rang 3 times", "rang 4 times"}
	for n := range users {
		for ring := range n + 1 {
			apps[n].press("button.bell")
			apps[n].until(times[ring])
		}
	}
	for n := range users {
		apps[n].until(times[n]) // and not what another rang
	}
	p.shoot("desk-rung")

	// ann, who sits here twice, ends her other session; its frame learns of it without a reload.
	apps[0].press("a[href='/sessions']")
	apps[0].until("End all other")
	apps[0].press("form[action='/sessions/end-others'] button")
	seats[3].until("revoked")
	apps[3].press("button.bell")
	apps[3].until("ended")
	p.shoot("desk-ended")
	seats[3].be("dan")
	seats[3].until("dan · ")

	seats[1].press("button[value='expire']")
	seats[1].until("idle")
	seats[2].press("button[value='sign out']")
	seats[2].until("no session yet")
	apps[0].press("a[href='/']")
	apps[0].until("rang 1 time ")

	p.open("/?seats=2")
	p.check(source, "desk")
	strip := visitor(t, b.scheme+"://a.users.localhost:"+b.port)
	strip.open("/hardy-users/")
	strip.check(source, "desk-seat")
}
