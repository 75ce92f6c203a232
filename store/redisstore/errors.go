package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/rueidis"

	"example.com/hardy/session"
)

// mends say what to do about a fault, by the words of the server or of the network.
var mends = []struct{ words, mend string }{
	{"WRONGPASS", "the user name or the password is wrong; set both in the URL, redis://user:password@host"},
	{"NOAUTH", "the server wants a password; set it in the URL, redis://:password@host, or redis://user:password@host"},
	{"NOPERM", "this user may not do what the store needs; give it the rights that docs/stores.md lists"},
	{"HARDYFORMAT", "a record was written by a newer Hardy and was left alone; update this program"},
	{"READONLY", "this is a replica, which cannot be written to; connect to the primary, or name the Sentinels with master_set"},
	{"OOM", "the server has no memory left; raise maxmemory or add room, nothing else is needed"},
	{"MISCONF", "the server cannot save to its disk and refuses writes; look at its log and at the room left"},
	{"NOREPLICAS", "the server has fewer replicas than min-replicas-to-write asks for; bring them back"},
	{"DB index is out of range", "there is no database of this number; take a lower one (the server's setting is databases)"},
	{"SELECT is not allowed in cluster mode", "a Cluster has database 0 alone; leave the number out of the URL, and tell applications apart by Options.Name"},
	{"WRONGTYPE", "a key of Hardy's holds something else; another program uses its names: give each a database or Options.Name of its own"},
	{"first record does not look like a TLS handshake", "the server does not speak TLS there; write redis://, or its TLS port"},
	{"ClientOption.DisableCache must be true", "the server cannot tell of changes (it wants RESP3, Redis 6 or later, and the right to CLIENT TRACKING); set Options.Cache to 0"},
	{"certificate", "the server's certificate is not trusted; give its authority by Options.Configure (ClientOption.TLSConfig)"},
	{"connection refused", "nothing listens there; start the server, or mend the address"},
	{"no such host", "the name is not known; mend the address"},
	{"CLUSTERDOWN", "the Cluster does not serve this slot; look at CLUSTER INFO"},
}

// explain names the server in an error, and the mend where one is known. What a caller branches on passes.
func (s *Store) explain(err error) error {
	if err == nil || answer(err) || strings.HasPrefix(err.Error(), "redisstore:") {
		return err
	}
	switch {
	case s.isClosed():
		return s.errClosed()
	case errors.Is(err, rueidis.ErrClosing):
		return fmt.Errorf("redisstore: %s: the client has left this server, or was closed; a write may have happened: %w", s.name, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("redisstore: %s: %w", s.name, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("redisstore: %s: no answer in time; a write may have happened: %w", s.name, err)
	}
	for _, m := range mends {
		if strings.Contains(err.Error(), m.words) {
			return fmt.Errorf("redisstore: %s: %s: %w", s.name, m.mend, err)
		}
	}
	return fmt.Errorf("redisstore: %s: %w", s.name, err)
}

// answer says whether err is one that the contract gives, and no fault.
func answer(err error) bool {
	switch err {
	case nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrCapped:
		return true
	}
	return false
}
