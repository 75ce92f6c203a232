package gorilla

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"example.com/hardy/cookie"
	"example.com/hardy/session"
	"github.com/gorilla/sessions"
)

// purpose binds what is sealed here to this package's cookies, beside their names.
const purpose = "gorilla"

// sealers are made once for each name of a session, since that derives keys.
type sealers struct {
	mu     sync.RWMutex
	byName map[string]*cookie.Sealer
}

// maxSealers bounds them: an application may take names from its requests.
const maxSealers = 256

func (s *sealers) of(keys *cookie.Keys, name string) *cookie.Sealer {
	s.mu.RLock()
	sealer := s.byName[name]
	s.mu.RUnlock()
	if sealer != nil {
		return sealer
	}
	sealer = keys.Sealer(purpose, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byName) >= maxSealers || s.byName == nil {
		s.byName = map[string]*cookie.Sealer{}
	}
	s.byName[name] = sealer
	return sealer
}

// card is a cookie that was opened, with what is worth keeping for the visitor's next request.
type card struct {
	name, text string
	token      *session.Token
	generation uint64 // of the ring, when the key was last looked at
	retired    bool   // sealed under a retired key
	memo       atomic.Pointer[memo]
}

// cards are the cookies opened before, so that the next request costs neither the opening nor the decoding. They are
// bounded: what was not asked for while a generation filled is gone with the next.
type cards struct {
	mu         sync.Mutex
	young, old map[cardKey]*card
}

type cardKey struct{ name, text string }

// maxCards bounds each of the two generations. A card takes about 2 KiB, and up to maxMemo more for values.
const maxCards = 5000

func (c *cards) get(key cardKey) *card {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[key]; found != nil {
		return found
	}
	found := c.old[key]
	if found != nil {
		c.add(key, found)
	}
	return found
}

func (c *cards) put(found *card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(cardKey{found.name, found.text}, found)
}

func (c *cards) add(key cardKey, found *card) {
	if c.young == nil || len(c.young) >= maxCards {
		c.young, c.old = map[cardKey]*card{}, c.young
	}
	c.young[key] = found
}

func (c *cards) drop(found *card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cardKey{found.name, found.text}
	delete(c.young, key)
	delete(c.old, key)
}

// maxSameName bounds how many cookies of one name are looked at.
const maxSameName = 8

// find opens the request's cookie of that name. Where there are several, as browsers send those of other paths and of a
// parent domain along, it is the only one that opens; where more do, somebody may have planted one, and it is none.
func (st *Store) find(r *http.Request, name string) (found *card) {
	n := 0
	all := r.CookiesNamed(name)
	for _, c := range all[:min(len(all), maxSameName)] {
		if opened := st.open(name, c.Value); opened != nil {
			found = opened
			n++
		}
	}
	if n > 1 {
		if t := st.keys.Trace; t != nil && t.Duplicate != nil {
			t.Duplicate(name, n)
		}
		return nil
	}
	return found
}

// open returns the card of a cookie's value; nil where it is not genuine, or its key was revoked.
func (st *Store) open(name, text string) *card {
	generation := st.keys.Generation()
	key := cardKey{name, text}
	if known := st.cards.get(key); known != nil {
		if known.generation == generation {
			return known
		}
		st.cards.drop(known) // the ring has changed: see what it says now
	}
	o, outcome := st.sealers.of(st.keys, name).Open(text)
	if outcome != cookie.OK {
		return nil
	}
	token, err := st.manager.Token(string(o.Plain))
	if err != nil {
		return nil
	}
	c := &card{name: name, text: text, token: token, generation: generation, retired: o.Retired}
	st.cards.put(c)
	return c
}

// seal returns the card for t.
func (st *Store) seal(name string, t *session.Token) (*card, error) {
	generation := st.keys.Generation()
	text, err := st.sealers.of(st.keys, name).Seal([]byte(t.Secret()))
	if err != nil {
		return nil, err
	}
	c := &card{name: name, text: text, token: t, generation: generation}
	if st.keys.Generation() == generation { // else nobody knows which key has sealed it
		st.cards.put(c)
	}
	return c, nil
}

// setCookie writes the cookie of a session, in the place of one that an earlier Save of this request has written.
func setCookie(h http.Header, name, value string, maxAge int, o *sessions.Options) {
	given := *o
	given.MaxAge = maxAge
	c := sessions.NewCookie(name, value, &given)
	line := c.String()
	if line == "" {
		return
	}
	kept := h["Set-Cookie"][:0]
	for _, earlier := range h["Set-Cookie"] {
		if !replaces(c, earlier) {
			kept = append(kept, earlier)
		}
	}
	h["Set-Cookie"] = append(kept, line)
}

func replaces(c *http.Cookie, line string) bool {
	if len(line) <= len(c.Name) || line[:len(c.Name)] != c.Name || line[len(c.Name)] != '=' {
		return false
	}
	earlier, err := http.ParseSetCookie(line)
	return err == nil && earlier.Path == c.Path && earlier.Domain == c.Domain
}

func seconds(d time.Duration) int { return int(d / time.Second) }
