package session_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/session"
	"example.com/hardy/store"
)

// What the agent guide asks of a session manager, by its own names.

// agentMessage is one of a conversation.
type agentMessage struct {
	Text string
	At   time.Time
}

var agentContext = session.NewKey[[]agentMessage]("context")

// Agent guide, 2 and 3: a session has an id, a user, times and metadata; getting it renews it; to end it is harmless when
// repeated; an unknown id is an error.
func TestAgentGuideSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		v := &visitor{t, m, nil}
		began := time.Now()

		// create_session(user, metadata)
		v.do(func(s *session.Session) {
			must(t, s.Login("ann"))
			must(t, s.SetMeta("device", "laptop"))
		})
		// get_session(id), update_activity: each time it lives for 30 minutes more.
		for range 5 {
			time.Sleep(29 * time.Minute)
			s := v.do(func(s *session.Session) {
				// add_context(message)
				_, err := agentContext.Update(ctx, s, func(all []agentMessage) []agentMessage {
					return append(all, agentMessage{fmt.Sprint("hello ", len(all)), time.Now()})
				})
				must(t, err)
			})
			if s.User() != "ann" || s.Handle() == "" || s.Meta()["device"] != "laptop" || len(s.Meta()) != 1 {
				t.Errorf("user %q, metadata %v", s.User(), s.Meta())
			}
			if !s.Created().Equal(began) || !s.Seen().Equal(time.Now()) || s.Expires().Before(s.Seen().Add(30*time.Minute)) {
				t.Errorf("created %v, seen %v, expires %v", s.Created(), s.Seen(), s.Expires())
			}
		}
		// get_context(last_n), get_context(): a copy.
		s, err := v.arrive()
		must(t, err)
		all := agentContext.Get(s)
		if len(all) != 5 || all[3].Text != "hello 3" || !all[4].At.Equal(time.Now()) {
			t.Errorf("the context is %+v", all)
		}
		all[0].Text = "changed"
		if got := agentContext.Get(s)[0].Text; got != "hello 0" {
			t.Errorf("a reader has changed the context: %q", got)
		}

		// end_session(id), twice, by its visitor and by its handle.
		handle := s.Handle()
		must(t, s.Logout())
		must(t, s.Logout())
		must(t, m.Commit(ctx, s))
		must(t, m.Commit(ctx, s))
		if err := m.Revoke(ctx, "ann", handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("ended once more: %v", err)
		}
		ended, err := v.arrive()
		if !errors.Is(err, session.ErrExpired) || ended.User() != "" || len(agentContext.Get(ended)) > 0 {
			t.Errorf("afterwards: %v, user %q", err, ended.User())
		}
		must(t, ended.Logout())
		must(t, m.Commit(ctx, ended))
		if list, err := m.List(ctx, "ann"); err != nil || len(list) > 0 {
			t.Errorf("listed: %v %v", list, err)
		}

		// An unknown id: none of a token's form, or a token that opens nothing.
		if _, err := m.Token("no-such-session"); !errors.Is(err, session.ErrToken) {
			t.Errorf("an id of another form: %v", err)
		}
		unknown, err := m.Token(strings.Repeat("x", 32))
		must(t, err)
		var e *session.ExpiredError
		if _, err := m.Load(ctx, unknown); !errors.As(err, &e) || e.Reason != session.ReasonUnknown {
			t.Errorf("an unknown id: %v", err)
		}
	})
}

