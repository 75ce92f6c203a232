package quotatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// check is the test of a rule.
type check struct {
	name string
	run  func(*suite)
}

var rules = []check{
	{"1 what f returns is stored", (*suite).stores},
	{"1 no bytes forget the account", (*suite).forgets},
	{"1 an update is one step", (*suite).oneStep},
	{"2 an error stores nothing", (*suite).errorStoresNothing},
	{"2 a panic stores nothing", (*suite).panicStoresNothing},
	{"4 any bytes come back as they were", (*suite).anyBytes},
	{"6 nothing is forgotten before its time", (*suite).keeps},
	{"7 accounts are the user's own", (*suite).accounts},
	{"8 each pair of names is another account", (*suite).names},
	{"9 a context that is done", (*suite).doneContext},
}

// put stores b, and returns what was there.
func (s *suite) put(user, resource string, b []byte, until time.Time) (before []byte) {
	s.Helper()
	if err := s.store.Update(s.ctx, user, resource, func(account []byte) ([]byte, time.Time, error) {
		before = account
		return b, until, nil
	}); err != nil {
		s.Fatalf("Update: %v", err)
	}
	return before
}

// all are the user's accounts.
func (s *suite) all(user string) map[string][]byte {
	s.Helper()
	all, err := s.store.Accounts(s.ctx, user)
	if err != nil {
		s.Fatalf("Accounts: %v", err)
	}
	return all
}

func (s *suite) want(what string, got []byte, want string) {
	s.Helper()
	if string(got) != want {
		s.Errorf("%s: %.40q, want %.40q", what, got, want)
	}
}

var later = time.Now().Add(100 * time.Hour)

func (s *suite) stores() {
	user := rand.Text()
	for i, want := range []string{"", "first", "second", "second"} {
		next := []string{"first", "second", "second", "last"}[i]
		s.want("Update is given", s.put(user, "r", []byte(next), later), want)
		s.want("Accounts shows", s.all(user)["r"], next)
	}
}

func (s *suite) forgets() {
	user := rand.Text()
	s.put(user, "r", nil, later)
	if n := len(s.all(user)); n != 0 {
		s.Errorf("%d accounts, of which nothing was stored", n)
	}
	s.put(user, "r", []byte("something"), later)
	s.put(user, "other", []byte("something"), time.Time{})
	s.put(user, "r", nil, time.Time{})
	s.want("Update is given", s.put(user, "r", nil, later), "")
	if all := s.all(user); len(all) != 1 || all["other"] == nil {
		s.Errorf("after one of two was forgotten there are %q", all)
	}
}

// Many count one number up, on an account that comes into being meanwhile.
func (s *suite) oneStep() {
	const clients, each = 16, 25
	user := rand.Text()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if err := s.store.Update(s.ctx, user, "r", func(account []byte) ([]byte, time.Time, error) {
					n, _ := strconv.Atoi(string(account))
					return []byte(strconv.Itoa(n + 1)), later, nil
				}); err != nil {
					s.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.want("after 400 updates", s.all(user)["r"], strconv.Itoa(clients*each))
}

func (s *suite) errorStoresNothing() {
	user, refused := rand.Text(), errors.New("refused")
	for _, before := range []string{"", "before"} {
		if before != "" {
			s.put(user, "r", []byte(before), later)
		}
		err := s.store.Update(s.ctx, user, "r", func([]byte) ([]byte, time.Time, error) { return []byte("after"), later, refused })
		if err != refused {
			s.Errorf("Update returned %v, want the very error of f", err)
		}
		s.want("Accounts shows", s.all(user)["r"], before)
	}
}

func (s *suite) panicStoresNothing() {
	user := rand.Text()
	s.put(user, "r", []byte("before"), later)
	func() {
		defer func() {
			if got := recover(); got != "oh" {
				s.Errorf("Update panicked with %v, want what f did", got)
			}
		}()
		s.store.Update(s.ctx, user, "r", func([]byte) ([]byte, time.Time, error) { panic("oh") })
	}()
	done := make(chan bool)
	go func() {
		defer close(done)
		err := s.store.Update(s.ctx, user, "r", func(account []byte) ([]byte, time.Time, error) {
			s.want("Update is given", account, "before")
			return []byte("after"), later, nil
		})
		if err != nil {
			s.Errorf("Update after a panic: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(s.patience):
		s.Fatalf("after a panic Update hangs")
	}
}

func (s *suite) anyBytes() {
	user := rand.Text()
	for _, n := range []int{1, 255, 4096, 20_000} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * n)
		}
		s.put(user, strconv.Itoa(n), bytes.Clone(b), later)
		s.want(fmt.Sprint(n, " bytes"), s.all(user)[strconv.Itoa(n)], string(b))
		s.want(fmt.Sprint(n, " bytes"), s.put(user, strconv.Itoa(n), b, later), string(b))
	}
}

