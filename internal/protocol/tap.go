package protocol

import (
	"crypto/tls"
	"net"
)

// Tap is shown one exchange as it goes: for each request on the wire, repeats and redirects
// included, first its connection and the request as it is sent; then each head that comes,
// interim ones and trailers included, and the body. Calls follow one another and never
// overlap; their arguments must not be kept beyond the call, nor changed. Implementations
// do not block.
type Tap interface {
	// Connection is called when a request is about to be sent on it.
	Connection(c Connection)
	// Request is called with the request as it is on the wire. The body is whole, or nil where it
	// is generated while it is sent: then the head says how long it is.
	Request(h Head, body []byte)
	// Response is called with each head of a response.
	Response(h Head)
	// Body is called with each piece of a response's body, as it was transferred: with its
	// content coding, without its transfer coding.
	Body(p []byte)
}

// FieldTap is a Tap that costs no allocation: it is shown the fields of heads and trailers one by one
// as they are read. It is shown requests and the ends of heads without their fields, and connections
// not at all. Only HTTP/2 knows it.
type FieldTap interface {
	Tap
	// Field is called with each field of a response, :status among them. The bytes must not be
	// kept.
	Field(name, value []byte)
}

// MessageTap is a Tap that is also shown the messages on a connection that both sides send on.
type MessageTap interface {
	Tap
	// Message is called with each message, which was sent or else received.
	Message(m Message, sent bool)
}

// Message is a message of a WebSocket.
type Message struct {
	// Binary says that it is no text.
	Binary bool
	Data   []byte
}

// ShowMessage shows a message to a tap, which may be nil, if it is a MessageTap.
func ShowMessage(t Tap, m Message, sent bool) {
	if to, ok := t.(MessageTap); ok {
		to.Message(m, sent)
	}
}

// Head is the head of a request or of a response.
type Head struct {
	// Line is the first line, written as HTTP/1.1 does whatever is spoken; empty for trailers.
	Line string
	// Status is a response's; 0 for requests and trailers.
	Status int
	// Fields are in the order in which they were on the wire.
	Fields []Field
	// Generated is the length in bytes of a request's body that is generated; otherwise 0.
	Generated int64
}

// Field is a header field.
type Field struct {
	Name, Value string
	// Secret says that the value is not to be shown.
	Secret bool
}

// Connection is what there is to know of a connection.
type Connection struct {
	// Reused says that it has carried requests before.
	Reused        bool
	Local, Remote net.Addr
	// Phases are how it was made.
	Phases Phases
	// TLS is nil in the clear.
	TLS *tls.ConnectionState
}

// Both is two taps, called one after the other.
type Both [2]Tap

var _ MessageTap = Both{}

// Connection implements Tap.
func (b Both) Connection(c Connection) {
	b[0].Connection(c)
	b[1].Connection(c)
}

// Request implements Tap.
func (b Both) Request(h Head, body []byte) {
	b[0].Request(h, body)
	b[1].Request(h, body)
}

// Response implements Tap.
func (b Both) Response(h Head) {
	b[0].Response(h)
	b[1].Response(h)
}

// Body implements Tap.
func (b Both) Body(p []byte) {
	b[0].Body(p)
	b[1].Body(p)
}

// Message implements MessageTap.
func (b Both) Message(m Message, sent bool) {
	ShowMessage(b[0], m, sent)
	ShowMessage(b[1], m, sent)
}
