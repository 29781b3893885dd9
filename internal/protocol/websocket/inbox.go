package websocket

import (
	"context"
	"errors"
	"net"
	"sync"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// mostWaiting is how many messages wait to be looked at. Beyond them the connection is not read, so that
// the server has to wait, and pings as well.
const mostWaiting = 256

// errNotUTF8 is a message of type text that is not UTF-8 (RFC 6455, section 8.1).
var errNotUTF8 = errors.New("text message is not UTF-8")

// inbox reads all frames of a connection: whether or not somebody waits for a message, pings need
// responses. Its err is set when ended is closed.
type inbox struct {
	messages chan protocol.Message
	// left is closed when nobody looks at messages any more.
	left  chan struct{}
	leave func()
	ended chan struct{}
	err   error
}

// open begins to read.
func (b *inbox) open(x *exchange) {
	b.messages, b.left, b.ended = make(chan protocol.Message, mostWaiting), make(chan struct{}), make(chan struct{})
	b.leave = sync.OnceFunc(func() { close(b.left) })
	go func() {
		defer close(b.ended)
		defer close(b.messages)
		b.err = b.read(x)
		_ = x.conn.CloseNow() // Nobody waits for a pong any more.
	}()
}

// read reads messages until the connection ends, and returns how.
func (b *inbox) read(x *exchange) error {
	var total int64
	for {
		// The exchange's time ends it by closing the connection.
		kind, data, err := x.conn.Read(context.Background())
		if err != nil {
			return err
		}
		total += int64(len(data))
		switch {
		case total > x.client.HTTP.MaxResponseBytes:
			return httpreq.ErrBodyTooLong
		case kind == websocket.MessageText && !utf8.Valid(data):
			_ = x.conn.Close(websocket.StatusInvalidFramePayloadData, "")
			return errNotUTF8
		}
		select {
		case b.messages <- protocol.Message{Binary: kind == websocket.MessageBinary, Data: data}:
		case <-b.left:
		}
	}
}

// wait waits for the end of the connection.
func (b *inbox) wait() { <-b.ended }

// close has the reading end, on a connection that is closed.
func (b *inbox) close() {
	b.leave()
	b.wait()
}

// ours reports whether it was us who closed the connection.
func (b *inbox) ours() bool { return errors.Is(b.err, net.ErrClosed) }
