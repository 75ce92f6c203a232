//go:build race

package lease_test

const raceDetector = true // what is heavy takes smaller numbers then; make full takes the whole ones
