package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// visitor is a browser with one cookie, or with none.
type visitor struct {
	client *http.Client
	cookie string // as it travels; "" is none
	page   bool   // it opens pages; else its requests are a page's script's
}

// reply is what a server answered.
type reply struct {
	status int
	body   string
	header http.Header
	took   time.Duration
}

// send sends a request to a server. It takes the cookie that the answer sets, and leaves it to
// the caller to forget one.
func (v *visitor) send(server, method, path string) (reply, error) {
	r, err := http.NewRequest(method, server+path, nil)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Sec-Fetch-Mode", "cors")
	if v.page {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	began := time.Now()
	resp, err := v.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	for _, c := range resp.Cookies() {
		if c.Value != "" {
			v.cookie = c.Name + "=" + c.Value
		}
	}
	return reply{resp.StatusCode, strings.TrimSpace(string(body)), resp.Header, time.Since(began)}, nil
}

// values reads the answer to GET /.
func (r reply) values() (v values, err error) {
	err = json.Unmarshal([]byte(r.body), &v)
	return v, err
}

// number reads the answer to POST /add.
func (r reply) number() (n int, err error) {
	err = json.Unmarshal([]byte(r.body), &n)
	return n, err
}

// outcome is what an answer says of the session.
type outcome uint8

const (
	served outcome = iota
	ended          // 401
	unsure         // 503: the request may have had its effect or not
)

// outcome judges an answer's form, whatever it holds: nothing but these three is right here.
func (r reply) outcome() (outcome, error) {
	switch r.status {
	case http.StatusOK:
		return served, nil
	case http.StatusUnauthorized:
		if !strings.Contains(r.header.Get("WWW-Authenticate"), `error="expired"`) {
			return ended, fmt.Errorf("a 401 with WWW-Authenticate %q", r.header.Get("WWW-Authenticate"))
		}
		return ended, nil
	case http.StatusServiceUnavailable:
		if r.header.Get("Retry-After") == "" {
			return unsure, errors.New("a 503 without Retry-After")
		}
		return unsure, nil
	}
	return unsure, fmt.Errorf("status %d: %.200s", r.status, r.body)
}
