package redisstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/hardy/internal/secrets"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

var remark = session.NewKey[string]("remark-beside") // long enough not to stand in random text by chance

// TestTheServerShowsNoValueAndNoToken: after a thousand sessions, a search in what the server would
// put on a disk finds the users, which are a documented field, but none of the values and no token, in any
// spelling; and no key is of a kind that keys.go does not list.
func TestTheServerShowsNoValueAndNoToken(t *testing.T) {
	server := servers.StartRedis(t, "rdbcompression no") // what is compressed can't be searched
	db := open(t, server.URL(), nil)
	m := quiet(db, 3)
	const sessions = 1000
	var hidden secrets.Secrets
	for i := range sessions {
		v := visitor{t: t, m: m}
		whisper := fmt.Sprintf("canary of the value: whisper %d", i)
		hidden.Add("value", whisper)
		v.request(func(s *session.Session) error {
			if i%2 == 0 {
				must(t, s.Login(fmt.Sprintf("user-%d", i%100)))
			}
			return remark.Set(s, whisper)
		})
		hidden.Add("token", v.token.Secret())
		switch {
		case i%100 == 0:
			v.request(logout)
		case i%10 == 0:
			v.request(func(s *session.Session) error { return remark.Set(s, whisper+" again") })
		case i%25 == 1:
			v.request(func(s *session.Session) error { return s.Renew() })
			hidden.Add("token", v.token.Secret())
		}
	}
	hidden.Add("key", "remark-beside-remark-beside")
	if n := hidden.Count(); n["value"] < sessions || n["token"] < sessions {
		t.Fatalf("only %v are searched for", n)
	}

	path := filepath.Join(t.TempDir(), "dump.rdb")
	server.CLI("--rdb", path)
	dump, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Contains(dump, []byte("user-48")) {
		t.Error("the users are not found: this search shows nothing")
	}
	if what, at := hidden.Find(string(dump)); what != "" {
		t.Errorf("the dump shows a %s: %q", what, dump[max(0, at-20):at+20])
	}
	if bytes.Contains(dump, []byte("remark-beside")) {
		t.Error("the dump shows the name of a value")
	}

	kinds := map[string]int{}
	known := map[string]*regexp.Regexp{
		"record": regexp.MustCompile(`^hardy/1:\{[\w-]{2}\}[\w-]{41}$`),
		"due":    regexp.MustCompile(`^hardy/1:\{[\w-]{2}\}due$`),
		"index":  regexp.MustCompile(`^hardy/1:\{[\w-]{43}\}user$`),
		"format": regexp.MustCompile(`^hardy/1:\{format\}$`),
	}
keys:
	for _, key := range strings.Fields(server.CLI("--scan")) {
		for kind, form := range known {
			if form.MatchString(key) {
				kinds[kind]++
				ttl, err := db.client.Do(t.Context(), db.client.B().Ttl().Key(key).Build()).AsInt64()
				if err != nil || ttl < 0 && kind != "format" {
					t.Errorf("%s lives for ever (%v)", key, err)
				}
				continue keys
			}
		}
		t.Errorf("a key of no known kind: %s", key)
	}
	// One of the fifty users has signed out of all sessions.
	if kinds["record"] < sessions || kinds["index"] != 49 || kinds["format"] != 1 || kinds["due"] < 500 {
		t.Errorf("there are %v", kinds)
	}
}
