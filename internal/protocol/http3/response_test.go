package http3_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// recorder is a tap that keeps what it is shown of responses.
type recorder struct{ b strings.Builder }

var _ protocol.Tap = (*recorder)(nil)

func (r *recorder) Connection(protocol.Connection) {}
func (r *recorder) Request(protocol.Head, []byte)  {}
func (r *recorder) Body(p []byte)                  { r.b.Write(p) }
func (r *recorder) Response(h protocol.Head) {
	r.b.WriteString("[" + h.Line)
	for _, f := range h.Fields {
		r.b.WriteString(" " + f.Name + "=" + f.Value)
	}
	r.b.WriteString("]")
}

// raw returns the HEADERS frame of a block that is compressed by hand.
func raw(block string) []byte { return frame(headers, []byte(block)) }

func TestResponsesAreReadAsTheyCome(t *testing.T) {
	ok := section(":status", "200")
	for _, test := range []struct {
		name   string
		method string
		frames [][]byte
		want   protocol.Reason
		code   string
		shown  string
	}{
		{"a head alone", "GET", [][]byte{ok}, protocol.ReasonNone, "200", "[HTTP/3.0 200 OK]"},
		{"fields in their order", "GET", [][]byte{section(":status", "204", "zeta", "1", "alpha", "2", "zeta", "3")}, protocol.ReasonNone, "204", "[HTTP/3.0 204 No Content zeta=1 alpha=2 zeta=3]"},
		{"a body in pieces", "GET", [][]byte{section(":status", "200", "content-length", "3"), frame(data, []byte("a")), frame(data, nil), frame(data, []byte("bc"))}, protocol.ReasonNone, "200", "[HTTP/3.0 200 OK content-length=3]abc"},
		{"interim responses and trailers", "GET", [][]byte{section(":status", "103", "link", "x"), ok, frame(data, []byte("a")), section("digest", "y")}, protocol.ReasonNone, "200", "[HTTP/3.0 103 Early Hints link=x][HTTP/3.0 200 OK]a[ digest=y]"},
		{"frames that nobody knows", "GET", [][]byte{frame(0x21, []byte("grease")), ok, frame(0x40, nil), frame(data, []byte("a"))}, protocol.ReasonNone, "200", "[HTTP/3.0 200 OK]a"},
		{"a HEAD with a length", "HEAD", [][]byte{section(":status", "200", "content-length", "3")}, protocol.ReasonNone, "200", "[HTTP/3.0 200 OK content-length=3]"},
		{"a status of no class", "GET", [][]byte{section(":status", "999")}, protocol.ReasonStatus, "999", "[HTTP/3.0 999]"},
		{"nothing", "GET", nil, protocol.ReasonProtocol, "", ""},
		{"only an interim response", "GET", [][]byte{section(":status", "100")}, protocol.ReasonProtocol, "", "[HTTP/3.0 100 Continue]"},
		{"17 interim responses", "GET", [][]byte{bytes.Repeat(section(":status", "102"), 17), ok}, protocol.ReasonProtocol, "", strings.Repeat("[HTTP/3.0 102 Processing]", 16)},
		{"101", "GET", [][]byte{section(":status", "101")}, protocol.ReasonProtocol, "", ""},
		{"a body before the head", "GET", [][]byte{frame(data, []byte("a")), ok}, protocol.ReasonProtocol, "", ""},
		{"a body behind trailers", "GET", [][]byte{ok, section("a", "b"), frame(data, []byte("a"))}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK][ a=b]"},
		{"trailers twice", "GET", [][]byte{ok, section("a", "b"), section("a", "b")}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK][ a=b]"},
		{"trailers with a status", "GET", [][]byte{ok, section(":status", "200")}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK]"},
		{"a body that is too short", "GET", [][]byte{section(":status", "200", "content-length", "3"), frame(data, []byte("ab"))}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK content-length=3]ab"},
		{"a body that is too long", "GET", [][]byte{section(":status", "200", "content-length", "1"), frame(data, []byte("ab"))}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK content-length=1]ab"},
		{"two lengths", "GET", [][]byte{section(":status", "200", "content-length", "1", "content-length", "2")}, protocol.ReasonProtocol, "", ""},
		{"a frame that is cut off", "GET", [][]byte{ok, frame(data, []byte("abc"))[:4]}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK]ab"},
		{"a head that is cut off", "GET", [][]byte{ok[:2]}, protocol.ReasonProtocol, "", ""},
		{"a frame of the control stream", "GET", [][]byte{frame(settings, nil)}, protocol.ReasonProtocol, "", ""},
		{"a frame of HTTP/2", "GET", [][]byte{ok, frame(0x8, []byte("abcd"))}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK]"},
		{"a push", "GET", [][]byte{frame(0x5, []byte("abcd"))}, protocol.ReasonProtocol, "", ""},
		{"pieces that bring next to nothing", "GET", [][]byte{ok, bytes.Repeat(frame(data, []byte("a")), 10_000)}, protocol.ReasonNone, "200", "[HTTP/3.0 200 OK]" + strings.Repeat("a", 10_000)},
		{"too many pieces that bring next to nothing", "GET", [][]byte{ok, bytes.Repeat(frame(data, nil), 10_001)}, protocol.ReasonProtocol, "200", "[HTTP/3.0 200 OK]"},
		{"too many frames that nobody knows", "GET", [][]byte{bytes.Repeat(frame(0x21, nil), 10_001), ok}, protocol.ReasonProtocol, "", ""},
		{"no status", "GET", [][]byte{section("a", "b")}, protocol.ReasonProtocol, "", ""},
		{"two statuses", "GET", [][]byte{section(":status", "200", ":status", "200")}, protocol.ReasonProtocol, "", ""},
		{"a status behind a field", "GET", [][]byte{section("a", "b", ":status", "200")}, protocol.ReasonProtocol, "", ""},
		{"a status of two digits", "GET", [][]byte{section(":status", "99")}, protocol.ReasonProtocol, "", ""},
		{"status 099", "GET", [][]byte{section(":status", "099")}, protocol.ReasonProtocol, "", ""},
		{"a status of letters", "GET", [][]byte{section(":status", "2OO")}, protocol.ReasonProtocol, "", ""},
		{"a path", "GET", [][]byte{section(":status", "200", ":path", "/")}, protocol.ReasonProtocol, "", ""},
		{"a name in upper case", "GET", [][]byte{section(":status", "200", "A", "b")}, protocol.ReasonProtocol, "", ""},
		{"a line break", "GET", [][]byte{section(":status", "200", "a", "b\r\nc: d")}, protocol.ReasonProtocol, "", ""},
		{"a field of the connection", "GET", [][]byte{section(":status", "200", "transfer-encoding", "chunked")}, protocol.ReasonProtocol, "", ""},
		{"a dynamic table", "GET", [][]byte{raw("\x02\x00\x80")}, protocol.ReasonProtocol, "", ""},
		{"an index that is not there", "GET", [][]byte{raw("\x00\x00\xff\xff\xff\x7f")}, protocol.ReasonProtocol, "", ""},
		{"a head of more than the limit", "GET", [][]byte{section(":status", "200", "a", strings.Repeat("\xff", 2<<20))}, protocol.ReasonProtocol, "", ""},
		{"a small head that stands for a long one", "GET", [][]byte{raw("\x00\x00\xd9" + strings.Repeat("\xdd", 30_000))}, protocol.ReasonProtocol, "", ""},
		{"the text of HTTP/1.1", "GET", [][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n")}, protocol.ReasonProtocol, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := byHand(t, nil, func(c *served) {
				if s := c.next(); s != nil {
					respond(s, test.frames...)
				}
			})
			o.Entries[0].Method = test.method
			w := new(protocoltest.ConnRecorder)
			o.Observer = w
			c := newClient(t, o)
			var tap recorder
			r := run(c, &protocol.Call{Tap: &tap})
			if r.Reason != test.want || r.Code != test.code || tap.b.String() != test.shown {
				t.Errorf("code %q, reason %q, want %q, %q: %v; shown %q, want %q", r.Code, r.Reason, test.code, test.want, r.Err, tap.b.String(), test.shown)
			}
			c.Close()
			w.CheckClosed(t)
		})
	}
}

