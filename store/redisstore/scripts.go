package redisstore

import (
	"context"
	"embed"

	"github.com/redis/rueidis"
)

//go:embed lua/*.lua
var lua embed.FS

// sources are the texts of the scripts, by name.
type sources map[string]string

// texts returns the scripts as they are sent, each with what it uses.
func texts() sources {
	read := func(name string) string {
		text, err := lua.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // the file was built in
		}
		return string(text) + "\n"
	}
	all := make(sources)
	for _, name := range []string{"end", "join", "withdraw"} {
		all[name] = read("common") + read(name)
	}
	for _, name := range []string{"replace", "touch"} {
		all[name] = read("common") + read("renew") + read(name)
	}
	for _, name := range []string{"create", "admit", "sweep"} {
		all[name] = read("common") + read("due") + read(name)
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

// scripts are what is decided on the server. Each goes by its hash, and as a whole text to a server that does not
// know it: a new primary, or one that was told to SCRIPT FLUSH.
type scripts struct {
	create, admit, withdraw, replace, touch, end, join, sweep *rueidis.Lua
}

func compile(t sources) scripts {
	script := func(name string) *rueidis.Lua { return rueidis.NewLuaScript(t[name]) }
	return scripts{
		create: script("create"), admit: script("admit"), withdraw: script("withdraw"), replace: script("replace"),
		touch: script("touch"), end: script("end"), join: script("join"), sweep: script("sweep"),
	}
}

// run runs a script.
func (s *Store) run(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error) {
	return ask(ctx, s, writes, func(ctx context.Context) (rueidis.RedisMessage, error) {
		return script.Exec(ctx, s.client, keys, args).ToMessage()
	})
}
