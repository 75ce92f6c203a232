package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// wantFault checks that an error says what has to be said, and no password.
func wantFault(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	if !strings.HasPrefix(err.Error(), "redisstore: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: %q", what, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

// TestOpenRefuses: each error names the server, where there is one, and the mend.
func TestOpenRefuses(t *testing.T) {
	shared := servers.SharedRedis(t)
	guarded := servers.StartRedis(t, "requirepass hunter2")
	host, port, _ := net.SplitHostPort(shared.Addr)
	replica := servers.StartRedis(t, "replicaof "+host+" "+port)
	for name, c := range map[string]struct {
		url   string
		o     *Options
		words []string
	}{
		"nothing":             {"", nil, []string{"write redis://"}},
		"no URL":              {"localhost:6379", nil, []string{`"localhost"`, "write redis://"}},
		"another URL":         {"http://localhost", nil, []string{`"http"`, "write redis://"}},
		"no host":             {"redis://", nil, []string{"names no host"}},
		"a broken URL":        {"redis://:hunter2@ho st:6379", nil, []string{"no URL", "%40"}},
		"a broken port":       {"redis://:hunter2@host:63x79", nil, []string{"no URL"}},
		"a path":              {"redis://" + shared.Addr + "/1/2", nil, []string{"path"}},
		"no number":           {"redis://" + shared.Addr + "/sessions", nil, []string{`"sessions"`, "database number"}},
		"wrong database":      {"redis://" + shared.Addr + "/99999", nil, []string{shared.Addr, "no database of this number"}},
		"a pool of size 0":    {shared.URL() + "?pool_size=0", nil, []string{`"pool_size"`, "no pool to size"}},
		"nobody":              {"redis://127.0.0.1:1", nil, []string{"127.0.0.1:1", "nothing listens there"}},
		"no such host":        {"redis://nowhere.invalid", nil, []string{"nowhere.invalid:6379", "mend the address"}},
		"no password":         {"redis://" + guarded.Addr, nil, []string{guarded.Addr, "wants a password"}},
		"wrong password":      {"redis://:hunter22@" + guarded.Addr, nil, []string{guarded.Addr, "the password is wrong"}},
		"wrong user":          {"redis://ann:hunter2@" + guarded.Addr, nil, []string{guarded.Addr, "user name"}},
		"TLS without TLS":     {"rediss://" + shared.Addr, nil, []string{shared.Addr, "does not answer", "redis://"}},
		"a replica":           {"redis://" + replica.Addr, nil, []string{replica.Addr, "is a replica", "master_set"}},
		"no Sentinel":         {"redis://" + shared.Addr + "?master_set=x", nil, []string{shared.Addr}},
		"a name with a brace": {shared.URL(), &Options{Name: "a{b"}, []string{`"a{b"`, "letters"}},
		"a cache below 0":     {shared.URL(), &Options{Cache: -1}, []string{"use 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), c.url, c.o)
			if err == nil {
				s.Close()
			}
			wantFault(t, "Open", err, c.words...)
		})
	}
	_, err := New(t.Context(), nil, nil)
	wantFault(t, "New without a client", err, "use Open")
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{shared.Addr}})
	must(t, err)
	defer client.Close()
	for _, o := range []*Options{{Cache: 1}, {Configure: func(*rueidis.ClientOption) {}}} {
		_, err = New(t.Context(), client, o)
		wantFault(t, "New with what is Open's", err, "use Open")
	}
	client2, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{replica.Addr}})
	must(t, err)
	defer client2.Close()
	_, err = New(t.Context(), client2, nil)
	wantFault(t, "New with a replica", err, "is a replica")
}

// TestNoPartOfThePasswordIsTold where it is written so that parts of it look like something else.
func TestNoPartOfThePasswordIsTold(t *testing.T) {
	for _, password := range []string{"se/cret", "se#cret", "se?cret", "12/cret", "12?cret", "12#cret", "se:cret", "se@cret", "se%zzcret", "se cret", "se[cret", "se\x7fcret"} {
		for _, form := range []string{"redis://app:PW@127.0.0.1:1/0", "redis://:PW@127.0.0.1:1", "redis://app:PW@127.0.0.1:x", "http://:PW@127.0.0.1:1", "app:PW@127.0.0.1:1"} {
			address := strings.Replace(form, "PW", password, 1)
			_, err := Open(t.Context(), address, nil)
			if err == nil {
				t.Fatalf("%q was opened", address)
			}
			for _, part := range []string{"cret", ":se", `"se`, ":12"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%q: the error tells a part of the password: %v", address, err)
				}
			}
		}
	}
}