func TestServersThatBreakTheRulesOfTheConnectionAreLeft(t *testing.T) {
	unidirectional := func(kind uint64, text []byte) func(*served) { return func(c *served) { c.control(kind, text) } }
	for name, breaks := range map[string]func(*served){
		"a control stream without settings":      unidirectional(0, frame(goAway, []byte{0})),
		"settings that are cut off":              unidirectional(0, frame(settings, []byte{6})),
		"a setting that comes twice":             unidirectional(0, frame(settings, []byte{6, 1, 6, 1})),
		"a setting of HTTP/2":                    unidirectional(0, frame(settings, []byte{4, 1})),
		"settings twice":                         unidirectional(0, append(frame(settings, nil), frame(settings, nil)...)),
		"a head on the control stream":           unidirectional(0, append(frame(settings, nil), section("a", "b")...)),
		"an id of a GOAWAY that is no request's": unidirectional(0, append(frame(settings, nil), frame(goAway, []byte{3})...)),
		"a GOAWAY that grows":                    unidirectional(0, bytes.Join([][]byte{frame(settings, nil), frame(goAway, []byte{4}), frame(goAway, []byte{8})}, nil)),
		"a frame without end":                    unidirectional(0, append(frame(settings, nil), quicvarint.Append([]byte{goAway}, 1<<40)...)),
		"a control stream without end":           unidirectional(0, append(frame(settings, nil), bytes.Repeat(frame(0x21, nil), 10_000)...)),
		"a push":                                 unidirectional(1, []byte{0}),
		"a control stream that ends":             func(c *served) { _ = c.control(0, frame(settings, nil)).Close() },
		"two control streams": func(c *served) {
			c.control(0, frame(settings, nil))
			c.control(0, frame(settings, nil))
		},
		"a stream of requests":                      func(c *served) { _, _ = c.OpenStream(); c.ends(0x103) },
		"a connection that is closed with a breach": func(c *served) { c.ends(messageError) },
	} {
		t.Run(name, func(t *testing.T) {
			o := byHand(t, nil, func(c *served) {
				if c.next() != nil {
					breaks(c)
				}
			})
			o.Entries[0].Method = "POST"
			r := protocoltest.CheckReason(t, get(newClient(t, o)), protocol.ReasonProtocol)
			if r.Code != "" {
				t.Errorf("code %q", r.Code)
			}
		})
	}
}

