package session

import (
	"fmt"
	"io"
)

// Whatever holds values or keys, beside Token, says so little about itself in every way that Go prints: a %+v in a log
// line, a panic with it. slog's TextHandler asks Format, too; JSON sees no field of theirs.

func (s *Session) Format(f fmt.State, _ rune)     { io.WriteString(f, "[session]") }
func (v Values) Format(f fmt.State, _ rune)       { io.WriteString(f, "[session values]") }
func (v *sealedVault) Format(f fmt.State, _ rune) { io.WriteString(f, "[session vault]") }
