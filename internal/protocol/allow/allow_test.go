package allow_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/allow"
)

func list(t *testing.T, texts ...string) allow.List {
	t.Helper()
	var l allow.List
	for _, text := range texts {
		e, err := allow.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if e.String() != text {
			t.Errorf("%q became %q", text, e)
		}
		l = append(l, e)
	}
	return l
}

func TestAConnectionIsAllowedByItsHostOrItsAddress(t *testing.T) {
	for _, test := range []struct {
		entry, target, addr string
		want                bool
	}{
		{"shop.example", "shop.example:80", "192.0.2.1:80", true},
		{"shop.example", "shop.example.:80", "192.0.2.1:80", true},
		{"shop.example.", "shop.example:80", "192.0.2.1:80", true},
		{"Shop.Example", "SHOP.example:80", "192.0.2.1:80", true},
		{"bücher.example", "xn--bcher-kva.example:80", "192.0.2.1:80", true},
		{"shop.example", "www.shop.example:80", "192.0.2.1:80", false},
		{"shop.example", "shop.example.org:80", "192.0.2.1:80", false},
		{"shop.example:8080", "shop.example:8080", "192.0.2.1:8080", true},
		{"shop.example:8080", "shop.example:80", "192.0.2.1:80", false},
		{"*.staging.example", "a.staging.example:80", "192.0.2.1:80", true},
		{"*.staging.example", "a.b.staging.example:80", "192.0.2.1:80", true},
		{"*.staging.example", "staging.example:80", "192.0.2.1:80", false},
		{"*.staging.example", ".staging.example:80", "192.0.2.1:80", false},
		{"*.staging.example", "notstaging.example:80", "192.0.2.1:80", false},
		{"*.staging.example:80", "a.staging.example:81", "192.0.2.1:81", false},
		{"192.0.2.1", "shop.example:80", "192.0.2.1:80", true},
		{"192.0.2.1", "shop.example:80", "192.0.2.2:80", false},
		{"192.0.2.1", "192.0.2.1:80", "192.0.2.1:80", true},
		{"192.0.2.1", "shop.example:80", "[::ffff:192.0.2.1]:80", true},
		{"::ffff:192.0.2.1", "shop.example:80", "192.0.2.1:80", true},
		{"::ffff:10.0.0.0/104", "shop.example:80", "10.1.2.3:80", true},
		{"::ffff:10.0.0.0/104", "shop.example:80", "11.1.2.3:80", false},
		{"10.0.0.0/8:8080", "shop.example:8080", "10.1.2.3:8080", true},
		{"10.0.0.0/8:8080", "shop.example:80", "10.1.2.3:80", false},
		{"10.0.0.0/8", "shop.example:80", "[::ffff:10.1.2.3]:80", true},
		{"0.0.0.0/0", "shop.example:80", "[2001:db8::1]:80", false},
		{"::/0", "shop.example:80", "192.0.2.1:80", false},
		{"2001:db8::/32", "shop.example:80", "[2001:db8::1]:80", true},
		{"[2001:db8::/32]:443", "shop.example:443", "[2001:db8::1]:443", true},
		{"[2001:db8::/32]:443", "shop.example:80", "[2001:db8::1]:80", false},
		{"[::1]", "localhost:80", "[::1]:80", true},
		{"[::1]:8080", "localhost:8080", "[::1]:8080", true},
		{"fe80::/10", "[fe80::1%eth0]:80", "[fe80::1%eth0]:80", true},
		{"*:443", "anything.example:443", "192.0.2.1:443", true},
		{"*:443", "192.0.2.1:443", "192.0.2.1:443", true},
		{"*:443", "anything.example:80", "192.0.2.1:80", false},
		{"localhost", "127.0.0.1:80", "127.0.0.1:80", false},
		{"localhost", "localhost:80", "127.0.0.1:80", true},
		{"1.2.3.4.example", "1.2.3.4:80", "1.2.3.4:80", false},
	} {
		if got := list(t, "unrelated.example", test.entry).Direct(test.target, test.addr); got != test.want {
			t.Errorf("%s to %s at %s: %t, want %t", test.entry, test.target, test.addr, got, test.want)
		}
	}
}

func TestAnEmptyListAllowsAll(t *testing.T) {
	var l allow.List
	if !l.Direct("shop.example:80", "192.0.2.1:80") || !l.Named("shop.example:80") || !l.Possible("shop.example:80") {
		t.Error("it does not")
	}
}

func TestANameIsPossibleWhereItCouldHaveAnAllowedAddress(t *testing.T) {
	l := list(t, "shop.example:80", "10.0.0.0/8:443")
	for target, want := range map[string]struct{ named, possible bool }{
		"shop.example:80":   {true, true},
		"shop.example:81":   {false, false},
		"other.example:443": {false, true},
		"other.example:80":  {false, false},
		"10.0.0.1:443":      {true, true},
		"11.0.0.1:443":      {false, false},
		"no port":           {false, false},
		"shop.example:http": {false, false},
	} {
		if named, possible := l.Named(target), l.Possible(target); named != want.named || possible != want.possible {
			t.Errorf("%s: named %t, possible %t", target, named, possible)
		}
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"":                    allow.ErrSyntax,
		"*":                   allow.ErrAnyHost,
		"*.":                  allow.ErrSyntax,
		"*.*.example":         allow.ErrSyntax,
		"a.*.example":         allow.ErrSyntax,
		"http://shop.example": allow.ErrURL,
		"shop.example/path":   allow.ErrSyntax,
		"shop.example:":       allow.ErrPort,
		"shop.example:0":      allow.ErrPort,
		"shop.example:65536":  allow.ErrPort,
		"shop.example:http":   allow.ErrPort,
		"shop..example":       allow.ErrSyntax,
		"shop example":        allow.ErrSyntax,
		"user@shop.example":   allow.ErrSyntax,
		"10.0.0":              allow.ErrSyntax,
		"10.0.0.0/33":         allow.ErrSyntax,
		"10.0.0.256":          allow.ErrSyntax,
		"10.0.0.0/8/8":        allow.ErrSyntax,
		"fe80::1%eth0":        allow.ErrZone,
		"[fe80::1%eth0]:80":   allow.ErrZone,
		"[::1":                allow.ErrSyntax,
		"[::1]80":             allow.ErrSyntax,
		"[127.0.0.1]:80":      allow.ErrSyntax,
		"[shop.example]:80":   allow.ErrSyntax,
		"::1:zz":              allow.ErrSyntax,
		"[2001:db8::]/32:80":  allow.ErrSyntax,
	} {
		if _, err := allow.Parse(text); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
	_, err := allow.Parse("10.1.2.3/8")
	if bits, ok := errors.AsType[*allow.BitsError](err); !ok || bits.Network != netip.MustParsePrefix("10.1.2.3/8") {
		t.Errorf("got %v", err)
	}
}

// FuzzParse has no entry allow everything, and has it read again what it wrote.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"shop.example:80", "*.a.example", "10.0.0.0/8:8080", "[::1]:80", "*:443", "2001:db8::/32"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := allow.Parse(text)
		if err != nil {
			return
		}
		l := allow.List{e}
		again, err := allow.Parse(e.String())
		if err != nil || again != e {
			t.Fatalf("%q became %v, %v", text, again, err)
		}
		if l.Direct("other.invalid:1", "192.0.2.77:1") && l.Direct("more.invalid:2", "[2001:db8::77]:2") {
			t.Errorf("%q allows everything", text)
		}
	})
}
