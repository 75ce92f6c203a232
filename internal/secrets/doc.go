// Package secrets searches what a program has said, in logs, traces, errors and panics, for what it must
// never say: tokens, keys, values, cookies. It is used by tests only.
package secrets
