package http2

import (
	"context"
	"errors"
	"fmt"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// errBadStatus is a response with a status that HTTP does not know.
var errBadStatus = errors.New("status is not one of HTTP")

// errHeaderTooLong is a request whose header is longer than the server takes.
var errHeaderTooLong = errors.New("request header is longer than the server's limit")

// errSilent is a server that says nothing, not even to a PING.
var errSilent = errors.New("server does not respond to a PING")

// errDone is the end of a connection that is not needed any more.
var errDone = errors.New("connection is not needed any more")

// errTimeout is a request that ran out of time.
var errTimeout = fmt.Errorf("no complete response in time: %w", context.DeadlineExceeded)

// violation is something that the server must not do, of one stream or of the whole
// connection.
type violation struct {
	code code
	what string
}

// Error implements error.
func (v *violation) Error() string {
	return fmt.Sprintf("server breaks HTTP/2: %s (%s)", v.what, v.code)
}

// breach returns a violation.
func breach(c code, what string) *violation { return &violation{code: c, what: what} }

// peerError is the end of a stream (RST_STREAM) or of a connection (GOAWAY) by the
// server's word.
type peerError struct {
	code   code
	goAway bool
}

// Error implements error.
func (e *peerError) Error() string {
	if e.goAway {
		return fmt.Sprintf("server sent GOAWAY: %s", e.code)
	}
	return fmt.Sprintf("server reset the stream: %s", e.code)
}

// ResetCode returns the error code (RFC 9113, section 7) of the RST_STREAM or GOAWAY with which a
// server ended an exchange, if that is what the error is.
func ResetCode(err error) (code uint32, ok bool) {
	peer, ok := errors.AsType[*peerError](err)
	if !ok {
		return 0, false
	}
	return uint32(peer.code), true
}

// reason separates the codes for a peer that broke HTTP/2 from those for something that is
// over.
func (e *peerError) reason() protocol.Reason {
	switch e.code {
	case codeProtocol, codeFlowControl, codeStreamClosed, codeFrameSize, codeCompression:
		return protocol.ReasonProtocol
	default:
		return protocol.ReasonReset
	}
}

// reasonOf returns the reason of an error by its types. An error of any other type is about
// a connection that is gone.
func reasonOf(err error) protocol.Reason {
	if peer, ok := errors.AsType[*peerError](err); ok {
		return peer.reason()
	}
	if _, ok := errors.AsType[*violation](err); ok {
		return protocol.ReasonProtocol
	}
	for _, ours := range [...]error{httpreq.ErrBodyTooLong, errBadStatus, errHeaderTooLong, httpreq.ErrNoEntry, httpreq.ErrNoMessage} {
		if errors.Is(err, ours) {
			return protocol.ReasonProtocol
		}
	}
	if r := dial.Reason(err); r != protocol.ReasonNone {
		return r
	}
	return protocol.ReasonReset
}
