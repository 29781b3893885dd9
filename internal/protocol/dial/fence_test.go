package dial_test

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// fenced has a Dialer keep to an allow list.
func fenced(f *dial.Fence) func(*dial.Options) {
	return func(o *dial.Options) { o.Fence = f }
}

// wantDenied makes a connection, that must not be allowed.
func wantDenied(t *testing.T, o *dial.Origin) *dial.DeniedError {
	t.Helper()
	_, err := o.Connect(t.Context(), "")
	denied, ok := errors.AsType[*dial.DeniedError](err)
	if !ok || dial.Reason(err) != protocol.ReasonDenied {
		t.Fatalf("failed as %q: %v", dial.Reason(err), err)
	}
	return denied
}

func TestOnlyAllowedAddressesOfANameAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "192.0.2.1", "10.0.0.2", "2001:db8::1", "::ffff:10.0.0.3")
		o, _ := w.origin(t, fenced(dial.NewFence(protocoltest.Allow(t, "10.0.0.0/8"))))
		var got []string
		for range 6 {
			got = append(got, connect(t, o).Addr)
		}
		slices.Sort(got)
		if want := []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}; !slices.Equal(slices.Compact(got), want) {
			t.Errorf("connected to %q", got)
		}
		if r, err := o.ConnectOnly(t.Context(), "192.0.2.1:80"); err != nil || r.Addr == "192.0.2.1:80" {
			t.Errorf("connected to %s, %v", r.Addr, err)
		} else {
			_ = r.Conn.Close()
		}
		if addr := o.Bare(16); addr != "" {
			t.Errorf("%s is to get a connection", addr)
		}
	})
}

func TestANameThatMovesToAnotherAddressIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, _ := w.origin(t, fenced(dial.NewFence(protocoltest.Allow(t, "10.0.0.0/8"))))
		connect(t, o)
		w.resolveTo("192.0.2.1", "192.0.2.2")
		time.Sleep(31 * time.Second)
		if e := wantDenied(t, o); e.Target != "target.test:80" || len(e.Addrs) != 2 {
			t.Errorf("denied: %v", e)
		}
	})
}

func TestANameThatCannotBeAllowedIsNotResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, _ := w.origin(t, fenced(dial.NewFence(protocoltest.Allow(t, "other.test", "10.0.0.0/8:443"))))
		_ = wantDenied(t, o)
		if n := w.lookups(); n != 0 {
			t.Errorf("%d lookups", n)
		}
	})
}

func TestAnotherListClosesWhatItDoesNotAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "10.0.0.2")
		f := dial.NewFence(nil)
		o, _ := w.origin(t, fenced(f))
		first, second := connect(t, o), connect(t, o)
		f.Set(protocoltest.Allow(t, "10.0.0.2"))
		synctest.Wait()
		if _, err := first.Conn.Read(make([]byte, 1)); dial.Reason(err) != protocol.ReasonDenied {
			t.Errorf("reading from %s fails as %v", first.Addr, err)
		}
		if _, err := first.Conn.Write([]byte("x")); dial.Reason(err) != protocol.ReasonDenied {
			t.Errorf("writing to %s fails as %v", first.Addr, err)
		}
		if _, err := second.Conn.Write([]byte("x")); err != nil {
			t.Errorf("writing to %s fails: %v", second.Addr, err)
		}
		if again := connect(t, o); again.Addr != "10.0.0.2:80" {
			t.Errorf("connected to %s", again.Addr)
		}
	})
}

// TestAProxyIsAllowedAsWellAsWhatItLeadsTo asks each kind of proxy for a server on loopback.
func TestAProxyIsAllowedAsWellAsWhatItLeadsTo(t *testing.T) {
	port := greeting(t)
	for name, u := range map[string]*url.URL{
		"http":    protocoltest.HTTPProxy(t, nil, false, 0).URL,
		"socks5h": protocoltest.SOCKSProxy(t, "socks5h", false, 0).URL,
		"socks5":  protocoltest.SOCKSProxy(t, "socks5", false, 0).URL,
	} {
		for _, test := range []struct {
			name    string
			entries []string
			want    bool
			// local says that the target's name is resolved here for the entries to hold.
			local bool
		}{
			{"both by name and address", []string{"target.test", u.Host}, true, false},
			{"the target only", []string{"target.test"}, false, false},
			{"the proxy only", []string{u.Host}, false, false},
			{"the target by its address", []string{"127.0.0.1"}, true, true},
		} {
			t.Run(name+": "+test.name, func(t *testing.T) {
				d := proxied(t, u, func(o *dial.Options) {
					o.Fence = dial.NewFence(protocoltest.Allow(t, test.entries...))
					o.Net.Resolver = oneName("target.test")
				})
				o := d.Origin(dial.Target{Addr: net.JoinHostPort("target.test", port)})
				if !test.want || test.local && name != "socks5" {
					_ = wantDenied(t, o)
					return
				}
				wantEcho(t, connect(t, o).Conn)
			})
		}
	}
}

func TestDialContextLooksAtEachAddress(t *testing.T) {
	l := protocoltest.Listen(t)
	f := dial.NewFence(protocoltest.Allow(t, "10.0.0.0/8"))
	_, err := f.DialContext(t.Context(), "tcp", l.Addr().String())
	if _, ok := errors.AsType[*dial.DeniedError](err); !ok {
		t.Errorf("got %v", err)
	}
	f.Set(protocoltest.Allow(t, netip.MustParseAddrPort(l.Addr().String()).Addr().String()))
	c, err := f.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	var none *dial.Fence
	if c, err = none.DialContext(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
