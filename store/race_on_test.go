//go:build race

package store_test

const raceEnabled = true // memory and latency are other ones then
