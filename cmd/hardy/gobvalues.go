package main

import (
	"encoding/gob"
	"slices"
	"sync"
	"time"

	"example.com/hardy/internal/gobwire"
)

// A map of values by gob can be decoded where each of their types is known to the program, and not at all otherwise. This
// program knows none of an app's own. So what is of another type than a plain one is first taken out of gob's bytes.

// plainTypes are those whose values are carried over, as gob names them.
var plainTypes = []string{
	"string", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
	"[]uint8", "[]string", "[]bool", "[]int", "[]int32", "[]int64", "[]uint", "[]uint32", "[]uint64", "[]float32", "[]float64",
	"time.Time", "map[string]string",
}

// register tells gob the plain types that it does not know by itself.
var register = sync.OnceFunc(func() {
	gob.Register(time.Time{})
	gob.Register(map[string]string{})
})

// plainly takes what is of no plain type, or under no text, out of gob's bytes.
func plainly(data []byte, shape gobwire.Shape) (plain []byte, left []leftover, err error) {
	register()
	s, ok := gobwire.Of(data, shape, func(name []byte, text bool, kind []byte) bool {
		switch {
		case !text:
			left = append(left, leftover{"(a key of type " + typeName(name) + ")", typeName(kind)})
			return false
		case len(kind) > 0 && !slices.Contains(plainTypes, string(kind)):
			left = append(left, leftover{string(name), string(kind)})
			return false
		}
		return true
	})
	if !ok {
		return nil, nil, errUnreadable
	}
	return s.Bytes(), left, nil
}

func typeName(kind []byte) string {
	if len(kind) == 0 {
		return "nil"
	}
	return string(kind)
}
