//go:build !unix

package sqlitestore

func umask(int) int { return 0 }
