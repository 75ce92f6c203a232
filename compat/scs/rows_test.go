package scs_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// unregistered is a row with a type that this program has not registered, under a name of its own.
func unregistered(t *testing.T) []byte {
	t.Helper()
	registerOnce.Do(func() { gob.RegisterName("renamed.Type", renamed{}) })
	row, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{"v": renamed{1}})
	must(t, err)
	return bytes.Replace(row, []byte("renamed.Type"), []byte("another.Type"), 1)
}

var registerOnce sync.Once

// A row is what scs writes: its bytes decode with the codec alone, deadline and values, and nothing is beside them.
func TestRowsAreThoseOfTheCodec(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"n": 1})
	row, found, err := m.Store.Find(token)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	deadline, values, err := scs.GobCodec{}.Decode(row)
	must(t, err)
	if len(values) != 1 || values["n"] != 1 || time.Until(deadline) < 23*time.Hour {
		t.Errorf("the row holds %v until %v", values, deadline)
	}
	again, err := scs.GobCodec{}.Encode(deadline, values)
	must(t, err)
	if !bytes.Equal(again, row) {
		t.Error("the row is not byte for byte what the codec writes")
	}
	// What another program wrote is read, and stays readable to it when it is changed here.
	row, err = scs.GobCodec{}.Encode(deadline, map[string]any{"a": "x", "b": []byte{1}})
	must(t, err)
	must(t, m.Store.Commit(token, row, deadline))
	ctx := load(t, m, token)
	m.Put(ctx, "n", 2)
	_, _, err = m.Commit(ctx)
	must(t, err)
	row, _, _ = m.Store.Find(token)
	kept, values, err := scs.GobCodec{}.Decode(row)
	must(t, err)
	if got := fmt.Sprint(values["a"], values["b"], values["n"], len(values)); got != "x[1] 2 3" || !kept.Equal(deadline) {
		t.Errorf("the row holds %s until %v", got, kept)
	}
}

// The end of a session rests as a row that the codec of an older binary reads: a session without a value of the
// application, and without a token in it.
func TestTombstonesAreRows(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		m := newManager()
		token := begin(t, m, map[string]any{"user": "ann"})
		ctx := load(t, m, token)
		next := ""
		if renewed {
			must(t, m.RenewToken(ctx))
			next = m.Token(ctx)
		} else {
			must(t, m.Destroy(ctx))
		}
		row, found, err := m.Store.Find(token)
		if err != nil || !found {
			t.Fatalf("no tombstone: %v, %v", found, err)
		}
		deadline, values, err := scs.GobCodec{}.Decode(row)
		must(t, err)
		if _, only := values["__hardy"]; !only || len(values) != 1 || time.Until(deadline) > 25*time.Hour || time.Until(deadline) < 23*time.Hour {
			t.Errorf("the tombstone holds %v until %v", values, deadline)
		}
		if next != "" && bytes.Contains(row, []byte(next)) {
			t.Error("the tombstone reveals the new token")
		}
		// An older binary goes on with it: it counts as a session again, and what it holds is not lost.
		values["n"] = 5
		row, err = scs.GobCodec{}.Encode(deadline, values)
		must(t, err)
		must(t, m.Store.Commit(token, row, deadline))
		now := load(t, m, token)
		if m.GetInt(now, "n") != 5 || len(m.Keys(now)) != 1 {
			t.Errorf("what an older binary has put: %v", m.Keys(now))
		}
		m.Put(now, "n", 6)
		_, _, err = m.Commit(now)
		must(t, err)
		row, _, _ = m.Store.Find(token)
		if _, values, err = (scs.GobCodec{}).Decode(row); err != nil || values["n"] != 6 || len(values) != 1 {
			t.Errorf("the row holds %v, %v", values, err)
		}
	}
}

// jsonCodec is a codec of an application's own, which turns every number into a float64.
type jsonCodec struct{}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"deadline": deadline, "values": values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var aux struct {
		Deadline time.Time
		Values   map[string]any
	}
	err := json.Unmarshal(b, &aux)
	return aux.Deadline, aux.Values, err
}

