package main

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/hardy/middleware"
	"example.com/hardy/ratelimit"
	"example.com/hardy/ratelimit/quota"
)

// plan is what an account pays for.
type plan struct {
	name   string
	calls  ratelimit.Tier
	tokens ratelimit.Tier
	quotas map[string]quota.Quota
}

var (
	free = &plan{
		name:   "free",
		calls:  ratelimit.Tier{Limit: 2, Burst: 10},
		tokens: ratelimit.Tier{Limit: ratelimit.Per(600, time.Minute), Burst: 600},
		quotas: map[string]quota.Quota{
			"api_calls":       {Limit: 200, Period: quota.Day(nil), Soft: 80},
			"tokens":          {Limit: 5_000, Period: quota.Month(nil), Soft: 80},
			"compute_seconds": {Limit: quota.Unlimited, Period: quota.Month(nil)}, // measured only
		},
	}
	pro = &plan{
		name:   "pro",
		calls:  ratelimit.Tier{Limit: 20, Burst: 100},
		tokens: ratelimit.Tier{Limit: ratelimit.Per(6000, time.Minute), Burst: 6000},
		quotas: map[string]quota.Quota{
			"api_calls":       {Limit: 100_000, Period: quota.Day(nil), Soft: 80},
			"tokens":          {Limit: 2_000_000, Period: quota.Month(nil), Soft: 80},
			"compute_seconds": {Limit: quota.Unlimited, Period: quota.Month(nil)},
		},
	}
)

func (p *plan) quota(resource string) (quota.Quota, bool) {
	q, ok := p.quotas[resource]
	return q, ok
}

// accounts by the hash of their key: whoever reads the table opens nothing with it. A real key is 32 random
// bytes, so that a plain hash is enough.
type accounts map[[sha256.Size]byte]account

type account struct {
	name string
	plan *plan
}

var demoAccounts = accounts{
	sha256.Sum256([]byte("free-ann")): {"ann", free},
	sha256.Sum256([]byte("pro-bob")):  {"bob", pro},
}

func (a accounts) plan(name string) *plan {
	for _, account := range a { // two of them; a program with more keeps a second map
		if account.name == name {
			return account.plan
		}
	}
	return free
}

func (a accounts) names() (names []string) {
	for _, account := range a {
		names = append(names, account.name)
	}
	slices.Sort(names)
	return names
}

type accountKey struct{}

// accountOf is the account whose key the request showed. Behind authenticate there is one.
func accountOf(r *http.Request) string {
	name, _ := r.Context().Value(accountKey{}).(string)
	return name
}

// wrongKey is what a guess costs its address, beside the call: a hundred units a hundred times as fast.
const wrongKey = 20

// authenticate lets in who shows a key. The limit by address stands before it.
func (a *api) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		account, ok := a.accounts[sha256.Sum256([]byte(key))]
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			if key != "" {
				from := ratelimit.Key{Addr: ratelimit.Addr(middleware.ClientAddr(r))}
				if err := a.address.Penalize(from, wrongKey); err != nil {
					a.log.Error("a wrong key was not charged", "error", err)
				}
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
			problem{Status: http.StatusUnauthorized, Title: "Show your key", Detail: "Send it as Authorization: Bearer …; free-ann and pro-bob are keys of this example."}.write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, account.name)))
	})
}
