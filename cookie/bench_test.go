package cookie

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/securecookie"

	"example.com/hardy/internal/cookieheader"
)

// Three values, as a map through securecookie with gob (its default), and as a jar. The jar finds its cookie in the
// header, opens it and reads all three, or sets all three and writes the Set-Cookie line.

func threeValues() map[string]any { return map[string]any{"name": "Bob", "age": 42, "lang": "en"} }

func gobCodec() *securecookie.SecureCookie {
	return securecookie.New(securecookie.GenerateRandomKey(32), securecookie.GenerateRandomKey(32))
}

func BenchmarkThreeValuesSealGob(b *testing.B) {
	sc, values := gobCodec(), threeValues()
	b.ReportAllocs()
	for b.Loop() {
		s, err := sc.Encode("__Host-bell-local", values)
		if err != nil || len(s) < 200 {
			b.Fatal(err)
		}
	}
}

func BenchmarkThreeValuesOpenGob(b *testing.B) {
	sc := gobCodec()
	s, _ := sc.Encode("__Host-bell-local", threeValues())
	b.ReportAllocs()
	for b.Loop() {
		var values map[string]any
		if err := sc.Decode("__Host-bell-local", s, &values); err != nil || values["age"] != 42 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s)), "bytes")
}

func benchSpec(b *testing.B) *Spec {
	s, err := NewLocal(ringOf(b, masterA, "bell"), nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func setThree(b *testing.B, j *Jar) {
	if nick.Set(j, "Bob") != nil || age.Set(j, 42) != nil || lang.Set(j, "en") != nil {
		b.Fatal("not set")
	}
}

func BenchmarkThreeValuesSealJar(b *testing.B) {
	s := benchSpec(b)
	r := httptest.NewRequest("GET", "/", nil)
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		j := s.Jar(r)
		setThree(b, j)
		if err := j.Commit(h); err != nil || len(h["Set-Cookie"]) != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkThreeValuesOpenJar(b *testing.B) {
	s := benchSpec(b)
	value, _ := visit(b, s, "", func(j *Jar) { setThree(b, j) })
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", s.Name()+"="+value)
	b.ReportAllocs()
	for b.Loop() {
		j := s.Jar(r)
		if nick.Get(j) != "Bob" || age.Get(j) != 42 || lang.Get(j) != "en" {
			b.Fatal("not read")
		}
	}
	b.ReportMetric(float64(len(value)), "bytes")
}

// A session's token: securecookie alone, and inside the envelope with every check.
func BenchmarkTokenOpenSecurecookie(b *testing.B) {
	sc := gobCodec()
	sc.SetSerializer(securecookie.NopEncoder{}).MaxAge(0)
	s, _ := sc.Encode("name", make([]byte, 33))
	b.ReportAllocs()
	for b.Loop() {
		var p []byte
		if err := sc.Decode("name", s, &p); err != nil || len(p) != 33 {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokenOpen(b *testing.B) {
	s := ringOf(b, masterA, "bell").Sealer("session", "name")
	value, _ := s.Seal(make([]byte, 32))
	b.ReportAllocs()
	for b.Loop() {
		if o, outcome := s.Open(value); outcome != OK || len(o.Plain) != 32 {
			b.Fatal(outcome)
		}
	}
	b.ReportMetric(float64(len(value)), "bytes")
}

func BenchmarkTokenSeal(b *testing.B) {
	s := ringOf(b, masterA, "bell").Sealer("session", "name")
	token := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if value, err := s.Seal(token); err != nil || len(value) > cookieheader.MaxBytes {
			b.Fatal(err)
		}
	}
}

// What a cache of opened cookies pays per request to notice a revoked key.
func BenchmarkGeneration(b *testing.B) {
	k := ringOf(b, masterA, "bell")
	g := k.Generation()
	for b.Loop() {
		if k.Generation() != g {
			b.Fatal("it moved")
		}
	}
}
