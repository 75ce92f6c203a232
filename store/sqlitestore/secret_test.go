package sqlitestore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"example.com/hardy/session"
)

// TestTheFileShowsNoValueAndNoToken: after a thousand sessions, a search in the file and
// its log finds the users, which are a documented column, but none of the values and no token, in any
// spelling.
func TestTheFileShowsNoValueAndNoToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	m := quiet(open(t, path))
	note := session.NewKey[string]("remark-beside") // long enough not to stand in random text by chance
	sessions := 1000
	if raceDetector {
		sessions = 200
	}
	var secrets []string
	for i := range sessions {
		visit := m.New()
		must(t, note.Set(visit, fmt.Sprintf("canary-of-the-value: whisper-%d", i)))
		if i%2 == 0 {
			must(t, visit.Login(fmt.Sprintf("user-%d", i)))
		}
		must(t, m.Commit(t.Context(), visit))
		token := m.Sent(visit).Token
		secrets = append(secrets, token.Secret())
		if i%10 != 0 {
			continue
		}
		visit, err := m.Load(t.Context(), token)
		must(t, err)
		if i%100 != 0 {
			must(t, note.Set(visit, "whisper again"))
		} else {
			must(t, visit.Logout())
		}
		must(t, m.Commit(t.Context(), visit))
	}
	var file []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		must(t, err)
		file = append(file, b...)
	}
	if !bytes.Contains(file, fmt.Appendf(nil, "user-%d", sessions-2)) {
		t.Error("the users are not found: this search shows nothing")
	}
	for _, text := range []string{"whisper", hex.EncodeToString([]byte("whisper")), "remark-beside"} {
		if bytes.Contains(file, []byte(text)) {
			t.Errorf("the file shows %q", text)
		}
	}
	for _, secret := range secrets {
		raw := []byte(secret)
		for _, spelling := range [][]byte{
			raw, []byte(hex.EncodeToString(raw)), []byte(base64.RawURLEncoding.EncodeToString(raw)), []byte(base64.RawStdEncoding.EncodeToString(raw)),
		} {
			if bytes.Contains(file, spelling) {
				t.Fatal("the file shows a token")
			}
		}
	}
}

// TestOnlyTheOwnerCanRead the file, its log and its index, whatever the umask, and although the file was
// there with other rights.
func TestOnlyTheOwnerCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such rights")
	}
	defer umask(umask(0))
	for name, before := range map[string]os.FileMode{"new": 0, "there": 0o666} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			if before != 0 {
				must(t, os.WriteFile(path, nil, before))
			}
			s := open(t, path)
			must(t, s.Create(t.Context(), fresh("ann")))
			for _, suffix := range []string{"", "-wal", "-shm"} {
				info, err := os.Stat(path + suffix)
				must(t, err)
				if info.Mode().Perm() != 0o600 {
					t.Errorf("s.db%s is %v", suffix, info.Mode())
				}
			}
		})
	}
}

// TestOddPaths: no character of a path is taken for a parameter.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"what?mode=memory&x=%41#y.db", "a b+ü.db", "%2e%2e.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path)
		must(t, s.Create(t.Context(), fresh("ann")))
		must(t, s.Close())
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Chdir(t.TempDir())
	s := open(t, "relative.db")
	t.Chdir(t.TempDir())
	must(t, s.Create(t.Context(), fresh("ann")))
}
