package cookie

import (
	"fmt"
	"io"
	"log/slog"
)

// Whatever holds keys or opened values says so little about itself in every way that Go prints: a %+v of a
// struct around it, a log line, JSON.

const redacted = "[redacted]"

func (k *Keys) String() string               { return "cookie.Keys" + redacted }
func (k *Keys) Format(f fmt.State, _ rune)   { io.WriteString(f, k.String()) }
func (k *Keys) LogValue() slog.Value         { return slog.StringValue(k.String()) }
func (k *Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (s *Sealer) String() string               { return "cookie.Sealer" + redacted }
func (s *Sealer) Format(f fmt.State, _ rune)   { io.WriteString(f, s.String()) }
func (s *Sealer) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s *Sealer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (o Opened) String() string               { return "cookie.Opened" + redacted }
func (o Opened) Format(f fmt.State, _ rune)   { io.WriteString(f, o.String()) }
func (o Opened) LogValue() slog.Value         { return slog.StringValue(o.String()) }
func (o Opened) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func (j *Jar) String() string               { return "cookie.Jar" + redacted }
func (j *Jar) Format(f fmt.State, _ rune)   { io.WriteString(f, j.String()) }
func (j *Jar) LogValue() slog.Value         { return slog.StringValue(j.String()) }
func (j *Jar) MarshalText() ([]byte, error) { return []byte(j.String()), nil }

func (v Value) String() string               { return "cookie.Value" + redacted }
func (v Value) Format(f fmt.State, _ rune)   { io.WriteString(f, v.String()) }
func (v Value) LogValue() slog.Value         { return slog.StringValue(v.String()) }
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
