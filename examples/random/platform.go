package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// platform is another service, as an app would call over the network. It knows users by their tokens, and remembers who
// called.
//
//	POST /tokens {"user": "ann"}   → {"token": "…"}
//	POST /rolls  {"number": 42}    with Authorization: Bearer …
//	GET  /calls                    → ["rolled 42", …], those of the token's user, newest first
type platform struct {
	mux   *http.ServeMux
	mu    sync.Mutex
	users map[string]string // by token
	calls map[string][]string
}

func newPlatform() *platform {
	p := &platform{mux: http.NewServeMux(), users: map[string]string{}, calls: map[string][]string{}}
	p.mux.HandleFunc("POST /tokens", func(w http.ResponseWriter, r *http.Request) {
		var ask struct{ User string }
		if json.NewDecoder(r.Body).Decode(&ask) != nil || ask.User == "" {
			http.Error(w, "who?", http.StatusBadRequest)
			return
		}
		token := rand.Text()
		p.mu.Lock()
		p.users[token] = ask.User
		p.mu.Unlock()
		json.NewEncoder(w).Encode(map[string]string{"token": token})
	})
	p.mux.HandleFunc("POST /rolls", p.as(func(w http.ResponseWriter, r *http.Request, user string) {
		var roll struct{ Number int }
		if json.NewDecoder(r.Body).Decode(&roll) != nil {
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		list := append([]string{fmt.Sprintf("rolled %d", roll.Number)}, p.calls[user]...)
		p.calls[user] = list[:min(len(list), 8)]
	}))
	p.mux.HandleFunc("GET /calls", p.as(func(w http.ResponseWriter, r *http.Request, user string) {
		p.mu.Lock()
		list := slices.Clone(p.calls[user])
		p.mu.Unlock()
		json.NewEncoder(w).Encode(list)
	}))
	return p
}

// as calls do for the user of the token that the request bears.
func (p *platform) as(do func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		user := p.users[bearer(r)]
		p.mu.Unlock()
		if user == "" {
			http.Error(w, "no such token", http.StatusUnauthorized)
			return
		}
		do(w, r, user)
	}
}

func bearer(r *http.Request) string {
	var token string
	fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token)
	return token
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// client calls the platform with one user's rights, over connections of its own.
type client struct {
	at, token string
	http      http.Client
}

func newClient(at, token string) *client {
	return &client{at: at, token: token, http: http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{IdleConnTimeout: time.Minute}}}
}

// Close gives the connections back.
func (c *client) Close() { c.http.CloseIdleConnections() }

// Rolled tells the platform of a number.
func (c *client) Rolled(ctx context.Context, n int) error {
	return c.do(ctx, "POST", "/rolls", map[string]int{"number": n}, nil)
}

// Calls returns what the platform has of this user.
func (c *client) Calls(ctx context.Context) (list []string, err error) {
	return list, c.do(ctx, "GET", "/calls", nil, &list)
}

// tokenFor asks the platform for a token that stands for the user.
func tokenFor(ctx context.Context, at, user string) (string, error) {
	var answer struct{ Token string }
	c := newClient(at, "")
	defer c.Close()
	return answer.Token, c.do(ctx, "POST", "/tokens", map[string]string{"user": user}, &answer)
}

func (c *client) do(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.at+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	got, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("the platform answered %s", got.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(got.Body).Decode(answer)
}
