package sqlitestore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/hardy/ratelimit/quota"
	"example.com/hardy/ratelimit/quota/quotatest"
)

func openQuotas(t *testing.T) quota.Store {
	return open(t, filepath.Join(t.TempDir(), "s.db")).Quotas()
}

func TestQuotas(t *testing.T) { quotatest.Run(t, openQuotas) }

func TestQuotaLedger(t *testing.T) { quotatest.RunLedger(t, openQuotas) }

// granting is a ledger in which everybody has that quota of r.
func granting(t testing.TB, s *Store, q quota.Quota) *quota.Ledger {
	t.Helper()
	l, err := quota.New(s.Quotas(), &quota.Options{Resources: []quota.Resource{{Name: "r", Default: &q}}})
	must(t, err)
	return l
}

// used is what the file says, whatever the limit.
func used(t testing.TB, s *Store, user string) int64 {
	t.Helper()
	return usedOf(t, granting(t, s, quota.Quota{Limit: 1, Period: quota.Gauge()}), user, "r")
}

func usedOf(t testing.TB, l *quota.Ledger, user, resource string) int64 {
	t.Helper()
	report, err := l.Report(context.Background(), user)
	must(t, err)
	for _, u := range report {
		if u.Resource == resource {
			return u.Used
		}
	}
	t.Fatalf("no %s in %v", resource, report)
	return 0
}

// childConsume asks for n units, one by one in two goroutines, and says how many it got.
func childConsume(ctx context.Context, s *Store, n, limit int) error {
	l, err := quota.New(s.Quotas(), &quota.Options{Resources: []quota.Resource{{Name: "r", Default: &quota.Quota{Limit: int64(limit), Period: quota.Gauge()}}}})
	if err != nil {
		return err
	}
	var got [2]int
	fault := make(chan error, 2)
	for g := range got {
		go func() {
			for range n / 2 {
				switch err := l.Consume(ctx, "ann", "r", 1); {
				case err == nil:
					got[g]++
				case !errors.Is(err, quota.ErrExceeded):
					fault <- err
					return
				}
			}
			fault <- nil
		}()
	}
	if err := errors.Join(<-fault, <-fault); err != nil {
		return err
	}
	fmt.Println(got[0] + got[1])
	return nil
}

// TestEightProcessesConsumeExactly: 8 processes want 4,000 units in all, of which there are 2,500: these are
// admitted, and no process meets another error than that the quota is exceeded.
func TestEightProcessesConsumeExactly(t *testing.T) {
	const processes = 8
	each, limit := 500, 2500
	if testing.Short() || raceDetector {
		each, limit = 60, 300
	}
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	start := time.Now()
	var wg sync.WaitGroup
	admitted := make([]int, processes)
	for i := range processes {
		cmd := command(t, "consume", path, strconv.Itoa(each), strconv.Itoa(limit))
		wg.Go(func() {
			out, err := cmd.Output()
			if err != nil {
				t.Error(err)
			}
			admitted[i], _ = strconv.Atoi(string(bytes.TrimSpace(out)))
		})
	}
	wg.Wait()
	sum, busy := 0, 0
	for _, n := range admitted {
		sum += n
		if n > 0 {
			busy++
		}
	}
	t.Logf("%v of %d units, of %d wanted, in %v", admitted, limit, processes*each, time.Since(start))
	if n := used(t, s, "ann"); sum != limit || n != int64(limit) || busy < 2 {
		t.Errorf("%d are used, %d were admitted by %d processes, want %d", n, sum, busy, limit)
	}
}

// childSpend consumes for eight users in as many goroutines, until it is killed, and tells of each amount
// once it is recorded.
func childSpend(ctx context.Context, s *Store) error {
	l, err := quota.New(s.Quotas(), &quota.Options{Resources: []quota.Resource{{Name: "r", Default: &quota.Quota{Limit: quota.Unlimited, Period: quota.Month(nil)}}}})
	fault := make(chan error)
	for g := range 8 {
		go func() {
			for {
				n := rand.Int64N(maxSpent) + 1
				if err := l.Consume(ctx, fmt.Sprint("user", g), "r", n); err != nil {
					fault <- err
				}
				acknowledge(fmt.Sprint("user", g), strconv.FormatInt(n, 10))
			}
		}()
	}
	return errors.Join(err, <-fault)
}

const maxSpent = 9

