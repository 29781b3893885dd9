package journey

import (
	"fmt"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

func parsed(t *testing.T, text string) uri.URI {
	t.Helper()
	u, err := uri.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestASlotsCookiesAreOverThoseOfItsSession(t *testing.T) {
	u := parsed(t, "http://shop.example/a")
	var base, own jar
	base.SetCookies(u, []protocol.Field{{Name: "Set-Cookie", Value: "sid=1"}, {Name: "set-cookie", Value: "theme=dark"}})
	l := &layered{own: &own, base: &base}
	if got := l.Cookies(u); got != "sid=1; theme=dark" {
		t.Errorf("cookies %q at first", got)
	}
	l.SetCookies(u, []protocol.Field{{Name: "Set-Cookie", Value: "theme=light"}, {Name: "Set-Cookie", Value: "cart=7"}})
	if got := l.Cookies(u); got != "sid=1; theme=light; cart=7" {
		t.Errorf("cookies %q of the slot", got)
	}
	if got := l.Cookies(parsed(t, "http://other.example/a")); got != "" {
		t.Errorf("cookies %q go to another host", got)
	}
	if got := (fixed{&base}).Cookies(u); got != "sid=1; theme=dark" {
		t.Errorf("cookies %q of the session, want those of the login", got)
	}
	fixed{&base}.SetCookies(u, []protocol.Field{{Name: "Set-Cookie", Value: "sid=2"}})
	if got := base.Cookies(u); got != "sid=1; theme=dark" {
		t.Errorf("a slot has changed the session: %q", got)
	}
}

func TestAJarIsBounded(t *testing.T) {
	u := parsed(t, "http://shop.example/a")
	var j jar
	for i := range 10_000 {
		j.SetCookies(u, []protocol.Field{{Name: "Set-Cookie", Value: fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 1000))}})
	}
	if n := len(j.of(u)); n < 200 || n > 262 {
		t.Errorf("%d cookies of 1 kB are kept", n)
	}
}