// strictCodec knows its keys, and drops all others.
type strictCodec struct{ jsonCodec }

func (c strictCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return c.jsonCodec.Encode(deadline, map[string]any{"n": values["n"]})
}

// A codec of one's own works as with scs; where it loses tombstones, ended sessions are deleted.
func TestOwnCodec(t *testing.T) {
	for _, codec := range []scs.Codec{jsonCodec{}, strictCodec{}} {
		m := newManager()
		m.Codec = codec
		token := begin(t, m, map[string]any{"n": 1})
		ctx := load(t, m, token)
		if v := m.Get(ctx, "n"); v != 1.0 {
			t.Errorf("%T: n is %v of type %T", codec, v, v)
		}
		m.Put(ctx, "n", 2)
		_, _, err := m.Commit(ctx)
		must(t, err)
		ctx = load(t, m, token)
		if v := m.Get(ctx, "n"); v != 2.0 {
			t.Errorf("%T: n is %v of type %T", codec, v, v)
		}
		must(t, m.Destroy(ctx))
		if now := load(t, m, token); m.Token(now) != "" {
			t.Errorf("%T: the destroyed session is there", codec)
		}
		_, found, _ := m.Store.Find(token)
		if _, strict := codec.(strictCodec); found == strict {
			t.Errorf("%T: a tombstone is there: %v", codec, found)
		}
	}
}

// Values of all kinds come back as scs brings them.
func TestValuesOfAllKinds(t *testing.T) {
	gob.Register(map[string]int{})
	gob.Register(&pointed{})
	m := newManager()
	now := time.Now()
	values := map[string]any{
		"string": "text", "bool": true, "int": 1, "int64": int64(2), "int32": int32(3), "float": 1.5, "bytes": []byte("b"),
		"map": map[string]int{"a": 1}, "pointer": &pointed{N: 4}, "": "no name", "long": string(make([]byte, 5000)),
		string(make([]byte, 300)): "a long name", "\x00": "odd name",
	}
	token := begin(t, m, values)
	for range 3 { // decoded, and remembered or not
		ctx := load(t, m, token)
		if m.GetString(ctx, "string") != "text" || !m.GetBool(ctx, "bool") || m.GetInt(ctx, "int") != 1 || m.GetInt64(ctx, "int64") != 2 ||
			m.GetInt32(ctx, "int32") != 3 || m.GetFloat(ctx, "float") != 1.5 || string(m.GetBytes(ctx, "bytes")) != "b" ||
			m.Get(ctx, "map").(map[string]int)["a"] != 1 || m.Get(ctx, "pointer").(*pointed).N != 4 || m.GetString(ctx, "") != "no name" ||
			len(m.GetString(ctx, "long")) != 5000 || m.GetString(ctx, "\x00") != "odd name" || len(m.Keys(ctx)) != len(values) {
			t.Errorf("values are not what was put: %v", m.Keys(ctx))
		}
		if m.GetInt(ctx, "string") != 0 || m.GetTime(ctx, "nothing") != (time.Time{}) || m.GetBytes(ctx, "int") != nil {
			t.Error("a value of another type is not zero")
		}
		m.Get(ctx, "map").(map[string]int)["a"] = 99 // this request's own
	}
	ctx := load(t, m, token)
	m.Put(ctx, "time", now)
	if got := m.PopTime(ctx, "time"); !got.Equal(now) || m.Exists(ctx, "time") {
		t.Error("PopTime")
	}
	if m.PopString(ctx, "string") != "text" || m.PopString(ctx, "string") != "" || !m.PopBool(ctx, "bool") || m.PopInt(ctx, "int") != 1 ||
		m.PopFloat(ctx, "float") != 1.5 || string(m.PopBytes(ctx, "bytes")) != "b" {
		t.Error("Pop")
	}
	must(t, m.Clear(ctx))
	_, _, err := m.Commit(ctx)
	must(t, err)
	if keys := m.Keys(load(t, m, token)); len(keys) != 0 || keys == nil {
		t.Errorf("after Clear: %v", keys)
	}
}

