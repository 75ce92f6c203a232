package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// ClientIP finds out who asks, for ClientAddr and ByIP, where proxies stand between: it is the peer of the
// connection, unless that is one of the trusted proxies. Then X-Forwarded-For is read from the right, where
// the nearest proxy has written, up to the first address that is not trusted. What stands further left
// anybody may have made up, and nobody looks at it.
//
//	middleware.ClientIP(netip.MustParsePrefix("10.0.0.0/8")) // the load balancer's network
//
// Trust the proxies' addresses, not networks that clients may be in: whoever is trusted can name any address.
// Without ClientIP in the chain, and with no prefix, everybody is who the connection comes from.
//
// It never guesses. A trusted proxy that sends no field, or an entry that is no address ("unknown", an
// obfuscated name), hides its clients; their requests count as those of the last hop that is known, all
// together, and the first of them is logged. It panics at start for prefixes that trust everybody, and where
// a ByIP stands further out.
func ClientIP(trusted ...netip.Prefix) func(http.Handler) http.Handler {
	return ClientIPFrom(nil, trusted...)
}

// ClientIPOptions are the options of ClientIPFrom. The zero value of each field is safe.
type ClientIPOptions struct {
	// Field is the header that the proxies write, each adding its peer at the end, or the outermost
	// overwriting what came: "Forwarded" (RFC 7239), or one in the syntax of the default,
	// "X-Forwarded-For". Only this one is read: a field that the proxies do not write is the client's.
	Field string
	// TrustSocket trusts peers without an address, which are those of a Unix socket.
	TrustSocket bool
	// Logger is told the first time that something is wrong, for each way to be wrong. nil: slog.Default.
	Logger *slog.Logger
	// Trace is told every time. nil: nobody.
	Trace func(r *http.Request, why string)
}

// ClientIPFrom is ClientIP with options; nil means the defaults.
func ClientIPFrom(o *ClientIPOptions, trusted ...netip.Prefix) func(http.Handler) http.Handler {
	if o == nil {
		o = &ClientIPOptions{}
	}
	from := forwarding{ClientIPOptions: *o, trusted: make([]netip.Prefix, len(trusted))}
	from.Field = http.CanonicalHeaderKey(o.Field)
	if from.Field == "" {
		from.Field = "X-Forwarded-For"
	}
	for i, p := range trusted {
		from.trusted[i] = checkTrusted(p)
	}
	return func(next http.Handler) http.Handler {
		for layer := range layers(next) {
			if _, ok := layer.(*clientIP); ok {
				panic("middleware: ClientIP wraps itself; wrap once")
			}
		}
		return &clientIP{forwarding: from, told: new([troubles]sync.Once), next: next}
	}
}

// checkTrusted brings a prefix into its one form.
func checkTrusted(p netip.Prefix) netip.Prefix {
	if !p.IsValid() {
		panic("middleware: ClientIP: a prefix is not valid; write netip.MustParsePrefix(\"10.0.0.0/8\"), or with /32 for one address")
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		panic(fmt.Sprintf("middleware: ClientIP: %v trusts everybody, so that anybody could name any address; list the proxies' own", p))
	}
	return p.Masked()
}

// ClientAddr is the address of who asks: found by ClientIP where it stands in the chain, else that of the
// connection. IPv4 is IPv4, also where it came mapped into IPv6, and there is no zone. It is not valid where
// there is none: behind a Unix socket.
func ClientAddr(r *http.Request) netip.Addr {
	if found, ok := r.Context().Value(clientKey{}).(*client); ok {
		return found.addr
	}
	return peer(r)
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	if p, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return p.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(r.RemoteAddr) // as some other middleware may have left it
	return a.Unmap().WithZone("")
}

type clientKey struct{}

// client is the context that carries the address.
type client struct {
	context.Context
	addr netip.Addr
}

func (c *client) Value(key any) any {
	if key == (clientKey{}) {
		return c
	}
	return c.Context.Value(key)
}

type clientIP struct {
	forwarding
	told *[troubles]sync.Once
	next http.Handler
}

func (h *clientIP) inner() http.Handler { return h.next }

func (h *clientIP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, trouble := h.find(r)
	if trouble != none {
		h.tell(r, addr, trouble)
	}
	h.next.ServeHTTP(w, r.WithContext(&client{r.Context(), addr}))
}

// tell traces a trouble, and logs the first of its kind.
func (h *clientIP) tell(r *http.Request, addr netip.Addr, t trouble) {
	why := t.text(h.Field)
	if h.Trace != nil {
		h.Trace(r, why)
	}
	h.told[t].Do(func() {
		log(h.Logger).Error("middleware: ClientIP: "+why, "peer", r.RemoteAddr, "as", addr.String())
	})
}

func log(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// throughProxy says whether the peer seems to be a proxy of this site, of which ClientIP should know: its
// address is not a public one, and it forwards.
func throughProxy(r *http.Request) bool {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 {
		return false
	}
	if _, ok := r.Context().Value(clientKey{}).(*client); ok {
		return false
	}
	return local(peer(r))
}

func local(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || !a.IsValid()
}

// forwards says whether a field is one by which proxies tell who asks. Clients may send it as well.
func forwards(field string) bool {
	switch field {
	case "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "Fly-Client-Ip":
		return true
	}
	return strings.HasPrefix(field, "X-Forwarded-")
}
