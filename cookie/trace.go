package cookie

// Trace is told what happens to cookies, as net/http/httptrace does it: nil costs nothing, and so does each
// func that is nil. The funcs run on the request's goroutine, so they return soon, are safe for concurrent
// use, and leave the request's jars alone. They are told names, ids and counts, never a value. Who can send a request can cause all but the
// last of these events: count them, and log a sample.
type Trace struct {
	// Opened: a cookie came and was opened, or was not.
	Opened func(OpenedInfo)
	// Duplicate: a request had n > 1 cookies of one name; none of them was taken.
	Duplicate func(cookie string, n int)
	// Undecodable: the value under key in a jar does not decode into its key's type; it reads as absent.
	Undecodable func(cookie, key string, err error)
	// Reloaded: the source was read. With an error the ring is what it was.
	Reloaded func(ReloadedInfo)
}

// OpenedInfo says how the opening of a cookie went.
type OpenedInfo struct {
	Cookie  string
	Outcome Outcome
	KeyID   string // "" where Outcome is NotOurs or TooLarge
	Retired bool   // opened under a retired key: it still is in use
}

// ReloadedInfo says how the reading of the keys went.
type ReloadedInfo struct {
	App        string
	PrimaryID  string // of the ring now in use; "" where there is none
	Keys       int
	Generation uint64
	Err        error
}

func (t *Trace) opened(cookie string, o Outcome, keyID string, retired bool) {
	if t != nil && t.Opened != nil {
		t.Opened(OpenedInfo{cookie, o, keyID, retired})
	}
}

func (t *Trace) duplicate(cookie string, n int) {
	if t != nil && t.Duplicate != nil {
		t.Duplicate(cookie, n)
	}
}

func (t *Trace) undecodable(cookie, key string, err error) {
	if t != nil && t.Undecodable != nil {
		t.Undecodable(cookie, key, err)
	}
}

func (t *Trace) reloaded(k *Keys, err error) {
	if t == nil || t.Reloaded == nil {
		return
	}
	info := ReloadedInfo{App: k.app, Err: err}
	if r := k.ring.Load(); r != nil {
		info.PrimaryID, info.Keys, info.Generation = r.primary.id, len(r.masters), r.generation
	}
	t.Reloaded(info)
}
