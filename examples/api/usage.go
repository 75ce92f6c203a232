package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"example.com/hardy/ratelimit/quota"
)

// usage tells an account what it has used. It costs nothing.
func (a *api) usage(w http.ResponseWriter, r *http.Request) {
	report, err := a.ledger.Report(r.Context(), accountOf(r))
	if err != nil {
		a.fail(w, err)
		return
	}
	type line struct {
		Resource string       `json:"resource"`
		Used     json.Number  `json:"used"`
		Limit    *json.Number `json:"limit"` // null: measured only
		Percent  float64      `json:"percentage"`
		Period   float64      `json:"period_seconds"`
		ResetsAt *time.Time   `json:"resets_at,omitempty"`
	}
	lines := []line{}
	for _, u := range report {
		l := line{Resource: u.Resource, Used: json.Number(u.Decimal(u.Used)), Percent: u.Percent, Period: u.Seconds()}
		if u.Limit != quota.Unlimited {
			limit := json.Number(u.Decimal(u.Limit))
			l.Limit = &limit
		}
		if !u.ResetsAt.IsZero() {
			l.ResetsAt = &u.ResetsAt
		}
		lines = append(lines, l)
	}
	writeJSON(w, map[string]any{"account": accountOf(r), "plan": a.accounts.plan(accountOf(r)).name, "usage": lines})
}

// usageLine is a line of the page.
type usageLine struct {
	Resource, Text, Period, Resets string
	Percent                        int
	Measured, Soft                 bool
}

type accountUsage struct {
	Name, Plan string
	Lines      []usageLine
}

// report is the operator's page. In a program that others reach, it stands behind a sign-in.
func (a *api) report(w http.ResponseWriter, r *http.Request) {
	var all []accountUsage
	for _, name := range a.accounts.names() {
		u := accountUsage{Name: name, Plan: a.accounts.plan(name).name}
		report, err := a.ledger.Report(r.Context(), name)
		if err != nil {
			a.fail(w, err)
			return
		}
		for _, l := range report {
			q, _ := a.accounts.plan(name).quota(l.Resource)
			line := usageLine{
				Resource: l.Resource, Period: period(l.Period), Percent: int(l.Percent),
				Text:     strings.TrimPrefix(l.String(), l.Resource+": "),
				Measured: l.Limit == quota.Unlimited, Soft: q.Soft > 0 && l.Percent >= float64(q.Soft),
			}
			if !l.ResetsAt.IsZero() {
				line.Resets = l.ResetsAt.Format("2 January 15:04 MST")
			}
			u.Lines = append(u.Lines, line)
		}
		all = append(all, u)
	}
	render(w, http.StatusOK, "usage.html", all)
}

// period is in whose span the limit may be used, in words.
func period(p quota.Period) string {
	switch kind, zone, _ := strings.Cut(p.String(), " "); kind {
	case "day", "month":
		return "a " + kind + " (" + zone + ")"
	}
	return p.String()
}
