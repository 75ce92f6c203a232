package cookieheader

import (
	"net/http"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	const name = "__Host-bell-local"
	many := strings.Repeat("a=b; ", 2999)
	for what, row := range map[string]struct {
		lines []string
		value string
		n     int
	}{
		"no header":              {nil, "", 0},
		"alone":                  {[]string{name + "=v1.x"}, "v1.x", 1},
		"among others":           {[]string{"a=b; " + name + "=v1.x; c=d"}, "v1.x", 1},
		"second header":          {[]string{"a=b", name + "=v1.x"}, "v1.x", 1},
		"no space":               {[]string{"a=b;" + name + "=v;c=d"}, "v", 1},
		"padding":                {[]string{name + "=v1.x=="}, "v1.x==", 1},
		"longer name":            {[]string{name + "2=v; x" + name + "=w"}, "", 0},
		"name as a value":        {[]string{"a=" + name + "; " + name + "=v"}, "v", 1},
		"other case":             {[]string{"__host-bell-local=v"}, "", 0},
		"U+2000 before the name": {[]string{"\u2000" + name + "=v"}, "", 0},
		"NBSP before the name":   {[]string{"\u00a0" + name + "=v"}, "", 0},
		"no equals sign":         {[]string{name}, "", 1},
		"nameless":               {[]string{"=" + name + "=v"}, "", 0},
		"twice":                  {[]string{name + "=v; " + name + "=w"}, "", 2},
		"twice in two headers":   {[]string{name + "=v", name + "=v"}, "", 2},
		"C7 three times":         {[]string{strings.Repeat(name+"=v;", 3)}, "", 3},
		"garbage":                {[]string{"\x00\x01;;;===;\xff; " + name + "=v"}, "v", 1},
		"3000 cookies":           {[]string{many + name + "=v"}, "v", 1},
		"3001 cookies":           {[]string{many + "c=d; " + name + "=v"}, "", 0},
	} {
		value, n := Find(http.Header{"Cookie": row.lines}, name)
		if value != row.value || n != row.n {
			t.Errorf("%s: %q, %d; want %q, %d", what, value, n, row.value, row.n)
		}
	}
}

// For values in our alphabet, Find answers as net/http does.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"n=v", "a=b; n=v; n=w", " n = v1.x==", "\tn\t=v ;;=;n", "n=\"v\"", "n=a b;n=c", strings.Repeat("n;", 3001)} {
		f.Add(seed, "n=v")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		h := http.Header{"Cookie": {one, two}}
		value, n := Find(h, "n")
		theirs := (&http.Request{Header: h}).CookiesNamed("n")
		if n < len(theirs) {
			t.Fatalf("Find counts %d, net/http %d", n, len(theirs))
		}
		if n == 1 && plain(value) && (len(theirs) != 1 || theirs[0].Value != value) {
			t.Fatalf("Find %q, net/http %v", value, theirs)
		}
	})
}

func plain(value string) bool {
	for _, c := range []byte(value) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.=", c) >= 0) {
			return false
		}
	}
	return true
}

// What is written reads back through net/http, with every attribute.
func TestTemplate(t *testing.T) {
	for _, a := range []Attributes{
		{Name: "__Host-bell-session", Secure: true},
		{Name: "__Secure-acme-shared", Domain: "example.com", Secure: true, SameSite: http.SameSiteStrictMode},
		{Name: "bell-local"},
		{Name: "x", Secure: true, SameSite: http.SameSiteNoneMode},
	} {
		tmpl, err := New(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, maxAge := range []int{0, 1, 34560000, -1} {
			want := &http.Cookie{Name: a.Name, Value: "v1.x_-=", Path: "/", Domain: a.Domain, MaxAge: maxAge,
				Secure: a.Secure, HttpOnly: true, SameSite: max(a.SameSite, http.SameSiteLaxMode)}
			got := tmpl.SetParts("v1.", "x_-=", maxAge)
			if maxAge < 0 {
				want.Value = ""
				got = tmpl.Delete()
			}
			parsed, err := http.ParseSetCookie(got)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.String() != want.String() {
				t.Errorf("%s\nreads as %s\n   want %s", got, parsed, want)
			}
			if !strings.Contains(got, "SameSite=") || !strings.Contains(got, "HttpOnly") {
				t.Errorf("%s lacks an attribute", got)
			}
		}
	}
}

func TestC1Refused(t *testing.T) {
	for what, a := range map[string]Attributes{
		"no name":               {},
		"space in name":         {Name: "a b"},
		"newline in name":       {Name: "a\r\nSet-Cookie: x"},
		"__Host- with Domain":   {Name: "__Host-a", Domain: "example.com", Secure: true},
		"__Host- not Secure":    {Name: "__Host-a"},
		"__hOsT- not Secure":    {Name: "__hOsT-a"},
		"__Secure- not Secure":  {Name: "__Secure-a"},
		"None, not Secure":      {Name: "a", SameSite: http.SameSiteNoneMode},
		"no SameSite":           {Name: "a", SameSite: 9},
		"Domain of one label":   {Name: "a", Domain: "localhost"},
		"Domain with dot first": {Name: "a", Domain: ".example.com"},
		"Domain with port":      {Name: "a", Domain: "example.com:8080"},
		"Domain is an address":  {Name: "a", Domain: "192.0.2.1"},
		"Domain injects":        {Name: "a", Domain: "example.com; Path=/x"},
	} {
		if _, err := New(a); err == nil {
			t.Errorf("%s accepted", what)
		}
	}
}

func TestFindAllocates(t *testing.T) {
	h := http.Header{"Cookie": {"a=b; __Host-bell-local=v1.x"}}
	if n := testing.AllocsPerRun(100, func() { Find(h, "__Host-bell-local") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	h := http.Header{"Cookie": {"theme=dark; __Host-bell-session=v1." + strings.Repeat("x", 180) + "; lang=en"}}
	for b.Loop() {
		if _, n := Find(h, "__Host-bell-session"); n != 1 {
			b.Fatal(n)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	tmpl, _ := New(Attributes{Name: "__Host-bell-session", Secure: true})
	value := strings.Repeat("x", 190)
	b.ReportAllocs()
	for b.Loop() {
		if len(tmpl.Set(value, 3600)) < 190 {
			b.Fatal()
		}
	}
}
