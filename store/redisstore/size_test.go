package redisstore

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// TestBytesASession bounds what a session takes of the server's memory. docs/stores.md has its figures for a million:
// HARDY_SESSIONS=1000000 go test -run BytesASession -v ./store/redisstore
func TestBytesASession(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("HARDY_SESSIONS"))
	if n == 0 {
		n = 5_000
	}
	for _, c := range []struct {
		name string
		user func(i int) string
		most int
	}{
		{"anonymous", func(int) string { return "" }, 900},
		{"a user each", func(i int) string { return fmt.Sprintf("user-%07d@example.com", i) }, 1200},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			server := servers.StartRedis(t)
			s := open(t, server.URL(), nil)
			must(t, s.Create(ctx, fresh("warm")))
			before := memoryOf(t, s)
			all := make([]string, n)
			each := func(do func(i int) error) {
				t.Helper()
				const hands = 64
				var wg sync.WaitGroup
				for h := range hands {
					wg.Go(func() {
						for i := h; i < n; i += hands {
							if err := do(i); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
			now := time.Now()
			each(func(i int) error {
				r := fresh(c.user(i))
				all[i] = r.ID
				return s.Create(ctx, r)
			})
			live := (memoryOf(t, s) - before) / n
			each(func(i int) error {
				_, err := s.End(ctx, all[i], session.End{Reason: session.ReasonLogout, At: now, Purge: now.Add(session.Tombstone)})
				return err
			})
			dead := (memoryOf(t, s) - before) / n
			t.Logf("%d sessions with 250 bytes of values: %d bytes each live, %d ended", n, live, dead)
			if live > c.most || dead > live-200 {
				t.Errorf("a session takes %d bytes live and %d ended, want at most %d", live, dead, c.most)
			}
		})
	}
}

func memoryOf(t *testing.T, s *Store) int {
	t.Helper()
	info, err := s.client.Do(t.Context(), s.client.B().Info().Section("memory").Build()).ToString()
	must(t, err)
	_, text, _ := strings.Cut(info, "used_memory:")
	text, _, _ = strings.Cut(text, "\r\n")
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
