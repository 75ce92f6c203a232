// Package browser shows Hardy in Chromium: the bell, as people meet it, and what browsers do to cookies, tabs and the
// way back. There is nothing to import.
//
// HARDY_SCREENS names a folder for screenshots of what the tests saw.
package browser
