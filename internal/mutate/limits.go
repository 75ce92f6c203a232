package main

var (
	limiter = suite{"./ratelimit", "Oracle|Property|Full|Typed|Missing|AllOrNothing|Reserv|Settle|Penalize|Crowded|Go65508|RetryAfter|Fields|Duration"}
	ticks   = suite{"./ratelimit/internal/gcra", ""}
	ledger  = suite{"./ratelimit/quota", ""}
	guarded = suite{"./middleware", "RateLimit|Spoof|BadInput|Refusal|Fields|RetryAfter|ClientIP|IPv6Widths|KeysAreTyped|L3"}
	account = suite{"./store/sqlitestore", "Quota"}
)

// ofLimits are the checks of limits, client addresses and quotas.
var ofLimits = []mutation{
	one("limits: the bound", "ratelimit/internal/gcra/gcra.go", "return level+cost <= t.Window }", "return level+cost <= t.Window+t.Interval }", limiter),
	one("limits: intervals are rounded up", "ratelimit/internal/gcra/gcra.go", "interval = math.Ceil(interval)", "interval = math.Floor(interval)", ticks, limiter),
	one("limits: debt is bounded", "ratelimit/internal/gcra/gcra.go", "return max(level, min(level+cost, t.Window+t.Debt))", "return level + cost", limiter),
	one("limits: what has refilled is not given back", "ratelimit/internal/gcra/gcra.go", "return max(0, min(cost, after-returned-now))", "return cost", limiter),
	one("limits: all or nothing", "ratelimit/take.go", "if d.Allowed {\n\t\tl.commit(d, n)", "if true {\n\t\tl.commit(d, n)", limiter),
	one("limits: a key that lacks a part", "ratelimit/check.go", "p.By&byAll&^have != 0)", "false)", limiter),
	one("limits: a cost above the burst", "ratelimit/take.go", "if n > c.burst && c.burst > 0 && !c.Unlimited() {\n\t\t\tif !p.Shadow", "if n > c.burst && c.burst > 0 && !c.Unlimited() {\n\t\t\tif false", guarded),
	one("limits: a negative cost", "ratelimit/take.go", "if n < 0 {\n\t\treturn costBelowZero(n)", "if false {\n\t\treturn costBelowZero(n)", guarded),
	one("limits: who is drained stays in the table", "ratelimit/table.go", "if gcra.Ticks(full) > now {", "if gcra.Ticks(full) > now+1<<40 {", limiter),
	one("limits: newcomers to a full table share", "ratelimit/table.go", "return &t.overflow[i]", "return &overflow{full: make([]int64, t.stride-1), last: gcra.Ticks(i) * 0}", limiter),
	one("limits: parts of a key are typed", "ratelimit/hash.go", "maphash.String(h.seed, k.Route), h.secret[3])", "maphash.String(h.seed, k.Route), h.secret[1])", limiter),
	one("limits: one answer a reservation", "ratelimit/reserve.go", "if r.settled.Swap(true) {", "if r.settled.Swap(true) && actual < 0 {", limiter),
	one("limits: a late reservation gives nothing back", "ratelimit/reserve.go", "case actual < r.n && !late:", "case actual < r.n:", limiter),
	one("limits: Retry-After is not early", "ratelimit/result.go", "return int64((d + time.Second - 1) / time.Second)", "return int64(d / time.Second)", limiter, guarded),
	one("limits: what is undecided is refused", "middleware/ratelimit.go", "h.fail(w, r, err)\n\t\treturn", "h.next.ServeHTTP(w, r)\n\t\treturn", guarded),
	one("limits: a refusal is not cached", "middleware/ratelimitanswer.go", `head.Set("Cache-Control", noStore)`, `head.Del("Cache-Control")`, guarded),
	one("limits: outside of Sessions nobody is known", "middleware/by.go", "if ctx := r.Context(); !session.Inside(ctx) &&", "if ctx := r.Context(); false &&", guarded),
	one("addresses: a stranger's field", "middleware/clientipwalk.go", "case hop.IsValid() && !f.trusts(hop):", "case hop.IsValid() && !f.trusts(hop) && len(lines) == 0:", guarded),
	one("addresses: the last line first", "middleware/clientipwalk.go", "for i := len(lines) - 1; i >= 0; i-- {\n\t\tfor rest", "for i := range lines {\n\t\tfor rest", guarded),
	one("addresses: the last entry first", "middleware/clientipwalk.go", `i := strings.LastIndexByte(list, ',')`, `i := strings.IndexByte(list, ',')`, guarded),
	one("addresses: as far as there is trust", "middleware/clientipwalk.go", "if hop = a; !f.trusts(a) {", "if hop = a; !f.trusts(a) && !more {", guarded),
	one("addresses: two for= in one element", "middleware/clientipwalk.go", "if found {\n\t\t\treturn \"\"", "if found && node == \"\" {\n\t\t\treturn \"\"", guarded),
	one("addresses: mapped IPv4", "middleware/clientipwalk.go", "a = a.Unmap().WithZone(\"\")\n\treturn a, !a", "a = a.WithZone(\"\")\n\treturn a, !a", guarded),
	one("addresses: zones", "middleware/clientipwalk.go", "a = a.Unmap().WithZone(\"\")\n\treturn a, !a", "a = a.Unmap()\n\treturn a, !a", guarded),
	one("addresses: IPv6 by its /64", "ratelimit/key.go", "bits = 64", "bits = 128", guarded),
	one("addresses: prefixes that trust everybody", "middleware/clientip.go", "if p.Bits() == 0 {", "if false {", guarded),
	one("quotas: the limit", "ratelimit/quota/account.go", "a.used+amount <= q.Limit", "a.used < q.Limit || q.Limit < 0", ledger),
	one("quotas: sums that do not fit", "ratelimit/quota/account.go", "if amount > math.MaxInt64-a.used {", "if amount > math.MaxInt64-a.used && q.Limit == 0 {", ledger),
	one("quotas: negative amounts", "ratelimit/quota/ledger.go", "if amount < 0 {", "if false {", ledger),
	one("quotas: a clock that goes back", "ratelimit/quota/account.go", "if start.After(a.since) {", "if !start.Equal(a.since) {", ledger),
	one("quotas: told once", "ratelimit/quota/ledger.go", "reached && !a.told", "reached", ledger),
	one("quotas: told once, over a restart", "ratelimit/quota/encode.go", "a.told = flags&flagTold != 0", "", ledger, account),
	one("quotas: zones that can be found again", "ratelimit/quota/period.go", "if a != b {", "if a != b && now.IsZero() {", ledger),
	one("quotas: what is damaged is not read", "ratelimit/quota/encode.go", "r.accept(sum == a.used)", "_ = sum", ledger),
	one("quotas: a tier's panic is the caller's", "store/sqlitestore/quotas.go", "panic(v.panicked)", "return nil", account),
}
