// Package cluster tests several Hardy processes on one store: whole requests while servers and networks fail. There is
// nothing to import.
package cluster
