package browser

import "testing"

// Two people talk to the agents, and neither sees what the other said.
func TestAgents(t *testing.T) {
	t.Parallel()
	source := axe(t)
	site := startExample(t, "agents")
	ann, bob := visitor(t, site), visitor(t, site)
	ann.open("/")
	ann.check(source, "agents-sign-in")
	for user, p := range map[string]*tab{"ann": ann, "bob": bob} {
		p.open("/")
		p.fill("#user", user)
		p.expect(p.press("main button"), 200, "Signed in as "+user, "Nothing was said yet")
		p.fill("#text", "The secret of "+user+" is safe.")
		p.expect(p.press("form.say button"), 200, "safe is "+user+" of secret the?", "api_calls: 1 of 20", "this one")
	}
	ann.open("/")
	ann.shows("secret of ann", "!bob")
	ann.check(source, "agents")
}
