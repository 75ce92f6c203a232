// Command hardy is for those who run applications on Hardy: it makes and rotates keys, lists and ends sessions, moves
// them from one store to another, makes them of those of scs and gorilla/sessions, and looks for what is set up wrong.
//
//	hardy key new|list|rotate|retire|revoke|drop FILE
//	hardy sessions list|count|end|end-user STORE
//	hardy move FROM TO
//	hardy import scs|gorilla FROM TO
//	hardy doctor
//	hardy completion SHELL
//	hardy man FOLDER
//
// A STORE is sqlite:PATH, redis://…, rediss://… or postgres://…. The process list and the shell's history show what
// stands on the command line: an address with a password is taken from env:VARIABLE or file:PATH alone. No command prints a
// key or a session's value; lists show the columns that the stores' packages document.
//
// The exit code is 0 where all went well, 1 where something failed, 2 where the command line was wrong, 3 where what was asked for is not
// there, and 4 where doctor found something to mend. With --json, the answer is JSON on standard output; messages and
// progress are on standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitOK = iota
	exitFailed
	exitUsage
	exitAbsent
	exitFindings
)

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

func usage(format string, args ...any) error { return coded{fmt.Errorf(format, args...), exitUsage} }

func absent(format string, args ...any) error { return coded{fmt.Errorf(format, args...), exitAbsent} }

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, out, messages io.Writer) int {
	began := false // before that, an error is one of usage
	p := &printer{out: out, messages: messages}
	root := &cobra.Command{
		Use:               "hardy",
		Short:             "Keys, sessions and stores of applications on Hardy",
		Long:              long,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { began = true; return nil },
	}
	root.PersistentFlags().BoolVar(&p.json, "json", false, "answer in JSON")
	root.SetOut(out)
	root.SetErr(messages)
	root.SetArgs(args)
	root.AddCommand(keyCommand(p), sessionsCommand(p), moveCommand(p), importCommand(p), doctorCommand(p), manCommand(root))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(messages, "hardy:", err)
	var c coded
	switch {
	case errors.As(err, &c):
		return c.code
	case !began:
		fmt.Fprintln(messages, `"hardy help" says how`)
		return exitUsage
	}
	return exitFailed
}

const long = `hardy makes and rotates keys, lists and ends sessions, moves them from one store to
another, makes them of an old app's, and looks for what is set up wrong.

A STORE is one of
  sqlite:PATH
  redis://HOST:PORT/0      rediss:// with TLS
                           #NAME behind it where the app sets Options.Name
  postgres://USER@HOST/DATABASE
                           #TABLE or #SCHEMA.TABLE behind it where the app names one
  env:VARIABLE             the environment variable holds one of the above
  file:PATH                the file holds one; only its owner may be able to read it
The process list shows the command line, so an address with a password is taken
from env: or file: alone.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not there, 4 doctor found
something to mend.`