func TestServersMayOpenStreamsThatNobodyKnows(t *testing.T) {
	o := byHand(t, nil, func(c *served) {
		c.control(0x21, []byte("grease"))
		c.control(2, nil)
		c.control(3, nil)
		c.control(0, append(frame(settings, []byte{0x21, 7, 6, 0x40, 0xff}), frame(0x21, []byte("grease"))...))
		for s := c.next(); s != nil; s = c.next() {
			respond(s, section(":status", "200"))
		}
	})
	c := newClient(t, o)
	for range 3 {
		mustSucceed(t, c)
	}
}

func TestAHeadIsNotSentThatIsLongerThanTheServerTakes(t *testing.T) {
	o := byHand(t, &quic.Config{}, func(c *served) {
		c.control(0, frame(settings, quicvarint.Append([]byte{6}, 1000)))
		for s := c.next(); s != nil; s = c.next() {
			respond(s, section(":status", "200"))
		}
	})
	long := o.Entries[0]
	long.Fields = []protocol.Field{{Name: "X", Value: strings.Repeat("y", 1000)}}
	o.Entries = append(o.Entries, long)
	c := newClient(t, o)
	mustSucceed(t, c)
	protocoltest.Eventually(t, "the limit is known", func() bool {
		return run(c, &protocol.Call{Request: protocol.Request{Entry: 1}}).Reason == protocol.ReasonProtocol
	})
	mustSucceed(t, c)
}

func TestAResponseThatComesWhileTheHeadIsSentIsTheOutcome(t *testing.T) {
	o := byHand(t, nil, func(c *served) {
		for {
			s, err := c.AcceptStream(c.ctx)
			if err != nil {
				return
			}
			s.CancelRead(noError) // Without a look at it (RFC 9114, section 4.1).
			respond(s, section(":status", "431"))
		}
	})
	o.Entries[0].Fields = []protocol.Field{{Name: "Cookie", Value: strings.Repeat("crumbs", 50_000)}}
	c := newClient(t, o)
	for range 20 {
		if r := get(c); r.Reason != protocol.ReasonStatus || r.Code != "431" {
			t.Fatalf("code %q, reason %q: %v", r.Code, r.Reason, r.Err)
		}
	}
}