// Agent guide, 6: a token of 32 bytes for each session, of which only a hash is kept; what a session holds is encrypted
// with a key of its own; when it ends both are forgotten.
func TestAgentGuideTokenAndEncryption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := newManager(t, quiet())
		const secret = "the launch code is 00000000"
		ann, bob := &visitor{t, m, nil}, &visitor{t, m, nil}
		for user, v := range map[string]*visitor{"ann": ann, "bob": bob} {
			v.do(func(s *session.Session) {
				must(t, s.Login(user))
				must(t, theme.Set(s, secret))
			})
		}
		records := map[string]session.Record{}
		for user, v := range map[string]*visitor{"ann": ann, "bob": bob} {
			token := v.token.Secret()
			if len(token) != 32 {
				t.Errorf("a token of %d bytes", len(token))
			}
			id, vault, err := session.Sealed.Derive(token)
			must(t, err)
			r, err := db.Load(ctx, id)
			must(t, err)
			if sum, err := base64.RawURLEncoding.DecodeString(r.ID); err != nil || len(sum) != sha256.Size {
				t.Errorf("the id %q is no hash: %v", r.ID, err)
			}
			stored := fmt.Appendf(nil, "%+v %s", r, r.Data)
			for what, text := range map[string]string{"the token": token, "the token as text": base64.RawURLEncoding.EncodeToString([]byte(token)), "the value": secret} {
				if bytes.Contains(stored, []byte(text)) {
					t.Errorf("%s is stored", what)
				}
			}
			// validate(id, token), decrypt(id, bytes)
			if held, err := vault.Open(r); err != nil || !strings.Contains(fmt.Sprint(opened(held)), secret) {
				t.Errorf("%s's own key: %v", user, err)
			}
			records[user] = r
		}
		// The same text rests in other bytes, and another session's key opens none of them.
		if bytes.Equal(records["ann"].Data[13:], records["bob"].Data[13:]) {
			t.Error("two sessions share a key")
		}
		_, bobs, err := session.Sealed.Derive(bob.token.Secret())
		must(t, err)
		if _, err := bobs.Open(records["ann"]); err == nil {
			t.Error("bob's key opens ann's session")
		}
		// cleanup(id)
		ended := ann.token
		ann.do(func(s *session.Session) { must(t, s.Logout()) })
		r, err := db.Load(ctx, records["ann"].ID)
		must(t, err)
		if r.Data != nil {
			t.Errorf("%d bytes of a session that has ended", len(r.Data))
		}
		if _, err := m.Load(ctx, ended); !errors.Is(err, session.ErrExpired) {
			t.Errorf("its token opens it: %v", err)
		}
		time.Sleep(26 * time.Hour)
		for more := true; more; {
			_, more, err = db.Sweep(ctx, time.Now(), 100)
			must(t, err)
		}
		if _, err := db.Load(ctx, records["ann"].ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("after a day the hash is kept: %v", err)
		}
	})
}

// Agent guide, 11: ten creations at once for three users give ten ids; each of two users who add a message sees their own
// alone.
func TestAgentGuideIsolation(t *testing.T) {
	m := session.NewManager(store.NewMemory(nil), quiet())
	var all sync.WaitGroup
	sessions := make([]*session.Session, 10)
	for i := range sessions {
		all.Go(func() {
			s := m.New()
			if err := errors.Join(s.Login(fmt.Sprint("user", i%3)), m.Commit(ctx, s)); err != nil {
				t.Error(err)
			}
			sessions[i] = s
		})
	}
	all.Wait()
	handles, tokens, listed := map[string]bool{}, map[string]bool{}, 0
	for _, s := range sessions {
		handles[s.Handle()], tokens[s.Token().Secret()] = true, true
	}
	for user := range 3 {
		list, err := m.List(ctx, fmt.Sprint("user", user))
		must(t, err)
		listed += len(list)
		for _, info := range list {
			if !handles[info.Handle] || info.User != fmt.Sprint("user", user) {
				t.Errorf("user%d has %+v", user, info)
			}
		}
	}
	if len(handles) != 10 || len(tokens) != 10 || listed != 10 {
		t.Errorf("%d handles, %d tokens, %d listed, of 10", len(handles), len(tokens), listed)
	}

	for i, s := range sessions[:2] {
		all.Go(func() {
			_, err := agentContext.Update(ctx, s, func(m []agentMessage) []agentMessage {
				return append(m, agentMessage{fmt.Sprint("from user", i), time.Now()})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, s := range sessions[:2] {
		again, err := m.Load(ctx, s.Token())
		must(t, err)
		if got := agentContext.Get(again); len(got) != 1 || got[0].Text != fmt.Sprint("from user", i) {
			t.Errorf("user%d sees %+v", i, got)
		}
	}
	if got := agentContext.Get(sessions[2]); len(got) > 0 {
		t.Errorf("a third sees %+v", got)
	}
}
