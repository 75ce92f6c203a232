package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// printer writes answers for people, or for programs with --json.
type printer struct {
	out, messages io.Writer
	json          bool
}

// value prints an answer that is one thing.
func (p *printer) value(v any, text string) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(v)
	}
	_, err := fmt.Fprintln(p.out, text)
	return err
}

// note tells people what happened or what to do next; programs have the answer and the exit code.
func (p *printer) note(format string, args ...any) {
	if !p.json {
		fmt.Fprintf(p.messages, format+"\n", args...)
	}
}

// table prints rows as they come: for programs one JSON object a line.
type table struct {
	p    *printer
	rows *tabwriter.Writer
}

func (p *printer) table(head ...string) *table {
	t := &table{p: p}
	if !p.json {
		t.rows = tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t.rows, strings.Join(head, "\t"))
	}
	return t
}

// row prints v as JSON, or the cells. What came from a store is printed so that it can't steer a terminal.
func (t *table) row(v any, cells ...string) error {
	if t.rows == nil {
		return json.NewEncoder(t.p.out).Encode(v)
	}
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, err := fmt.Fprintln(t.rows, strings.Join(cells, "\t"))
	return err
}

func (t *table) end() error {
	if t.rows == nil {
		return nil
	}
	return t.rows.Flush()
}

func printable(s string) string {
	if s == "" {
		return "-"
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// progress shows how far long work is: a bar on a terminal, else a line each ten seconds.
func (p *printer) progress(total int, what string) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1 // unknown
	}
	opts := []progressbar.Option{
		progressbar.OptionSetWriter(p.messages),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("sessions"),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(p.messages) }),
	}
	if f, ok := p.messages.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) {
		opts = append(opts, progressbar.OptionThrottle(10*time.Second), progressbar.OptionUseANSICodes(false))
	}
	return progressbar.NewOptions(total, opts...)
}
