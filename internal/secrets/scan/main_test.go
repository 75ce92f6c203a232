package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
)

func TestScanFinds(t *testing.T) {
	token := session.Sealed.NewSecret()
	sealed, err := cookie.DevKeys("bell").Sealer("session", "x").Seal([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		sealed, cookie.NewMaster(), fmt.Sprintf("%x", token), fmt.Sprintf("%X", token), fmt.Sprint([]byte(token)),
		base64.RawStdEncoding.EncodeToString([]byte(token)),
	} {
		found, _, err := scan(strings.NewReader("ok\n--- FAIL: it is \"" + text + "\", not\nok\n"))
		if err != nil || len(found) != 1 {
			t.Errorf("not found: %q, %v", text, err)
		}
	}
}

func TestScanLeavesTheRest(t *testing.T) {
	for _, line := range []string{
		"=== RUN   TestEndedSessionIsMet/aware_GET_htmx_strict_unknown_12",
		"2000/01/01 00:02:00 INFO session: signed out session=yEL8oEPSUKjUDU1jM7tD5w user=bob",
		"    /work/main/middleware/security_test.go:123: it works as it should, and nothing is there",
		"--- PASS: TestMovingEndsWhereTheNewStoreIsFullOfLiveRecords (0.00s)",
	} {
		if found, _, _ := scan(strings.NewReader(line)); len(found) != 0 {
			t.Error(found)
		}
	}
}
