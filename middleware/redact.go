package middleware

import (
	"fmt"
	"io"
	"log/slog"
)

// A carrier remembers cookies that it has opened; printed with %s it would show them.
func (c *sealing) Format(f fmt.State, _ rune) { io.WriteString(f, "[session carrier]") }

func (i *Import) String() string               { return "middleware.Import[redacted]" }
func (i *Import) Format(f fmt.State, _ rune)   { io.WriteString(f, i.String()) }
func (i *Import) LogValue() slog.Value         { return slog.StringValue(i.String()) }
func (i *Import) MarshalText() ([]byte, error) { return []byte(i.String()), nil }
