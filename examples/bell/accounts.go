package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

// The accounts of a demonstration. Those of an application rest in its database, in this form.
const demoPassword = "anvil"

var demoUsers = []string{"ann", "bob"}

// iterations of PBKDF2 with HMAC-SHA-256, as the OWASP Password Storage Cheat Sheet advises. Where another
// dependency is welcome, argon2id of golang.org/x/crypto resists graphics cards better.
const iterations = 600_000

type accounts map[string]hashed

type hashed struct {
	iterations int
	salt, sum  []byte
}

func newAccounts(iterations int, password string, users ...string) accounts {
	a := accounts{}
	for _, user := range users {
		h := hashed{iterations: iterations, salt: make([]byte, 16)}
		rand.Read(h.salt)
		h.sum = h.hash(password)
		a[user] = h
	}
	return a
}

// check takes as long for a name that nobody has as for a wrong password, so that time tells no names.
func (a accounts) check(user, password string) bool {
	account, ok := a[user]
	if !ok {
		account = a[demoUsers[0]]
	}
	same := subtle.ConstantTimeCompare(account.sum, account.hash(password)) == 1
	return ok && same
}

func (h *hashed) hash(password string) []byte {
	sum, err := pbkdf2.Key(sha256.New, password, h.salt, h.iterations, sha256.Size)
	if err != nil {
		panic(err) // only for a length that we do not ask for
	}
	return sum
}
