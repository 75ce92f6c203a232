package session_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/internal/value"
	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/sqlitestore"
)

// said is one message of a conversation.
type said struct{ Who, Text string }

func texts(entries []session.Entry[said]) (all []string) {
	for _, e := range entries {
		all = append(all, e.Value.Text)
	}
	return all
}

func wantTexts(t *testing.T, what string, entries []session.Entry[said], want ...string) {
	t.Helper()
	if got := texts(entries); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Agent guide, 2: add_context with a timestamp, get_context of the last n or of all, a copy; end_session empties it.
func TestAgentGuideContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, quiet())
		talk := session.NewLog[said]("context", &session.LogOptions{Max: 4})
		v := signIn(t, m, "ann")
		for i := range 6 {
			time.Sleep(time.Minute)
			v.do(func(s *session.Session) { must(t, talk.Append(ctx, s, said{"ann", fmt.Sprint(i)})) })
		}
		s := v.do(func(s *session.Session) { must(t, s.Renew()) })
		all := talk.All(s)
		wantTexts(t, "all", all, "2", "3", "4", "5")
		if talk.Len(s) != 4 || !all[3].At.Equal(time.Now()) || all[3].At.Sub(all[0].At) != 3*time.Minute {
			t.Errorf("%d entries, from %v to %v", talk.Len(s), all[0].At, all[3].At)
		}
		all[3].Value.Text = "changed"
		wantTexts(t, "the last two", talk.Last(s, 2), "4", "5")
		wantTexts(t, "the last ten", talk.Last(s, 10), "2", "3", "4", "5")
		for _, n := range []int{0, -1} {
			wantTexts(t, fmt.Sprint("the last ", n), talk.Last(s, n))
		}
		must(t, talk.Clear(ctx, s))
		must(t, talk.Clear(ctx, s))
		wantTexts(t, "cleared", talk.All(s))
		must(t, talk.Append(ctx, s, said{"ann", "again"}))
		v.do(func(s *session.Session) {
			wantTexts(t, "later", talk.All(s), "again")
			must(t, s.Logout())
		})
		ended, _ := v.arrive()
		wantTexts(t, "after the end", talk.All(ended))
	})
}

