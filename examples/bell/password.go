package main

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// hash is a password as it is stored: argon2id with its settings and salt, in the form that other programs write, too.
// These settings (19 MiB, two passes) are those of the OWASP Password Storage Cheat Sheet.
type hash string

// What an application has in its database. The passwords are on the pages: this is a demonstration.
const (
	demoPassword     = "anvil"
	demoNotePassword = "clapper"

	noteHash hash = "$argon2id$v=19$m=19456,t=2,p=1$P2feigto3yLaeiCD2tha2Q$BXUf0HVsuZwYWPjIuK1LBE/ikuOYcKO+3NN0i5Ei0H4"
	annsHash hash = "$argon2id$v=19$m=19456,t=2,p=1$HbCkIm0AjXu8rAKBz82mVQ$gf1VIHkMvQDc2O70E/mwbYXo0g87Retm3BHgWuXm578"
	bobsHash hash = "$argon2id$v=19$m=19456,t=2,p=1$rvJlC3JnN6F4D2hQuxc2XQ$5b/SBvHMPHa6A3AVBGkmPf3aNK7uD3BoLcUZ5Oa0bJ4"
)

// signsIn says whether user and password go together. It takes as long for a name that nobody has, so that time
// tells no names.
func signsIn(user, password string) bool {
	switch user {
	case "ann":
		return annsHash.matches(password)
	case "bob":
		return bobsHash.matches(password)
	}
	annsHash.matches(password)
	return false
}

// matches says whether h is the hash of password.
func (h hash) matches(password string) bool {
	parts := strings.Split(string(h), "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return false
	}
	var memory, passes uint32
	var threads uint8
	if n, _ := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); n != 3 || passes == 0 || threads == 0 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	sum, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(sum) < 16 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, threads, uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1
}
