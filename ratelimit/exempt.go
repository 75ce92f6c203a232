package ratelimit

import "net/netip"

// ExemptAddrs is an Options.Exempt: keys whose whole address lies in one of the prefixes, and which have
// an address. Mapped IPv4 counts as IPv4.
func ExemptAddrs(prefixes ...netip.Prefix) func(Key) bool {
	list := append([]netip.Prefix(nil), prefixes...)
	return func(k Key) bool {
		a, bits := k.Addr.Addr().Unmap(), k.Addr.Bits()
		if k.Addr.Addr().Is4In6() {
			bits = 32
		}
		for _, p := range list {
			if k.Addr.IsValid() && bits >= p.Bits() && p.Contains(a) {
				return true
			}
		}
		return false
	}
}