// Entries appended at once by several processes are each there once, in the order of their times.
func TestLogIsExact(t *testing.T) {
	db := store.NewMemory(nil)
	talk := session.NewLog[said]("talk", &session.LogOptions{Max: 1000, MaxBytes: 60_000})
	tail := session.NewLog[said]("tail", &session.LogOptions{Max: 10})
	var managers []*session.Manager
	for range 3 {
		managers = append(managers, session.NewManager(db, &session.Options{Logger: quiet().Logger, MaxBytes: 1 << 20, StoreTimeout: time.Minute}))
	}
	v := signIn(t, managers[0], "ann")
	const each = 40
	var group sync.WaitGroup
	for i := range 6 {
		here := v.on(managers[i%3])
		group.Go(func() {
			for n := range each {
				s, err := here.arrive()
				if err == nil {
					message := said{fmt.Sprint(i), fmt.Sprint(i, "-", n)}
					err = errors.Join(talk.Append(ctx, s, message), tail.Append(ctx, s, message))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	s, err := v.arrive()
	must(t, err)
	seen, next := map[string]int{}, map[string]int{}
	all := talk.All(s)
	for i, e := range all {
		seen[e.Value.Text]++
		if want := fmt.Sprint(e.Value.Who, "-", next[e.Value.Who]); e.Value.Text != want {
			t.Errorf("entry %d is %q, want %q", i, e.Value.Text, want)
		}
		next[e.Value.Who]++
		if i > 0 && e.At.Before(all[i-1].At) {
			t.Errorf("entry %d is from %v before its predecessor", i, all[i-1].At.Sub(e.At))
		}
	}
	if len(seen) != 6*each || len(all) != 6*each {
		t.Errorf("%d entries, %d of them different, want %d", len(all), len(seen), 6*each)
	}
	if tail.Len(s) != 10 {
		t.Errorf("the bounded log holds %d", tail.Len(s))
	}
}

func TestLogStaysWithinItsSize(t *testing.T) {
	o := quiet()
	o.MaxBytes = 4000
	m, _ := newManager(t, o)
	talk := session.NewLog[string]("talk", &session.LogOptions{Max: 1000, MaxBytes: 2000})
	long := session.NewLog[string]("long", &session.LogOptions{Max: 1000, MaxBytes: 1 << 20})
	v := signIn(t, m, "ann")
	v.do(func(s *session.Session) {
		for i := range 100 {
			must(t, talk.Append(ctx, s, strings.Repeat("x", 100+i)))
		}
		all := talk.All(s)
		if n := len(all); n < 5 || n > 15 || len(all[n-1].Value) != 199 || len(all[0].Value) != 199-n+1 {
			t.Errorf("%d entries are left, the last of %d bytes", n, len(all[n-1].Value))
		}
		// An entry that alone has no room drops nothing.
		before := talk.Len(s)
		if err := talk.Append(ctx, s, strings.Repeat("x", 2000)); !errors.Is(err, session.ErrTooLarge) || talk.Len(s) != before {
			t.Errorf("too large an entry: %v, and %d are left", err, talk.Len(s))
		}
		// The other values of the session stay, and what is left is the log's, down to the byte.
		must(t, theme.Set(s, strings.Repeat("t", 500)))
		must(t, s.Save(ctx))
		for range 100 {
			must(t, long.Append(ctx, s, strings.Repeat("y", 57)))
		}
		if n := long.Len(s); n < 5 || talk.Len(s) != before || len(theme.Get(s)) != 500 {
			t.Errorf("%d in the long one, %d in the other", n, talk.Len(s))
		}
		if err := rings.Set(s, 1<<40); err == nil {
			must(t, s.Save(ctx)) // there is room for little more than that
		}
		if err := theme.Set(s, strings.Repeat("t", 700)); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("a value that has no room: %v", err)
		}
	})
	s, err := v.arrive()
	must(t, err)
	if n := len(talk.Last(s, 3)); n != 3 || long.Len(s) < 5 {
		t.Errorf("%d, %d", n, long.Len(s))
	}
}

func TestLogAndItsSession(t *testing.T) {
	m, _ := newManager(t, quiet())
	talk := session.NewLog[any]("talk", nil)
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) { // begins a session
		must(t, talk.Clear(ctx, s))
		must(t, talk.Append(ctx, s, "hello"))
	})
	if v.token == nil {
		t.Fatal("no session has begun")
	}
	v.do(func(s *session.Session) { must(t, s.Login("ann")) })
	v.do(func(s *session.Session) {
		if talk.Len(s) != 1 {
			t.Error("signing in has lost it")
		}
		if err := talk.Append(ctx, s, make(chan int)); err == nil || talk.Len(s) != 1 {
			t.Errorf("a channel: %v", err)
		}
		must(t, s.Login("bob"))
		if talk.Len(s) != 0 {
			t.Error("bob sees ann's")
		}
	})
	v.do(func(s *session.Session) { must(t, s.Logout()) })
	ended := m.New()
	must(t, ended.Login("ann"))
	must(t, m.Commit(ctx, ended))
	must(t, m.Revoke(ctx, "ann", ended.Handle()))
	s, _ := m.Load(ctx, ended.Token())
	if err := errors.Join(talk.Append(ctx, s, 1)); !errors.Is(err, session.ErrExpired) {
		t.Errorf("after the end: %v", err)
	}
	if err := talk.Clear(ctx, s); !errors.Is(err, session.ErrExpired) {
		t.Errorf("Clear after the end: %v", err)
	}
	for name, f := range map[string]func(){
		"a channel":    func() { session.NewLog[chan int]("x", nil) },
		"a negative":   func() { session.NewLog[int]("x", &session.LogOptions{Max: -1}) },
		"another":      func() { session.NewLog[int]("x", &session.LogOptions{MaxBytes: -1}) },
		"not even one": func() { session.NewLog[func()]("x", nil) },
	} {
		if panics(f) == "" {
			t.Errorf("NewLog of %s was taken", name)
		}
	}
	if err := session.NewLog[int]("", nil).Append(ctx, m.New(), 1); !errors.Is(err, session.ErrName) {
		t.Errorf("without a name: %v", err)
	}
}

// A log rests as the list that a Key of its entries has, and reads what is there under its name.
func TestLogRestsAsAList(t *testing.T) {
	m, _ := newManager(t, quiet())
	talk := session.NewLog[said]("talk", &session.LogOptions{Max: 3})
	list := session.NewKey[[]session.Entry[said]]("talk")
	at := time.Date(2026, 11, 21, 9, 30, 0, 5, time.UTC)
	v := &visitor{t: t, m: m}
	v.do(func(s *session.Session) {
		must(t, list.Set(s, []session.Entry[said]{{at, said{"ann", "one"}}, {at, said{"bob", "two"}}}))
		wantTexts(t, "set as a list", talk.Last(s, 1), "two")
		must(t, talk.Append(ctx, s, said{"ann", "three"}))
		must(t, talk.Append(ctx, s, said{"ann", "four"}))
		got := list.Get(s)
		wantTexts(t, "read as a list", got, "two", "three", "four")
		if !got[0].At.Equal(at) || time.Since(got[2].At) > time.Minute {
			t.Errorf("times %v, %v", got[0].At, got[2].At)
		}
		// What is no list of such entries reads as absent, as with a Key.
		for _, other := range []any{"text", 7, []any{1, 2, 3, 4}, map[string]any{"a": 1}} {
			must(t, session.NewKey[any]("talk").Set(s, other))
			if got := talk.All(s); got != nil {
				t.Errorf("%v reads as %v", other, got)
			}
		}
		must(t, talk.Clear(ctx, s))
		must(t, session.NewKey[any]("talk").Set(s, "text"))
		must(t, talk.Append(ctx, s, said{"ann", "anew"}))
		wantTexts(t, "over something else", talk.All(s), "anew")
	})
}

// The stored form is frozen: a list of maps, each with the time as tagged text.
func TestFrozenLog(t *testing.T) {
	const stored = "81a2" +
		"626174" + "c0" + "781e" + "323032362d31312d32315430393a33303a30302e3030303030303030355a" + // at: 2026-11-21T09:30:00.000000005Z
		"6576616c7565" + "a2" + "6357686f" + "63616e6e" + "6454657874" + "6568656c6c6f" // value: {Who: ann, Text: hello}
	entries := []session.Entry[said]{{time.Date(2026, 11, 21, 9, 30, 0, 5, time.UTC), said{"ann", "hello"}}}
	if b, err := value.Encode(entries); err != nil || hex.EncodeToString(b) != stored {
		t.Errorf("written as %x, %v", b, err)
	}
	b, err := hex.DecodeString(stored)
	must(t, err)
	if got, err := value.Read[[]session.Entry[said]](b); err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("read as %v, %v", got, err)
	}
}

// A restart loses no log, no metadata, no time of creation, and no key of Seal.
func TestAgentGuidePersistence(t *testing.T) {
	path := t.TempDir() + "/sessions.db"
	talk := session.NewLog[said]("context", nil)
	var secret string
	var sealed []byte
	var created time.Time
	for run := range 3 {
		db, err := sqlitestore.Open(ctx, path, nil)
		must(t, err)
		m := session.NewManager(db, quiet())
		v := &visitor{t: t, m: m}
		if run == 0 {
			v.do(func(s *session.Session) {
				must(t, s.Login("ann"))
				must(t, s.SetMeta("device", "laptop"))
				must(t, talk.Append(ctx, s, said{"ann", "hello"}))
				sealed, err = s.Seal([]byte("a file of hers"))
				must(t, err)
				created = s.Created()
			})
		} else {
			v.token, err = m.Token(secret)
			must(t, err)
			v.do(func(s *session.Session) {
				wantTexts(t, "after a restart", talk.All(s), "hello")
				data, err := s.Open(sealed)
				if err != nil || string(data) != "a file of hers" || s.Meta()["device"] != "laptop" || !s.Created().Equal(created) {
					t.Errorf("after restart %d: %q %v, metadata %v, created %v", run, data, err, s.Meta(), s.Created())
				}
				must(t, s.Renew())
			})
			list, err := m.List(ctx, "ann")
			if err != nil || len(list) != 1 || list[0].Meta["device"] != "laptop" || !list[0].Created.Equal(created) {
				t.Errorf("listed: %+v %v", list, err)
			}
		}
		secret = v.token.Secret()
		must(t, db.Close())
	}
}

// Clear removes what another request has appended meanwhile, too.
func TestLogClearedBesideAnAppend(t *testing.T) {
	talk := session.NewLog[string]("talk", nil)
	m, _ := newManager(t, quiet())
	v := signIn(t, m, "ann")
	a, err := v.arrive()
	must(t, err)
	if n := talk.Len(a); n != 0 {
		t.Fatal(n)
	}
	b, err := v.arrive()
	must(t, err)
	must(t, talk.Append(ctx, b, "hello"))
	must(t, talk.Clear(ctx, a))
	v.do(func(s *session.Session) {
		if n := talk.Len(s); n != 0 {
			t.Errorf("cleared, and %d there", n)
		}
	})
}
