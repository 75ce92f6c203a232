package main

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

func onEcho(a *app) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(a.origin), echo.WrapMiddleware(a.sessions))
	e.GET("/", func(c echo.Context) error {
		return c.HTML(http.StatusOK, a.page(c.Request().Context()))
	})
	e.POST("/login", func(c echo.Context) error {
		if err := a.login(c.Request().Context(), c.FormValue("user")); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
		return c.Redirect(http.StatusSeeOther, "/")
	}, echo.WrapMiddleware(a.attempts))
	e.POST("/logout", func(c echo.Context) error {
		a.logout(c.Request().Context())
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.POST("/count", func(c echo.Context) error {
		n, err := a.count(c.Request().Context())
		if err != nil {
			return echo.NewHTTPError(http.StatusServiceUnavailable, err.Error())
		}
		return c.String(http.StatusOK, strconv.Itoa(n))
	})
	e.GET("/alive", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	e.GET("/stream", func(c echo.Context) error {
		a.see(c.Request().Context())
		c.Response().Flush() // the header leaves at once
		for range 3 {
			c.Response().Write([]byte("ring\n"))
			c.Response().Flush()
		}
		return nil
	})
	return e
}
