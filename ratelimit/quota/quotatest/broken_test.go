package quotatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bug names one way in which the model breaks the contract.
type bug string

const (
	forgetsNothing bug = "what is empty stays"
	cuts           bug = "an account has 4 KB at most"
	text           bug = "an account ends at its first NUL"
	twoSteps       bug = "reading and writing are two steps"
	errorStores    bug = "an error of f does not keep from storing"
	errorWrapped   bug = "an error of f is wrapped"
	panicSwallowed bug = "a panic of f becomes nothing"
	panicStores    bug = "a panic of f leaves what was half done"
	panicLocks     bug = "a panic of f leaves the lock"
	untilSticks    bug = "until is that of the first Update"
	zeroIsPast     bug = "until zero is taken for a moment long ago"
	sharedMap      bug = "Accounts returns the store's own map"
	nilMap         bug = "Accounts of nobody are nil"
	everybody      bug = "Accounts shows everybody's"
	joined         bug = "user and resource are joined by a slash"
	folded         bug = "upper and lower case are one"
	trimmed        bug = "names lose their blanks"
	ignoresContext bug = "a context that is done is ignored"
)

type kept struct {
	user, resource string
	account        []byte
	until          time.Time
}

// model is a store with a bug.
type model struct {
	bug  bug
	mu   sync.Mutex
	all  map[string]kept
	byOf map[string]map[string][]byte // for sharedMap
}

func (m *model) key(user, resource string) string {
	switch m.bug {
	case joined:
		return user + "/" + resource
	case folded:
		return strings.ToLower(user) + "\x00" + strings.ToLower(resource)
	case trimmed:
		return strings.TrimSpace(user) + "\x00" + strings.TrimSpace(resource)
	}
	return user + "\x00" + resource
}

func (m *model) Update(ctx context.Context, user, resource string, f func([]byte) ([]byte, time.Time, error)) error {
	if err := ctx.Err(); err != nil && m.bug != ignoresContext {
		return err
	}
	m.mu.Lock()
	key := m.key(user, resource)
	k, there := m.all[key]
	if m.bug == twoSteps {
		m.mu.Unlock()
		time.Sleep(10 * time.Microsecond)
	}
	next, until, panicked, err := try(f, k.account)
	if panicked != nil && m.bug == panicLocks {
		panic(panicked)
	}
	if m.bug == twoSteps {
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if panicked != nil {
		if m.bug == panicStores {
			m.all[key] = kept{user: user, resource: resource, account: []byte("half")}
		}
		if m.bug == panicSwallowed {
			return nil
		}
		panic(panicked)
	}
	return m.store(key, k, there, user, resource, next, until, err)
}

func try(f func([]byte) ([]byte, time.Time, error), account []byte) (next []byte, until time.Time, panicked any, err error) {
	defer func() { panicked = recover() }()
	next, until, err = f(account)
	return
}

func (m *model) store(key string, before kept, there bool, user, resource string, next []byte, until time.Time, err error) error {
	switch {
	case err != nil && m.bug == errorWrapped:
		return fmt.Errorf("store: %w", err)
	case err != nil && m.bug != errorStores:
		return err
	case len(next) == 0 && m.bug != forgetsNothing:
		delete(m.all, key)
		return err
	}
	switch m.bug {
	case cuts:
		next = next[:min(len(next), 4096)]
	case text:
		if i := slices.Index(next, 0); i >= 0 {
			next = next[:i]
		}
	case untilSticks:
		if there {
			until = before.until
		}
	}
	for k, old := range m.all { // a sweep with each new account
		past := !old.until.IsZero() || m.bug == zeroIsPast
		if !there && past && old.until.Before(time.Now()) {
			delete(m.all, k)
		}
	}
	m.all[key] = kept{user, resource, next, until}
	if m.byOf[user] == nil {
		m.byOf[user] = make(map[string][]byte)
	}
	m.byOf[user][resource] = next
	return err
}

func (m *model) Accounts(ctx context.Context, user string) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil && m.bug != ignoresContext {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bug == sharedMap && m.byOf[user] != nil {
		return m.byOf[user], nil
	}
	all := make(map[string][]byte)
	for _, k := range m.all {
		if k.user == user || m.bug == everybody {
			all[k.resource] = k.account
		}
	}
	if len(all) == 0 && m.bug == nilMap {
		return nil, nil
	}
	return all, nil
}

// recorder keeps what a check found.
type recorder struct {
	mu    sync.Mutex
	found []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failing are the checks that find fault with a store that has the bug.
func failing(t *testing.T, b bug) map[string]string {
	faults, patience := make(map[string]string), 20*time.Second
	if b == panicLocks { // it will hang
		patience = 200 * time.Millisecond
	}
	for _, c := range rules {
		r := &recorder{}
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			c.run(&suite{r, t.Context(), patience, &model{bug: b, all: make(map[string]kept), byOf: make(map[string]map[string][]byte)}})
		}()
		if p := <-done; p != nil {
			t.Errorf("%q: the check %q panics: %v", b, c.name, p)
		}
		if len(r.found) > 0 {
			faults[c.name] = strings.Join(r.found, "\n")
		}
	}
	return faults
}

// The suite bites: each bug fails the check of its rule, and the model without any passes.
func TestBrokenStoresFail(t *testing.T) {
	if faults := failing(t, ""); len(faults) > 0 {
		t.Fatalf("the model keeps the contract, but fails: %v", faults)
	}
	for b, want := range map[bug]string{
		forgetsNothing: "1 no bytes", cuts: "4", text: "4", twoSteps: "1 an update", errorStores: "2 an error", errorWrapped: "2 an error",
		panicSwallowed: "2 a panic", panicStores: "2 a panic", panicLocks: "2 a panic", untilSticks: "6", zeroIsPast: "6", sharedMap: "7",
		nilMap: "7", everybody: "7", joined: "8", folded: "8", trimmed: "8", ignoresContext: "9",
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			faults := failing(t, b)
			for name := range faults {
				if strings.HasPrefix(name, want) {
					return
				}
			}
			t.Errorf("no check that begins with %q failed; failing are %v", want, slices.Sorted(maps.Keys(faults)))
		})
	}
}

// A store that is out of reach is told as such.
func TestStoreOutOfReach(t *testing.T) {
	down := errors.New("connection refused")
	r := &recorder{}
	done := make(chan bool)
	go func() {
		defer close(done)
		(&suite{r, t.Context(), time.Minute, outOfReach{down}}).stores()
	}()
	if <-done; len(r.found) != 1 || !strings.Contains(r.found[0], "connection refused") {
		t.Error(r.found)
	}
}

type outOfReach struct{ err error }

func (o outOfReach) Update(context.Context, string, string, func([]byte) ([]byte, time.Time, error)) error {
	return o.err
}
func (o outOfReach) Accounts(context.Context, string) (map[string][]byte, error) { return nil, o.err }
