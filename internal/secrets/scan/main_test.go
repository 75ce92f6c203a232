package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

func TestScanFinds(t *testing.T) {
	sum := sha256.Sum256([]byte("a token")) // always the same: one in some hundred looks like something else
	token := string(sum[:])
	sealed, err := cookie.DevKeys("bell").Sealer("session", "x").Seal([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(token))
	for _, text := range []string{
		sealed, text, fmt.Sprintf("%x", token), fmt.Sprintf("%X", token), fmt.Sprint([]byte(token)),
		base64.RawStdEncoding.EncodeToString([]byte(token)), fmt.Sprintf("%#v", []byte(token)), fmt.Sprintf("key_%x", token),
		"session/" + text, text + "-" + text, "user_" + text + "_ann", "/pages/" + text + "/edit", // joined
		token, fmt.Sprintf("%q", token), fmt.Sprintf("%+q", token), fmt.Sprintf("%#v", token), // as it is
		canary + "-1",
	} {
		found, _, err := scan(strings.NewReader("ok\n--- FAIL: it is \"" + text + "\", not\nok\n"))
		if err != nil || len(found) == 0 {
			t.Errorf("not found: %q, %v", text, err)
		}
	}
}

// Of a thousand tokens in each form at most a few may look like something else.
func TestScanMissesFew(t *testing.T) {
	const tokens = 1000
	for form, write := range map[string]func(string) string{
		"joined":  func(s string) string { return "user_" + base64.RawURLEncoding.EncodeToString([]byte(s)) + "/x" },
		"raw":     func(s string) string { return s },
		"escaped": func(s string) string { return fmt.Sprintf("%q", s) },
	} {
		missed := 0
		for range tokens {
			if found, _, _ := scan(strings.NewReader("it is " + write(session.Sealed.NewSecret()) + ", not\n")); len(found) == 0 {
				missed++
			}
		}
		if t.Logf("%s: %d of %d missed", form, missed, tokens); missed > tokens/50 {
			t.Errorf("%s: %d of %d missed", form, missed, tokens)
		}
	}
}

func TestScanLeavesTheRest(t *testing.T) {
	for _, line := range []string{
		"=== RUN   TestEndedSessionIsMet/aware_GET_htmx_strict_unknown_12",
		"2000/01/01 00:02:00 INFO session: signed out session=yEL8oEPSUKjUDU1jM7tD5w user=bob",
		"    /src/hardy/middleware/security_test.go:123: it works as it should, and nothing is there",
		"--- PASS: TestMovingEndsWhereTheNewStoreIsFullOfLiveRecords (0.00s)",
	} {
		if found, _, _ := scan(strings.NewReader(line)); len(found) != 0 {
			t.Error(found)
		}
	}
}
