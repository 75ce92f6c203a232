package linear

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchTime is how long the search for an order may take. It takes milliseconds.
const searchTime = time.Minute

// check looks for an order of the history, record by record, and returns what has none.
func (h *history) check() string {
	if h.strange != "" {
		return h.strange
	}
	if s := h.rotated(); s != "" {
		return s
	}
	calls := make(map[string][]done, len(h.ids))
	now := moment(0)                  // the last that a store was told
	users := make(map[[2]string]bool) // id and user, where somebody wanted to create that
	for _, d := range h.done {
		if d.call.op == create {
			users[[2]string{d.call.id, d.call.record.user}] = true
		}
		calls[d.call.id] = append(calls[d.call.id], d)
		now = max(now, d.call.record.seen, d.call.how.at)
	}
	for _, l := range h.lists {
		for _, id := range h.ids {
			if _, shown := l.shown[id]; !shown && !users[[2]string{id, l.user}] {
				continue
			}
			d := done{l.client, call{op: list, id: id, user: l.user}, answer{record: l.shown[id]}, l.from, l.to}
			calls[id] = append(calls[id], d)
			delete(l.shown, id)
		}
		for _, r := range l.shown {
			return fmt.Sprintf("List(%s) shows %v, which nobody created", short(l.user), r)
		}
	}
	for _, id := range h.ids {
		if s := search(calls[id], now, &h.tally); s != "" {
			return s
		}
	}
	return ""
}

// rotated returns a List that missed the session that was rotated meanwhile: rule 9.
func (h *history) rotated() string {
	for _, l := range h.lists {
		if l.user != h.users[0] || h.rotary == 0 || l.from < h.rotary {
			continue
		}
		there := false
		for _, r := range l.shown {
			there = there || r.handle == h.handle
		}
		if !there {
			return fmt.Sprintf("List(%s) from %v to %v shows neither the session that was rotated nor its successor",
				short(l.user), time.Duration(l.from), time.Duration(l.to))
		}
	}
	return ""
}

// search looks for an order of the calls on one record, and counts how long that took.
func search(calls []done, now moment, t *tally) string {
	operations := make([]porcupine.Operation, 0, len(calls))
	for _, d := range calls {
		operations = append(operations, porcupine.Operation{ClientId: d.client, Input: d.call, Output: d.answer, Call: d.from, Return: d.to})
	}
	model := porcupine.Model{
		Init: func() any { return record{} },
		Step: func(state, input, output any) (bool, any) {
			want, next := apply(state.(record), input.(call))
			return want.allows(output.(answer), now), next
		},
	}
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(model, operations, searchTime)
	t.longest = max(t.longest, time.Since(began))
	switch result {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return fmt.Sprintf("no order was found within %v:\n%s", searchTime, describe(calls, nil))
	}
	var longest []porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	return describe(calls, longest)
}

// describe lists the calls on a record by when they began. Those that some order could place are numbered in it.
func describe(calls []done, order []porcupine.Operation) string {
	slices.SortFunc(calls, func(a, b done) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d calls could be put in order\n", len(order), len(calls))
	for _, d := range calls {
		place := "-"
		for i, o := range order {
			if o.ClientId == d.client && o.Call == d.from {
				place = fmt.Sprint(i + 1)
			}
		}
		until := "?"
		if d.to != endless {
			until = time.Duration(d.to).Round(time.Microsecond).String()
		}
		fmt.Fprintf(&b, "%4s  client %d  %10v to %-10s  %v = %v\n", place, d.client, time.Duration(d.from).Round(time.Microsecond), until, d.call, d.answer)
	}
	return b.String()
}
