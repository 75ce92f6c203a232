package browser

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp/kb"
)

// Ringing and signing in with the keyboard alone: from the top, past the navigation, with the focus in sight.
func TestByKeyboard(t *testing.T) {
	t.Parallel()
	b := hang(t)
	p := visitor(t, b.site("bell"))
	p.open("/")
	type place struct{ Text, ID string }
	at := func(step string, want place) {
		t.Helper()
		got := eval[place](p, `(() => {
			const e = document.activeElement, r = e.getBoundingClientRect();
			const seen = r.width > 0 && r.top >= 0 && r.bottom <= innerHeight && (getComputedStyle(e).outlineStyle !== "none" || e.id === "main");
			return { Text: (e.tagName === "MAIN" ? "" : e.innerText?.trim() ?? "") + (seen ? "" : ", out of sight"), ID: e.id };
		})()`)
		if got != want {
			t.Fatalf("%s: the focus is on %+v, want %+v", step, got, want)
		}
	}
	press := func(key string) { run(p, "a key", keyEvent(key)) }

	press(kb.Tab)
	p.until("document.activeElement.getBoundingClientRect().top >= 0") // it slides in
	at("Tab from the top", place{"Skip to the page", ""})
	press(kb.Enter)
	p.until("document.activeElement.id === 'main'")
	press(kb.Tab)
	at("Tab in the page", place{"Ring", ""})
	p.expect(p.key(kb.Enter), 200, "rang 1 time")

	p.open("/sign-in")
	press(kb.Tab) // the skip link
	press(kb.Enter)
	press(kb.Tab)
	at("Tab in the page", place{"", "user"})
	press("ann")
	press(kb.Tab)
	at("Tab in the form", place{"", "password"})
	press("clapper")
	p.expect(p.key(kb.Enter), 422, "do not go together")
	at("after the refusal", place{"", "user"})
	press(kb.Tab)
	press("anvil")
	p.expect(p.key(kb.Enter), 200, "Signed in as ann", "rang 1 time")
}

// What a screen reader has of the first page, and of the answer to a wrong password.
func TestToAScreenReader(t *testing.T) {
	t.Parallel()
	b := hang(t)
	p := visitor(t, b.site("bell"))
	p.open("/")
	p.hears("link Skip to the page", "navigation Pages", "link Bell", "main", "heading Ring the bell!",
		"button Ring: It has not been rung in this session.", "heading Where it is kept")
	p.press("button.bell")
	p.hears("button Ring: The bell rang 1 time in this session.")
	p.open("/sign-in")
	p.hears("heading Sign in", "textbox User", "textbox Password")
	p.fill("#user", "ann")
	p.fill("#password", "clapper")
	p.press("main button")
	p.hears("textbox User: That name and password do not go together.", "alert")
}

// hears checks what the accessibility tree holds, in the order of reading: role, name, and after a colon the description.
func (p *tab) hears(wants ...string) {
	p.t.Helper()
	tree := run(p, "the accessibility tree", call(accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}))
	nodes := make(map[accessibility.NodeID]*accessibility.Node)
	for _, n := range tree.Nodes {
		nodes[n.NodeID] = n
	}
	var all []string
	var read func(n *accessibility.Node)
	read = func(n *accessibility.Node) {
		if !n.Ignored {
			all = append(all, spoken(n))
		}
		for _, id := range n.ChildIDs {
			read(nodes[id])
		}
	}
	read(tree.Nodes[0])
	rest := all
	for _, want := range wants {
		i := slices.Index(rest, want)
		if i < 0 {
			p.t.Fatalf("%q is not heard, or not in its place, among %q", want, all)
		}
		rest = rest[i+1:]
	}
}

func spoken(n *accessibility.Node) string {
	text := func(v *accessibility.Value) (s string) {
		if v != nil {
			json.Unmarshal(v.Value, &s)
		}
		return s
	}
	line := strings.TrimSpace(text(n.Role) + " " + text(n.Name))
	if d := text(n.Description); d != "" {
		line += ": " + d
	}
	return line
}
