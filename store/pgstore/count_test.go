package pgstore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
)

// ring is a keyring of one key.
type ring string

func (r ring) Masters(context.Context) (string, error) { return string(r), nil }

// TestRoundTrips counts what a request costs: on the wire by the proxy, and in statements by the server's own
// pg_stat_statements.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t, "shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track_utility = on")
	p.SQL("CREATE EXTENSION pg_stat_statements")
	network := faultproxy.Start(t, p.Addr)
	s := open(t, p.URLAt(network.Addr), nil)
	s.trusted = time.Hour // on a busy machine a connection lies idle between two steps
	keys, err := cookie.NewKeys(t.Context(), ring(cookie.NewMaster()), "counted")
	must(t, err)
	number := session.NewKey[int]("number")
	mux := http.NewServeMux()
	for path, do := range map[string]func(*session.Session) error{
		"/untouched": func(*session.Session) error { return nil },
		"/read":      func(v *session.Session) error { number.Get(v); return nil },
		"/count":     func(v *session.Session) error { return number.Set(v, number.Get(v)+1) },
		"/login":     func(v *session.Session) error { return v.Login("ann") },
		"/logout":    func(v *session.Session) error { return v.Logout() },
		"/again":     func(v *session.Session) error { return v.Login("ann") },
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := do(session.From(r.Context())); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	handler := middleware.Sessions(silent(s), keys, nil)(mux)
	statements := func() int {
		n, err := strconv.Atoi(p.SQL("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid WHERE d.datname = current_database() AND query LIKE '%hardy%' OR query LIKE '%pg_advisory%'"))
		must(t, err)
		return n
	}
	var jar string
	visit := func(path string) {
		t.Helper()
		r := httptest.NewRequest("POST", "https://counted.example"+path, nil)
		if jar != "" {
			r.Header.Set("Cookie", jar)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, set := range w.Header().Values("Set-Cookie") {
			jar, _, _ = strings.Cut(set, ";")
		}
	}
	for round := range 2 { // the first one prepares the statements
		jar = ""
		visit("/count") // begins a session
		for _, step := range []struct {
			path              string
			trips, statements int
		}{
			{"/untouched", 1, 1},
			{"/read", 1, 1},
			{"/count", 2, 2},
			{"/login", 3, 3}, // the index by user is part of the same statements
			{"/again", 3, 3},
			{"/logout", 2, 2},
		} {
			trips, before := network.Count().RoundTrips, 0
			if round > 0 {
				before = statements()
			}
			visit(step.path)
			if round == 0 {
				continue
			}
			if n := network.Count().RoundTrips - trips; n > step.trips {
				t.Errorf("%s: %d round trips, want %d", step.path, n, step.trips)
			}
			if n := statements() - before; n > step.statements {
				t.Errorf("%s: %d statements, want %d", step.path, n, step.statements)
			}
		}
	}
	// A capped login: the lock and what follows travel together.
	r := newRecord("bob")
	if _, err := s.CreateWithin(t.Context(), r, 1, true); err != nil {
		t.Fatal(err)
	}
	trips := network.Count().RoundTrips
	if gone, err := s.CreateWithin(t.Context(), newRecord("bob"), 1, true); err != nil || len(gone) != 1 {
		t.Fatalf("%d evicted, %v", len(gone), err)
	}
	if n := network.Count().RoundTrips - trips; n != 1 {
		t.Errorf("CreateWithin: %d round trips, want 1", n)
	}
}

// TestUpdatesStayInTheirPage: a write touches no index but when a session ends, so that the table does not grow by its
// traffic (PostgreSQL calls such an update HOT).
func TestUpdatesStayInTheirPage(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t) // a long transaction, in another database too, keeps a page from being tidied up
	s := open(t, p.URL(), nil)
	var records []session.Record
	for range 50 {
		r := newRecord("ann")
		mustCreate(t, s, r)
		records = append(records, r)
	}
	const rounds = 20
	for range rounds {
		for i := range records {
			records[i] = later(records[i])
			must(t, s.Replace(t.Context(), records[i]))
		}
	}
	must(t, s.Close()) // tells the server's statistics
	until(t, "the statistics are there", func() bool {
		return p.SQL("SELECT n_tup_upd >= 1000 FROM pg_stat_user_tables WHERE relname = 'hardy_sessions'") == "t"
	})
	if got := p.SQL("SELECT n_tup_hot_upd * 10 >= n_tup_upd * 8 FROM pg_stat_user_tables WHERE relname = 'hardy_sessions'"); got != "t" {
		t.Errorf("updates and those within their page: %s", p.SQL("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'hardy_sessions'"))
	}
}

// TestIndexesAreUsed: no statement of a request reads the whole table.
func TestIndexesAreUsed(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	s := open(t, p.URL(), nil)
	p.SQL(`INSERT INTO hardy_sessions (id, handle, username, version, created, seen, expires, deadline, purge, idle, ended, next, due)
		SELECT sha256(n::text::bytea), n, ('user-' || n % 5000)::bytea, 1, n, n, n, n, n, n, '', '', n FROM generate_series(1, 20000) n; ANALYZE hardy_sessions`)
	id := `'\x` + strings.Repeat("ab", 32) + `'`
	two := "ARRAY[" + id + "::bytea, " + id + "::bytea]"
	numbers := func(n int) string { return strings.Repeat(", ARRAY[1, 1]", n) }
	insertion := id + ", 'h', 'user-7', 1, 1, 1, 1, 1, 1, 1, 1, '', 1, '', '', '', 1"
	for name, c := range map[string]struct {
		sql, args string
	}{
		"load":         {s.sql.load, id},
		"loadMany":     {s.sql.loadMany, two},
		"list":         {s.sql.list, "'user-7'"},
		"scan":         {s.sql.scan, id + ", 10"},
		"create":       {s.sql.create, insertion},
		"replace":      {s.sql.replace, id + ", 1, 1, '', '', 1, 1, 1, 1, 1"},
		"replaceMany":  {s.sql.replaceMany, two + numbers(2) + ", " + two + ", " + two + numbers(5)},
		"state":        {s.sql.state, id},
		"touch":        {s.sql.touch, id + ", 1, 1, 1"},
		"touchMany":    {s.sql.touchMany, two + numbers(3)},
		"end":          {s.sql.end, id + ", 'r', 1, '', 1, true, 1, 'c', 'n'"},
		"createWithin": {s.sql.createWithin, insertion + ", 5, true, 'e', 1, 'c', 'n'"},
		"sweep":        {s.sql.sweep, "1, 64"},
	} {
		plan := p.SQL("SET plan_cache_mode = force_generic_plan; PREPARE x AS " + c.sql + "; EXPLAIN EXECUTE x (" + c.args + ")")
		if strings.Contains(plan, "Seq Scan on hardy_sessions") {
			t.Errorf("%s reads the whole table:\n%s", name, plan)
		}
	}
}
