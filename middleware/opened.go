package middleware

import (
	"sync"
	"time"

	"example.com/hardy/session"
)

// opened keeps tokens that were opened before, by the whole text that carried them, so that a visitor's next
// request costs neither the opening nor the derivation of a key. Only what was opened gets in. It is
// bounded: each shard holds a young and an old generation; what is not asked for while a generation fills,
// or for the idle timeout, is gone with the next turn.
type opened struct {
	half   int // entries in one generation of a shard
	idle   time.Duration
	shards [32]openedShard
}

type openedShard struct {
	sync.Mutex
	young, old map[string]openedToken
	turned     time.Time
	asked      uint8
}

// openedToken is a token with the id of the key that sealed it.
type openedToken struct {
	token *session.Token
	key   string
}

func newOpened(most int, idle time.Duration) *opened {
	c := &opened{idle: idle}
	c.half = max(1, most/(2*len(c.shards)))
	return c
}

// shard picks by characters near the end of the text, which are uniform in everything that is ever put in.
func (c *opened) shard(text string) *openedShard {
	n := len(text)
	if n < 16 {
		return &c.shards[0]
	}
	return &c.shards[(uint(text[n-5])*7+uint(text[n-9]))%uint(len(c.shards))]
}

func (c *opened) get(text string) (openedToken, bool) {
	s := c.shard(text)
	s.Lock()
	defer s.Unlock()
	if s.asked++; s.asked == 0 {
		if now := time.Now(); now.Sub(s.turned) > c.idle {
			s.turn(now)
		}
	}
	t, ok := s.young[text]
	if ok {
		return t, true
	}
	if t, ok = s.old[text]; ok {
		delete(s.old, text)
		c.add(s, text, t)
	}
	return t, ok
}

func (c *opened) put(text string, t openedToken) {
	s := c.shard(text)
	s.Lock()
	defer s.Unlock()
	c.add(s, text, t)
}

func (c *opened) add(s *openedShard, text string, t openedToken) {
	if now := time.Now(); s.young == nil || len(s.young) >= c.half || now.Sub(s.turned) > c.idle {
		s.turn(now)
	}
	s.young[text] = t
}

// turn makes the young generation the old one, and lets go of the old.
func (s *openedShard) turn(now time.Time) {
	if s.young == nil {
		s.young, s.old = map[string]openedToken{}, map[string]openedToken{}
	}
	clear(s.old)
	s.young, s.old, s.turned = s.old, s.young, now
}

func (c *opened) drop(text string) {
	s := c.shard(text)
	s.Lock()
	defer s.Unlock()
	delete(s.young, text)
	delete(s.old, text)
}