// TestKilledWhileConsuming: a process is killed with SIGKILL in the middle, again and again on one file. What
// it acknowledged, by the parent's own log, is recorded, and nothing is but what was asked for. 5 times;
// HARDY_SOAK=50 sets another number.
func TestKilledWhileConsuming(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("HARDY_SOAK")); err == nil {
		kills = n
	}
	path := filepath.Join(t.TempDir(), "s.db")
	acknowledged := make(map[string]int64)
	calls := 0
	for range kills {
		cmd := command(t, "spend", path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		end := calls + 50 + rand.IntN(400)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			user, amount, _ := strings.Cut(lines.Text(), " ")
			if n, err := strconv.ParseInt(amount, 10, 64); err == nil {
				acknowledged[user] += n
				calls++
			}
			if calls == end {
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("the child was not killed: %v", err)
		}
		s, err := Open(t.Context(), path, nil)
		must(t, err)
		for user, sum := range acknowledged {
			n := used(t, s, user)
			if n < sum {
				t.Fatalf("%s: %d units were acknowledged, %d are recorded", user, sum, n)
			}
			// One call of each goroutine was under way.
			if over := n - sum; over > maxSpent {
				t.Errorf("%s: %d units are recorded that nobody asked for", user, over)
			}
			acknowledged[user] = n
		}
		must(t, s.Close())
	}
	t.Logf("%d kills, %d calls acknowledged", kills, calls)
	if len(acknowledged) < 2 {
		t.Error("too little was written to show anything")
	}
}

// TestQuotasOutliveARestart: usage, periods of all kinds, quotas of one's own, and that the soft threshold
// was told.
func TestQuotasOutliveARestart(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "s.db")
		told := 0
		begin := func() (*Store, *quota.Ledger) {
			s, err := Open(ctx, path, nil)
			must(t, err)
			l, err := quota.New(s.Quotas(), &quota.Options{OnSoft: func(quota.Usage) { told++ }})
			must(t, err)
			return s, l
		}
		quotas := map[string]quota.Quota{
			"day": {Limit: 10, Period: quota.Day(berlin), Soft: 50}, "month": {Limit: 10, Period: quota.Month(nil), Soft: 50},
			"sliding": {Limit: 10, Period: quota.Sliding(10 * time.Hour), Soft: 50}, "gauge": {Limit: 10, Period: quota.Gauge(), Soft: 50},
		}
		s, l := begin()
		for name, q := range quotas {
			must(t, l.Set(ctx, "ann", name, &q))
			must(t, l.Consume(ctx, "ann", name, 6))
		}
		if told != len(quotas) {
			t.Errorf("%d were told of %d", told, len(quotas))
		}
		before, err := l.Report(ctx, "ann")
		must(t, err)
		must(t, s.Close())

		time.Sleep(5 * time.Hour)
		s, l = begin()
		after, err := l.Report(ctx, "ann")
		must(t, err)
		for i, u := range after {
			if b := before[i]; u.String() != b.String() || !u.ResetsAt.Equal(b.ResetsAt) || u.Period.String() != b.Period.String() || u.Used != 6 {
				t.Errorf("before %+v, after %+v", b, u)
			}
			must(t, l.Consume(ctx, "ann", u.Resource, 3))
			var e *quota.ExceededError
			if err := l.Consume(ctx, "ann", u.Resource, 2); !errors.As(err, &e) || e.Left != 1 || e.Used != 9 {
				t.Errorf("%s: %v", u.Resource, err)
			}
		}
		if told != len(quotas) {
			t.Errorf("after the restart %d were told again", told-len(quotas))
		}
		must(t, s.Close())

		time.Sleep(5 * time.Hour)
		s, l = begin()
		for name, want := range map[string]int64{"sliding": 3, "day": 9, "month": 9, "gauge": 9} {
			if n := usedOf(t, l, "ann", name); n != want {
				t.Errorf("%s: %d are used after ten hours, want %d", name, n, want)
			}
		}
		must(t, s.Close())
		time.Sleep(31 * 24 * time.Hour)
		s, l = begin()
		for name, want := range map[string]int64{"sliding": 0, "day": 0, "month": 0, "gauge": 9} {
			if n := usedOf(t, l, "ann", name); n != want {
				t.Errorf("%s: %d are used a month later, want %d", name, n, want)
			}
		}
		must(t, s.Close())
	})
}

// TestQuotasAmongSessions: sessions and quotas are written in one group, in which a refusal or a Tier that
// panics is nobody else's affair; and a Consume leaves at its deadline as other writes do.
func TestQuotasAmongSessions(t *testing.T) {
	ctx := context.Background()
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	l, err := quota.New(s.Quotas(), &quota.Options{Tier: func(user, _ string) (quota.Quota, bool) {
		if user == "oh" {
			panic("oh")
		}
		return quota.Quota{Limit: 10}, true
	}})
	must(t, err)
	release := hold(t, s)
	first, second := fresh("ann"), fresh("bob")
	gone, leave := context.WithCancel(ctx)
	late := make(chan error)
	go func() { late <- l.Consume(gone, "ann", "late", 1) }()
	waitFor(s, 1)
	leave()
	if err := <-late; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("Consume that nobody waits for: %v", err)
	}
	waitFor(s, 0)
	answers := make([]chan any, 5)
	for i, write := range []func() any{
		func() any { return s.Create(ctx, first) },
		func() any { return l.Consume(ctx, "ann", "r", 7) },
		func() (p any) { defer func() { p = recover() }(); return l.Consume(ctx, "oh", "r", 1) },
		func() any { return l.Consume(ctx, "ann", "r", 4) },
		func() any { return s.Create(ctx, second) },
	} {
		answers[i] = make(chan any, 1)
		go func() { answers[i] <- write() }()
		waitFor(s, i+1)
	}
	release()
	for i, want := range []string{"<nil>", "<nil>", "oh", "quota exceeded for r: 11/10", "<nil>"} {
		if got := fmt.Sprint(<-answers[i]); got != want {
			t.Errorf("write %d: %s, want %s", i, got, want)
		}
	}
	for _, r := range []string{first.ID, second.ID} {
		_, err := s.Load(ctx, r)
		must(t, err)
	}
	if n := used(t, s, "ann"); n != 7 {
		t.Errorf("%d are used, want 7", n)
	}
}

