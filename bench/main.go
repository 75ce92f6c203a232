package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

func rows() []row {
	return slices.Concat(requestRows(), jarRows())
}

const millionName = "1 M sessions"

func main() {
	c := &config{workers: runtime.GOMAXPROCS(0), rounds: 6, few: 1000, many: 40_000, million: 1_000_000, ballast: 64}
	flag.DurationVar(&c.span, "span", 120*time.Millisecond, "time of one contestant in one mode in one round")
	flag.IntVar(&c.rounds, "rounds", c.rounds, "rounds")
	flag.IntVar(&c.ballast, "ballast", c.ballast, "MB of live heap beside the sessions")
	only := flag.String("only", "", "`regexp` of the rows to run")
	who := flag.String("who", "", "`regexp` of the contestants to run")
	results := flag.String("results", "", "`file` to keep the report in")
	strict := flag.Bool("strict", false, "fail where a bar is not met")
	flag.BoolVar(&c.limits, "limits", false, "the rows of the limiters and the spoof table, in place of sessions")
	flag.BoolVar(&c.sqlite, "sqlite", false, "the rows of the stores on SQLite, in place of sessions: 64 goroutines, and spans of 1.5 s at least")
	flag.StringVar(&c.dir, "dir", "", "`folder` for the files of -sqlite; the default is the one for temporary files")
	flag.StringVar(&c.postgres, "postgres", "", "the rows of the stores on PostgreSQL at this `URL`, in place of sessions: 64 goroutines, and spans of 1.5 s at least")
	flag.StringVar(&c.redis, "redis", "", "the rows of the stores on Redis at this `URL`, in place of sessions: 32 goroutines, and spans of 1 s at least")
	flag.BoolVar(&c.multiUser, "multiuser", false, "the rows of what many users need, and a flood, in place of sessions")
	part := flag.String("part", "", "what this process is in a flood; set by -multiuser")
	flag.StringVar(&c.profile, "cpuprofile", "", "`file` for a CPU profile of the rounds of the last row that runs")
	memprofile := flag.String("memprofile", "", "`file` for a profile of all allocations, setting up included (GODEBUG=memprofilerate=1 for each of them)")
	flag.Parse()
	if *part != "" {
		playPart(*part)
		return
	}

	list := rows()
	if c.limits {
		list = limitRows()
	}
	if c.sqlite {
		list = sqliteRows()
		c.workers, c.span = sqliteWorkers, max(c.span, 1500*time.Millisecond)
	}
	if c.postgres != "" {
		list = postgresRows(c.postgres)
		c.workers, c.span = postgresWorkers, max(c.span, 1500*time.Millisecond)
	}
	if c.redis != "" {
		list = redisRows(c.redis)
		c.workers, c.span = redisWorkers, max(c.span, time.Second)
	}
	if c.multiUser {
		list = multiUserRows()
		c.span, c.rounds = multiUserSpan, multiUserRounds
	}
	r, err := run(c, list, regexp.MustCompile(*only), regexp.MustCompile(*who))
	if err == nil {
		r.write(os.Stdout)
		if *results != "" {
			err = r.keep(*results)
		}
	}
	if err == nil && *memprofile != "" {
		err = writeAllocations(*memprofile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if *strict && slices.ContainsFunc(r.verdicts, func(v verdict) bool { return v.mark == short }) {
		os.Exit(2)
	}
}

func writeAllocations(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

func run(c *config, rows []row, only, who *regexp.Regexp) (*report, error) {
	start := time.Now()
	defer c.end()
	r := &report{config: c, load: loadAverage()}
	ballast := make([]byte, c.ballast<<20)
	defer runtime.KeepAlive(ballast)
	for i := range rows {
		row := &rows[i]
		if !only.MatchString(row.name) {
			continue
		}
		row.entries = slices.DeleteFunc(row.entries, func(e entry) bool { return !who.MatchString(e.name) })
		if len(row.entries) == 0 {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", row.name)
		res, err := row.measure(c)
		if err != nil {
			return nil, err
		}
		r.results = append(r.results, res)
		for _, b := range row.bars {
			r.verdicts = append(r.verdicts, b(res))
		}
	}
	if c.limits {
		r.sheets = []sheet{keySheet(r.results), failureSheet(r.results)}
		if only.MatchString(stallName) {
			fmt.Fprintf(os.Stderr, "%s …\n", stallName)
			stalls, v, err := measureStalls(c)
			if err != nil {
				return nil, err
			}
			r.sheets, r.verdicts = append(r.sheets, stalls), append(r.verdicts, v)
		}
		if only.MatchString(spoofName) {
			r.sheets = append(r.sheets, spoofSheet())
		}
	} else if c.sqlite {
		disk, err := diskSheet(c)
		if err != nil {
			return nil, err
		}
		r.sheets = []sheet{disk}
	} else if c.postgres != "" {
		server, err := serverSheet(c.postgres)
		if err != nil {
			return nil, err
		}
		r.sheets = []sheet{server}
	} else if c.redis != "" {
		server, err := redisSheet(c.redis)
		if err != nil {
			return nil, err
		}
		r.sheets = []sheet{server}
	} else if c.multiUser {
		if only.MatchString(floodName) {
			fmt.Fprintf(os.Stderr, "%s …\n", floodName)
			found, verdicts, err := measureFlood(c)
			if err != nil {
				return nil, err
			}
			r.sheets, r.verdicts = []sheet{found}, append(r.verdicts, verdicts...)
		}
	} else if only.MatchString(millionName) && c.million > 0 {
		fmt.Fprintf(os.Stderr, "%s …\n", millionName)
		crowds, verdicts, err := measureMillion(c)
		if err != nil {
			return nil, err
		}
		r.crowds, r.verdicts = crowds, append(r.verdicts, verdicts...)
	}
	r.took = time.Since(start)
	return r, nil
}
