package protocoltest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// The response codes of DNS (RFC 1035, section 4.1.1) that a NameServer can be made to give.
const (
	ServFail = 2
	NXDomain = 3
)

// The types of records (RFC 1035, section 3.2.2; RFC 3596, section 2.1) that a NameServer has.
const (
	TypeA    = 1
	TypeAAAA = 28
)

// NameServer is a DNS server on loopback: it has the same addresses for all names.
type NameServer struct {
	conn net.PacketConn

	mu     sync.Mutex
	addrs  []netip.Addr
	rcode  byte
	silent bool
	// mute are the types of records that it is silent about.
	mute  []uint16
	delay time.Duration
	asked int
}

// NewNameServer returns a server with these addresses, that is closed with the test. With
// none it fails.
func NewNameServer(tb testing.TB, addrs ...string) *NameServer {
	tb.Helper()
	return NewNameServerAt(tb, "127.0.0.1:0", addrs...)
}

// NewNameServerAt is NewNameServer for a server that is found at an address of its own.
func NewNameServerAt(tb testing.TB, at string, addrs ...string) *NameServer {
	tb.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", at)
	if err != nil {
		tb.Fatal(err)
	}
	s := &NameServer{conn: conn}
	s.Set(addrs...)
	var running sync.WaitGroup
	running.Go(func() { s.serve(&running) })
	tb.Cleanup(func() {
		_ = conn.Close()
		running.Wait()
	})
	return s
}

// Set has names resolve to these addresses, at once; with none it is as Fail(ServFail).
func (s *NameServer) Set(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs, s.rcode, s.silent, s.delay = nil, 0, false, 0
	for _, a := range addrs {
		s.addrs = append(s.addrs, netip.MustParseAddr(a))
	}
	if s.addrs == nil {
		s.rcode = ServFail
	}
}

// Fail has it give a response code.
func (s *NameServer) Fail(rcode byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcode, s.silent = rcode, false
}

// Silence has it give no response at all.
func (s *NameServer) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// SilenceAbout has it give no response about records of a type, and responses about all others.
func (s *NameServer) SilenceAbout(types ...uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = types
}

// Delay has it take some time for each response.
func (s *NameServer) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Lookups returns how many times it was asked for addresses of IPv4.
func (s *NameServer) Lookups() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Resolver returns a resolver that asks the server.
func (s *NameServer) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *NameServer) serve(running *sync.WaitGroup) {
	for {
		buf := make([]byte, 1500)
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		response, delay := s.response(buf[:n])
		if response == nil {
			continue
		}
		running.Go(func() {
			time.Sleep(delay)
			_, _ = s.conn.WriteTo(response, from)
		})
	}
}

// response makes the response to a question (RFC 1035, section 4); nil for silence.
func (s *NameServer) response(question []byte) ([]byte, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5
	about := binary.BigEndian.Uint16(question[end-4:])
	if about == TypeA {
		s.asked++
	}
	if s.silent || slices.Contains(s.mute, about) {
		return nil, 0
	}
	a := slices.Clone(question[:end])
	a[2], a[3] = 0x84, s.rcode
	clear(a[6:12])
	if s.rcode != 0 {
		return a, s.delay
	}
	for _, ip := range s.addrs {
		if ip.Is4() != (about == TypeA) {
			continue
		}
		a[7]++
		a = append(a, 0xc0, 12, 0, byte(about), 0, 1, 0, 0, 0, 0, 0, byte(ip.BitLen()/8))
		a = append(a, ip.AsSlice()...)
	}
	return a, s.delay
}
