package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"example.com/hardy/internal/servers"
)

// soak says whether the long forms are wanted.
var soak = os.Getenv("HARDY_SOAK") != ""

// long is the span that the long form takes, and brief the other.
func long(long, brief time.Duration) time.Duration {
	if soak {
		return long
	}
	return brief
}

// TestPostgresFaults: three processes serve on one PostgreSQL that is killed, restarted, paused, and cut off; all the
// while no promise is broken, and afterwards all serve again.
func TestPostgresFaults(t *testing.T) {
	pg := servers.StartPostgres(t)
	l := startLoad(t, startNodes(t, 3, order{Store: "postgres", URL: pg.URL()}))
	for range long(5, 1) {
		l.phase("restarted", pg.Restart, nil)
		l.phase("killed and back", func() {
			pg.Kill()
			l.refusing(20)
			pg.Start()
		}, refuses)
		l.phase("paused", func() {
			pg.Pause()
			time.Sleep(long(5*time.Second, 2500*time.Millisecond))
			pg.Resume()
		}, refuses)
		ended := 0
		l.phase("connections ended by pg_terminate_backend", func() {
			for end := time.Now().Add(long(5*time.Second, time.Second)); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
				n, err := strconv.Atoi(pg.SQL("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'hardy'"))
				if err != nil {
					t.Fatal(err)
				}
				ended += n
			}
		}, nil)
		if t.Logf("%d connections were ended", ended); ended < 3*len(l.nodes) {
			t.Error("that is no fault")
		}
	}
	l.audit()
}

// TestPostgresDiskFull: there is no room for another row; what is there is served, and once there is room all goes on.
func TestPostgresDiskFull(t *testing.T) {
	pg := servers.StartPostgres(t)
	disk := pg.SmallDisk(t, 4<<20)
	pg.SQL("CREATE TABLESPACE small LOCATION '" + disk + "'")
	pg.SQL("ALTER DATABASE " + pg.Database + " SET default_tablespace = small")
	l := startLoad(t, startNodes(t, 3, order{Store: "postgres", URL: pg.URL()}))
	ballast := filepath.Join(filepath.Dir(disk), "ballast")
	l.phase("disk full", func() {
		if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err == nil {
			t.Fatal("the disk is larger than it should be")
		}
		l.refusing(20)
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}, refuses)
	l.audit()
}
