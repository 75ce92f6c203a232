package pgstore

import (
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/hardy/internal/secrets"
	"example.com/hardy/internal/servers"
	"example.com/hardy/session"
)

// silent returns a manager that logs nothing.
func silent(s *Store) *session.Manager {
	return session.NewManager(s, &session.Options{Logger: slog.New(slog.DiscardHandler)})
}

// TestADumpShowsNoValueAndNoToken: after a thousand sessions pg_dump shows the users, which are a documented column, but
// no value, no name of a value and no token, in any spelling, and no column that is not documented.
func TestADumpShowsNoValueAndNoToken(t *testing.T) {
	t.Parallel()
	p := servers.SharedPostgres(t)
	m := silent(open(t, p.URL(), nil))
	note := session.NewKey[string]("remark-beside-the-session")
	var hidden secrets.Secrets
	hidden.Add("name", "remark-beside-the-session")
	const sessions = 1000
	for i := range sessions {
		visit := m.New()
		value := fmt.Sprintf("canary-%d: a whisper behind the hand", i)
		hidden.Add("value", value)
		must(t, note.Set(visit, value))
		if i%2 == 0 {
			must(t, visit.Login(fmt.Sprintf("user-%d", i)))
		}
		must(t, m.Commit(t.Context(), visit))
		token := m.Sent(visit).Token
		hidden.Add("token", token.Secret())
		if i%10 != 0 {
			continue
		}
		visit, err := m.Load(t.Context(), token)
		must(t, err)
		if i%100 != 0 {
			must(t, note.Set(visit, "again "+value))
		} else {
			must(t, visit.Logout())
		}
		must(t, m.Commit(t.Context(), visit))
	}
	out, err := exec.Command("pg_dump", "--dbname", p.URL()).Output()
	if err != nil {
		t.Fatal(err)
	}
	dump := string(out)
	if !strings.Contains(dump, fmt.Sprintf("%x", fmt.Sprintf("user-%d", sessions-2))) {
		t.Error("the users are not found: this search shows nothing")
	}
	if found, at := hidden.Find(dump); found != "" {
		t.Errorf("the dump shows a %s: %.200s", found, dump[at:])
	}
	var names []string
	table := regexp.MustCompile(`(?s)CREATE TABLE public\.(\w+) \((.*?)\n\)`)
	for _, made := range table.FindAllStringSubmatch(dump, -1) {
		names = append(names, made[1])
		if made[1] == "hardy_sessions_schema" {
			continue
		}
		var shown []string
		for line := range strings.Lines(strings.TrimSpace(made[2])) {
			shown = append(shown, strings.Trim(strings.Fields(line)[0], `",`))
		}
		slices.Sort(shown)
		if want := slices.Sorted(maps.Keys(columns)); !slices.Equal(shown, want) {
			t.Errorf("the columns are %q, those documented in schema.go %q", shown, want)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{"hardy_sessions", "hardy_sessions_schema"}) {
		t.Errorf("the tables are %q", names)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
