package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"example.com/hardy/internal/faultproxy"
	"example.com/hardy/internal/servers"
	"example.com/hardy/store/storetest/linear"
)

// TestLinearizable: three processes on one server, each with a network of its own that fails.
func TestLinearizable(t *testing.T) {
	linear.Run(t, func(t *testing.T) linear.Engine {
		server := servers.StartRedis(t)
		e := engine(t, server.Addr, texts(), true)
		e.Faults = append(e.Faults, func() (heal func()) {
			server.TryCLI("script", "flush")
			return func() {}
		})
		return e
	})
}

// TestClusterLinearizable: the same on a Cluster of six, with a failing network before each of its nodes.
func TestClusterLinearizable(t *testing.T) {
	linear.Run(t, func(t *testing.T) linear.Engine {
		cluster := servers.StartCluster(t)
		var e linear.Engine
		for range 3 {
			ways := make(map[string]string) // to a node by its proxy
			for _, addr := range cluster.Addrs() {
				p := faultproxy.Start(t, addr)
				ways[addr] = p.Addr
				e.Faults = append(e.Faults, faults(p)...)
			}
			e.Stores = append(e.Stores, open(t, clusterURL(cluster), &Options{Configure: func(o *rueidis.ClientOption) {
				o.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
					return d.DialContext(ctx, "tcp", ways[addr])
				}
			}}))
		}
		return e
	})
}

// engine is three stores, each behind a proxy of its own.
func engine(t *testing.T, addr string, scripts sources, faulty bool) (e linear.Engine) {
	for range 3 {
		p := faultproxy.Start(t, addr)
		s := open(t, "redis://"+p.Addr, nil)
		s.scripts = compile(scripts)
		e.Stores = append(e.Stores, s)
		if faulty {
			e.Faults = append(e.Faults, faults(p)...)
		}
	}
	return e
}

// faults are what may happen to the connections through a proxy.
func faults(p *faultproxy.Proxy) []func() (heal func()) {
	heal := func() {
		p.Heal()
		p.Cut() // what is frozen or half-closed stays so, else
	}
	return []func() func(){
		func() func() { p.Delay(3 * time.Millisecond); return p.Heal },
		func() func() { p.Hold(true); return p.Heal },
		func() func() { p.Freeze(); return heal },
		func() func() { p.Cut(); return p.Heal },
		func() func() { p.HalfClose(); return heal },
		func() func() { p.LoseAnswers(1); return p.Heal },
		func() func() { p.LoseAnswers(-1); return p.Heal },
		func() func() { p.Refuse(true); p.Cut(); return p.Heal },
	}
}

// weaknesses are scripts that break one rule each.
var weaknesses = map[string]struct{ script, good, bad string }{
	"Create writes over what is there":        {"create", "ARGV[3], 'NX',", "ARGV[3],"},
	"Replace asks for no version":             {"replace", "sub(v, 26, 33) ~= ARGV[5]", "false"},
	"End loses to Replace":                    {"replace", `or sub(v, 94, 95) ~= '\0\0' or`, "or"},
	"Touch of what has ended":                 {"touch", `or sub(v, 94, 95) ~= '\0\0' or`, "or"},
	"Touch of what has expired":               {"touch", "or expires < s or expires == s and expires2 <= s2", ""},
	"Replace of what has expired":             {"replace", "or expires < s or expires == s and expires2 <= s2", ""},
	"Touch moves back":                        {"touch", "if back or back2 or back3", "if false"},
	"Replace moves back":                      {"replace", "if back or back2 or back3", "if false"},
	"the last End wins":                       {"end", "if ended(v) then", "if false then"},
	"End keeps Data":                          {"end", "ARGV[5] == '1'", "true"},
	"a record is missing in its user's index": {"join", "redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])", "if true then return 1 end"},
}

// TestWeakScriptsAreCaught is the proof that the search bites, on this store.
func TestWeakScriptsAreCaught(t *testing.T) {
	server := servers.StartRedis(t)
	for name, w := range weaknesses {
		t.Run(name, func(t *testing.T) {
			weak := texts()
			if strings.Count(weak[w.script], w.good) != 1 {
				t.Fatalf("the script %s does not say %q, once", w.script, w.good)
			}
			weak[w.script] = strings.Replace(weak[w.script], w.good, w.bad, 1)
			linear.MustCatch(t, func(t *testing.T) linear.Engine { return engine(t, server.Addr, weak, false) })
		})
	}
}
