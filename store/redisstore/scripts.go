package redisstore

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"strings"

	"github.com/redis/rueidis"
)

//go:embed lua/*.lua
var lua embed.FS

// sources are the texts of the scripts, by name.
type sources map[string]string

// texts returns the scripts as they are sent. A line --@name stands for what several share, in lua/name.lua.
func texts() sources {
	read := func(name string) string {
		text, err := lua.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // the file was built in
		}
		return string(text)
	}
	all := make(sources)
	for _, name := range []string{"create", "admit", "withdraw", "replace", "touch", "end", "join", "sweep"} {
		text := read(name)
		for _, shared := range []string{"renew", "held", "due", "common"} {
			text = strings.ReplaceAll(text, "--@"+shared+"\n", read(shared))
		}
		all[name] = text
	}
	return all
}

// flagged lets those scripts that free memory run when there is none left: a session can be ended, come what may.
// Redis knows such flags from 7.0 on.
func (t sources) flagged() sources {
	for _, name := range []string{"end", "sweep"} {
		t[name] = "#!lua flags=allow-oom\n" + t[name]
	}
	return t
}

// script is decided on the server. It goes by its hash, and as a whole text to a server that does not know it: a new
// primary, or one that was told to SCRIPT FLUSH.
type script struct{ text, hash string }

type scripts struct {
	create, admit, withdraw, replace, touch, end, join, sweep script
}

func compile(t sources) scripts {
	script := func(name string) script {
		sum := sha1.Sum([]byte(t[name]))
		return script{t[name], hex.EncodeToString(sum[:])}
	}
	return scripts{
		create: script("create"), admit: script("admit"), withdraw: script("withdraw"), replace: script("replace"),
		touch: script("touch"), end: script("end"), join: script("join"), sweep: script("sweep"),
	}
}

// run runs a script.
func (s *Store) run(ctx context.Context, sc script, keys, args []string) (rueidis.RedisMessage, error) {
	return ask(ctx, s, writes, func(ctx context.Context, on lane) (rueidis.RedisMessage, error) {
		n := int64(len(keys))
		m, err := on.do(ctx, s.client.B().Evalsha().Sha1(sc.hash).Numkeys(n).Key(keys...).Arg(args...).Build()).ToMessage()
		if e, answered := rueidis.IsRedisErr(err); answered && e.IsNoScript() {
			return on.do(ctx, s.client.B().Eval().Script(sc.text).Numkeys(n).Key(keys...).Arg(args...).Build()).ToMessage()
		}
		return m, err
	})
}
