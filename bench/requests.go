package main

import (
	"net/http"
	"time"
)

// Rows of the middleware, request by request.

// task is what the visitors of a row ask for.
type task struct {
	of     func(*site) http.Handler
	others int // values beside the one that is read
	verify func(*requests) error
}

var (
	readOne    = task{func(s *site) http.Handler { return s.read }, 0, readRight}
	readOfMany = task{func(s *site) http.Handler { return s.read }, 19, readRight}
	countOne   = task{func(s *site) http.Handler { return s.count }, 0, countedRight}
	untouched  = task{func(s *site) http.Handler { return s.ping }, 0, stillThere}
)

// by makes an entry of a contestant at a task, over few or many sessions.
func by(name string, open func() *site, t task, size func(*config) int) entry {
	return entry{name, func(c *config) (job, error) {
		s := open()
		return visitEach(c, s, t.of(s), size(c), t.others, t.verify)
	}}
}

func byHardy(name string, t task, size func(*config) int) entry {
	return entry{name, func(c *config) (job, error) {
		s := newHardy()
		j, err := visitEach(c, s.site, t.of(s.site), size(c), t.others, t.verify)
		if err != nil {
			return nil, err
		}
		return &shown{j.(*requests), s.keys, name == coldName}, nil
	}}
}

func few(c *config) int  { return c.few }
func many(c *config) int { return c.many }

func plainSCS() *site { return newSCS(0) }
func idleSCS() *site  { return newSCS(30 * time.Minute) }

func requestRows() []row {
	stranger := func(name string, open func() *site) entry {
		return entry{name, func(c *config) (job, error) { return strangers(c, open()) }}
	}
	return []row{
		{
			name: "no cookie",
			entries: []entry{
				stranger("floor", floor), stranger(scsName, plainSCS), stranger(gorillaName, newGorilla),
				stranger("Hardy", func() *site { return newHardy().site }),
			},
			bars: []bar{faster("Hardy", scsName, 1.5, 0), allocations("Hardy", 4)},
		},
		{
			name: "read one int",
			entries: []entry{
				by("floor", floor, readOne, few), by(scsName, plainSCS, readOne, few), by(gorillaName, newGorilla, readOne, few),
				byHardy(warmName, readOne, few),
			},
			bars: []bar{faster(warmName, scsName, 8, 15), within(warmName, "floor", 5, 3)},
		},
		{
			name: "count",
			entries: []entry{
				by(scsName, plainSCS, countOne, few), by(gorillaName, newGorilla, countOne, few),
				byHardy(warmName, countOne, few),
			},
			bars: []bar{faster(warmName, scsName, 8, 0)},
		},
		{
			name: "20 keys, read one",
			entries: []entry{
				by(scsName, plainSCS, readOfMany, few), by(gorillaName, newGorilla, readOfMany, few),
				byHardy(warmName, readOfMany, few),
			},
			bars: []bar{faster(warmName, scsName, 10, 0)},
		},
		{
			name:    "untouched, 30 min idle timeout",
			entries: []entry{by(scsName, idleSCS, untouched, few), byHardy(warmName, untouched, few)},
			bars:    []bar{faster(warmName, scsName, 15, 0)},
		},
		{
			name:    "read one int, many sessions",
			entries: []entry{by(scsName, plainSCS, readOne, many), byHardy(coldName, readOne, many)},
			bars:    []bar{faster(coldName, scsName, 3, 0)},
		},
		{
			name:    "count, many sessions",
			entries: []entry{by(scsName, plainSCS, countOne, many), byHardy(coldName, countOne, many)},
			bars:    []bar{faster(coldName, scsName, 3, 0)},
		},
		{
			name:    "20 keys, read one, many sessions",
			entries: []entry{by(scsName, plainSCS, readOfMany, many), byHardy(coldName, readOfMany, many)},
		},
		{
			name:    "untouched, 30 min idle timeout, many sessions",
			entries: []entry{by(scsName, idleSCS, untouched, many), byHardy(coldName, untouched, many)},
			bars:    []bar{faster(coldName, scsName, 5, 0)},
		},
	}
}
