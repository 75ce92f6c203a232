package scs

import (
	"context"
	"time"
)

// as returns v as a T, or the zero T where it is none.
func as[T any](v any) T {
	t, _ := v.(T)
	return t
}

// GetString returns the string under key, or "" where there is none.
func (s *SessionManager) GetString(ctx context.Context, key string) string {
	return as[string](s.Get(ctx, key))
}

// GetBool returns the bool under key, or false where there is none.
func (s *SessionManager) GetBool(ctx context.Context, key string) bool {
	return as[bool](s.Get(ctx, key))
}

// GetInt returns the int under key, or 0 where there is none.
func (s *SessionManager) GetInt(ctx context.Context, key string) int { return as[int](s.Get(ctx, key)) }

// GetInt64 returns the int64 under key, or 0 where there is none.
func (s *SessionManager) GetInt64(ctx context.Context, key string) int64 {
	return as[int64](s.Get(ctx, key))
}

// GetInt32 returns the int32 under key, or 0 where there is none.
func (s *SessionManager) GetInt32(ctx context.Context, key string) int32 {
	return as[int32](s.Get(ctx, key))
}

// GetFloat returns the float64 under key, or 0 where there is none.
func (s *SessionManager) GetFloat(ctx context.Context, key string) float64 {
	return as[float64](s.Get(ctx, key))
}

// GetBytes returns the []byte under key, or nil where there is none.
func (s *SessionManager) GetBytes(ctx context.Context, key string) []byte {
	return as[[]byte](s.Get(ctx, key))
}

// GetTime returns the time.Time under key, or the zero time where there is none.
func (s *SessionManager) GetTime(ctx context.Context, key string) time.Time {
	return as[time.Time](s.Get(ctx, key))
}

// PopString returns the string under key, or "" where there is none, and removes what is there.
func (s *SessionManager) PopString(ctx context.Context, key string) string {
	return as[string](s.Pop(ctx, key))
}

// PopBool returns the bool under key, or false where there is none, and removes what is there.
func (s *SessionManager) PopBool(ctx context.Context, key string) bool {
	return as[bool](s.Pop(ctx, key))
}

// PopInt returns the int under key, or 0 where there is none, and removes what is there.
func (s *SessionManager) PopInt(ctx context.Context, key string) int { return as[int](s.Pop(ctx, key)) }

// PopFloat returns the float64 under key, or 0 where there is none, and removes what is there.
func (s *SessionManager) PopFloat(ctx context.Context, key string) float64 {
	return as[float64](s.Pop(ctx, key))
}

// PopBytes returns the []byte under key, or nil where there is none, and removes what is there.
func (s *SessionManager) PopBytes(ctx context.Context, key string) []byte {
	return as[[]byte](s.Pop(ctx, key))
}

// PopTime returns the time.Time under key, or the zero time where there is none, and removes what is there.
func (s *SessionManager) PopTime(ctx context.Context, key string) time.Time {
	return as[time.Time](s.Pop(ctx, key))
}
