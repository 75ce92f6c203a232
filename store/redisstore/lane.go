package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// freshFor is how long after an answer a lone connection is trusted with a write: the client pings the shared one
// alone. A read on a connection that the server has closed is repeated, a write is not. On a Cluster an answer says
// nothing of the other nodes' connections: writes go by the shared ones.
const freshFor = pingGap

// lane is how a request goes to the server. Requests of the same moment share one connection, and what they send and
// receive; that takes two more goroutines. A request that is alone has a connection to itself and does without.
type lane struct {
	client rueidis.Client
	store  *Store // nil: the shared connection
}

// lane chooses for one of so many calls.
func (s *Store) lane(k kind, calls int64) lane {
	if calls > 1 || !s.lanes || k == writes && (s.cluster || time.Since(s.epoch)-time.Duration(s.answered.Load()) > freshFor) {
		return lane{client: s.client}
	}
	return lane{client: s.client, store: s}
}

func (l lane) do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if l.store == nil {
		return l.client.Do(ctx, cmd.ToPipe())
	}
	r := l.client.Do(ctx, cmd)
	if r.NonRedisError() == nil {
		l.store.answered.Store(int64(time.Since(l.store.epoch)))
	}
	return r
}

func (l lane) doAll(ctx context.Context, cmds []rueidis.Completed) []rueidis.RedisResult {
	for i := range cmds {
		cmds[i] = cmds[i].ToPipe()
	}
	return l.client.DoMulti(ctx, cmds...)
}