// TestOldServerIsRefused: the answers of a real server, in which the version is another one.
func TestOldServerIsRefused(t *testing.T) {
	server := servers.SharedRedis(t)
	version := regexp.MustCompile(`redis_version:([\d.]+)`).FindStringSubmatch(server.CLI("info", "server"))[1]
	old := "5.0.999999"[:len(version)]
	proxy := faultproxy.Start(t, server.Addr)
	proxy.Alter(func(answer []byte) []byte { return bytes.ReplaceAll(answer, []byte(version), []byte(old)) })
	_, err := Open(t.Context(), "redis://"+proxy.Addr, nil)
	wantFault(t, "Open", err, proxy.Addr, "redis "+old, "Redis 6.2 or later")
}

// TestOpenReturnsAtTheDeadline of its context, before a server that accepts connections and is silent.
func TestOpenReturnsAtTheDeadline(t *testing.T) {
	proxy := faultproxy.Start(t, servers.SharedRedis(t).Addr)
	proxy.Hold(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := Open(ctx, "redis://"+proxy.Addr, nil)
	if took := time.Since(begin); took > 15*time.Second || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open took %v: %v", took, err)
	}
	wantFault(t, "Open", err, proxy.Addr)
}

func TestOldVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"6.0.16": false, "5.0.7": false, "6.2.0": true, "6.10": true, "7.0.15": true, "10.1": true, "255.255.255": true, "": false,
	} {
		if got := atLeast(version, 6, 2); got != want {
			t.Errorf("Redis %q is said to be new enough: %v", version, got)
		}
	}
}

// TestEvictionIsRefused: each policy that forgets keys, also where CONFIG is forbidden; and where nobody may ask, a
// warning says so.
func TestEvictionIsRefused(t *testing.T) {
	server := servers.StartRedis(t,
		"user noconfig on >secret ~* &* +@all -config", "user blind on >secret ~* &* +@all -config -info")
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		server.CLI("config", "set", "maxmemory-policy", policy)
		for _, user := range []string{"", "noconfig:secret@"} {
			_, err := Open(t.Context(), "redis://"+user+server.Addr, nil)
			wantFault(t, "Open", err, server.Addr, policy, "noeviction")
		}
	}
	for _, policy := range []string{"allkeys-lru", "noeviction"} { // it stays with the last
		server.CLI("config", "set", "maxmemory-policy", policy)
		var log bytes.Buffer
		open(t, "redis://blind:secret@"+server.Addr, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "noeviction") {
			t.Errorf("under %s, who may not ask logs %q", policy, log.String())
		}
	}
	var log bytes.Buffer
	open(t, "redis://noconfig:secret@"+server.Addr, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if log.Len() > 0 {
		t.Errorf("an open server logs %q", log.String())
	}
}

// TestForeignKeys: what other programs keep under Hardy's names is left alone, and named.
func TestForeignKeys(t *testing.T) {
	ctx := t.Context()
	server := servers.SharedRedis(t)
	server.CLI("set", "hardy/1:{format}", "a picture")
	_, err := Open(ctx, server.URL(), nil)
	wantFault(t, "Open beside a foreign key", err, "hardy/1:{format}", "a picture", "Name")
	server.CLI("set", "hardy/1:{format}", strconv.Itoa(formats+1))
	_, err = Open(ctx, server.URL(), nil)
	wantFault(t, "Open of a newer Hardy's sessions", err, server.Addr, fmt.Sprintf("format %d", formats+1), "update this program")
	if got := server.CLI("get", "hardy/1:{format}"); got != strconv.Itoa(formats+1) {
		t.Errorf("the mark is now %s", got)
	}

	s := open(t, server.URL(), &Options{Name: "other"}) // is not concerned
	r := fresh("ann")
	server.CLI("lpush", s.record(r.ID), "x")
	_, err = s.Load(ctx, r.ID)
	wantFault(t, "Load of a list", err, "WRONGTYPE", "Name")
	wantFault(t, "Replace of a list", s.Replace(ctx, r), "WRONGTYPE")
	_, err = s.End(ctx, r.ID, session.End{Reason: session.ReasonLogout})
	wantFault(t, "End of a list", err, "WRONGTYPE")
	if got := server.CLI("lrange", s.record(r.ID), "0", "-1"); got != "x" {
		t.Errorf("the list is now %q", got)
	}
	server.CLI("del", s.record(r.ID))
	server.CLI("set", s.record(r.ID), "\x01short")
	_, err = s.Load(ctx, r.ID)
	wantFault(t, "Load of what is too short", err, "damaged")
}

