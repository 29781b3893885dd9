package http1

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// headOf is a tap that writes a request down as HTTP/1.1 does.
type headOf struct {
	bodyTap
	b strings.Builder
}

// Request implements protocol.Tap.
func (h *headOf) Request(head protocol.Head, _ []byte) {
	h.b.WriteString(head.Line + "\r\n")
	for _, f := range head.Fields {
		h.b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	h.b.WriteString("\r\n")
}

// TestATapSeesWhatIsOnTheWire compares the head that a tap is shown with the bytes that the
// server gets.
func TestATapSeesWhatIsOnTheWire(t *testing.T) {
	for _, keep := range []bool{true, false} {
		seen := make(chan string, 1)
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
			var head strings.Builder
			protocoltest.ReadHead(teed{c, &head})
			seen <- head.String()
			_, _ = io.WriteString(c, empty)
		}))
		o.KeepAlive, o.SlotHeader, o.Traceparent = keep, true, true
		o.Authorization = &httpreq.Authorization{Credentials: "x"}
		o.Entries[0].Method = "POST"
		o.Entries[0].Fields = []protocol.Field{{Name: "x-b", Value: "1"}, {Name: "X-A", Value: "2"}}
		tap := new(headOf)
		done := make(chan struct{})
		call := &protocol.Call{Tap: tap, Done: func() { close(done) }}
		call.Request = protocol.Request{Scenario: "s", Segment: "g", Seq: 7, Trace: [16]byte{1}}
		client(t, o).Start(call)
		<-done
		if got, want := tap.b.String(), <-seen; got != want {
			t.Errorf("the tap saw\n%s\nthe server\n%s", got, want)
		}
	}
}

// teed is a connection whose reads are written down.
type teed struct {
	net.Conn
	to *strings.Builder
}

// Read implements net.Conn.
func (t teed) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.to.Write(p[:n])
	return n, err
}

func TestAnErrorSaysHowMuchOfTheHeadCame(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Ty":               "EOF after 27 bytes of the response's head",
		"HTTP/1.1 100 \r\n\r\nHTTP/1":                 "EOF after 23 bytes of the response's head",
		"HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\nx": "EOF",
		"": "EOF",
	} {
		o := protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
			protocoltest.ReadHead(c)
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}))
		o.Entries[0].Method = "POST" // Which is not sent again.
		if r := wantReason(t, client(t, o), protocol.ReasonReset); r.Err.Error() != want {
			t.Errorf("%q: %v, want %s", text, r.Err, want)
		}
	}
}
