package middleware

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/hardy/ratelimit"
)

// tell sets the fields. Those of a RateLimit further out stand before them, in the same lists; but in a refusal
// their time would be later than Retry-After, and only those that refuse are told.
func (h *rateLimit) tell(head http.Header, res *ratelimit.Result) {
	if h.Legacy {
		setLegacy(head, res)
	}
	if h.NoFields {
		return
	}
	var room [256]byte
	both := h.Fields.AppendPolicy(room[:0], res)
	n := len(both)
	if n == 0 {
		return // no policy to be told
	}
	text := string(h.Fields.AppendLimit(both, res))
	if !res.Allowed {
		delete(head, "Ratelimit")
	}
	lines := new(fields)
	lines[0], lines[1] = text[:n], text[n:]
	setOrAdd(head, "Ratelimit-Policy", lines[0:1:1])
	setOrAdd(head, "Ratelimit", lines[1:2:2])
}

func setOrAdd(head http.Header, name string, line []string) {
	if outer := head[name]; len(outer) > 0 {
		line = append(outer[:len(outer):len(outer)], line[0])
	}
	head[name] = line
}

func setLegacy(head http.Header, res *ratelimit.Result) {
	st, ok := res.Tightest()
	if !ok || st.Limit == ratelimit.Inf {
		return
	}
	full := time.Now().Add(st.Reset + time.Second - 1).Unix()
	head["X-Ratelimit-Limit"] = []string{strconv.Itoa(st.Burst)}
	head["X-Ratelimit-Remaining"] = []string{strconv.Itoa(st.Remaining)}
	head["X-Ratelimit-Reset"] = []string{strconv.FormatInt(full, 10)}
}

// quotaExceeded is the problem type of draft-ietf-httpapi-ratelimit-headers-11, section 10.
const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

// TooMany answers a request that a handler's own call of a limiter has refused (a Reservation that was not
// granted, say) as RateLimit with these options would: the fields, Retry-After, and a page or
// application/problem+json. The handler writes nothing more. o may be nil; what RateLimit does before it answers
// (Cost, Routes, IPv6) does not matter here. For a quota that is exceeded, which has no Result, write an answer
// of your own.
func TooMany(w http.ResponseWriter, r *http.Request, res ratelimit.Result, o *RateLimitOptions) {
	h := rateLimit{}
	if o != nil {
		h.RateLimitOptions = *o
	}
	h.setDefaults()
	h.tell(w.Header(), &res)
	h.refuse(w, r, &res)
}

// refuse answers who is over a limit.
func (h *rateLimit) refuse(w http.ResponseWriter, r *http.Request, res *ratelimit.Result) {
	retry := res.RetrySeconds()
	violated := res.AppendViolated(nil)
	head := w.Header()
	head.Set("Cache-Control", noStore)
	if retry > 0 {
		head.Set("Retry-After", strconv.FormatInt(retry, 10))
	}
	if r.Header.Get("HX-Request") != "" {
		head.Set("HX-Trigger", fmt.Sprintf(`{"hardy:limited":{"retryAfter":%d,"policies":%s}}`, retry, violated))
	}
	if h.OnLimited != nil {
		h.OnLimited(w, r, *res)
		return
	}
	answer(w, r, problem{
		Type: quotaExceeded, Status: http.StatusTooManyRequests, Violated: violated,
		Title: "Too many requests", Detail: "Nothing was changed. " + patience(retry), page: h.Page,
	})
}

// patience says when to come again.
func patience(seconds int64) string {
	switch {
	case seconds == 0:
		return "This is not available to you at the moment."
	case seconds == 1:
		return "Please try again in a second."
	case seconds < 120:
		return fmt.Sprintf("Please try again in %d seconds.", seconds)
	case seconds < 120*60:
		return fmt.Sprintf("Please try again in %d minutes.", (seconds+59)/60)
	}
	return fmt.Sprintf("Please try again in %d hours.", (seconds+3599)/3600)
}