// TestNamesKeepApart: two applications in one database, with the same user.
func TestNamesKeepApart(t *testing.T) {
	ctx := t.Context()
	url := servers.SharedRedis(t).URL()
	all := []*Store{open(t, url, nil), open(t, url, &Options{Name: "shop"}), open(t, url, &Options{Name: "forum.2"})}
	for i, s := range all {
		for range i + 1 {
			must(t, s.Create(ctx, fresh("ann")))
		}
	}
	for i, s := range all {
		list, err := s.List(ctx, "ann")
		must(t, err)
		n, err := s.Count(ctx)
		if len(list) != i+1 || n != i+1 || err != nil {
			t.Errorf("application %d sees %d sessions of the user, %d in all, %v; want %d", i, len(list), n, err, i+1)
		}
	}
}

// TestOutOfMemory: a full server refuses what is new, says so, and keeps what it has. A session can be ended all the same.
func TestOutOfMemory(t *testing.T) {
	ctx := t.Context()
	server := servers.StartRedis(t)
	s := open(t, server.URL(), nil)
	a, b, c := fresh("ann"), fresh("ann"), fresh("ann")
	for _, r := range []session.Record{a, b, c} {
		must(t, s.Create(ctx, r))
	}
	server.CLI("config", "set", "maxmemory", "1")
	mend := "raise maxmemory"
	wantFault(t, "Create", s.Create(ctx, fresh("bob")), server.Addr, mend)
	_, err := s.CreateWithin(ctx, fresh("ann"), 2, true)
	wantFault(t, "CreateWithin", err, mend)
	wantFault(t, "Replace", s.Replace(ctx, next(a)), mend)
	wantFault(t, "Touch", s.Touch(ctx, a.ID, a.Seen, a.Expires.Add(time.Minute), a.Purge.Add(time.Minute)), mend)
	if list, err := s.List(ctx, "ann"); len(list) != 3 || err != nil {
		t.Errorf("%d sessions are listed, %v", len(list), err)
	}
	if _, err := s.End(ctx, b.ID, session.End{Reason: session.ReasonRevoked, At: b.Seen, Purge: b.Purge}); err != nil {
		t.Errorf("End on a full server: %v", err)
	}
	if got, err := s.Load(ctx, b.ID); got.Ended != session.ReasonRevoked || err != nil {
		t.Errorf("it has ended as %q, %v", got.Ended, err)
	}
	if _, _, err := s.Sweep(ctx, time.Now().Add(time.Hour), 100); err != nil {
		t.Errorf("Sweep on a full server: %v", err)
	}
	open(t, server.URL(), nil) // a process that starts now ends sessions, too
	server.CLI("config", "set", "maxmemory", "0")
	must(t, s.Replace(ctx, next(c)))
}

func TestClose(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, servers.SharedRedis(t).URL(), nil)
	must(t, err)
	watched := make(chan error)
	began := make(chan bool)
	go func() {
		watched <- s.Watch(ctx, func(session.Ended) { close(began) })
	}()
	<-began
	for range 2 {
		must(t, s.Close())
	}
	if err := <-watched; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Watch of a closed store: %v", err)
	}
	_, err = s.Load(ctx, newID())
	_, err2 := s.List(ctx, "ann")
	for what, err := range map[string]error{"Load": err, "List": err2, "Create": s.Create(ctx, fresh("ann"))} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s on a closed store: %v", what, err)
		}
	}
}
