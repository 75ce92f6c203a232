package browser

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

// Cookies as Chromium stored them: names, attributes and ends, over plain HTTP and over TLS. Those of the second app's
// host are the shared one alone.
func TestCookiesAsStored(t *testing.T) {
	const days = 24 * time.Hour
	for name, c := range map[string]struct {
		flags               []string
		session, own, share string
		secure              bool
	}{
		"HTTP": {nil, "bell-session", "bell-local", "belfry-shared", false},
		"TLS":  {certificate(t), "__Host-bell-session", "__Host-bell-local", "__Secure-belfry-shared", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hang(t, c.flags...)
			p := visitor(t, b.site("bell"))
			p.open("/")
			p.press("button.bell")
			p.open("/cookies")
			p.fill("#name", "Bob")
			p.press("form[action='/cookies/name'] button")
			p.shows("Change it")
			p.fill("#greeting", "Moin")
			p.press("form[action='/cookies/greeting'] button")
			p.shoot("cookies")
			p.expect(p.open("/"), 200, "Moin, Bob.")

			stored := p.cookies(b.site("bell"))
			if len(stored) != 3 {
				t.Errorf("%d cookies: %v", len(stored), stored)
			}
			for _, want := range []struct {
				name, domain string
				lives        time.Duration
			}{{c.session, "bell.hardy.localhost", 0}, {c.own, "bell.hardy.localhost", 3 * days}, {c.share, ".hardy.localhost", 30 * days}} {
				got := stored[want.name]
				if got == nil {
					t.Errorf("there is no %s", want.name)
					continue
				}
				if got.Domain != want.domain || got.Path != "/" || !got.HTTPOnly || got.Secure != c.secure || got.SameSite != network.CookieSameSiteLax {
					t.Errorf("%s: %+v", want.name, got)
				}
				if got.Session != (want.lives == 0) {
					t.Errorf("%s ends with the browser: %v", want.name, got.Session)
				}
				if lives := time.Until(time.Unix(int64(got.Expires), 0)); want.lives > 0 && (lives > want.lives+time.Second || lives < want.lives-time.Minute) {
					t.Errorf("%s lives %v, want %v", want.name, lives, want.lives)
				}
				if strings.Contains(got.Value, "Bob") || strings.Contains(got.Value, "Moin") {
					t.Errorf("%s says %s", want.name, got.Value)
				}
			}
			if seen := eval[string](p, "document.cookie"); seen != "" {
				t.Errorf("scripts see %s", seen)
			}

			p.expect(p.open(b.site("two")+"/"), 200, "Moin from the second app", "knows it: none", c.share, "!"+c.own, "!"+c.session, "!Bob")
			p.shoot("two")
			if there := p.cookies(b.site("two")); len(there) != 1 || there[c.share] == nil {
				t.Errorf("the second app gets %v", there)
			}
			p.fill("#greeting", "Salut")
			p.press("form[action='/cookies/greeting'] button")
			p.expect(p.open("/"), 200, "Salut, Bob.")

			p.open("/cookies")
			p.press("form[action='/cookies/clear'] button")
			if stored := p.cookies(b.site("bell")); stored[c.own] != nil || stored[c.share] == nil {
				t.Errorf("after emptying the jar there is %v", stored)
			}
		})
	}
}

// On a host without a domain of its own, 127.0.0.1 or localhost, a shared cookie can't be. The page says where it can.
func TestSharedCookieNeedsADomain(t *testing.T) {
	t.Parallel()
	b := hang(t)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		p := visitor(t, "http://"+host+":"+b.port)
		p.expect(p.open("/cookies"), 200, "only for hosts of one domain", "http://bell.hardy.localhost:"+b.port+"/cookies")
		p.open("/")
		p.expect(p.press("button.bell"), 200, "rang 1 time")
		if stored := p.cookies(p.site); len(stored) != 1 || stored["bell-session"] == nil {
			t.Errorf("%s: %v", host, stored)
		}
	}
}

// curl takes the same cookies: it, too, knows that hosts below hardy.localhost may share one.
func TestCurl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		absent(t, "there is no curl")
	}
	b := hang(t)
	jar := filepath.Join(t.TempDir(), "jar")
	curl := func(args ...string) string {
		out, err := exec.Command("curl", append([]string{"-s", "-S", "-L", "-m", "20", "--noproxy", "*", "-b", jar, "-c", jar}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for n := 1; n <= 3; n++ {
		if page := curl("-d", "", b.site("bell")+"/ring"); !strings.Contains(page, fmt.Sprintf("rang <strong>%d</strong>", n)) {
			t.Fatalf("curl rang:\n%s", page)
		}
	}
	curl("-d", "greeting=Servus", b.site("bell")+"/cookies/greeting")
	if page := curl(b.site("two") + "/"); !strings.Contains(page, "Servus from the second app") {
		t.Errorf("the second app says:\n%s", page)
	}
}
