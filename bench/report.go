package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is all that a run has found, as Markdown.
type report struct {
	results  []*result
	crowds   []crowd
	sheets   []sheet
	verdicts []verdict
	config   *config
	took     time.Duration
	load     string // of the machine before the run began
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s, %s/%s, %d × %s; %s.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), processor(), versions())
	fmt.Fprintf(w, "%s, took %v; medians of %d rounds of %v each. Load of the machine before: %s.\n",
		time.Now().UTC().Format("2 January 2006"), r.took.Round(time.Second), r.config.rounds, r.config.span, r.load)
	if len(r.results) > 0 {
		if r.config.limits {
			fmt.Fprintf(w, "Parallel is %d goroutines.\n\n", r.config.workers)
		} else if r.config.postgres != "" {
			fmt.Fprintf(w, "Serial is one goroutine, parallel %d; %d sessions, each goroutine has its own.\n\n", r.config.workers, r.config.workers*postgresEach)
		} else if r.config.redis != "" {
			fmt.Fprintf(w, "Serial is one goroutine, parallel %d; %d sessions, each goroutine has its own.\n\n", r.config.workers, r.config.workers*redisEach)
		} else if r.config.sqlite {
			fmt.Fprintf(w, "Serial is one goroutine, parallel %d; %d sessions, each goroutine has its own.\n\n", r.config.workers, r.config.workers*sqliteEach)
		} else {
			fmt.Fprintf(w, "Few sessions are %d, many %d; parallel is %d goroutines, each with sessions of its own.\n\n", r.config.few, r.config.many, r.config.workers)
		}
		fmt.Fprintln(w, "| | | serial µs (low–high) | parallel µs (low–high) | allocations | bytes | beside the first, serial · parallel |\n|---|---|---|---|---|---|---|")
		for _, res := range r.results {
			r.writeRow(w, res)
		}
	}
	if len(r.crowds) > 0 {
		fmt.Fprintf(w, "\n| %d sessions, %d bytes each | bytes a session | | pass | loads | p50 | p99.9 | longest |\n|---|---|---|---|---|---|---|---|\n", r.config.million, valueBytes)
		for _, c := range r.crowds {
			for _, s := range c.sweeps {
				took := "–"
				if s.took > 0 {
					took = microseconds(s.took)
				}
				fmt.Fprintf(w, "| %s | %.0f | %s | %s | %d | %s | %s | %s |\n", c.name, c.bytes, s.what, took, s.loads, microseconds(s.p50), microseconds(s.p999), microseconds(s.at))
			}
		}
	}
	for _, s := range r.sheets {
		if text := s.String(); text != "" {
			fmt.Fprintf(w, "\n%s", text)
		}
	}
	if len(r.verdicts) == 0 {
		return
	}
	fmt.Fprint(w, "\n| | asked | got | |\n|---|---|---|---|\n")
	for _, v := range r.verdicts {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", v.what, v.asked, v.got, v.mark)
	}
}

func (r *report) writeRow(w io.Writer, res *result) {
	label := res.row.name
	var first *figures
	for _, e := range res.row.entries {
		f := res.figures[e.name]
		if f == nil {
			fmt.Fprintf(w, "| %s | %s | NOT RUN: %v | | | | |\n", label, e.name, res.skipped[e.name])
			label = ""
			continue
		}
		ratio := ""
		if first == nil {
			first = f
		} else {
			for m := range modes {
				if f.ns[m] > 0 {
					ratio += " · " + beside(f.times(first, m))
				}
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %.0f | %.0f | %s |\n", label, e.name, f.span(serial), f.span(parallel), f.allocs, f.bytes, strings.TrimPrefix(ratio, " · "))
		label = ""
	}
}

// beside says how many times as slow, or as fast.
func beside(ratio float64) string {
	if ratio >= 1 {
		return fmt.Sprintf("%.1f slower", ratio)
	}
	return fmt.Sprintf("%.1f faster", 1/ratio)
}

func (f *figures) span(m mode) string {
	if f.ns[m] == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", f.ns[m]/1e3, slices.Min(f.rounds[m])/1e3, slices.Max(f.rounds[m])/1e3)
}

// versions names the peers as they were built in.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "versions unknown"
	}
	var all []string
	for _, d := range info.Deps {
		if d.Replace == nil && !strings.HasPrefix(d.Path, "golang.org/x/") {
			all = append(all, strings.TrimPrefix(d.Path, "github.com/")+" "+strings.TrimPrefix(d.Version, "v"))
		}
	}
	return strings.Join(all, ", ")
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

// loadAverage says what else goes on: above 0 each figure shares the cores with others.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// byHand begins what a person has written about the figures.
const byHand = "<!-- Below this line: by hand. -->"

// keep writes the report into a file before what is written there by hand.
func (r *report) keep(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	_, hand, _ := strings.Cut(string(old), byHand)
	var b strings.Builder
	b.WriteString("# The last run\n\nWritten by `make results`, `make limits-results`, `make sqlite-results`, `make postgres-results`, `make redis-results` or `make multiuser-results`. What each row does is said in the package comment (`go doc .`).\n\n")
	r.write(&b)
	b.WriteString("\n" + byHand + hand)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
