package fleet

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// storeTimeout is generous: 200 sign-ins come at once, on a machine that may be busy.
const storeTimeout = 30 * time.Second

// Cap: 200 sign-ins of one user come at once to three processes that allow five sessions. Each is answered, and five are
// live when all have been; where sign-ins are refused in place of that, five are accepted.
func Cap(t *testing.T, f *Fleet) {
	for _, c := range []struct {
		path     string
		accepted int
	}{{"/login", 200}, {"/refusing/login", most}} {
		user := fmt.Sprintf("ann%s%d", strings.ReplaceAll(c.path, "/", "-"), time.Now().UnixNano())
		var all sync.WaitGroup
		answers := make([]answer, 200)
		for i := range answers {
			all.Go(func() {
				var err error
				if answers[i], err = f.ask(t.Context(), i%len(f.nodes), "POST", c.path, "", url.Values{"user": {user}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got := map[int]int{}
		for _, a := range answers {
			if got[a.status]++; a.status == http.StatusServiceUnavailable {
				t.Errorf("%s: %s", c.path, a.body)
			}
		}
		if got[200] != c.accepted || got[200]+got[429] != len(answers) {
			t.Errorf("%s was answered %v, want %d times 200 and else 429", c.path, got, c.accepted)
		}
		list, err := f.Manager.List(t.Context(), user)
		if err != nil || len(list) != most {
			t.Errorf("%s: %d sessions are live, %v", c.path, len(list), err)
		}
		if c.accepted == most {
			continue
		}
		live := 0
		for i, a := range answers {
			switch again, err := f.ask(t.Context(), (i+1)%len(f.nodes), "GET", "/me", a.cookie, nil); {
			case err != nil:
				t.Fatal(err)
			case again.status == 200 && again.body == user:
				live++
			case again.status != 401 || !strings.Contains(again.body, `"reason":"evicted"`):
				t.Errorf("an evicted session is told %d %s", again.status, again.body)
			}
		}
		if live != most {
			t.Errorf("%d cookies open a session", live)
		}
	}
}

// visitor is a user who is signed in, with an event stream open on the second process and a hijacked connection on the
// third.
type visitor struct {
	user, cookie string
	streams      [2]stream
}

type stream struct {
	lines *bufio.Reader
	body  io.Closer
}

func (f *Fleet) visitors(t *testing.T, n int) (all []visitor) {
	t.Helper()
	for i := range n {
		v := visitor{user: fmt.Sprintf("bob-%d-%d", time.Now().UnixNano(), i)}
		a, err := f.ask(t.Context(), 0, "POST", "/login", "", url.Values{"user": {v.user}})
		if v.cookie = a.cookie; err != nil || a.status != 200 || v.cookie == "" {
			t.Fatal(a, err)
		}
		for j, path := range []string{"/events", "/socket"} {
			resp, err := f.stream(t, j+1, path, v.cookie)
			if err != nil {
				t.Fatal(err)
			}
			v.streams[j] = stream{bufio.NewReader(resp.Body), resp.Body}
			if line, err := v.streams[j].lines.ReadString('\n'); line != "data: "+v.user+"\n" {
				t.Fatalf("%s: %q %v", path, line, err)
			}
		}
		all = append(all, v)
	}
	return all
}

// wantRevoked reads both streams to their end, and says how long that took.
func (v *visitor) wantRevoked(t *testing.T, patience time.Duration) (took [2]time.Duration) {
	start := time.Now()
	var both sync.WaitGroup
	for i, s := range v.streams {
		both.Go(func() {
			late := time.AfterFunc(patience, func() { s.body.Close() })
			defer late.Stop()
			rest, err := io.ReadAll(s.lines)
			took[i] = time.Since(start)
			if err != nil || strings.TrimSpace(string(rest)) != "data: revoked" {
				t.Errorf("a stream of %s ended after %v with %q, %v", v.user, took[i], rest, err)
			}
		})
	}
	both.Wait()
	return took
}

// Ends: when the first process revokes sessions, their streams on the others end, and say why. It logs how long that
// took, from before the call of Revoke; a stream that is open after patience fails.
func Ends(t *testing.T, f *Fleet, sessions int, patience time.Duration) {
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for _, v := range f.visitors(t, sessions) {
		all.Go(func() {
			two := v.wantRevoked(t, patience)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, two[:]...)
		})
		if a, err := f.ask(t.Context(), 0, "POST", "/revoke", "", url.Values{"user": {v.user}}); err != nil || a.status != 200 {
			t.Error(a, err)
		}
		if a, err := f.ask(t.Context(), 1, "GET", "/me", v.cookie, nil); err != nil || a.status != 401 {
			t.Errorf("after Revoke has returned: %v %v", a, err)
		}
	}
	all.Wait()
	slices.Sort(took)
	part := func(p float64) time.Duration { return took[int(p*float64(len(took)-1))].Round(10 * time.Microsecond) }
	t.Logf("%d streams in two other processes ended %v after Revoke was called in the median, p99 %v, at most %v", len(took), part(.5), part(.99), part(1))
}

// Gap: what was revoked while the processes could not reach the store ends when they can again.
func Gap(t *testing.T, f *Fleet, cut, heal func(), patience time.Duration) {
	all := f.visitors(t, 10)
	cut()
	for _, v := range all {
		if n, err := f.Manager.RevokeUser(t.Context(), v.user); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	time.Sleep(2 * time.Second) // the news are lost
	heal()
	var ends sync.WaitGroup
	for _, v := range all {
		ends.Go(func() { v.wantRevoked(t, patience) })
	}
	ends.Wait()
}

// stream opens a connection of its own, without the client's timeout.
func (f *Fleet) stream(t *testing.T, node int, path, cookie string) (*http.Response, error) {
	open := &Fleet{nodes: f.nodes, client: &http.Client{Transport: f.client.Transport}}
	resp, err := open.send(t.Context(), node, "GET", path, cookie, nil)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}
