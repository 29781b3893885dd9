//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
)

// preface is what an HTTP/2 client says first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// The types and flags of HTTP/2 frames that the receiver has to know.
const (
	frameHeader   = 9
	frameHeaders  = 1
	frameSettings = 4
	framePing     = 6
	flagAck       = 1
	flagEndStream = 1
	flagEndHeader = 4
)

// bodySize is the size of every response's body, in bytes.
const bodySize = 200

var errProtocol = errors.New("not HTTP as the receiver knows it")

// conn is a connection of the receiver. It understands requests without a body.
//
// Of HTTP/2 it understands as much as can be understood without decoding headers: a
// frame HEADERS is a request, and the response is the one byte that says ":status 200",
// without a body, so that neither tables nor windows have to be kept.
type conn struct {
	fd     int
	number uint32
	gone   bool
	http2  bool
	// known reports whether the first bytes have shown the protocol.
	known bool
	// buffer is what no request was complete with yet.
	buffer []byte
}

// taken is what bytes that were read come to.
type taken struct {
	// streams are those of the requests that are complete, 0 for HTTP/1.1.
	streams []uint32
	// reply must be sent at once.
	reply []byte
	// rest is the start of the next request.
	rest []byte
}

// take returns the requests that these bytes complete. The rest is kept for the next time.
func (c *conn) take(read []byte) (taken, error) {
	c.buffer = append(c.buffer, read...)
	if !c.known && strings.HasPrefix(preface, string(c.buffer[:min(len(c.buffer), len(preface))])) {
		if len(c.buffer) < len(preface) {
			return taken{}, nil
		}
		c.http2 = true
	}
	t, err := c.parse(c.buffer)
	c.buffer = c.buffer[:copy(c.buffer, t.rest)]
	return t, err
}

func (c *conn) parse(b []byte) (taken, error) {
	greet := !c.known && c.http2
	c.known = true
	switch {
	case greet:
		t, err := frames(b[len(preface):])
		t.reply = append(frame(frameSettings, 0, 0, nil), t.reply...)
		return t, err
	case c.http2:
		return frames(b)
	}
	return lines(b)
}

// lines takes requests of HTTP/1.1.
func lines(b []byte) (taken, error) {
	t := taken{rest: b}
	for {
		end := bytes.Index(t.rest, []byte("\r\n\r\n"))
		if end < 0 {
			return t, nil
		}
		if !bytes.HasPrefix(t.rest, []byte("GET ")) {
			return t, errProtocol
		}
		t.streams, t.rest = append(t.streams, 0), t.rest[end+4:]
	}
}

// frames takes frames of HTTP/2.
func frames(b []byte) (taken, error) {
	t := taken{rest: b}
	for len(t.rest) >= frameHeader {
		end := frameHeader + (int(t.rest[0])<<16 | int(t.rest[1])<<8 | int(t.rest[2]))
		if len(t.rest) < end {
			break
		}
		kind, flags, payload := t.rest[3], t.rest[4], t.rest[frameHeader:end]
		switch {
		case kind == frameHeaders && flags&flagEndStream == 0:
			return t, errProtocol
		case kind == frameHeaders:
			t.streams = append(t.streams, binary.BigEndian.Uint32(t.rest[5:])&^(1<<31))
		case kind == frameSettings && flags&flagAck == 0:
			t.reply = append(t.reply, frame(frameSettings, flagAck, 0, nil)...)
		case kind == framePing && flags&flagAck == 0:
			t.reply = append(t.reply, frame(framePing, flagAck, 0, payload)...)
		}
		t.rest = t.rest[end:]
	}
	return t, nil
}

// response returns the response to a request.
func (c *conn) response(stream uint32) []byte {
	if c.http2 {
		return frame(frameHeaders, flagEndStream|flagEndHeader, stream, []byte{0x88})
	}
	return []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", bodySize))
}

// send reports whether all was sent. What the receiver sends is so little that it always
// fits, or else nobody reads it.
func (c *conn) send(b []byte) bool {
	for len(b) > 0 {
		n, err := syscall.Write(c.fd, b)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// frame returns a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b := append(make([]byte, 0, frameHeader+n), byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}
