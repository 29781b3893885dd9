package dial

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// message returns a response to a question, with records.
func message(t *testing.T, h dnsmessage.Header, records ...dnsmessage.ResourceBody) []byte {
	t.Helper()
	name := dnsmessage.MustNewName("target.test.")
	m := dnsmessage.Message{Header: h, Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	for _, r := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: r})
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAddressesAreFoundInResponses(t *testing.T) {
	const id = 4711
	a, aaaa := &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}}, &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}}
	alias := &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("other.test.")}
	good := dnsmessage.Header{ID: id, Response: true}
	for _, c := range []struct {
		name    string
		message []byte
		want    bool
	}{
		{"IPv4", message(t, good, a), true},
		{"IPv6", message(t, good, aaaa), true},
		{"behind an alias", message(t, good, alias, a), true},
		{"an alias alone", message(t, good, alias), false},
		{"no record", message(t, good), false},
		{"a failure", message(t, dnsmessage.Header{ID: id, Response: true, RCode: dnsmessage.RCodeServerFailure}), false},
		{"truncated", message(t, dnsmessage.Header{ID: id, Response: true, Truncated: true}, a), false},
		{"to another question", message(t, dnsmessage.Header{ID: id + 1, Response: true}, a), false},
		{"garbage", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false},
		{"nothing", nil, false},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(c.name+" over "+network, func(t *testing.T) {
				found := 0
				here, there := connected(t, network)
				watched := watch(here, question{found: func() { found++ }, over: t.Context()})
				if _, packets := watched.(net.PacketConn); packets != (network == "udp") {
					t.Errorf("it is a net.PacketConn: %t", packets)
				}
				ask(t, watched, there, network, message(t, dnsmessage.Header{ID: id}), c.message)
				if (found > 0) != c.want {
					t.Errorf("found %d times", found)
				}
			})
		}
	}
}

// TestALookupThatEndsWhileItConnectsKeepsNoSocket has nobody wait any more before the resolver has
// its connection, to which it then gives a deadline of 5 s.
func TestALookupThatEndsWhileItConnectsKeepsNoSocket(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	conns := make(chan *net.UDPConn, 16)
	n := Net{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		c, failure := net.Dial("udp", silent.LocalAddr().String())
		if failure == nil {
			conns <- c.(*net.UDPConn)
		}
		cancel()
		return c, failure
	}}}
	begin := time.Now()
	if ips, failure := n.lookup(ctx, "target.test.", time.Second); failure == nil {
		t.Fatalf("found %v", ips)
	}
	c := <-conns
	raw, err := c.SyscallConn()
	for err == nil {
		time.Sleep(time.Millisecond)
		err = raw.Control(func(uintptr) {}) // It fails once it has been closed.
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("the socket is kept for %v", took)
	}
}

func TestLookupsLeaveMostOfTheReserve(t *testing.T) {
	for _, c := range []struct{ files, connections, lookups int }{
		{4, 2, 1}, {64, 32, 4}, {100, 50, 6}, {256, 128, 16}, {20_000, 19_872, 16},
	} {
		d := descriptorsOf(c.files)
		if d.Limit() != c.connections || cap(d.lookups) != c.lookups {
			t.Errorf("of %d files there are %d for connections and %d lookups, want %d and %d", c.files, d.Limit(), cap(d.lookups), c.connections, c.lookups)
		}
	}
}

// connected returns both ends of a connection on loopback, that are closed with the test.
func connected(t *testing.T, network string) (here, there net.Conn) {
	t.Helper()
	if network == "udp" {
		server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = server.Close() }()
		if here, err = net.Dial("udp", server.LocalAddr().String()); err != nil {
			t.Fatal(err)
		}
		at, _ := here.LocalAddr().(*net.UDPAddr)
		from, _ := server.LocalAddr().(*net.UDPAddr)
		_ = server.Close() // One that is connected takes its place.
		there, err = net.DialUDP("udp", from, at)
		if err != nil {
			t.Fatal(err)
		}
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if there, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

// ask sends a question and reads the response as net.Resolver does: a stream in pieces.
func ask(t *testing.T, here, there net.Conn, network string, question, response []byte) {
	t.Helper()
	withLength := func(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
	if network == "tcp" {
		question = withLength(question)
	}
	if _, err := here.Write(question); err != nil {
		t.Fatal(err)
	}
	if network == "tcp" {
		if _, err := there.Write(withLength(response)); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{2, len(response) / 2, len(response) - len(response)/2} {
			if _, err := io.ReadFull(here, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if _, err := there.Write(response); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Read(make([]byte, 1232)); err != nil {
		t.Fatal(err)
	}
}
