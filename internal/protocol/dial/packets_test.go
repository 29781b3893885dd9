package dial_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// greeted is a connection over UDP, which was made by a packet there and one back.
type greeted struct {
	packets *dial.Packets
	closed  int
}

// Close implements io.Closer.
func (g *greeted) Close() error {
	g.closed++
	return nil
}

// greet is a dial.Handshake.
func greet(_ context.Context, p *dial.Packets, config *tls.Config) (io.Closer, error) {
	if config.ServerName != "127.0.0.1" || len(config.NextProtos) != 1 || config.NextProtos[0] != "h3" {
		return nil, &dial.Error{Step: dial.StepTLS, Err: errors.New("another configuration")}
	}
	if _, err := p.WriteTo([]byte("hello"), nil); err != nil {
		return nil, err
	}
	b := make([]byte, 100)
	n, _, err := p.ReadFrom(b)
	if err == nil && string(b[:n]) != "hello, you" {
		err = errors.New("another response")
	}
	return &greeted{packets: p}, err
}

// overUDP returns an origin that is greeted, and its observer.
func overUDP(t *testing.T, addr string, change func(*dial.Options)) (*dial.Origin, *protocoltest.ConnRecorder) {
	t.Helper()
	w := new(protocoltest.ConnRecorder)
	o := dial.Options{NextProtos: []string{"h3"}, Timeout: protocoltest.Long, Observer: w}
	change(&o)
	d, err := dial.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d.Origin(dial.Target{Addr: addr, Secure: true, Handshake: greet}), w
}

// newGreeter returns the address of a server that greets back.
func newGreeter(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(append(b[:n:n], ", you"...), from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func TestAHandshakeMakesConnectionsOverUDP(t *testing.T) {
	descriptors := dial.NewDescriptors(1)
	o, w := overUDP(t, newGreeter(t), func(o *dial.Options) { o.Descriptors = descriptors })
	r, err := o.Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Phases.Protocol != protocol.HTTP3 || r.Phases.Connect <= 0 || r.Phases.TLS != 0 || r.TLS != nil {
		t.Errorf("got %+v", r)
	}
	if err = r.Conn.Open(r.Phases); err != nil {
		t.Fatal(err)
	}
	if _, err = o.Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonLocal {
		t.Errorf("without a descriptor: %v", err)
	}
	if sent, received := w.Bytes(); sent != len("hello") || received != len("hello, you") {
		t.Errorf("%d bytes sent, %d received", sent, received)
	}
	over, ok := r.Over.(*greeted)
	if !ok {
		t.Fatalf("it is a %T", r.Over)
	}
	_, _ = r.Conn.Close(), r.Conn.Close()
	if _, err = over.packets.WriteTo([]byte("more"), nil); over.closed != 1 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed %d times, error %v", over.closed, err)
	}
	w.CheckClosed(t)
	if n := descriptors.InUse(); n != 0 {
		t.Errorf("%d descriptors are not given back", n)
	}
}

func TestAHandshakeThatFailsLeavesNothing(t *testing.T) {
	addr, nothing := freeport.Address(t), func(*dial.Options) {}
	for _, test := range []struct {
		name   string
		addr   string
		change func(*dial.Options)
		want   protocol.Reason
		text   string
	}{
		{"nobody listens", addr, nothing, protocol.ReasonRefused, syscall.ECONNREFUSED.Error()},
		{"TLS", addr, func(o *dial.Options) { o.TLS.ServerName = "other.test" }, protocol.ReasonTLS, "another configuration"},
		{"a proxy", addr, func(o *dial.Options) { o.Proxy.URL = &url.URL{Scheme: "http", Host: addr} }, protocol.ReasonRefused, "a proxy carries no UDP"},
		{"no UDP", addr, func(o *dial.Options) {
			o.Net.DialContext = func(context.Context, string, string) (net.Conn, error) { c, _ := net.Pipe(); return c, nil }
		}, protocol.ReasonRefused, "is no UDP socket"},
		{"no name", "", nothing, protocol.ReasonRefused, "missing port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			descriptors := dial.NewDescriptors(1)
			o, w := overUDP(t, test.addr, func(o *dial.Options) {
				o.Descriptors = descriptors
				test.change(o)
			})
			_, err := o.Connect(t.Context(), "")
			if dial.Reason(err) != test.want || err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("reason %q: %v", dial.Reason(err), err)
			}
			if opened, _ := w.Counts(); opened != 0 || descriptors.InUse() != 0 {
				t.Errorf("%d connections, %d descriptors", opened, descriptors.InUse())
			}
		})
	}
}
