//go:build race

package sqlitestore

const raceDetector = true // what is heavy takes smaller numbers then; make full takes the whole ones
