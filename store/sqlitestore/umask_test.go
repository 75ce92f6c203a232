//go:build unix

package sqlitestore

import "syscall"

func umask(mask int) (old int) { return syscall.Umask(mask) }
