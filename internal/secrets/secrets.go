package secrets

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
)

// Secrets are collected while a program runs and searched for in what it said. The zero value is ready for use, by
// several goroutines.
type Secrets struct {
	mu      sync.Mutex
	windows map[string]string // of all secrets in all forms, with what they are
	count   map[string]int
	known   map[string]bool
}

// window is how many bytes of a secret in a row are a find: a part of one is as bad as the whole.
const window = 16

// Add takes a secret of at least 16 bytes; what says what it is, such as "token".
func (s *Secrets) Add(what, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.windows == nil {
		s.windows, s.count, s.known = map[string]string{}, map[string]int{}, map[string]bool{}
	}
	if s.known[secret] {
		return
	}
	s.known[secret] = true
	s.count[what]++
	for form, text := range forms(secret) {
		for i := 0; i+window <= len(text); i++ {
			s.windows[text[i:i+window]] = what + " " + form
		}
	}
}

// forms are the ways in which Go and people write bytes.
func forms(secret string) map[string]string {
	b := []byte(secret)
	return map[string]string{
		"as it is":     secret,
		"in hex":       fmt.Sprintf("%x", b),
		"in HEX":       fmt.Sprintf("%X", b),
		"in numbers":   strings.Trim(fmt.Sprint(b), "[]"),
		"in Go":        strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"),
		"in JSON":      strings.ReplaceAll(strings.Trim(fmt.Sprint(b), "[]"), " ", ","),
		"quoted":       strings.Trim(fmt.Sprintf("%q", secret), `"`),
		"in base64":    base64.StdEncoding.EncodeToString(b),
		"in base64url": base64.RawURLEncoding.EncodeToString(b),
		"escaped":      fmt.Sprintf("%+q", secret),
	}
}

// Count says how many secrets of each kind were added.
func (s *Secrets) Count() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Find returns what of the secrets stands in text, and where, "" where nothing does.
func (s *Secrets) Find(text string) (what string, at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i+window <= len(text); i++ {
		if what, ok := s.windows[text[i:i+window]]; ok {
			return what, i
		}
	}
	return "", -1
}
