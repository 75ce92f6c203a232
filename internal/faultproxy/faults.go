package faultproxy

import "time"

// Faults returns what may happen to proxies, for who draws from it at random: each begins a fault of one proxy, or the
// same fault of all, and returns what ends it.
func Faults(proxies ...*Proxy) []func() (heal func()) {
	kinds := []func(*Proxy){
		func(p *Proxy) { p.Delay(3 * time.Millisecond) },
		func(p *Proxy) { p.Hold(true) },
		func(p *Proxy) { p.Refuse(true); p.Cut() },
		func(p *Proxy) { p.LoseAnswers(1) },
		func(p *Proxy) { p.LoseAnswers(-1) },
		(*Proxy).Cut,
		(*Proxy).HalfClose,
	}
	var all []func() (heal func())
	on := func(kind func(*Proxy), some ...*Proxy) {
		all = append(all, func() func() {
			for _, p := range some {
				kind(p)
			}
			return func() {
				for _, p := range some {
					p.Heal()
				}
			}
		})
	}
	for _, kind := range kinds {
		for _, p := range proxies {
			on(kind, p)
		}
		on(kind, proxies...)
	}
	return all
}
