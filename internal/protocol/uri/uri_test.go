package uri_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

func TestWhatWasWrittenGoesOverTheWire(t *testing.T) {
	for _, test := range []struct {
		text, authority, addr, target string
	}{
		{"http://a", "a", "a:80", "/"},
		{"https://a/", "a", "a:443", "/"},
		{"http://a:8080?q", "a:8080", "a:8080", "/?q"},
		{"http://a/x?", "a", "a:80", "/x?"},
		{"http://a:/x", "a", "a:80", "/x"},
		{"http://A.Example/X", "a.example", "a.example:80", "/X"},
		{"http://a/a%2Fb|c", "a", "a:80", "/a%2Fb%7Cc"},
		{"http://a/Zürich%2FNord", "a", "a:80", "/Z%C3%BCrich%2FNord"},
		{"http://a/%7euser/%2e%2E/x", "a", "a:80", "/%7euser/%2e%2E/x"},
		{"http://a//b//c;d=1,2/(e)/[f]/'g'", "a", "a:80", "//b//c;d=1,2/(e)/[f]/'g'"},
		{"http://a/../b/./c", "a", "a:80", "/../b/./c"},
		{"http://a/x?a[]=1&b={c}&d=100%&e=%zz&f=a+b&g=%26|h", "a", "a:80", "/x?a[]=1&b=%7Bc%7D&d=100%25&e=%25zz&f=a+b&g=%26%7Ch"},
		{"http://a/x?q=a b\"<>^`\\", "a", "a:80", "/x?q=a%20b%22%3C%3E%5E%60%5C"},
		{"http://a/x?u=http://b/?c=ü", "a", "a:80", "/x?u=http://b/?c=%C3%BC"},
		{"http://a/x#fragment", "a", "a:80", "/x"},
		{"http://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example:80", "/"},
		{"http://straße.example:81/", "xn--strae-oqa.example:81", "xn--strae-oqa.example:81", "/"},
		{"http://BÜCHER。example/", "xn--bcher-kva.example", "xn--bcher-kva.example:80", "/"},
		{"http://my_service/x", "my_service", "my_service:80", "/x"},
		{"http://[::1]:80/x", "[::1]:80", "[::1]:80", "/x"},
		{"http://[fe80::1%25eth0]/x", "[fe80::1]", "[fe80::1%eth0]:80", "/x"},
		{"grpcs://a/pkg.S/M", "a", "a:443", "/pkg.S/M"},
	} {
		u, err := uri.Parse(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if u.Authority() != test.authority || u.Addr() != test.addr || u.Target != test.target {
			t.Errorf("%s: got %q %q %q, want %q %q %q", test.text, u.Authority(), u.Addr(), u.Target, test.authority, test.addr, test.target)
		}
		if u.String() != test.text {
			t.Errorf("%s is written as %s", test.text, u)
		}
	}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"a/b":              uri.ErrNoScheme,
		"http://":          uri.ErrNoHost,
		"http:///x":        uri.ErrNoHost,
		"http:x":           uri.ErrNoHost,
		"http://:80/":      uri.ErrNoHost,
		"http://a:0/":      uri.ErrPort,
		"http://a:65536/":  uri.ErrPort,
		"http://u:p@a/":    uri.ErrUserInfo,
		"http://a/100%":    uri.ErrEscape,
		"http://a/%zz?b=%": uri.ErrEscape,
	} {
		if _, err := uri.Parse(text); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
	var host *uri.HostError
	for _, text := range []string{"http://xn--ü.example/", "http://a\u00ad\u200d.example/", "http://[::g]/"} {
		if _, err := uri.Parse(text); !errors.As(err, &host) && err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestReferencesAreResolved(t *testing.T) {
	base, err := uri.Parse("http://a/b%2Fc/d;p?q")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		// RFC 3986, section 5.4, with an escaped slash in the base.
		"g": "http://a:80 /b%2Fc/g", "./g": "http://a:80 /b%2Fc/g", "g/": "http://a:80 /b%2Fc/g/",
		"/g": "http://a:80 /g", "//g": "http://g:80 /", "?y": "http://a:80 /b%2Fc/d;p?y",
		"g?y": "http://a:80 /b%2Fc/g?y", "": "http://a:80 /b%2Fc/d;p?q", "..": "http://a:80 /",
		"../../g": "http://a:80 /g", "g;x=1/../y": "http://a:80 /b%2Fc/y",
		"https://u:p@H/x%2Fy|z#f": "https://h:443 /x%2Fy%7Cz",
		"/ü ber?a b":              "http://a:80 /%C3%BC%20ber?a%20b",
		"//bücher.example/":       "http://xn--bcher-kva.example:80 /",
	} {
		got, err := base.Resolve(ref)
		if err != nil {
			t.Errorf("%q: %v", ref, err)
		} else if s := got.Origin() + " " + got.Target; s != want {
			t.Errorf("%q: got %s, want %s", ref, s, want)
		}
	}
	for _, ref := range []string{"mailto:x", "http://", "/%zz", "http://a:99999/"} {
		if got, err := base.Resolve(ref); err == nil {
			t.Errorf("%q is resolved as %s", ref, got)
		}
	}
}

func TestHostsOfHeadersAreConverted(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "a:": "a", "a:1": "a:1", "[::1]:2": "[::1]:2", "[fe80::1%25x]": "[fe80::1]", "bücher.example:8": "xn--bcher-kva.example:8",
	} {
		if got, err := uri.ASCIIHostPort(text); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":1", "a/b", "a b", "u@a", "a?b"} {
		if got, err := uri.ASCIIHostPort(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://a/a%2Fb|c?d=%&e#f", "https://bücher/ü", "http://[::1%25x]:1/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := uri.Parse(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(u.Target, "/") || strings.ContainsFunc(u.Target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q has the target %q", text, u.Target)
		}
		if again := uri.Escape(u.Target); again != u.Target {
			t.Fatalf("%q is escaped twice: %q", u.Target, again)
		}
		if _, err := url.ParseRequestURI(u.Target); err != nil {
			t.Fatalf("%q: %v", u.Target, err)
		}
		if strings.ContainsFunc(u.Authority(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q has the authority %q", text, u.Authority())
		}
	})
}
