package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
)

var quotes = []string{
	"Strike while the iron is hot.",
	"Between the hammer and the anvil.",
	"All are not smiths that blow the bellows.",
}

// quote is a call of ordinary cost.
func (a *api) quote(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, map[string]string{"quote": quotes[time.Now().UnixNano()%int64(len(quotes))]})
}

const mostTokens = 1000

// generate is a call whose cost is known only when it is over. It reserves the most that it may cost, so that
// calls side by side cannot overspend together, and gives back what was not needed.
func (a *api) generate(w http.ResponseWriter, r *http.Request) {
	in := struct {
		Prompt    string `json:"prompt"`
		MaxTokens int    `json:"max_tokens"`
	}{MaxTokens: 200}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Prompt == "" || in.MaxTokens < 1 || in.MaxTokens > mostTokens {
		problem{Status: http.StatusUnprocessableEntity, Title: "The call makes no sense", Detail: `Send {"prompt": "…", "max_tokens": 1 to 1000}.`}.write(w)
		return
	}
	user, most := accountOf(r), int64(in.MaxTokens)
	key := ratelimit.Key{User: user}
	if burst := a.accounts.plan(user).tokens.Burst; in.MaxTokens > burst {
		problem{Status: http.StatusUnprocessableEntity, Title: "The plan never grants so many tokens at once", Limit: burst}.write(w)
		return
	}
	held, res, err := a.tokens.Reserve(r.Context(), key, in.MaxTokens)
	if err != nil {
		a.fail(w, err)
		return
	}
	if !res.Allowed {
		middleware.TooMany(w, r, res, nil)
		return
	}
	defer held.Cancel() // once settled, it does nothing; a panic gives all back
	if err := a.ledger.Consume(r.Context(), user, "tokens", most); err != nil {
		a.refused(w, err)
		return
	}

	began := time.Now()
	text, used := write(in.Prompt, in.MaxTokens)

	if err := held.Settle(used); err != nil {
		a.log.Error("settling", "error", err)
	}
	if err := a.ledger.Refund(r.Context(), user, "tokens", most-int64(used)); err != nil {
		a.log.Error("refunding tokens", "error", err)
	}
	if err := a.ledger.Consume(r.Context(), user, "compute_seconds", time.Since(began).Milliseconds()+1); err != nil {
		a.log.Error("measuring", "error", err)
	}
	res = a.tokens.Peek(key)
	fields(w, &res)
	writeJSON(w, map[string]any{"text": text, "tokens_used": used})
}

// write stands for a model: it answers each word with one, as far as it may.
func write(prompt string, most int) (text string, used int) {
	words := strings.Fields(prompt)
	if len(words) > most {
		words = words[:most]
	}
	for i, word := range words {
		words[i] = strings.ToUpper(word)
	}
	return strings.Join(words, " "), len(words)
}

// countCall puts a call on the account, exactly, once the limits have let it pass.
func (a *api) countCall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cost(r) > 0 {
			if err := a.ledger.Consume(r.Context(), accountOf(r), "api_calls", 1); err != nil {
				a.refused(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
