// Package device tells people their sessions apart: by browser and system, and by where a request comes from.
package device

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mileusna/useragent"

	"example.com/hardy/middleware"
)

// Of is a middleware.Options.Describe: "device" is browser and system in words, "Firefox on Linux", by which people recognise
// their own in a list; "address" is the network that they come from, an IPv4 address by its /24 and an IPv6 address by
// its /48, as middleware.ClientAddr finds it. Versions are left out: an update is no other device. Anybody can say anything in a
// User-Agent, and addresses change on the way: take a change for a hint, and no more.
func Of(r *http.Request) map[string]string {
	return map[string]string{"device": name(r.UserAgent()), "address": network(r)}
}

func name(agent string) string {
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	ua := useragent.Parse(agent)
	browser, system := plain(ua.Name), plain(ua.OS)
	switch {
	case browser == "":
		return "another program"
	case system == "":
		return browser
	}
	return browser + " on " + system
}

const (
	maxAgent = 512 // bytes of a User-Agent that are looked at
	maxPlain = 32  // characters of a name in it that are kept
)

// plain is what can stand in a list: names that the parser does not know come from the client.
func plain(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n == maxPlain {
			break
		}
		if c != utf8.RuneError && unicode.IsPrint(c) {
			b.WriteRune(c)
			n++
		}
	}
	return strings.TrimSpace(b.String())
}

func network(r *http.Request) string {
	a := middleware.ClientAddr(r).Unmap().WithZone("")
	if !a.IsValid() {
		return "" // a peer without an address, such as a Unix socket
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}
