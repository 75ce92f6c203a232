package middleware

import (
	"fmt"
	"io"
)

// A carrier remembers cookies that it has opened; printed with %s it would show them.
func (c *sealing) Format(f fmt.State, _ rune) { io.WriteString(f, "[session carrier]") }
