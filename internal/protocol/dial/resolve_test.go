package dial_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func newDialer(t *testing.T, d net.Dialer) *dial.Dialer {
	t.Helper()
	made, err := dial.New(dial.Options{Net: d})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAddressesNeedNotBeResolved(t *testing.T) {
	d := newDialer(t, net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nobody should ask")
	}}})
	for _, addr := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80"} {
		got, took, err := d.Resolve(t.Context(), addr)
		if err != nil || took != 0 || len(got) != 1 || got[0] != addr {
			t.Errorf("%s: %q, %s, %v", addr, got, took, err)
		}
	}
	for _, addr := range []string{"nowhere.test:80", "no port"} {
		if _, _, err := d.Resolve(t.Context(), addr); err == nil {
			t.Errorf("%s: no error", addr)
		}
	}
}

func TestFamiliesTakeTurns(t *testing.T) {
	parse := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	for _, test := range []struct{ in, want []netip.Addr }{
		{parse("::1", "::2", "::3", "1.1.1.1"), parse("::1", "1.1.1.1", "::2", "::3")},
		{parse("1.1.1.1", "::ffff:2.2.2.2", "::1"), parse("1.1.1.1", "::1", "::ffff:2.2.2.2")},
		{parse("1.1.1.1"), parse("1.1.1.1")},
	} {
		if got := dial.Interleave(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%v became %v, want %v", test.in, got, test.want)
		}
	}
}

// TestConnectToTakesTheFirstThatAnswers connects to addresses of which some refuse and some
// are silent, which costs no more than the wait before the next one.
func TestConnectToTakesTheFirstThatAnswers(t *testing.T) {
	l := protocoltest.Listen(t)
	good := l.Addr().String()
	const refuses, silent = "127.0.0.1:1", "127.0.0.1:2"
	var silenced atomic.Int64
	d := newDialer(t, net.Dialer{ControlContext: func(ctx context.Context, _, addr string, _ syscall.RawConn) error {
		switch addr {
		case refuses:
			return syscall.ECONNREFUSED
		case silent:
			silenced.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}})
	for _, addrs := range [][]string{{good}, {good, silent}, {refuses, good}, {silent, good}, {refuses, silent, good}} {
		c, addr, err := d.ConnectTo(t.Context(), addrs)
		if err != nil {
			t.Fatal(addrs, err)
		}
		_ = c.Close()
		if addr != good {
			t.Errorf("%v: connected to %s", addrs, addr)
		}
	}
	if n := silenced.Load(); n != 2 {
		t.Errorf("the silent one was tried %d times", n)
	}
	_, _, err := d.ConnectTo(t.Context(), []string{refuses, refuses})
	if dial.Reason(err) != protocol.ReasonRefused {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = d.ConnectTo(ctx, []string{silent, good}); dial.Reason(err) != protocol.ReasonCanceled {
		t.Errorf("got %v", err)
	}
}
