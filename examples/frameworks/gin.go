package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
)

func onGin(a *app) http.Handler {
	router := gin.New()
	router.Use(wrap(a.origin), wrap(a.sessions))
	router.GET("/", func(c *gin.Context) {
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(a.page(c.Request.Context())))
	})
	router.POST("/login", wrap(a.attempts), func(c *gin.Context) {
		if err := a.login(c.Request.Context(), c.PostForm("user")); err != nil {
			c.AbortWithError(http.StatusBadRequest, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})
	router.POST("/logout", func(c *gin.Context) {
		a.logout(c.Request.Context())
		c.Redirect(http.StatusSeeOther, "/")
	})
	router.POST("/count", func(c *gin.Context) {
		n, err := a.count(c.Request.Context())
		if err != nil {
			c.AbortWithStatus(http.StatusServiceUnavailable)
			return
		}
		c.String(http.StatusOK, strconv.Itoa(n))
	})
	router.GET("/alive", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	router.GET("/stream", func(c *gin.Context) {
		a.see(c.Request.Context())
		c.Writer.Flush() // the header leaves at once
		left := 3
		c.Stream(func(w io.Writer) bool {
			io.WriteString(w, "ring\n")
			left--
			return left > 0
		})
	})
	return router
}

// wrap makes middleware of net/http one of gin. The rest of the chain runs inside of it, and writes through it; where it
// answers by itself, the chain ends. Afterwards, a panic or not, gin answers through its own writer.
func wrap(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		request, writer, passed := c.Request, c.Writer, false
		defer func() { c.Request, c.Writer = request, writer }()
		middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request, c.Writer = r, &through{writer, w}
			c.Next()
		})).ServeHTTP(writer, request)
		if !passed {
			c.Abort()
		}
	}
}

// through is gin's writer with everything that sends bytes going through w. What gin knows of the answer (Status, Size,
// Written) it hears where w hands it on.
type through struct {
	gin.ResponseWriter
	w http.ResponseWriter
}

func (t *through) Header() http.Header               { return t.w.Header() }
func (t *through) WriteHeader(code int)              { t.w.WriteHeader(code) }
func (t *through) Write(b []byte) (int, error)       { return t.w.Write(b) }
func (t *through) WriteString(s string) (int, error) { return io.WriteString(t.w, s) }
func (t *through) Flush()                            { http.NewResponseController(t.w).Flush() }
func (t *through) Unwrap() http.ResponseWriter       { return t.w }
func (t *through) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(t.w).Hijack()
}

func (t *through) WriteHeaderNow() {
	if !t.Written() {
		t.w.WriteHeader(t.Status())
		t.ResponseWriter.WriteHeaderNow()
	}
}
