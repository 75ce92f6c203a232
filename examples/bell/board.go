package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// board is the file with the note that everyone reads.
type board struct{ file string }

func (b board) read() (string, error) {
	text, err := os.ReadFile(b.file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// write replaces the note: who reads meanwhile gets the old one or the new one, never half of it.
func (b board) write(text string) error {
	temp, err := os.CreateTemp(filepath.Dir(b.file), ".note-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), b.file)
}
