package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// longestHead is the longest head of a response to the handshake, in bytes, with the beginning of a body
// that it may have, and with interim responses before it.
const longestHead = 64 << 10

// The ways in which a response to the handshake is none of HTTP.
var (
	errLongHead = errors.New("the head of the response is too long")
	errInterim  = errors.New("too many interim responses")
	errStatus   = errors.New("the response has no valid status")
)

// upgrade asks for a WebSocket on the connection of an exchange. It does so in the place of net/http,
// which would make connections of its own and write the header in its own order.
type upgrade struct{ *exchange }

var _ http.RoundTripper = upgrade{}

// RoundTrip implements http.RoundTripper. Of the library's request only its header counts: the fields
// that make an upgrade of it.
func (u upgrade) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := u.ask(r.Header); err != nil {
		return nil, err
	}
	in := &limited{Reader: u.over, left: longestHead}
	buffered := bufio.NewReader(in)
	for range httpreq.MaxInterim + 1 {
		res, err := http.ReadResponse(buffered, r)
		if err != nil {
			return nil, err
		}
		if !httpreq.ValidStatus(res.StatusCode) {
			return nil, errors.Join(errStatus, res.Body.Close())
		}
		u.came(res)
		if res.StatusCode == http.StatusSwitchingProtocols {
			in.left = -1
			res.Body = stream{u.exchange, buffered}
		}
		if res.StatusCode >= http.StatusOK || res.StatusCode == http.StatusSwitchingProtocols {
			return res, nil
		}
	}
	return nil, errInterim
}

// ask writes the request.
func (u upgrade) ask(header http.Header) error {
	fields := u.prepared.OnWire(u.client.varying, u.call.Request, u.sent, fieldsOf(header)...)
	u.request = protocol.Head{Line: u.prepared.Method + " " + u.prepared.Target() + " HTTP/1.1", Fields: fields}
	b := fmt.Appendf(nil, "%s\r\n", u.request.Line)
	for _, f := range fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	u.asked = true
	u.show(u.call.Tap)
	_, err := u.over.Write(append(b, "\r\n"...))
	return err
}

// came takes the head of a response.
func (u upgrade) came(res *http.Response) {
	head := protocol.Head{Line: res.Proto + " " + res.Status, Status: res.StatusCode, Fields: fieldsOf(res.Header)}
	if res.StatusCode >= http.StatusOK || res.StatusCode == http.StatusSwitchingProtocols {
		u.response = head
	}
	if tap := u.call.Tap; tap != nil {
		tap.Response(head)
	}
}

// fieldsOf returns a header as fields, by name.
func fieldsOf(h http.Header) []protocol.Field {
	var fields []protocol.Field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fields = append(fields, protocol.Field{Name: name, Value: value})
		}
	}
	return fields
}

// handshake opens the WebSocket.
func (x *exchange) handshake() error {
	// What else is asked for follows from the request of the exchange: see upgrade.
	const anywhere = "ws://target/"
	conn, res, err := websocket.Dial(x.ctx, anywhere, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     upgrade{x},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Subprotocols: x.client.Subprotocols,
	})
	if err == nil {
		conn.SetReadLimit(x.client.MaxMessage)
		x.conn = conn
		return nil
	}
	if res != nil && res.Body != nil {
		x.refusal, _ = io.ReadAll(res.Body) // It is in memory.
		_ = res.Body.Close()
		if x.call.Tap != nil && len(x.refusal) > 0 {
			x.call.Tap.Body(x.refusal)
		}
	}
	return err
}

// limited reads so many bytes and then fails; with a negative number it goes on for ever.
type limited struct {
	io.Reader

	left int
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return l.Reader.Read(p)
	}
	if l.left == 0 {
		return 0, errLongHead
	}
	n, err := l.Reader.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// stream is the connection of an exchange behind the head of the response. Its first bytes may be in a
// buffer.
type stream struct {
	*exchange

	in io.Reader
}

// Read implements io.Reader. Of a response that turns out to be no upgrade, the library would wait for a
// body for seconds.
func (s stream) Read(p []byte) (int, error) {
	if s.conn == nil {
		return 0, io.EOF
	}
	return s.in.Read(p)
}

// Write implements io.Writer.
func (s stream) Write(p []byte) (int, error) { return s.over.Write(p) }
