package stores_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/hardy/compat/testapps/stores"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
	"example.com/hardy/store/scsstore"
	"example.com/hardy/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// TestContract runs the suite of session.Store over scs's published stores on real engines.
func TestContract(t *testing.T) {
	for name, address := range map[string]func(t *testing.T) string{
		"sqlite3store": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "sessions.db") },
		"goredisstore": func(t *testing.T) string { return servers.SharedRedis(t).URL() },
		"pgxstore":     func(t *testing.T) string { return servers.SharedPostgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			s, end, err := stores.Open(t.Context(), address(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(end)
			storetest.Run(t, func(*testing.T) session.Store { return scsstore.Use(s, nil) })
		})
	}
}
