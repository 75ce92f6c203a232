package cookie

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// K1: keys rotate by the documented steps while cookies are opened; nothing is lost, and the
// trace shows when the old key is out of use.
func TestK1Rotation(t *testing.T) {
	source := text(masterA)
	keys, err := NewKeys(t.Context(), &source, "bell")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	retired := 0
	keys.Trace = &Trace{Opened: func(i OpenedInfo) {
		mu.Lock()
		defer mu.Unlock()
		if i.Retired {
			retired++
		}
	}}
	sealer := keys.Sealer("session", "s")
	value, err := sealer.Seal([]byte("token"))
	if err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var traffic sync.WaitGroup
	for range 2 {
		traffic.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if o, outcome := sealer.Open(value); outcome != OK || string(o.Plain) != "token" {
					t.Errorf("during the rotation: %v", outcome)
					return
				}
				fresh, err := sealer.Seal([]byte("x"))
				if _, outcome := sealer.Open(fresh); err != nil || outcome != OK {
					t.Errorf("sealed during the rotation: %v, %v", outcome, err)
					return
				}
			}
		})
	}
	generation := keys.Generation()
	for _, step := range []text{
		masterA + "," + masterB, // append, roll out
		masterB + "," + masterA, // to the front, roll out
	} {
		source = step
		if err := keys.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if keys.Generation() == generation {
			t.Error("the generation stayed")
		}
		generation = keys.Generation()
		time.Sleep(5 * time.Millisecond) // let the traffic meet this ring
	}
	close(stop)
	traffic.Wait()
	if retired == 0 {
		t.Error("the use of the old key was not traced")
	}

	o, _ := sealer.Open(value)
	if !o.Retired {
		t.Error("not marked as sealed under a retired key")
	}
	value, _ = sealer.Seal(o.Plain) // re-issued
	source = text(masterB)          // drop
	if err := keys.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, outcome := sealer.Open(value); outcome != OK || o.Retired {
		t.Errorf("after the drop: %v, retired %v", outcome, o.Retired)
	}
}

// K1: a revoked key ends what it sealed, told apart from a dropped one and from a forgery in its name.
func TestK1Revoked(t *testing.T) {
	value, _ := ringOf(t, masterA, "bell").Sealer("session", "s").Seal([]byte("token"))
	revoked := ringOf(t, masterB+",revoked:"+masterA, "bell").Sealer("session", "s")
	if o, outcome := revoked.Open(value); outcome != RevokedKey || o.Plain != nil || o.KeyID != idOf(t, masterA) {
		t.Errorf("%v, %d bytes", outcome, len(o.Plain))
	}
	if _, outcome := revoked.Open(value[:len(value)-8] + "AAAAAAA="); outcome != Tampered {
		t.Errorf("forged in the revoked key's name: %v", outcome)
	}
	if _, outcome := ringOf(t, masterB, "bell").Sealer("session", "s").Open(value); outcome != UnknownKey {
		t.Errorf("dropped: %v", outcome)
	}
}

func TestReload(t *testing.T) {
	source := text(masterA)
	keys, err := NewKeys(t.Context(), &source, "bell")
	if err != nil {
		t.Fatal(err)
	}
	var infos []ReloadedInfo
	keys.Trace = &Trace{Reloaded: func(i ReloadedInfo) { infos = append(infos, i) }}
	before := keys.Generation()
	if err := keys.Reload(t.Context()); err != nil || keys.Generation() != before {
		t.Errorf("a ring that has not changed: %v, generation %d", err, keys.Generation())
	}
	source = "x"
	if err := keys.Reload(t.Context()); !errors.Is(err, ErrKeyForm) || keys.PrimaryID() != idOf(t, masterA) || keys.Generation() != before {
		t.Errorf("a bad ring: %v, primary %s", err, keys.PrimaryID())
	}
	source = text(masterB)
	if err := keys.Reload(t.Context()); err != nil || keys.Generation() == before {
		t.Error(err, keys.Generation())
	}
	if len(infos) != 3 || infos[1].Err == nil || infos[2].PrimaryID != idOf(t, masterB) || infos[2].Keys != 1 {
		t.Errorf("traced %+v", infos)
	}
}

