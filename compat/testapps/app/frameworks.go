package main

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
)

// onGin is LoadAndSave as people write it again for gin.
func onGin(store scs.Store) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	sessions := scs.New()
	sessions.Store = store
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Writer.Header().Add("Vary", "Cookie")
		token, err := c.Cookie(sessions.Cookie.Name)
		if err != nil {
			token = ""
		}
		ctx, err := sessions.Load(c.Request.Context(), token)
		if err != nil {
			sessions.ErrorFunc(c.Writer, c.Request, err)
			c.Abort()
			return
		}
		c.Request = c.Request.WithContext(ctx)
		w := &ginWriter{ResponseWriter: c.Writer, c: c, sessions: sessions}
		c.Writer = w
		c.Next()
		w.store()
	})
	engine.NoRoute(gin.WrapH(pages{sessions}.mux()))
	return engine
}

type ginWriter struct {
	gin.ResponseWriter
	c        *gin.Context
	sessions *scs.SessionManager
	stored   bool
}

func (w *ginWriter) store() {
	if w.stored {
		return
	}
	w.stored = true
	ctx := w.c.Request.Context()
	switch w.sessions.Status(ctx) {
	case scs.Modified:
		token, expiry, err := w.sessions.Commit(ctx)
		if err != nil {
			w.sessions.ErrorFunc(w.ResponseWriter, w.c.Request, err)
			return
		}
		w.sessions.WriteSessionCookie(ctx, w.ResponseWriter, token, expiry)
	case scs.Destroyed:
		w.sessions.WriteSessionCookie(ctx, w.ResponseWriter, "", time.Time{})
	}
}

func (w *ginWriter) Write(b []byte) (int, error) {
	w.store()
	return w.ResponseWriter.Write(b)
}

func (w *ginWriter) WriteString(s string) (int, error) {
	w.store()
	return w.ResponseWriter.WriteString(s)
}

func (w *ginWriter) WriteHeader(code int) {
	w.store()
	w.ResponseWriter.WriteHeader(code)
}

func (w *ginWriter) WriteHeaderNow() {
	w.store()
	w.ResponseWriter.WriteHeaderNow()
}

// onEcho is the same for echo, whose response calls back before it goes out.
func onEcho(store scs.Store) http.Handler {
	sessions := scs.New()
	sessions.Store = store
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			token := ""
			if cookie, err := c.Cookie(sessions.Cookie.Name); err == nil {
				token = cookie.Value
			}
			ctx, err := sessions.Load(c.Request().Context(), token)
			if err != nil {
				return err
			}
			c.SetRequest(c.Request().WithContext(ctx))
			c.Response().Before(func() {
				switch sessions.Status(ctx) {
				case scs.Modified:
					token, expiry, err := sessions.Commit(ctx)
					if err != nil {
						panic(err)
					}
					sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
				case scs.Destroyed:
					sessions.WriteSessionCookie(ctx, c.Response(), "", time.Time{})
				}
				c.Response().Header().Add("Vary", "Cookie")
			})
			return next(c)
		}
	})
	e.Any("/*", echo.WrapHandler(pages{sessions}.mux()))
	return e
}
