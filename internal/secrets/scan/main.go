// Scan reads what a run of tests has printed and searches it for sealed cookies and for texts that may be a token or a key:
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
	fmt.Printf("%d lines searched for tokens, keys and cookies: %d found\n", lines, len(found))
	if len(found) > 0 {
		os.Exit(1)
	}
}

var (
	sealed = regexp.MustCompile(`v1\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_=-]{80,}`)
	// 32 bytes in base64url or base64, in hex, and as Go prints them.
	alphabet = regexp.MustCompile(`[A-Za-z0-9_+/-]{43,}`)
	hex      = regexp.MustCompile(`\b(?:[0-9a-f]{64}|[0-9A-F]{64})\b`)
	list     = regexp.MustCompile(`\[(?:\d{1,3} ){31}\d{1,3}\]`)
)

// name is a line that says no more than the name of a test.
var name = regexp.MustCompile(`^\s*(?:=== |--- (?:PASS|SKIP))`)

func scan(r io.Reader) (found []string, lines int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		lines++
		line := in.Text()
		if what := secret(line); what != "" {
			found = append(found, fmt.Sprintf("line %d says what may be %s: %.200s", lines, what, line))
		}
	}
	return found, lines, in.Err()
}

func secret(line string) string {
	switch {
	case sealed.MatchString(line):
		return "a cookie"
	case hex.MatchString(line), list.MatchString(line):
		return "a token or a key"
	}
	if name.MatchString(line) {
		return "" // long ones look random
	}
	for _, text := range alphabet.FindAllString(line, -1) {
		if random(text) {
			return "a token or a key"
		}
	}
	return ""
}

// random: 32 bytes in base64 have upper and lower case and digits all over; names of tests and paths have not.
func random(text string) bool {
	if len(text) != 43 || strings.Count(text, "/") > 3 {
		return false
	}
	changes, last := 0, 0
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
	}
	return changes >= 18
}