// TestQuotasAfterClose: the clear error, as for sessions; and nothing is admitted.
func TestQuotasAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	l := granting(t, s, quota.Quota{Limit: 10})
	must(t, l.Consume(t.Context(), "ann", "r", 1))
	must(t, s.Close())
	_, report := l.Report(t.Context(), "ann")
	for what, err := range map[string]error{
		"Consume": l.Consume(t.Context(), "ann", "r", 1), "Check": l.Check(t.Context(), "ann", "r", 1), "Set": l.Set(t.Context(), "ann", "r", nil),
		"Refund": l.Refund(t.Context(), "ann", "r", 1), "Report": report,
	} {
		if !errors.Is(err, fs.ErrClosed) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if n := used(t, open(t, path), "ann"); n != 1 {
		t.Errorf("%d are used, want 1", n)
	}
}

// TestPastAccountsAreForgotten as others come, and an account that slides does not move in the index with each
// call.
func TestPastAccountsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := open(t, filepath.Join(t.TempDir(), "s.db"))
		l := granting(t, s, quota.Quota{Limit: 1000})
		count := func() (n int) {
			must(t, s.db.QueryRow("SELECT count(*) FROM hardy_quotas").Scan(&n))
			return n
		}
		must(t, l.Set(ctx, "owner", "r", &quota.Quota{Limit: 5}))
		for i := range 100 {
			must(t, l.Consume(ctx, fmt.Sprint("old", i), "r", 1))
		}
		moved, last := 0, int64(0)
		for range 240 {
			time.Sleep(time.Minute)
			must(t, l.Consume(ctx, "regular", "r", 1))
			var due int64
			must(t, s.db.QueryRow("SELECT due FROM hardy_quotas WHERE user = 'regular'").Scan(&due))
			if due < time.Now().Add(time.Hour).UnixNano() {
				t.Fatal("it may be forgotten before its time")
			}
			if due != last {
				moved, last = moved+1, due
			}
		}
		if moved > 5 {
			t.Errorf("in four hours it moved %d times in the index", moved)
		}
		for i := range 100 {
			must(t, l.Consume(ctx, fmt.Sprint("new", i), "r", 1))
		}
		if n := count(); n != 102 {
			t.Errorf("%d accounts, 102 are current", n)
		}
		if n := used(t, s, "regular"); n != 60 {
			t.Errorf("%d are used, want 60", n)
		}
		must(t, l.Refund(ctx, "regular", "r", 1000))
		if n := count(); n != 101 {
			t.Errorf("%d accounts; what says nothing should be gone", n)
		}
	})
}

// Units consumed one by one, on the disk before the answer: alone, and by 64 at once, each for another user or all
// for one.
func BenchmarkConsume(b *testing.B) {
	for _, c := range []struct {
		name    string
		clients int
		period  quota.Period
		user    func(i int) string
	}{
		{"alone", 1, quota.Day(nil), func(int) string { return "ann" }},
		{"users=64", 64, quota.Day(nil), func(i int) string { return fmt.Sprint("user", i) }},
		{"users=64,sliding", 64, quota.Sliding(0), func(i int) string { return fmt.Sprint("user", i) }},
		{"user=1,clients=64", 64, quota.Day(nil), func(int) string { return "ann" }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(b.Context(), filepath.Join(b.TempDir(), "s.db"), nil)
			must(b, err)
			defer s.Close()
			l := granting(b, s, quota.Quota{Limit: quota.Unlimited, Period: c.period})
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range c.clients {
				wg.Go(func() {
					for n.Add(1) <= int64(b.N) {
						if err := l.Consume(b.Context(), c.user(i), "r", 1); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			sum, users := int64(0), make(map[string]bool)
			for i := range c.clients {
				if user := c.user(i); !users[user] {
					users[user] = true
					sum += usedOf(b, l, user, "r")
				}
			}
			if sum != int64(b.N) {
				b.Errorf("%d are recorded of %d", sum, b.N)
			}
		})
	}
}
