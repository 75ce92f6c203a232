package ratelimit

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Agent guide, 10: 100 calls in 60 s a session, further calls are refused.
func TestAgentGuide10HundredCallsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(nil, CallsPerMinute(100))
		key := Key{Session: "s1"}
		for i := range 100 {
			if !l.Allow(key) {
				t.Fatalf("call %d is refused", i+1)
			}
		}
		if l.Allow(key) {
			t.Error("the 101st call passes")
		}
		if !l.Allow(Key{Session: "s2"}) {
			t.Error("another session is refused")
		}
		time.Sleep(time.Minute)
		if !l.AllowN(key, 100) || l.Allow(key) {
			t.Error("after a minute there should be 100 again")
		}
	})
}

// Agent guide, 1: one user exhausts nothing for others.
func TestAgentGuide1OneUserExhaustsNothingForOthers(t *testing.T) {
	l := MustNew(nil, Policy{Name: "calls", Limit: Per(100, time.Hour), Burst: 100, By: ByUser})
	for range 10_000 {
		l.Allow(ann)
	}
	for i := range 100 {
		if !l.Allow(bob) {
			t.Fatalf("bob's call %d is refused", i)
		}
	}
}

// The 101st failed login of an account is refused whatever the address; the right password from a
// session that is known still works, because the policy of the account counts strangers only.
func TestFailedLoginsOfAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := MustNew(nil,
			Policy{Name: "account", Limit: Per(100, 24*time.Hour), Burst: 100, By: ByName, Optional: true},
			Policy{Name: "address", Limit: Per(10, time.Minute), Burst: 10, By: ByAddr},
			Policy{Name: "known", Limit: Per(10, time.Minute), Burst: 10, By: BySession, Optional: true})
		login := func(account, session string, addr int, right bool) string {
			key := Key{Name: account, Addr: Addr(netip.AddrFrom4([4]byte{10, 0, byte(addr >> 8), byte(addr)}))}
			if session != "" {
				key.Name, key.Session = "", session
			}
			held, res, err := logins.Reserve(t.Context(), key, 1)
			switch {
			case err != nil || !res.Allowed:
				return "refused"
			case right:
				held.Cancel() // only failures count
				return "in"
			}
			return "wrong"
		}
		for i := range 100 {
			if got := login("ann", "", i, false); got != "wrong" {
				t.Fatalf("failure %d: %s", i, got)
			}
		}
		for _, c := range []struct {
			account, session string
			addr             int
			right            bool
			want             string
		}{
			{"ann", "", 5000, false, "refused"},
			{"ann", "", 5001, true, "refused"},
			{"ann", "anns laptop", 5002, true, "in"},
			{"bob", "", 5003, true, "in"},
		} {
			if got := login(c.account, c.session, c.addr, c.right); got != c.want {
				t.Errorf("%+v: %s", c, got)
			}
		}
		for i := range 50 {
			login(fmt.Sprint("victim", i), "", 6000, false)
		}
		if got := login("one more", "", 6000, false); got != "refused" {
			t.Error("one address that tries many accounts:", got)
		}
		for range 1000 { // who signs in rightly is never shut out
			if got := login("cid", "", 7000, true); got != "in" {
				t.Fatal(got)
			}
		}
	})
}
