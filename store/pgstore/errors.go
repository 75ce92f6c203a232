package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/hardy/session"
)

// mends say what to do about an error of the server, by its code (PostgreSQL's Appendix A).
var mends = map[string]string{
	"28P01": "the password is wrong, or there is no such user; mend the URL, or ALTER ROLE … PASSWORD …",
	"28000": "this user may not connect from here; mend the URL, or the server's pg_hba.conf",
	"3D000": "there is no such database; mend the URL, or CREATE DATABASE …",
	"3F000": "there is no such schema; mend Options.Schema, or CREATE SCHEMA …",
	"42501": "this user lacks a right; GRANT it as docs/stores.md tells, or let a user with the right to create run once",
	"42P01": "its tables are gone; start again, or put back a backup",
	"42703": "the table has another shape than this Hardy made it with; stop, and put back a backup or give another Options.Table",
	"25006": "this server is read-only, a replica; give the address of the primary (with several hosts in the URL it is found)",
	"26000": "a pooler lends another connection each time; add default_query_exec_mode=cache_describe to the URL",
	"42P05": "a pooler lends another connection each time; add default_query_exec_mode=cache_describe to the URL",
	"53100": "the server's disk is full; make room, nothing else is needed",
	"53200": "the server is out of memory",
	"53300": "the server has no connection left; raise its max_connections, or lower pool_max_conns",
	"57P01": "the connection was ended by an administrator; the next one is tried by itself",
	"57P03": "the server is starting or stopping; it is tried again by itself",
	"58P01": "the server misses a file of its own; look at its log",
	"XX001": "the server found its data damaged; stop, keep a copy, look at its log",
}

// explain names the server in an error, and the mend where one is known. What a caller branches on passes.
func (s *Store) explain(err error) error { return s.place.explain(err) }

func (p place) explain(err error) error {
	if err == nil || answer(err) || strings.HasPrefix(err.Error(), "pgstore:") {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("pgstore: %s: %w", p.server, err)
	}
	if mend := mendOf(err); mend != "" {
		return fmt.Errorf("pgstore: %s: %s: %w", p.server, mend, err)
	}
	return fmt.Errorf("pgstore: %s: %w", p.server, err)
}

func mendOf(err error) string {
	var pg *pgconn.PgError
	var dns *net.DNSError
	switch {
	case errors.As(err, &pg):
		return mends[pg.Code]
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return mends["25006"]
	case errors.As(err, &dns):
		return "the host has no address; mend the URL"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; start the server, or mend host and port"
	}
	return ""
}

// answer says whether err is one that the contract gives, and no fault.
func answer(err error) bool {
	switch err {
	case nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrCapped:
		return true
	}
	return false
}
