package gorilla

import (
	"reflect"
	"strings"
	"time"
	"unicode"
)

// signsIn says whether a Save that sets these keys looks like a sign-in: see the package comment.
func signsIn(was, now map[any]any, set []any) bool {
	for _, k := range set {
		value := now[k]
		if _, flash := value.([]any); flash || zero(reflect.ValueOf(value)) {
			continue
		}
		if zero(reflect.ValueOf(was[k])) || speaksOfIdentity(k, value) {
			return true
		}
	}
	return false
}

// identity are parts of the names under which applications keep who somebody is, and what they may do.
var identity = []string{
	"user", "uid", "login", "logged", "signed", "auth", "account", "member", "customer", "person", "profile", "identity", "principal", "subject",
	"name", "mail", "role", "admin", "group", "perm", "right", "scope", "grant", "claim", "token", "tenant", "org",
}

// speaksOfIdentity says whether what rests under k may be who somebody is. Of a key that is no text nobody knows; a number
// or a time there is rather a count or a clock.
func speaksOfIdentity(k, value any) bool {
	key := reflect.ValueOf(k)
	if key.Kind() != reflect.String {
		_, clock := value.(time.Time)
		kind := reflect.TypeOf(value).Kind()
		return !clock && (kind < reflect.Int || kind > reflect.Complex128)
	}
	text := strings.ToLower(key.String())
	if strings.Contains(text, "csrf") || strings.Contains(text, "xsrf") {
		return false
	}
	for _, part := range identity {
		if strings.Contains(text, part) {
			return true
		}
	}
	return text == "sub" || endsInID(key.String())
}

// endsInID: "id", "userId", "CUSTOMER_ID", but not "paid".
func endsInID(text string) bool {
	n := len(text) - 2
	if n < 0 || !strings.EqualFold(text[n:], "id") {
		return false
	}
	if n == 0 {
		return true
	}
	before := rune(text[n-1])
	return !unicode.IsLetter(before) || text[n] == 'I' && unicode.IsLower(before)
}
