// Package devkeys keeps keys that are made for a laptop on it: it is for those who seal cookies with cookie.DevKeys.
package devkeys

import (
	"net"
	"net/http"
)

// Refuse panics where a program serves strangers with keys which are gone at its next start. by is the package that
// would use them, for the message.
//
// It sees the address that the connection came to, and http.Server.Addr. A server without Addr on a listener of the
// program's own for all addresses is seen when the first request comes by another address than loopback,
// and not before: net/http tells a handler nothing of the listener. Behind a proxy on the same machine, or on a
// Unix socket, no request ever does: who asks through it can't be seen.
func Refuse(by string, r *http.Request) {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	tcp, ok := addr.(*net.TCPAddr)
	switch server, _ := r.Context().Value(http.ServerContextKey).(*http.Server); {
	case ok && !tcp.IP.IsLoopback():
		stop(by, tcp.String())
	case ok && server != nil && exposed(server.Addr):
		stop(by, server.Addr)
	}
}

func stop(by, where string) {
	panic(by + ": cookie.DevKeys on " + where + ", which is not loopback; listen on localhost, use cookie.KeysFromEnv or KeysFromFile, or set AllowDevKeys in the options")
}

// exposed says whether http.Server.Addr names more than loopback. "" says nothing: ListenAndServe takes it for ":http",
// but Serve listens where its listener does. A name is left to the address that the connection came to.
func exposed(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && !ip.IsLoopback()
}
