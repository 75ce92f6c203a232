package ratelimit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Key names who is limited, by typed parts: user "a" at route "b/c" and user "a/b" at route "c" are two
// keys, without any joining of strings. Fill in what is known about the request; each Policy says by
// which parts it counts. A part may be of any length and content; it is hashed, not kept.
type Key struct {
	// Addr is the client's address with as many bits as count: Addr(a) gives /32 and /64. A mapped IPv4
	// address (::ffff:192.0.2.1) counts as that IPv4 address alone, whatever the bits say.
	Addr    netip.Prefix
	User    string // who signed in
	Session string // the session's public handle, never its token
	Route   string // the pattern that matched, not the path
	Name    string // anything else: an API key's id, an account name, a job
}

// Addr is the prefix by which a client's address should count: IPv4 alone, IPv6 by its /64 (one
// customer has at least that much), mapped IPv4 as IPv4, no zone.
func Addr(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// By is a set of parts of a Key. A policy By ByUser|ByRoute has a bucket for each user at each route.
type By uint8

const (
	ByAddr By = 1 << iota
	ByUser
	BySession
	ByRoute
	ByName
	// Everyone is one bucket for all: no part counts.
	Everyone

	byAll = ByAddr | ByUser | BySession | ByRoute | ByName
)

// String names the parts: "user+route".
func (by By) String() string {
	if by == 0 {
		return "key"
	}
	var names []string
	for i, name := range []string{"addr", "user", "session", "route", "name", "everyone"} {
		if by&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// parts says which parts the key has.
func (k *Key) parts() (have By) {
	if k.Addr.IsValid() {
		have |= ByAddr
	}
	if k.User != "" {
		have |= ByUser
	}
	if k.Session != "" {
		have |= BySession
	}
	if k.Route != "" {
		have |= ByRoute
	}
	if k.Name != "" {
		have |= ByName
	}
	return have
}

// only is the key reduced to the parts that a policy counts by.
func (k Key) only(by By) Key {
	if by == 0 {
		return k
	}
	if by&ByAddr == 0 {
		k.Addr = netip.Prefix{}
	}
	if by&ByUser == 0 {
		k.User = ""
	}
	if by&BySession == 0 {
		k.Session = ""
	}
	if by&ByRoute == 0 {
		k.Route = ""
	}
	if by&ByName == 0 {
		k.Name = ""
	}
	return k
}

// String is for logs: `user="ann" route="POST /login"`. Every part is quoted, so that what a client
// chose cannot forge a line.
func (k Key) String() string {
	var b strings.Builder
	part := func(name, value string) {
		if value == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if len(value) > 100 {
			value = value[:100] + "…"
		}
		fmt.Fprintf(&b, "%s=%q", name, value)
	}
	if k.Addr.IsValid() {
		part("addr", k.Addr.String())
	}
	part("user", k.User)
	part("session", k.Session)
	part("route", k.Route)
	part("name", k.Name)
	return b.String()
}

// network is the prefix in its canonical form: masked, and mapped IPv4 as IPv4 alone.
func network(p netip.Prefix) (hi, lo uint64, bits int, v6 bool) {
	a := p.Addr()
	bits = p.Bits()
	raw := a.As16()
	hi, lo = binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	if a.Is4() || a.Is4In6() {
		if a.Is4In6() {
			bits = 32
		}
		return 0, lo & (^uint64(0) << (32 - bits)), bits, false
	}
	if bits <= 64 {
		return hi & (^uint64(0) << (64 - bits)), 0, bits, true
	}
	return hi, lo & (^uint64(0) << (128 - bits)), bits, true
}

// widened is the same IPv6 network with fewer bits; ok is false where nothing is to be widened.
func widened(p netip.Prefix, bits int) (netip.Prefix, bool) {
	if a := p.Addr(); !a.Is6() || a.Is4In6() || p.Bits() <= bits {
		return p, false
	}
	return netip.PrefixFrom(p.Addr(), bits).Masked(), true
}
