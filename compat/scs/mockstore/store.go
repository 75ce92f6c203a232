// Package mockstore is a session store for tests that say beforehand what will be asked.
package mockstore

import (
	"bytes"
	"slices"
	"time"
)

// MockStore answers each call with what was expected for its arguments, once, and panics where nothing was. Mind that
// a commit may look at a row before it writes it: expect a Find as well.
type MockStore struct {
	deletes []expectedDelete
	finds   []expectedFind
	commits []expectedCommit
	alls    []expectedAll
}

type expectedDelete struct {
	token string
	err   error
}

type expectedFind struct {
	token string
	b     []byte
	found bool
	err   error
}

type expectedCommit struct {
	token  string
	b      []byte
	expiry time.Time
	err    error
}

type expectedAll struct {
	all map[string][]byte
	err error
}

// take removes and returns the first expectation that matches.
func take[T any](list *[]T, call string, matches func(T) bool) T {
	i := slices.IndexFunc(*list, matches)
	if i < 0 {
		panic("store." + call + " called unexpectedly")
	}
	e := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return e
}

// ExpectDelete expects a Delete of token, and lets it return err.
func (m *MockStore) ExpectDelete(token string, err error) {
	m.deletes = append(m.deletes, expectedDelete{token, err})
}

// Delete is that of scs.Store.
func (m *MockStore) Delete(token string) (err error) {
	return take(&m.deletes, "Delete", func(e expectedDelete) bool { return e.token == token }).err
}

// ExpectFind expects a Find of token, and lets it return b, found and err.
func (m *MockStore) ExpectFind(token string, b []byte, found bool, err error) {
	m.finds = append(m.finds, expectedFind{token, b, found, err})
}

// Find is that of scs.Store.
func (m *MockStore) Find(token string) (b []byte, found bool, err error) {
	e := take(&m.finds, "Find", func(e expectedFind) bool { return e.token == token })
	return e.b, e.found, e.err
}

// ExpectCommit expects a Commit of exactly these, and lets it return err.
func (m *MockStore) ExpectCommit(token string, b []byte, expiry time.Time, err error) {
	m.commits = append(m.commits, expectedCommit{token, b, expiry, err})
}

// Commit is that of scs.Store.
func (m *MockStore) Commit(token string, b []byte, expiry time.Time) (err error) {
	return take(&m.commits, "Commit", func(e expectedCommit) bool {
		return e.token == token && bytes.Equal(e.b, b) && e.expiry.Equal(expiry)
	}).err
}

// ExpectAll expects an All, and lets it return mb and err.
func (m *MockStore) ExpectAll(mb map[string][]byte, err error) {
	m.alls = append(m.alls, expectedAll{mb, err})
}

// All is that of scs.IterableStore.
func (m *MockStore) All() (map[string][]byte, error) {
	e := take(&m.alls, "All", func(expectedAll) bool { return true })
	return e.all, e.err
}
