package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// downStore is a memstore that can't be asked while down is true.
type downStore struct {
	*memstore.MemStore
	down bool
}

func (s *downStore) Find(token string) ([]byte, bool, error) {
	if s.down {
		return nil, false, errors.New("connection refused")
	}
	return s.MemStore.Find(token)
}

// Of the six ways to come without a live session that middleware.TestSixOutcomes tells apart, scs gives one and the same
// blank session for five: nothing that its program can ask differs from a first visit. Only where the store is down
// is there another answer, a 500. A write then begins a new session without a word, where Hardy refuses it.
func TestOutcomesOfAPeer(t *testing.T) {
	for _, row := range []struct {
		name string
		// token makes what the browser sends from the token of a live session with 3 rings.
		token  func(p *peer, genuine string) string
		status int
	}{
		{"no cookie", func(*peer, string) string { return "" }, 200},
		{"forged", func(_ *peer, genuine string) string {
			if strings.HasPrefix(genuine, "x") {
				return "y" + genuine[1:]
			}
			return "x" + genuine[1:]
		}, 200},
		{"unknown key", func(p *peer, _ string) string { // it seals nothing: another deployment's token is as near as it comes
			return newPeer(p.t).born()
		}, 200},
		{"ended", func(_ *peer, genuine string) string { time.Sleep(31 * time.Minute); return genuine }, 200},
		{"store down", func(p *peer, genuine string) string { p.store.down = true; return genuine }, 500},
		{"rotated", func(p *peer, genuine string) string { p.send("/renew", genuine); return genuine }, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				genuine := p.born()
				if got := p.send("/look", genuine); got.rings != 3 || got.status != 200 {
					t.Fatalf("the live session: %+v", got)
				}
				token := row.token(p, genuine)
				want := peerAnswer{status: row.status}
				if got := p.send("/look", token); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
				if got := p.send("/ring", token); got.status != row.status || (got.token != "") != (row.status == 200) || got.token == genuine && token != "" {
					t.Errorf("a write: %+v", got)
				}
			})
		})
	}
}

// peer is an application on scs as its README sets it up, with Hardy's idle timeout.
type peer struct {
	t     *testing.T
	store *downStore
	h     http.Handler
}

// peerAnswer is all that an answer, and the program through its session, can tell.
type peerAnswer struct {
	status   int
	rings    int
	keys     int
	modified scs.Status
	token    string // that the answer sets
}

func newPeer(t *testing.T) *peer {
	p := &peer{t: t, store: &downStore{MemStore: memstore.NewWithCleanupInterval(0)}}
	m := scs.New()
	synctest.Wait() // its first store has begun to clean up, in a goroutine
	m.Store.(*memstore.MemStore).StopCleanup()
	m.Store, m.IdleTimeout = p.store, 30*time.Minute
	m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) { // as its own, but for the log
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
	mux := http.NewServeMux()
	look := func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode([]int{m.GetInt(r.Context(), "n_rings"), len(m.Keys(r.Context())), int(m.Status(r.Context()))})
	}
	mux.HandleFunc("/look", look)
	mux.HandleFunc("/ring", func(w http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "n_rings", m.GetInt(r.Context(), "n_rings")+1)
		look(w, r)
	})
	mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) {
		if err := m.RenewToken(r.Context()); err != nil {
			t.Error(err)
		}
	})
	p.h = m.LoadAndSave(mux)
	return p
}

func (p *peer) send(path, token string) (a peerAnswer) {
	p.t.Helper()
	r := httptest.NewRequest("POST", path, nil)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, r)
	a.status = w.Code
	var seen []int
	if json.Unmarshal(w.Body.Bytes(), &seen) == nil && len(seen) == 3 {
		a.rings, a.keys, a.modified = seen[0], seen[1], scs.Status(seen[2])
	}
	for _, c := range w.Result().Cookies() {
		a.token = c.Value
	}
	return a
}

// born is the token of a new session with 3 rings.
func (p *peer) born() (token string) {
	for range 3 {
		token = p.send("/ring", token).token
	}
	return token
}
