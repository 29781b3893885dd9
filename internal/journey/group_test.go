package journey

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func setCookies(values ...string) []protocol.Field {
	fields := []protocol.Field{{Name: "Content-Type", Value: "text/html"}}
	for _, v := range values {
		fields = append(fields, protocol.Field{Name: "set-cookie", Value: v})
	}
	return fields
}

func TestARequestAtOnceHasTheCookiesOfItsJourneyAndItsOwn(t *testing.T) {
	u := parsed(t, "http://shop.example/a")
	var base jar
	base.SetCookies(u, setCookies("sid=1; Path=/", "theme=dark; Path=/", "basket=3; Path=/"))
	o := &overlay{base: &base}
	if got := o.Cookies(u); got != "sid=1; theme=dark; basket=3" {
		t.Errorf("cookies %q at first", got)
	}
	o.SetCookies(u, setCookies("theme=light; Path=/", "basket=; Max-Age=0; Path=/", "seen=1; Path=/"))
	o.SetCookies(u, setCookies())
	if got := o.Cookies(u); got != "sid=1; theme=light; seen=1" {
		t.Errorf("cookies %q of a redirect", got)
	}
	if got := o.Cookies(parsed(t, "http://other.example/a")); got != "" {
		t.Errorf("cookies %q go to another host", got)
	}
	if got := base.Cookies(u); got != "sid=1; theme=dark; basket=3" {
		t.Errorf("cookies %q of the others, which are sent at once", got)
	}
	if n := len(o.set); n != 1 {
		t.Errorf("%d responses are kept, want those that set cookies", n)
	}
}

// Requests end in any order: of the cookies of one name that of the last one in the file counts.
func TestCookiesOfRequestsAtOnceAreMergedInTheOrderOfTheFile(t *testing.T) {
	u := parsed(t, "http://shop.example/a")
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		r := &run{script: New(Options{Cookies: true})}
		r.together(3)
		for _, nth := range order {
			m := &member{nth: nth, jar: overlay{base: &r.jar}}
			m.jar.SetCookies(u, setCookies(fmt.Sprintf("last=%d", nth), fmt.Sprintf("c%d=x", nth)))
			r.group.keep(m)
		}
		if got := r.jar.Cookies(u); got != "" {
			t.Errorf("order %v: cookies %q before all have ended", order, got)
		}
		for range 3 {
			r.join()
		}
		got := strings.Split(r.jar.Cookies(u), "; ")
		slices.Sort(got)
		if want := []string{"c0=x", "c1=x", "c2=x", "last=2"}; !slices.Equal(got, want) {
			t.Errorf("order %v: cookies %q, want %q", order, got, want)
		}
		if r.group != nil {
			t.Error("the group has not ended")
		}
	}
}

func TestTheCookiesOfAGroupAreBounded(t *testing.T) {
	u := parsed(t, "http://shop.example/a")
	g := &group{open: 1}
	for i := range 10_000 {
		m := &member{nth: i, jar: overlay{base: &jar{}}}
		m.jar.SetCookies(u, setCookies(fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 1000))))
		g.keep(m)
	}
	if n := len(g.cookies); n < 200 || n > 262 {
		t.Errorf("the cookies of %d responses of 1 kB are kept", n)
	}
}
