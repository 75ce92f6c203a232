package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
)

// problem is an error as clients get it (RFC 9457).
type problem struct {
	Type     string          `json:"type,omitempty"`
	Status   int             `json:"status"`
	Title    string          `json:"title"`
	Detail   string          `json:"detail,omitempty"`
	Violated json.RawMessage `json:"violated-policies,omitempty"`
	Limit    int             `json:"limit,omitempty"`
}

const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

func (p problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}

// fields tells how a client stands with a limiter that a handler has asked, after those of the middleware.
func fields(w http.ResponseWriter, res *ratelimit.Result) {
	w.Header().Add("RateLimit-Policy", string(ratelimit.Draft11.AppendPolicy(nil, res)))
	w.Header().Add("RateLimit", string(ratelimit.Draft11.AppendLimit(nil, res)))
}

// refused answers for the ledger.
func (a *api) refused(w http.ResponseWriter, err error) {
	var over *quota.ExceededError
	if !errors.As(err, &over) {
		a.fail(w, err)
		return
	}
	if !over.RetryAt.IsZero() {
		seconds := int64((time.Until(over.RetryAt) + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(max(1, seconds), 10))
	}
	violated, _ := json.Marshal([]string{over.Resource})
	problem{Type: quotaExceeded, Status: http.StatusTooManyRequests, Title: over.Error(), Violated: violated}.write(w)
}

func (a *api) fail(w http.ResponseWriter, err error) {
	a.log.Error("a call could not be decided", "error", err)
	problem{Status: http.StatusInternalServerError, Title: "The call could not be served"}.write(w)
}
