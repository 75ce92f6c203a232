package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"example.com/hardy/cookie"
)

// Rows of the jar: three values into a cookie, and out of it.
//
// Hardy is timed from the values to the line of the header and back, with net/http's header maps;
// securecookie from a map to the value of the cookie and back, without the cookie around it: the difference is in
// its favour.

const (
	secureName = "securecookie + gob"
	jarName    = "Hardy"
)

var (
	jarKeyName  = cookie.NewKey[string]("name")
	jarKeyAge   = cookie.NewKey[int]("age")
	jarKeyTheme = cookie.NewKey[string]("theme")
)

func jarRows() []row {
	return []row{
		{
			name: "jar, three values: seal",
			entries: []entry{
				{secureName, func(*config) (job, error) { return newSecureJob(true) }},
				{jarName, func(*config) (job, error) { return newJarJob(true) }},
			},
			bars: []bar{faster(jarName, secureName, 1.6, 0), smaller(jarName, secureName)},
		},
		{
			name: "jar, three values: open",
			entries: []entry{
				{secureName, func(*config) (job, error) { return newSecureJob(false) }},
				{jarName, func(*config) (job, error) { return newJarJob(false) }},
			},
			bars: []bar{faster(jarName, secureName, 4.5, 0)},
		},
	}
}

// errValues: what was opened is not what was sealed.
var errValues = errors.New("the three values did not come back")

type jarJob struct {
	spec    *cookie.Spec
	request *http.Request // carries the jar
	blank   *http.Request // does not
	seal    bool
	value   string
	failed  [64]error
}

func newJarJob(seal bool) (job, error) {
	spec, err := cookie.NewLocal(newKeys(), nil)
	if err != nil {
		return nil, err
	}
	j := &jarJob{spec: spec, blank: &http.Request{Header: http.Header{}}, seal: seal}
	line, err := j.sealOne(http.Header{})
	if err != nil {
		return nil, err
	}
	pair, _, _ := strings.Cut(line, ";")
	_, j.value, _ = strings.Cut(pair, "=")
	j.request = &http.Request{Header: http.Header{"Cookie": {pair}}}
	return j, nil
}

func (j *jarJob) sealOne(h http.Header) (string, error) {
	jar := j.spec.Jar(j.blank)
	if err := jar.SetFor(30*24*time.Hour, jarKeyName.Value("Bob"), jarKeyAge.Value(42), jarKeyTheme.Value("dark")); err != nil {
		return "", err
	}
	if err := jar.Commit(h); err != nil {
		return "", err
	}
	return h["Set-Cookie"][0], nil
}

func (j *jarJob) openOne(r *http.Request) error {
	jar := j.spec.Jar(r)
	if jarKeyName.Get(jar) != "Bob" || jarKeyAge.Get(jar) != 42 || jarKeyTheme.Get(jar) != "dark" {
		return errValues
	}
	return nil
}

func (j *jarJob) do(worker, n int) {
	h := http.Header{}
	for range n {
		var err error
		if j.seal {
			clear(h)
			_, err = j.sealOne(h)
		} else {
			err = j.openOne(j.request)
		}
		if err != nil {
			j.failed[worker%len(j.failed)] = err
		}
	}
}

func (j *jarJob) check() error {
	line, err := j.sealOne(http.Header{})
	if err != nil {
		return err
	}
	pair, _, _ := strings.Cut(line, ";")
	if err := j.openOne(&http.Request{Header: http.Header{"Cookie": {pair}}}); err != nil {
		return err
	}
	return errors.Join(j.failed[:]...)
}

func (j *jarJob) size() int { return len(j.value) }

type secureJob struct {
	codec  *securecookie.SecureCookie
	values map[string]any
	seal   bool
	value  string
	failed [64]error
}

func newSecureJob(seal bool) (job, error) {
	j := &secureJob{
		codec:  securecookie.New(random(32), random(32)),
		values: map[string]any{"name": "Bob", "age": 42, "theme": "dark"},
		seal:   seal,
	}
	var err error
	j.value, err = j.codec.Encode("bell", j.values)
	return j, err
}

func (j *secureJob) openOne(value string) error {
	var m map[string]any
	if err := j.codec.Decode("bell", value, &m); err != nil {
		return err
	}
	if m["name"] != "Bob" || m["age"] != 42 || m["theme"] != "dark" {
		return errValues
	}
	return nil
}

func (j *secureJob) do(worker, n int) {
	for range n {
		var err error
		if j.seal {
			_, err = j.codec.Encode("bell", j.values)
		} else {
			err = j.openOne(j.value)
		}
		if err != nil {
			j.failed[worker%len(j.failed)] = err
		}
	}
}

func (j *secureJob) check() error {
	value, err := j.codec.Encode("bell", j.values)
	if err != nil {
		return err
	}
	if err := j.openOne(value); err != nil {
		return fmt.Errorf("securecookie: %w", err)
	}
	return errors.Join(j.failed[:]...)
}

func (j *secureJob) size() int { return len(j.value) }
