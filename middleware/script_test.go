package middleware

import (
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestScript(t *testing.T) {
	h := Script()
	w := serve(h, httptest.NewRequest("GET", "/hardy.js", nil))
	tag := w.Header().Get("ETag")
	if w.Code != 200 || w.Body.String() != string(hardyJS) || len(hardyJS) == 0 {
		t.Errorf("GET: %d, %d bytes", w.Code, w.Body.Len())
	}
	for name, want := range map[string]string{
		"Content-Type":           "text/javascript; charset=utf-8",
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "public, max-age=3600",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !regexp.MustCompile(`^"[0-9a-f]{16}"$`).MatchString(tag) {
		t.Errorf("ETag %s", tag)
	}

	r := httptest.NewRequest("GET", "/hardy.js", nil)
	r.Header.Set("If-None-Match", tag)
	if w := serve(h, r); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("If-None-Match: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := serve(h, httptest.NewRequest("HEAD", "/hardy.js", nil)); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := serve(h, httptest.NewRequest("POST", "/hardy.js", nil)); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}

// Nothing in it needs more than script-src 'self', and nothing turns text into markup.
func TestScriptUnderStrictPolicy(t *testing.T) {
	for _, bad := range []string{"eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", ".style.", `"style"`, "createElement(\"style\")", "onclick", "javascript:", "import("} {
		if strings.Contains(string(hardyJS), bad) {
			t.Errorf("hardy.js holds %s", bad)
		}
	}
}

// The script finds the field as refuseEnded writes it, and dispatches the event that HX-Trigger names.
func TestScriptAgreesWithTheServer(t *testing.T) {
	v := visit(t, nil)
	v.end(t)
	r := httptest.NewRequest("POST", "/ring", nil)
	r.AddCookie(v.cookie)
	r.Header.Set("HX-Request", "true")
	w := serve(Sessions(v.manager, v.keys, nil)(nil), r)
	if got, want := w.Header().Get("WWW-Authenticate"), `Session error="expired", reason="revoked"`; got != want {
		t.Errorf("WWW-Authenticate %q, want %q, which hardy.js looks for", got, want)
	}
	if got, want := w.Header().Get("HX-Trigger"), `{"hardy:expired":{"reason":"revoked"}}`; got != want {
		t.Errorf("HX-Trigger %q, want %q", got, want)
	}
	if !strings.Contains(string(hardyJS), `addEventListener("hardy:expired"`) {
		t.Error("hardy.js listens for another event")
	}
}

func TestScriptBehaviour(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is not installed, so that nothing has run hardy.js")
	}
	if out, err := exec.Command(node, "--check", "hardy.js").CombinedOutput(); err != nil {
		t.Fatalf("hardy.js does not parse: %v\n%s", err, out)
	}
	out, err := exec.Command(node, "--test", "--test-reporter=tap", "testdata/hardy_test.mjs").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !regexp.MustCompile(`(?m)^# pass 1[5-9]$`).Match(out) {
		t.Errorf("too few tests ran:\n%s", out)
	}
}
