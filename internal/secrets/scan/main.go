// Scan reads what a run of tests has printed and searches it for sealed cookies, for texts and bytes that may be a token or
// a key, and for the values of tests:
//
//	go test -v ./... | go run ./internal/secrets/scan
//
// It exits with 1 where it finds one, or where there was next to nothing to search.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

func main() {
	found, lines, err := scan(os.Stdin)
	switch {
	case err != nil:
		found = append(found, err.Error())
	case lines < 100:
		found = append(found, fmt.Sprintf("only %d lines to search: run the tests with -v", lines))
	}
	for _, f := range found {
		fmt.Fprintln(os.Stderr, "scan:", f)
	}
	fmt.Printf("%d lines searched for tokens, keys, values and cookies: %d found\n", lines, len(found))
	if len(found) > 0 {
		os.Exit(1)
	}
}

var (
	sealed = regexp.MustCompile(`v1\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_=-]{80,}`)
	// 32 bytes in base64url or base64, in hex, and as Go prints them.
	alphabet = regexp.MustCompile(`[A-Za-z0-9_+/-]{43,}`)
	hex      = regexp.MustCompile(`[0-9a-f]{64}|[0-9A-F]{64}`)
	list     = regexp.MustCompile(`(?:\d{1,3}[ ,]+){31}\d{1,3}|(?:0x[0-9a-f]{1,2}, ){31}0x[0-9a-f]{1,2}`)
)

// canary begins the values of sessions in tests that have no need of others.
const canary = "canary-of-the-value"

// name is a line that says no more than the name of a test.
var name = regexp.MustCompile(`^\s*(?:=== |--- (?:PASS|SKIP))`)

func scan(r io.Reader) (found []string, lines int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 64<<20)
	before := ""
	for in.Scan() {
		lines++
		line := in.Text()
		what := secret(line)
		if what == "" && (raw(line) || raw(before+"\n"+line) && !raw(before)) { // one byte in 256 ends a line
			what = "the bytes of a token or a key"
		}
		if what != "" {
			found = append(found, fmt.Sprintf("line %d says what may be %s: %.200q", lines, what, line))
		}
		before = line
	}
	return found, lines, in.Err()
}

func secret(line string) string {
	switch {
	case sealed.MatchString(line):
		return "a cookie"
	case strings.Contains(line, canary):
		return "a value"
	case hex.MatchString(line), list.MatchString(line):
		return "a token or a key"
	}
	if name.MatchString(line) {
		return "" // long ones look random
	}
	for _, text := range alphabet.FindAllString(line, -1) {
		for i := range len(text) - 42 { // it may be joined to other text
			if random(text[i : i+43]) {
				return "a token or a key"
			}
		}
	}
	return ""
}

// random: 32 bytes in base64 have upper and lower case and digits all over, and end with two bits of 0; names of tests and
// paths have not.
func random(text string) bool {
	if strings.Count(text, "/") > 3 || !strings.Contains("AEIMQUYcgkosw048", text[42:]) {
		return false
	}
	changes, last := 0, 0
	var classes [5]int
	for _, c := range text {
		class := 1
		switch {
		case c >= 'a' && c <= 'z':
			class = 2
		case c >= '0' && c <= '9':
			class = 3
		case c < 'A' || c > 'Z':
			class = 4
		}
		if class != last {
			changes++
		}
		last = class
		classes[class]++
	}
	return changes >= 18 && classes[1] >= 5 && classes[2] >= 5 && classes[3] >= 1 && classes[4] <= 6
}

// raw says whether 32 bytes like random ones stand in text, as they are or with escapes: of random bytes more than half are
// control characters or no UTF-8.
func raw(text string) bool {
	const window, enough = 28, 10
	var odd []bool // by byte
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		strange := c == utf8.RuneError && size == 1 || c < ' ' && c != '\t' || c == 0x7f
		if c == '\\' && len(text) > 1 {
			size, strange = 2, strings.IndexByte("abfnrtv", text[1]) >= 0
			switch {
			case text[1] == 'x' && len(text) >= 4:
				size, strange = 4, true
			case text[1] == 'u' && len(text) >= 6:
				size, strange = 6, true
			}
		}
		odd = append(odd, strange)
		text = text[size:]
	}
	n := 0
	for i, strange := range odd {
		if strange {
			n++
		}
		if i >= window && odd[i-window] {
			n--
		}
		if n >= enough {
			return true
		}
	}
	return false
}