func TestKeysFromEnv(t *testing.T) {
	t.Setenv("HARDY_TEST_KEYS", masterA+","+masterB)
	k, err := KeysFromEnv("HARDY_TEST_KEYS", "bell")
	if err != nil || k.State(idOf(t, masterB)) != Retired {
		t.Fatal(err)
	}
	_, err = KeysFromEnv("HARDY_TEST_NO_SUCH", "bell")
	if !errors.Is(err, ErrNoPrimary) || !strings.Contains(err.Error(), "HARDY_TEST_NO_SUCH") || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("%v says neither which variable nor how to make a key", err)
	}
}

func TestKeysFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o620, 0o610, 0o666} {
		write(masterA, mode)
		if _, err := KeysFromFile(path, "bell"); !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	write(masterA, 0o400)
	k, err := KeysFromFile(path, "bell")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o600)
	write(masterB+"\n"+masterA+"\n", 0o600)
	if err := k.Reload(t.Context()); err != nil || k.PrimaryID() != idOf(t, masterB) {
		t.Error(err)
	}
	write(masterC, 0o644)
	if err := k.Reload(t.Context()); !errors.Is(err, ErrKeyFile) || k.PrimaryID() != idOf(t, masterB) {
		t.Errorf("a file that has become readable: %v", err)
	}
	write(strings.Repeat("#", 70<<10), 0o600)
	if _, err := KeysFromFile(path, "bell"); err == nil {
		t.Error("70 KiB accepted")
	}
	if _, err := KeysFromFile(path+"x", "bell"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := KeysFromFile(t.TempDir(), "bell"); !errors.Is(err, ErrKeyFile) {
		t.Error("a directory:", err)
	}
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := KeysFromFile(private, "bell"); !errors.Is(err, ErrKeyFile) {
		t.Error("a directory of the owner's:", err)
	}
}

func TestDevKeys(t *testing.T) {
	var log bytes.Buffer
	was := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(was)
	one, two := DevKeys("bell"), DevKeys("bell")
	if strings.Count(log.String(), "level=WARN") != 2 {
		t.Errorf("it does not warn each time: %s", log.String())
	}
	if !one.Dev() || one.Reload(t.Context()) != nil || one.Shares(two) {
		t.Error("development keys that are not, or that two starts share")
	}
	defer func() {
		if recover() == nil {
			t.Error("no app accepted")
		}
	}()
	DevKeys("")
}

func TestShares(t *testing.T) {
	app := ringOf(t, masterA+","+masterB, "bell")
	for ring, want := range map[string]bool{
		masterC:                         false,
		masterB:                         true,
		masterC + "," + masterA:         true,
		masterC + ",revoked:" + masterA: false,
		masterC + ",revoked:" + masterB: false,
	} {
		if got := app.Shares(ringOf(t, ring, "team")); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// L1: keys, opened values and jars print as nothing, however they are printed.
func TestL1Redacted(t *testing.T) {
	keys := ringOf(t, masterA, "bell")
	sealer := keys.Sealer("local", "s")
	sealed, _ := sealer.Seal([]byte("the secret"))
	opened, _ := sealer.Open(sealed)
	value := NewKey[string]("name").Value("the secret")
	m, _ := parseMaster(masterA)
	secrets := []string{"the secret", fmt.Sprint([]byte("the secret")), fmt.Sprintf("%x", "the secret"), masterA, fmt.Sprint(m.key[:])[1:20], fmt.Sprintf("%x", m.key[:])}
	var jar *Jar
	visit(t, specOf(t, keys), "", func(j *Jar) {
		if err := NewKey[string]("name").Set(j, "the secret"); err != nil {
			t.Fatal(err)
		}
		jar = j
	})
	for _, v := range []any{keys, sealer, opened, value, jar} {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v, "g", slog.GroupValue(slog.Any("v", v)))
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		j, err := json.Marshal(map[string]any{"v": v})
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		all := log.String() + string(j)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			all += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, struct{ V any }{v}) + fmt.Sprintf(verb, []any{v})
		}
		for _, secret := range secrets {
			if strings.Contains(all, secret) {
				t.Errorf("%T prints %q", v, secret)
			}
		}
		if !strings.Contains(all, redacted) {
			t.Errorf("%T does not say that it is redacted", v)
		}
	}
}
