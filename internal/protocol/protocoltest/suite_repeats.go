package protocoltest

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// oneShot starts a server that responds to the first request of each connection, as if it was
// going to keep it, and closes it when the second comes. It counts what it sees.
func (f Flavour) oneShot(t *testing.T, seen *atomic.Int64) httpreq.Options {
	t.Helper()
	if f.OneShot != nil {
		return f.OneShot(t, func() { seen.Add(1) })
	}
	if f.Major == 2 {
		return f.framed(t, seen, func(s *frames) {
			if id := s.request(); id != 0 {
				s.head(id, true, ":status", "200")
			}
			s.request()
			s.hangUp()
		})
	}
	o := RawOptions(t, f.TLS, func(c net.Conn) {
		if !hasRequest(c) {
			return
		}
		seen.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if hasRequest(c) {
			seen.Add(1)
		}
		_ = c.Close()
	})
	o.Protocol = f.Protocol
	return o
}

// repeatsWhatDoesNoHarm sends all methods to servers that close each connection at its second
// request: idempotent requests are sent once more (RFC 9110, section 9.2.2), if that is
// admitted, and no others are.
func (s Suite) repeatsWhatDoesNoHarm(t *testing.T) {
	const calls = 6
	for _, test := range []struct {
		method  string
		fields  []protocol.Field
		repeats bool
	}{
		{"GET", nil, true},
		{"HEAD", nil, true},
		{"OPTIONS", nil, true},
		{"TRACE", nil, true},
		{"PUT", nil, true},
		{"DELETE", nil, true},
		{"POST", nil, false},
		{"PATCH", nil, false},
		{"MKCOL", nil, false},
		{"get", nil, false},
		{"POST", []protocol.Field{{Name: "Idempotency-Key", Value: "k"}}, true},
		{"POST", []protocol.Field{{Name: "x-idempotency-key", Value: "k"}}, true},
		{"POST", []protocol.Field{{Name: "Idempotency-Key", Value: ""}}, false},
		{"PATCH", []protocol.Field{{Name: "Idempotency-Key", Value: " \t"}}, false},
	} {
		for _, f := range s.Flavours {
			for _, admits := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s %v/%s, admitted %t", test.method, test.fields, f.Name, admits), func(t *testing.T) {
					var seen, asked atomic.Int64
					o := f.oneShot(t, &seen)
					o.Entries[0].Method, o.Entries[0].Fields = test.method, test.fields
					c := s.client(t, o)
					failed := int64(0)
					for range calls {
						r := c.run(&protocol.Call{Admit: func(e protocol.Extra) bool {
							asked.Add(1)
							return admits && e == protocol.Retry
						}})
						if r.Failed() {
							CheckReason(t, r, protocol.ReasonReset)
							failed++
						}
					}
					// With a repeat each connection but the last meets two, one of them in vain.
					// Without one every second call fails.
					want := map[bool][3]int64{true: {2*calls - 1, calls - 1, 0}, false: {calls, calls / 2, calls / 2}}[test.repeats && admits]
					if !test.repeats {
						want[1] = 0
					}
					if got := [3]int64{seen.Load(), asked.Load(), failed}; got != want {
						t.Errorf("seen, asked for, failed: %d, want %d", got, want)
					}
				})
			}
		}
	}
}

// sendsOnceOnConnectionsThatAreGone has servers close connections that are idle: the next
// request goes to a new one, and is no repeat.
func (s Suite) sendsOnceOnConnectionsThatAreGone(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var seen atomic.Int64
			var o httpreq.Options
			if f.Major == 2 {
				o = f.framed(t, &seen, func(s *frames) {
					s.respond(s.request(), "200")
					s.hangUp()
				})
			} else {
				o = RawOptions(t, f.TLS, func(c net.Conn) {
					if hasRequest(c) {
						seen.Add(1)
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						_ = c.Close()
					}
				})
				o.Protocol = f.Protocol
			}
			o.Entries[0].Method = "POST"
			w := new(ConnRecorder)
			o.Observer = w
			c := s.client(t, o)
			for i := range 5 {
				r := c.run(&protocol.Call{Admit: func(protocol.Extra) bool {
					t.Error("it was sent twice")
					return true
				}})
				if r.Failed() {
					t.Fatalf("request %d: %q, %v", i, r.Reason, r.Err)
				}
				Eventually(t, "the connection is closed", func() bool { opened, closed := w.Counts(); return opened == i+1 && closed == opened })
			}
			if n := seen.Load(); n != 5 {
				t.Errorf("the server saw %d requests of 5", n)
			}
		})
	}
}
