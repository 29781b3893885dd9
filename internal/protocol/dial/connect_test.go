package dial_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func newDialer(t *testing.T, d net.Dialer) *dial.Dialer {
	t.Helper()
	made, err := dial.New(dial.Options{Net: dial.Net{DialContext: d.DialContext}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
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

// TestConnectToUsesTheFirstThatResponds connects to several addresses. Some refuse and some
// are silent, which costs no more than the wait before the next one.
func TestConnectToUsesTheFirstThatResponds(t *testing.T) {
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

func TestAMachineWithNothingLeftTriesNoFurtherAddress(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNREFUSED} {
		var tried atomic.Int64
		d := newDialer(t, net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error {
			tried.Add(1)
			return errno
		}})
		_, _, err := d.ConnectTo(t.Context(), []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"})
		if !errors.Is(err, errno) {
			t.Errorf("got %v", err)
		}
		want := int64(1)
		if errno == syscall.ECONNREFUSED {
			want = 3
		}
		if n := tried.Load(); n != want {
			t.Errorf("%v: %d addresses were tried, want %d", errno, n, want)
		}
	}
}

// TestConnectToLeavesNothingBehind connects to addresses that all respond, some late: all
// but one are closed when it returns.
func TestConnectToLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		open := map[net.Conn]bool{}
		made, err := dial.New(dial.Options{Net: dial.Net{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			if addr != "d:1" {
				time.Sleep(time.Second) // It takes no notice of the context, as one that has just succeeded.
			}
			near, far := net.Pipe()
			c := &closing{Conn: near, closed: func(c net.Conn) {
				mu.Lock()
				defer mu.Unlock()
				delete(open, c)
				_ = far.Close()
			}}
			mu.Lock()
			defer mu.Unlock()
			open[c] = true
			return c, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer made.Close()
		c, addr, err := made.ConnectTo(t.Context(), []string{"a:1", "b:1", "c:1", "d:1", "e:1"})
		if err != nil || addr != "d:1" {
			t.Fatal(addr, err)
		}
		mu.Lock()
		n := len(open)
		mu.Unlock()
		if n != 1 {
			t.Errorf("%d connections are open", n)
		}
		_ = c.Close()
	})
}

// closing is a connection that records when it is closed.
type closing struct {
	net.Conn
	closed func(net.Conn)
}

func (c *closing) Close() error {
	c.closed(c)
	return c.Conn.Close()
}
