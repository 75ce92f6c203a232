package scs_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// A sign-in while another tab has written: both count, and the new token opens the session.
func TestRenewBesideAWrite(t *testing.T) {
	processes(t, func(t *testing.T, here, there *scs.SessionManager) {
		token := begin(t, here, map[string]any{"a": 1})
		slow := load(t, here, token)
		other := load(t, there, token)
		there.Put(other, "b", 2)
		_, _, err := there.Commit(other)
		must(t, err)
		moment()
		must(t, here.RenewToken(slow))
		here.Put(slow, "user", "ann")
		fresh, _, err := here.Commit(slow)
		must(t, err)
		if keys := here.Keys(load(t, here, fresh)); fresh == token || !slices.Equal(keys, []string{"a", "b", "user"}) {
			t.Errorf("the new token opens %q", keys)
		}
	})
}

// What scs lets one request do in a row works in one request here, for a visitor without a session as well.
func TestOneRequestRenewsWhatItBegan(t *testing.T) {
	m := newManager()
	put := func(ctx context.Context) { m.Put(ctx, "a", m.GetInt(ctx, "a")+1) }
	commit := func(ctx context.Context) {
		_, _, err := m.Commit(ctx)
		must(t, err)
	}
	renew := func(ctx context.Context) { must(t, m.RenewToken(ctx)) }
	token := func(ctx context.Context) {
		if m.Token(ctx) == "" {
			t.Error("after RenewToken there is no token")
		}
	}
	for name, steps := range map[string][]func(context.Context){
		"commit, renew":                {commit, renew, put},
		"put, commit, renew":           {put, commit, renew},
		"put, commit, put, renew":      {put, commit, put, renew},
		"commit, renew, commit, renew": {put, commit, renew, commit, renew, commit},
		"renew, token":                 {put, renew, token},
		"renew, token, renew, token":   {put, renew, token, renew, token},
	} {
		b := newBrowser(t, m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for _, step := range steps {
				step(r.Context())
			}
		})))
		if a := b.get("/"); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if got := m.GetInt(load(t, m, b.token()), "a"); got == 0 {
			t.Errorf("%s: the cookie opens nothing", name)
		}
	}
}
