//go:build race

package ratelimit

const raceDetector = true // what is heavy takes smaller numbers then; make full takes the whole ones
