package store_test

import (
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/store"
	"example.com/hardy/store/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) session.Store { return store.NewMemory(nil) })
}
