package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// worker answers one question at a time. It is slow, as what it stands for is, and remembers what it was asked, as that
// may: the pool resets it before somebody else gets it.
type worker struct {
	name string
	seen []string // questions of the session that holds it
}

var made atomic.Int64

func newWorker(context.Context) (*worker, error) {
	return &worker{name: fmt.Sprintf("agent %d", made.Add(1))}, nil
}

// answer turns the sentence around.
func (w *worker) answer(ctx context.Context, text string) (string, error) {
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	w.seen = append(w.seen, text)
	words := strings.Fields(strings.TrimRightFunc(text, unicode.IsPunct))
	for i, j := 0, len(words)-1; i < j; i, j = i+1, j-1 {
		words[i], words[j] = words[j], words[i]
	}
	return strings.ToLower(strings.Join(words, " ")) + "?", nil
}
