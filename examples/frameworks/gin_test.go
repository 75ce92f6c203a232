package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/hardy/cookie"
	"example.com/hardy/middleware"
	"example.com/hardy/session"
	"example.com/hardy/sessiontest"
	"example.com/hardy/store"
	"github.com/gin-gonic/gin"
)

// Each way in which gin's writer sends a header stores the session first, and is refused where that fails.
func TestGinSendsThroughTheSession(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for name, send := range map[string]func(c *gin.Context){
		"WriteHeaderNow": func(c *gin.Context) { c.Writer.WriteHeaderNow() },
		"WriteString":    func(c *gin.Context) { c.Writer.WriteString("x") },
		"Write":          func(c *gin.Context) { c.Writer.Write([]byte("x")) },
		"Flush":          func(c *gin.Context) { c.Writer.Flush() },
		"String":         func(c *gin.Context) { c.String(http.StatusOK, "x") },
		"Abort":          func(c *gin.Context) { c.AbortWithStatus(http.StatusOK) },
		"nothing":        func(c *gin.Context) {},
	} {
		for _, down := range []bool{false, true} {
			faults := sessiontest.NewFaults(store.NewMemory(nil))
			if down {
				faults.Add(sessiontest.Fault{Op: "create", Err: errors.New("down")})
			}
			sessions := middleware.Sessions(session.NewManager(faults, nil), cookie.DevKeys("frameworks"), &middleware.Options{AllowDevKeys: true})
			router := gin.New()
			router.Use(wrap(sessions))
			router.GET("/", func(c *gin.Context) {
				if err := flash.Set(session.From(c.Request.Context()), "hello"); err != nil {
					t.Error(err)
				}
				send(c)
			})
			w := httptest.NewRecorder()
			router.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			want, cookies := http.StatusOK, 1
			if down {
				want, cookies = http.StatusServiceUnavailable, 0
			}
			if got := w.Result(); got.StatusCode != want || len(got.Cookies()) != cookies {
				t.Errorf("%s, store down %v: %d, %d cookies", name, down, got.StatusCode, len(got.Cookies()))
			}
		}
	}
}

// gin.Default has Recovery further out: its 500 stores nothing of the handler that panicked.
func TestGinRecoversOutside(t *testing.T) {
	gin.SetMode(gin.TestMode)
	rows := store.NewMemory(nil)
	sessions := middleware.Sessions(session.NewManager(rows, nil), cookie.DevKeys("frameworks"), &middleware.Options{AllowDevKeys: true})
	router := gin.New()
	router.Use(gin.RecoveryWithWriter(io.Discard), wrap(sessions))
	router.POST("/login", func(c *gin.Context) {
		if err := session.From(c.Request.Context()).Login("ann"); err != nil {
			t.Error(err)
		}
		panic("half way")
	})
	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	n, err := rows.Count(t.Context())
	if got := w.Result(); err != nil || n != 0 || got.StatusCode != http.StatusInternalServerError || len(got.Cookies()) != 0 {
		t.Errorf("%d sessions stored, %v; %d with cookies %v", n, err, got.StatusCode, got.Cookies())
	}
}