type pointed struct{ N int }

// What is remembered of rows is nobody's to change.
func TestRequestsShareNothing(t *testing.T) {
	m := newManager()
	token := begin(t, m, map[string]any{"n": 1, "s": "x"})
	for i := range 3 {
		a, b := load(t, m, token), load(t, m, token)
		m.Put(a, "n", 100+i)
		m.Remove(a, "s")
		m.Put(a, "new", true)
		if m.GetInt(b, "n") != 1 || m.GetString(b, "s") != "x" || m.Exists(b, "new") {
			t.Fatal("a change shows in another request before it is stored")
		}
	}
}

// Deadlines: of a new session, by SetDeadline, begun anew by RenewToken.
func TestDeadlines(t *testing.T) {
	m := newManager()
	m.Lifetime = 1000 * 24 * time.Hour // longer than Hardy's own limit
	token := begin(t, m, map[string]any{"n": 1})
	ctx := load(t, m, token)
	if d := time.Until(m.Deadline(ctx)); d < 999*24*time.Hour {
		t.Errorf("the deadline is %v away", d)
	}
	m.SetDeadline(ctx, time.Now().Add(time.Hour))
	_, expiry, err := m.Commit(ctx)
	must(t, err)
	if d := time.Until(expiry); d > time.Hour || d < 59*time.Minute {
		t.Errorf("expires in %v", d)
	}
	ctx = load(t, m, token)
	if d := time.Until(m.Deadline(ctx)); d > time.Hour || d < 59*time.Minute {
		t.Errorf("the deadline is %v away", d)
	}
	must(t, m.RenewToken(ctx))
	token, _, err = m.Commit(ctx)
	must(t, err)
	ctx = load(t, m, token)
	if d := time.Until(m.Deadline(ctx)); d < 999*24*time.Hour {
		t.Errorf("after RenewToken the deadline is %v away", d)
	}
	m.SetDeadline(ctx, time.Now().Add(-time.Second))
	_, _, err = m.Commit(ctx)
	must(t, err)
	if m.Token(load(t, m, token)) != "" {
		t.Error("a session past its deadline opens")
	}
}

// A tombstone rests for as long as the session would have, where that is 1 to 24 hours, so that a table's index of
// expiries stays as it is.
func TestTombstonesExpire(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		2 * time.Hour: 2 * time.Hour, 24 * time.Hour: 24 * time.Hour, 30 * time.Minute: 24 * time.Hour, 30 * 24 * time.Hour: 24 * time.Hour,
	} {
		m := newManager()
		expiries := &expiring{MemStore: memstore.NewWithCleanupInterval(0), of: map[string][]time.Time{}}
		m.Store, m.Lifetime = expiries, lifetime
		began := time.Now()
		token := begin(t, m, map[string]any{"n": 5})
		ctx := load(t, m, token)
		must(t, m.RenewToken(ctx))
		_, _, err := m.Commit(ctx)
		must(t, err)
		all := expiries.of[token]
		if len(all) != 2 {
			t.Fatalf("%v: written %d times", lifetime, len(all))
		}
		if off := all[1].Sub(began.Add(want)); off < 0 || off > time.Minute {
			t.Errorf("%v: kept for %v", lifetime, all[1].Sub(began))
		}
		if lifetime == want && !all[1].Equal(all[0]) {
			t.Errorf("%v: the expiry has changed from %v to %v", lifetime, all[0], all[1])
		}
	}
}

// expiring notes what expiries rows are written with.
type expiring struct {
	*memstore.MemStore
	of map[string][]time.Time
}

func (e *expiring) Commit(token string, row []byte, expiry time.Time) error {
	e.of[token] = append(e.of[token], expiry)
	return e.MemStore.Commit(token, row, expiry)
}
