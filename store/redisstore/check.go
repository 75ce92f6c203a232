package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// formats is the newest form of the keys that this Hardy knows. What an older one can live with needs no new number:
// heads of records may grow.
const formats = 1

// check refuses a server in which sessions would be lost, or which this Hardy does not understand.
func (s *Store) check(ctx context.Context) error {
	s.cluster = s.client.Mode() == rueidis.ClientModeCluster
	if err := ctx.Err(); err != nil {
		return s.explain(err)
	}
	flags := true
	for addr, node := range s.client.Nodes() {
		version, err := s.checkNode(ctx, addr, node)
		if err != nil && s.cluster && !strings.HasPrefix(err.Error(), "redisstore:") {
			s.log.Warn("redisstore: a node of the Cluster could not be asked for its settings", "server", addr, "error", err)
			continue // the Cluster may serve without it
		}
		if err != nil {
			return s.explain(err)
		}
		flags = flags && atLeast(version, 7, 0)
	}
	if flags {
		s.scripts = compile(texts().flagged())
	}
	return s.explain(s.checkFormat(ctx))
}

// checkNode returns the version of a node.
func (s *Store) checkNode(ctx context.Context, addr string, node rueidis.Client) (version string, err error) {
	hello, err := node.Do(ctx, node.B().Arbitrary("HELLO").Build()).AsMap()
	if e, ok := rueidis.IsRedisErr(err); ok && strings.Contains(strings.ToLower(e.Error()), "hello") {
		return "", fmt.Errorf("redisstore: %s is older than Redis 6.2; update it (%w)", addr, err)
	}
	if err != nil {
		return "", err
	}
	text := func(name string) string {
		m := hello[name]
		v, _ := m.ToString()
		return v
	}
	version = text("version")
	if s.cache != nil {
		// Without this right reads work, and the server tells of no change.
		if err := node.Do(ctx, node.B().ClientCaching().Yes().Build()).Error(); err != nil {
			return version, fmt.Errorf("redisstore: %s: Options.Cache wants the rights to CLIENT TRACKING and CLIENT CACHING; give them to this user, or set it to 0: %w", addr, err)
		}
	}
	switch {
	case !atLeast(version, 6, 2):
		return version, fmt.Errorf("redisstore: %s is %s %s; Redis 6.2 or later is needed, update it", addr, text("server"), version)
	case text("role") == "master":
		return version, s.checkPolicy(ctx, addr, node)
	case s.cluster: // its primary is asked
		return version, nil
	}
	return version, fmt.Errorf("redisstore: %s is a replica, which cannot be written to; connect to its primary, or name the Sentinels with master_set", addr)
}

func atLeast(version string, major, minor int) bool {
	var a, b int
	n, _ := fmt.Sscanf(version, "%d.%d", &a, &b)
	return n == 2 && (a > major || a == major && b >= minor)
}

// checkPolicy refuses a server that forgets keys when its memory is full: a session that was ended would only be
// unknown, one that lives would be lost, a user's list would miss some.
func (s *Store) checkPolicy(ctx context.Context, addr string, node rueidis.Client) error {
	policy, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy").Build()).AsStrMap()
	value := policy["maxmemory-policy"]
	if _, refused := rueidis.IsRedisErr(err); refused { // the right to CONFIG is missing, or a provider took it away
		var info string
		info, err = node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
		_, value, _ = strings.Cut(info, "maxmemory_policy:")
		value, _, _ = strings.Cut(value, "\r\n")
	}
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		return err
	}
	switch value {
	case "noeviction":
		return nil
	case "":
		s.log.Warn("redisstore: this user may ask neither CONFIG GET maxmemory-policy nor INFO memory; see to it that the policy is noeviction, or sessions are lost when the memory is full",
			"server", addr)
		return nil
	}
	return fmt.Errorf("redisstore: %s has maxmemory-policy %s, which forgets sessions when its memory is full; set it to noeviction", addr, value)
}

// checkFormat refuses a newer format, and writes which one is in use where none is: a server that is full takes no new
// key, and still ends sessions.
func (s *Store) checkFormat(ctx context.Context) error {
	get := func() (string, error) { return s.client.Do(ctx, s.client.B().Get().Key(s.mark()).Build()).ToString() }
	text, err := get()
	if rueidis.IsRedisNil(err) {
		set := s.client.B().Set().Key(s.mark()).Value(strconv.Itoa(formats)).Nx().Build()
		if err := s.client.Do(ctx, set).Error(); err == nil || !rueidis.IsRedisNil(err) {
			return err
		}
		text, err = get() // somebody else was faster
	}
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: %s: the key %s holds %q and no format; another program uses Hardy's names: give each a database or Options.Name of its own", s.name, s.mark(), text)
	case n > formats:
		return fmt.Errorf("redisstore: the sessions in %s were written by a newer Hardy (format %d, this one knows %d) and were left alone; update this program, or give another database or Options.Name", s.name, n, formats)
	}
	return nil
}
