package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/hardy/internal/column"
	"example.com/hardy/session"
)

func newID() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// fresh returns a live record as the manager makes it: 250 bytes of sealed values.
func fresh(user string) session.Record {
	now := time.Now()
	r := session.Record{
		ID: newID(), Handle: newID()[:22], User: user, Data: make([]byte, 250), Version: 1, Created: now, Seen: now,
		Expires: now.Add(31 * time.Minute), Deadline: now.Add(24 * time.Hour), Purge: now.Add(25 * time.Hour), Idle: 30 * time.Minute,
	}
	rand.Read(r.Data)
	return r
}

// next is what a request that counts stores.
func next(r session.Record) session.Record {
	r.Version++
	r.Seen = time.Now()
	r.Expires, r.Purge = r.Seen.Add(31*time.Minute), r.Seen.Add(25*time.Hour)
	return r
}

// counting lets clients each load and replace a session of their own. It checks that all was stored.
func counting(b *testing.B, clients int, store session.Store, each int) {
	ctx := context.Background()
	rs := make([]session.Record, clients*each)
	var wg sync.WaitGroup
	for i := range rs {
		rs[i] = fresh("")
		wg.Go(func() {
			if err := store.Create(ctx, rs[i]); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	var n atomic.Int64
	b.ResetTimer()
	for c := range clients {
		wg.Go(func() {
			for turn := 0; n.Add(1) <= int64(b.N); turn++ {
				id := rs[c*each+turn%each].ID
				r, err := store.Load(ctx, id)
				if err == nil {
					err = store.Replace(ctx, next(r))
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	total := 0
	for i := range rs {
		r, err := store.Load(ctx, rs[i].ID)
		if err != nil {
			b.Fatal(err)
		}
		total += int(r.Version) - 1
	}
	if total != b.N {
		b.Errorf("%d of %d writes are stored", total, b.N)
	}
}

// BenchmarkCount is a request that reads its session and writes it. "single" is the same SQL without
// grouping: a transaction and a sync for each row.
func BenchmarkCount(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("grouped/clients=%d", clients), func(b *testing.B) {
			counting(b, clients, open(b, filepath.Join(b.TempDir(), "s.db")), 16)
		})
		for _, sync := range []string{"FULL", "NORMAL"} {
			b.Run(fmt.Sprintf("single %s/clients=%d", sync, clients), func(b *testing.B) {
				counting(b, clients, newSingle(b, sync), 16)
			})
		}
	}
}

// single writes row by row, as a store without groups does.
type single struct {
	*Store
	one *sql.DB
	put *sql.Stmt
}

func newSingle(b *testing.B, sync string) *single {
	path := filepath.Join(b.TempDir(), "s.db")
	s := &single{Store: open(b, path)}
	var err error
	if s.one, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous("+sync+")"); err != nil {
		b.Fatal(err)
	}
	s.one.SetMaxOpenConns(1)
	b.Cleanup(func() { s.one.Close() })
	if s.put, err = s.one.Prepare(replaceSQL); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *single) Replace(ctx context.Context, r session.Record) error {
	k, _ := column.Key(r.ID)
	_, err := s.put.ExecContext(ctx, int64(r.Version), r.Data, r.Meta, int64(r.Idle), column.Nanos(r.Deadline), column.Nanos(r.Seen),
		column.Nanos(r.Expires), column.Nanos(r.Purge), k, int64(r.Version-1))
	return err
}

func BenchmarkLoad(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "s.db"))
	r := fresh("ann")
	if err := s.Create(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	for name, ctx := range map[string]context.Context{"background": context.Background(), "deadline": b.Context()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := s.Load(ctx, r.ID); err != nil || got.Version != 1 {
					b.Fatal(err)
				}
			}
		})
	}
}
