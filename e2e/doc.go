// Package e2e tests Hardy together with programs and libraries that its users may have and Hardy itself does not need. It
// is a module of its own, so that none of them gets into a user's go.sum. There is nothing to import.
package e2e
