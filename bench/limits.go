package main

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rows of the limiters: go run . -limits.

// plenty is a burst that no row uses up.
const plenty = 1_000_000_000

func limitRows() []row {
	hot := func(*config) []string { return []string{"192.0.2.1"} }
	contestants := func(lookup bool, keys func(*config) []string, burst int, refused bool) (all []entry) {
		if !lookup {
			all = append(all, decide(loneName, lone, keys, burst, refused))
		}
		for _, e := range []struct {
			name string
			open func(terms) limiter
		}{
			{mapName, mutexMap}, {rateName, newHTTPRate}, {sethName, newGoLimiter}, {ululeName, newUlule},
			{throtName, newThrottled}, {tollName, newTollbooth}, {"Hardy", newHardyLimiter},
		} {
			all = append(all, decide(e.name, e.open, keys, burst, refused))
		}
		return all
	}
	peers := []string{mapName, rateName, sethName, ululeName, throtName, tollName}
	return []row{
		{
			name:    "hot key",
			entries: contestants(false, hot, plenty, false),
			bars: []bar{
				noSlower("Hardy", 1, 0.6, serial, loneName), noSlower("Hardy", 1, 0.6, parallel, loneName),
				allocations("Hardy", 0),
			},
		},
		{
			name:    "hot key, refused",
			entries: contestants(false, hot, 10, true),
			bars:    []bar{noSlower("Hardy", 1, 0.6, serial, loneName), noSlower("Hardy", 1, 0.6, parallel, loneName)},
		},
		{
			name:    "1 M keys",
			entries: contestants(true, networks, 1000, false),
			bars: []bar{
				noSlower("Hardy", 1, 0, serial, peers...), noSlower("Hardy", 1.15, 0, parallel, peers...),
				bytesAKey("Hardy", 64, 40), allocations("Hardy", 0),
			},
		},
		fieldsRow(),
	}
}

// networks are the keys of c.million clients: IPv6 networks of 64 bits, as text.
func networks(c *config) []string {
	c.once.Do(func() {
		c.networks = make([]string, c.million)
		for i := range c.networks {
			a := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
			c.networks[i] = netip.AddrFrom16(a).String()
		}
	})
	return c.networks
}

// noSlower asks that who takes at most so many times as long as the fastest of others.
func noSlower(who string, most, aim float64, m mode, others ...string) bar {
	return func(r *result) verdict {
		v := verdict{asked: fmt.Sprintf("≤ %g ×", most), mark: notRun, got: "–"}
		name, ratio := "the peers", 0.0
		w := r.figures[who]
		for _, other := range others {
			if o := r.figures[other]; w != nil && o != nil {
				if x := w.times(o, m); x > ratio {
					name, ratio = other, x
				}
			}
		}
		v.what = fmt.Sprintf("%s, %s, %v: beside %s", r.row.name, who, m, name)
		if len(others) > 1 && ratio > 0 {
			v.what += ", the fastest peer"
		}
		if ratio == 0 {
			return v
		}
		return v.atMost(ratio, "%.2f ×", most, aim)
	}
}

// bytesAKey asks that a key takes at most so many bytes.
func bytesAKey(who string, most, aim float64) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: bytes a key", r.row.name, who), asked: fmt.Sprintf("≤ %g", most), mark: notRun, got: "–"}
		f := r.figures[who]
		if f == nil {
			return v
		}
		return v.atMost(float64(f.size), "%.0f", most, aim)
	}
}

func (v verdict) atMost(got float64, format string, most, aim float64) verdict {
	v.got = fmt.Sprintf(format, got)
	if aim != 0 {
		v.asked += fmt.Sprintf(" (aim %g)", aim)
	}
	switch {
	case got > most || math.IsNaN(got):
		v.mark = short
	case aim != 0 && got <= aim:
		v.mark = aimMet
	default:
		v.mark = pass
	}
	return v
}

// keySheet lists what a key takes.
func keySheet(results []*result) sheet {
	s := sheet{head: []string{"1 M keys: bytes a key, the key's text included where it is kept", ""}}
	for _, r := range results {
		for _, e := range r.row.entries {
			if f := r.figures[e.name]; f != nil && f.size > 0 {
				s.lines = append(s.lines, []string{e.name, strconv.Itoa(f.size)})
			}
		}
	}
	return s
}

// failureSheet lists the calls that were neither admitted nor refused.
func failureSheet(results []*result) sheet {
	s := sheet{head: []string{"calls that ended with an error", ""}}
	for _, r := range results {
		for _, e := range r.row.entries {
			if f := r.figures[e.name]; f != nil && f.failed > 0 {
				s.lines = append(s.lines, []string{e.name + ", " + r.row.name, fmt.Sprintf("%.2g %%", 100*f.failed)})
			}
		}
	}
	return s
}

// sheet is a table that is no row: what was found once.
type sheet struct {
	head  []string
	lines [][]string
}

func (s sheet) String() string {
	if len(s.lines) == 0 {
		return ""
	}
	var b strings.Builder
	rule := strings.Repeat("|---", len(s.head)) + "|"
	for _, line := range slices.Concat([][]string{s.head, nil}, s.lines) {
		if line == nil {
			b.WriteString(rule + "\n")
			continue
		}
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
	}
	return b.String()
}
