package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/hardy/internal/servers"
)

// Some tests need other processes: they start this test program again, which then does what the variable says
// instead of testing.
const childVar = "HARDY_REDISSTORE_CHILD"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVar); task != "" {
		if err := child(context.Background(), strings.Split(task, "|")); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Run(m))
}

// child opens the store and signs the user in so many times, within a cap.
func child(ctx context.Context, args []string) error {
	url, user := args[0], args[1]
	times, _ := strconv.Atoi(args[2])
	most, _ := strconv.Atoi(args[3])
	s, err := Open(ctx, url, &Options{Configure: patient})
	if err != nil {
		return err
	}
	defer s.Close()
	evicted := 0
	for range times {
		gone, err := s.CreateWithin(ctx, fresh(user), most, true)
		if err != nil {
			return err
		}
		evicted += len(gone)
	}
	fmt.Println(evicted)
	return nil
}

// TestTwentyProcessesStartAtOnce on an empty database, and sign one user in at the same time: all of
// them come up, each login is answered, and in the end there are exactly as many sessions as the cap allows.
func TestTwentyProcessesStartAtOnce(t *testing.T) {
	const processes, times, most = 20, 3, 4
	for name, url := range map[string]string{
		"one server": servers.StartRedis(t).URL(), "cluster": clusterURL(servers.StartCluster(t)),
	} {
		t.Run(name, func(t *testing.T) {
			self, err := os.Executable()
			must(t, err)
			var wg sync.WaitGroup
			var mu sync.Mutex
			evicted := 0
			for range processes {
				wg.Go(func() {
					cmd := exec.CommandContext(t.Context(), self)
					cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|ann|%d|%d", childVar, url, times, most))
					var stderr bytes.Buffer
					cmd.Stderr = &stderr
					out, err := cmd.Output()
					n, failed := strconv.Atoi(strings.TrimSpace(string(out)))
					if err != nil || failed != nil {
						t.Errorf("a process: %v, %q, %s", err, out, &stderr)
					}
					mu.Lock()
					defer mu.Unlock()
					evicted += n
				})
			}
			wg.Wait()
			s := open(t, url, nil)
			list, err := s.List(t.Context(), "ann")
			if len(list) != most || evicted != processes*times-most || err != nil {
				t.Errorf("%d logins left %d sessions and evicted %d, %v; want %d and %d",
					processes*times, len(list), evicted, err, most, processes*times-most)
			}
		})
	}
}
