//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// alone waits until no other hardy changes files in path's folder, and keeps others waiting until done.
func alone(path string) (done func() error, err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder.Close, nil
}

// sameOwner gives the file at path the owner and group of the one at like.
func sameOwner(path, like string) error {
	own, err := os.Stat(path)
	if err != nil {
		return err
	}
	other, err := os.Stat(like)
	if err != nil {
		return err
	}
	is, has := own.Sys().(*syscall.Stat_t), other.Sys().(*syscall.Stat_t)
	if is.Uid == has.Uid && is.Gid == has.Gid {
		return nil
	}
	return os.Chown(path, int(has.Uid), int(has.Gid))
}
