package recipe

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"

	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
)

func TestTabs(t *testing.T) {
	manager := session.NewManager(store.NewMemory(nil), nil)
	r := sessiontest.Request(t, httptest.NewRequest("POST", "/", nil), manager, nil)
	in := func(id string, f func(*tab)) tab {
		t.Helper()
		ask := httptest.NewRequest("POST", "/?tab="+id, nil).WithContext(r.Context())
		got, err := updateTab(ask, f)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	in("first", func(t *tab) { t.Query = "anvils" })
	in("second", func(t *tab) { t.Query = "bells" })
	if got := in("first", func(t *tab) { t.Page++ }); got.Query != "anvils" || got.Page != 1 {
		t.Errorf("the first tab holds %+v", got)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { in(fmt.Sprint("more", i), func(t *tab) { t.Page = i }) })
	}
	all.Wait()
	if n := len(tabs.Get(session.From(r.Context()))); n != maxTabs {
		t.Errorf("%d tabs are kept, want %d", n, maxTabs)
	}
	if _, err := updateTab(r, nil); err == nil {
		t.Error("a request that names no tab passed")
	}
}
