package middleware

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwarding is what is known about the way on which requests come.
type forwarding struct {
	ClientIPOptions
	trusted []netip.Prefix
}

// trouble is what keeps the walk from the client's address.
type trouble uint8

const (
	none     trouble = iota
	silent           // the trusted peer says nothing
	obscure          // what a trusted hop says is no address
	stranger         // a peer that looks like a proxy of this site is not among the trusted
	troubles
)

func (t trouble) text(field string) string {
	switch t {
	case silent:
		return "a trusted proxy sends no " + field + ", so that its clients count as one; let it send the field, or take it off the list (its own health checks come without, too)"
	case obscure:
		return "a trusted proxy's " + field + " holds an entry that is no address, so that such clients count as one; let it write addresses"
	}
	return "a peer on a private address sends " + field + " and is not trusted, so that the field counts for nothing; if it is a proxy of yours, list it"
}

func (f *forwarding) trusts(a netip.Addr) bool {
	for _, p := range f.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// find walks from the peer towards the client, as far as there is somebody to be believed.
func (f *forwarding) find(r *http.Request) (netip.Addr, trouble) {
	hop, lines := peer(r), r.Header[f.Field]
	switch {
	case hop.IsValid() && !f.trusts(hop):
		if len(lines) > 0 && local(hop) {
			return hop, stranger
		}
		return hop, none
	case !hop.IsValid() && !f.TrustSocket:
		return hop, none
	case len(lines) == 0:
		return hop, silent
	}
	// Several lines are one list (RFC 9110 §5.2), and the nearest hop has written at its end.
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			rest, entry, more = f.last(rest)
			a, ok := parseNode(entry)
			if !ok {
				return hop, obscure
			}
			if hop = a; !f.trusts(a) {
				return hop, none
			}
		}
	}
	return hop, none // all are trusted: one of them asks for itself
}

// last cuts the last entry off a list. An empty one is an entry: it stands for somebody whom the hop did
// not know, and skipping it would make what the client wrote the last.
func (f *forwarding) last(list string) (rest, entry string, more bool) {
	if f.Field == "Forwarded" {
		rest, element, more := lastElement(list)
		return rest, forwardedFor(element), more
	}
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// lastElement cuts at the last comma that is not quoted. It reads backwards, so that a quote which the client
// has left open, further left, swallows nothing.
func lastElement(list string) (rest, element string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			if before := list[:i]; (i-len(strings.TrimRight(before, `\`)))%2 == 0 {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return list[:i], list[i+1:], true
			}
		}
	}
	return "", list, false
}

// forwardedFor is the node of the only for= in an element (RFC 7239 §4), "" where there is none.
func forwardedFor(element string) (node string) {
	found := false
	for element != "" {
		var pair string
		pair, element = firstPair(element)
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if found {
			return ""
		}
		found, node = true, strings.Trim(value, " \t")
		if n := len(node); n >= 2 && node[0] == '"' && node[n-1] == '"' {
			node = node[1 : n-1]
		}
	}
	return node
}

// firstPair cuts at the first semicolon that is not quoted.
func firstPair(element string) (pair, rest string) {
	quoted := false
	for i := range len(element) {
		switch element[i] {
		case '"':
			quoted = !quoted
		case ';':
			if !quoted {
				return element[:i], element[i+1:]
			}
		}
	}
	return element, ""
}

// parseNode reads an entry: an address, alone or with a port, IPv6 in brackets or bare. "unknown" and
// obfuscated names (RFC 7239 §6.2, 6.3) are none; a port may be obfuscated.
func parseNode(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if s == "" || len(s) > 128 {
		return netip.Addr{}, false
	}
	host, port, six := s, "0", false
	switch i := strings.IndexByte(s, ':'); {
	case s[0] == '[':
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return netip.Addr{}, false
		}
		host, six = s[1:end], true
		if after := s[end+1:]; after != "" {
			if after[0] != ':' {
				return netip.Addr{}, false
			}
			port = after[1:]
		}
	case i >= 0 && i == strings.LastIndexByte(s, ':'):
		host, port = s[:i], s[i+1:]
	}
	a, err := netip.ParseAddr(host)
	if err != nil || six && !a.Is6() || !isPort(port) {
		return netip.Addr{}, false
	}
	a = a.Unmap().WithZone("")
	return a, !a.IsUnspecified()
}

func isPort(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	obfuscated := s[0] == '_'
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case obfuscated && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}
