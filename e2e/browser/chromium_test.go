package browser

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// absent stops a test for something that this machine lacks: on a laptop it says so, on a machine of CI it fails.
func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("NOT RUN: " + what)
	}
	t.Skip("NOT RUN: " + what)
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

var (
	launch   sync.Once
	chromium context.Context
	launched error
	shutDown = func() {}
)

// theChromium starts Chromium once for all tests. Each test gets a browser context of its own in it, as a private window.
func theChromium(t *testing.T) context.Context {
	t.Helper()
	path := findChromium()
	if path == "" {
		absent(t, "there is no Chromium; on Debian: apt-get install chromium")
	}
	launch.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.IgnoreCertErrors, chromedp.WSURLReadTimeout(2*patience))
		if os.Geteuid() == 0 {
			options = append(options, chromedp.NoSandbox) // Chromium's own refuses root
		}
		allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
		var close context.CancelFunc
		chromium, close = chromedp.NewContext(allocator)
		shutDown = func() { close(); free() }
		launched = chromedp.Do(chromium)
	})
	if launched != nil {
		t.Fatalf("Chromium does not start: %v", launched)
	}
	return chromium
}

func TestMain(m *testing.M) {
	code := m.Run()
	shutDown()
	forgetProgram()
	os.Exit(code)
}

// patience bounds each step: this may be a small machine with much to do.
const patience = 30 * time.Second