func (s *suite) keeps() {
	const n = 300
	user := rand.Text()
	gone := time.Now().Add(-time.Hour)
	s.put(user, "for ever", []byte("a"), time.Time{})
	s.put(user, "moved on", []byte("b"), gone)
	s.put(user, "moved on", []byte("b"), later)
	for i := range n {
		s.put(user, fmt.Sprint("until later", i), []byte("c"), later)
		s.put(user+fmt.Sprint(i), "r", []byte("d"), gone)
	}
	all := s.all(user)
	s.want("zero", all["for ever"], "a")
	s.want("moved on", all["moved on"], "b")
	if len(all) != n+2 {
		s.Errorf("%d accounts are kept of %d", len(all), n+2)
	}
}

func (s *suite) accounts() {
	user, other := rand.Text(), rand.Text()
	if all := s.all(user); all == nil || len(all) != 0 {
		s.Errorf("a user without accounts has %v, want an empty map", all)
	}
	s.put(user, "a", []byte("1"), later)
	s.put(user, "b", []byte("2"), later)
	s.put(other, "c", []byte("3"), later)
	all := s.all(user)
	if len(all) != 2 || string(all["a"]) != "1" || string(all["b"]) != "2" {
		s.Errorf("the user has %q", all)
	}
	all["d"] = []byte("4")
	delete(all, "a")
	if all := s.all(user); len(all) != 2 || string(all["a"]) != "1" {
		s.Errorf("a change to what Accounts returned has changed the store: %q", all)
	}
}

func (s *suite) names() {
	unique := rand.Text()
	long := unique + strings.Repeat("ü", 1024/2-13)
	pairs := [][2]string{
		{unique, "b/c"}, {unique + "/b", "c"}, {unique + "/", "b/c"}, {unique + "b", "/c"}, {unique + "A", "r"}, {unique + "a", "r"},
		{unique + "a", "R"}, {unique + "a ", "r"}, {unique + "a", "r "}, {unique + "%", "r"}, {unique + "_", "r"}, {unique + "'\"\\\n", "r"},
		{unique + "ü", "r"}, {unique + "u\u0308", "r"}, {unique + "1", "r"}, {unique + "01", "r"}, {unique + "1.0", "r"}, {long[:1024], "r"}, {unique, long[:1024]}, {long[:1022], "r"},
	}
	for i, p := range pairs {
		if before := s.put(p[0], p[1], []byte(strconv.Itoa(i)), later); before != nil {
			s.Errorf("%.60q and another pair share an account", p)
		}
	}
	for i, p := range pairs {
		s.want(fmt.Sprintf("%.60q", p), s.all(p[0])[p[1]], strconv.Itoa(i))
	}
}

func (s *suite) doneContext() {
	user := rand.Text()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	err := s.store.Update(ctx, user, "r", func([]byte) ([]byte, time.Time, error) {
		s.Errorf("f is called")
		return []byte("a"), later, nil
	})
	if !errors.Is(err, context.Canceled) {
		s.Errorf("Update: %v", err)
	}
	if _, err := s.store.Accounts(ctx, user); !errors.Is(err, context.Canceled) {
		s.Errorf("Accounts: %v", err)
	}
	if n := len(s.all(user)); n != 0 {
		s.Errorf("%d accounts", n)
	}
}
