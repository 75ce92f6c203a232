package main

import "fmt"

// bar is what a row must show.
type bar func(r *result) verdict

// verdict says how a row stands to one bar.
type verdict struct {
	what  string // who against whom
	asked string
	got   string
	mark  mark
}

type mark string

const (
	pass   mark = "pass"
	aimMet mark = "pass, aim met"
	short  mark = "SHORT"
	notRun mark = "NOT RUN"
)

// faster asks that who does the task at least so many times as fast as than, in every mode of the row.
// aim is what we would like; 0: no more than the bar.
func faster(who, than string, least, aim float64) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: faster than %s", r.row.name, who, than), asked: fmt.Sprintf("≥ %g ×", least)}
		return v.judge(r, who, than, least, aim, func(w, t *figures, m mode) float64 { return t.times(w, m) }, func(a, b float64) bool { return a >= b })
	}
}

// within asks that who takes at most so many times as long as floor.
func within(who, floor string, most, aim float64) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: beside the floor", r.row.name, who), asked: fmt.Sprintf("≤ %g ×", most)}
		return v.judge(r, who, floor, most, aim, func(w, f *figures, m mode) float64 { return w.times(f, m) }, func(a, b float64) bool { return a <= b })
	}
}

func (v verdict) judge(r *result, who, other string, want, aim float64, ratio func(who, other *figures, m mode) float64, good func(got, want float64) bool) verdict {
	w, o := r.figures[who], r.figures[other]
	if w == nil || o == nil {
		v.mark, v.got = notRun, "–"
		return v
	}
	v.mark = pass
	if aim != 0 {
		v.mark = aimMet
		v.asked += fmt.Sprintf(" (aim %g)", aim)
	}
	for m := range modes {
		if len(w.rounds[m]) == 0 {
			continue
		}
		got := ratio(w, o, m)
		if v.got != "" {
			v.got += " · "
		}
		v.got += fmt.Sprintf("%.3g ×", got)
		switch {
		case !good(got, want):
			v.mark = short
		case v.mark == aimMet && !good(got, aim):
			v.mark = pass
		}
	}
	return v
}

// allocations asks for at most so many a task.
func allocations(who string, most float64) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: allocations", r.row.name, who), asked: fmt.Sprintf("≤ %g", most)}
		f := r.figures[who]
		if f == nil {
			v.mark, v.got = notRun, "–"
			return v
		}
		// A garbage collection that falls into a timing allocates a little of its own.
		v.got = fmt.Sprintf("%.1f", f.allocs)
		return v.when(f.allocs < most+0.5)
	}
}

// smaller asks that who's product takes fewer bytes than than's.
func smaller(who, than string) bar {
	return func(r *result) verdict {
		v := verdict{what: fmt.Sprintf("%s, %s: size beside %s", r.row.name, who, than), asked: "smaller"}
		w, t := r.figures[who], r.figures[than]
		if w == nil || t == nil {
			v.mark, v.got = notRun, "–"
			return v
		}
		v.got = fmt.Sprintf("%d of %d bytes", w.size, t.size)
		return v.when(w.size < t.size)
	}
}

func (v verdict) when(ok bool) verdict {
	if v.mark = short; ok {
		v.mark = pass
	}
	return v
}
