package http3

import (
	"context"
	"errors"
	"fmt"

	"github.com/quic-go/quic-go"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// code is an error code of HTTP/3 (RFC 9114, section 8.1; RFC 9204, section 6).
type code uint64

const (
	codeNone           code = 0x100
	codeProtocol       code = 0x101
	codeInternal       code = 0x102
	codeStreamCreation code = 0x103
	codeClosedCritical code = 0x104
	codeUnexpected     code = 0x105
	codeFrameError     code = 0x106
	codeExcessiveLoad  code = 0x107
	codeID             code = 0x108
	codeSettings       code = 0x109
	codeNoSettings     code = 0x10a
	codeRejected       code = 0x10b
	codeCanceled       code = 0x10c
	codeIncomplete     code = 0x10d
	codeMessage        code = 0x10e
	codeCompression    code = 0x200
)

// String returns the name of the code.
func (c code) String() string {
	names := map[code]string{
		codeNone: "H3_NO_ERROR", codeProtocol: "H3_GENERAL_PROTOCOL_ERROR", codeInternal: "H3_INTERNAL_ERROR",
		codeStreamCreation: "H3_STREAM_CREATION_ERROR", codeClosedCritical: "H3_CLOSED_CRITICAL_STREAM",
		codeUnexpected: "H3_FRAME_UNEXPECTED", codeFrameError: "H3_FRAME_ERROR", codeExcessiveLoad: "H3_EXCESSIVE_LOAD",
		codeID: "H3_ID_ERROR", codeSettings: "H3_SETTINGS_ERROR", codeNoSettings: "H3_MISSING_SETTINGS",
		codeRejected: "H3_REQUEST_REJECTED", codeCanceled: "H3_REQUEST_CANCELLED", codeIncomplete: "H3_REQUEST_INCOMPLETE",
		codeMessage: "H3_MESSAGE_ERROR", codeCompression: "QPACK_DECOMPRESSION_FAILED",
	}
	if name, ok := names[c]; ok {
		return name
	}
	return fmt.Sprintf("%#x", uint64(c))
}

// reason separates the codes for a peer that broke HTTP/3 from those for something that is over.
func (c code) reason() protocol.Reason {
	switch c {
	case codeProtocol, codeStreamCreation, codeClosedCritical, codeUnexpected, codeFrameError, codeID, codeSettings, codeNoSettings, codeMessage, codeCompression:
		return protocol.ReasonProtocol
	default:
		return protocol.ReasonReset
	}
}

// The ends of exchanges that are no breach by the server.
var (
	// errBadStatus is a response with a status that HTTP does not know.
	errBadStatus = errors.New("status is not one of HTTP")
	// errHeaderTooLong is a request whose header is longer than the server takes.
	errHeaderTooLong = errors.New("request header is longer than the server's limit")
	// errTimeout is a request that ran out of time.
	errTimeout = fmt.Errorf("no complete response in time: %w", context.DeadlineExceeded)
	// errTooEarly is a response that asks for the request to be sent once more, after the handshake.
	errTooEarly = errors.New("server wants the request after the handshake")
)

// violation is something that the server must not do, on one stream or on the whole connection.
type violation struct {
	code code
	what string
}

// Error implements error.
func (v *violation) Error() string {
	return fmt.Sprintf("server breaks HTTP/3: %s (%s)", v.what, v.code)
}

// breach returns a violation.
func breach(c code, what string) *violation { return &violation{code: c, what: what} }

// peerError is the end of a stream or of a connection by the server's word.
type peerError struct {
	code code
	// conn says that it ended the connection.
	conn bool
	err  error
}

// Error implements error.
func (e *peerError) Error() string {
	if e.conn {
		return fmt.Sprintf("server closed the connection: %s", e.code)
	}
	return fmt.Sprintf("server reset the stream: %s", e.code)
}

// Unwrap returns what QUIC says of it.
func (e *peerError) Unwrap() error { return e.err }

// named returns an error of QUIC's with the name that HTTP/3 has for its code.
func named(err error) error {
	if stream, ok := errors.AsType[*quic.StreamError](err); ok && (stream.Remote || code(stream.ErrorCode) == codeRejected) {
		return &peerError{code: code(stream.ErrorCode), err: err}
	}
	if app, ok := errors.AsType[*quic.ApplicationError](err); ok && app.Remote {
		return &peerError{code: code(app.ErrorCode), conn: true, err: err}
	}
	return err
}

// isRefusal reports whether the server says that it has not looked at a request (RFC 9114, section
// 4.1.1), or that it does not before the handshake is complete (RFC 8470, section 5.2).
func isRefusal(err error) bool {
	peer, ok := errors.AsType[*peerError](err)
	return ok && peer.code == codeRejected || errors.Is(err, quic.Err0RTTRejected) || errors.Is(err, errTooEarly)
}

// reasonOf returns the reason of an error by its types. An error of any other type is about a
// connection that is gone.
func reasonOf(err error) protocol.Reason {
	if peer, ok := errors.AsType[*peerError](err); ok {
		return peer.code.reason()
	}
	if _, ok := errors.AsType[*violation](err); ok {
		return protocol.ReasonProtocol
	}
	for _, ours := range [...]error{httpreq.ErrBodyTooLong, errBadStatus, errHeaderTooLong, httpreq.ErrNoEntry, httpreq.ErrNoMessage} {
		if errors.Is(err, ours) {
			return protocol.ReasonProtocol
		}
	}
	if transport, ok := errors.AsType[*quic.TransportError](err); ok {
		return transportReason(transport.ErrorCode, err)
	}
	if _, ok := errors.AsType[*quic.VersionNegotiationError](err); ok {
		return protocol.ReasonProtocol
	}
	if r := dial.Reason(err); r != protocol.ReasonNone {
		return r
	}
	return protocol.ReasonReset
}

// transportReason returns the reason of a connection that QUIC ended with a code (RFC 9000, section
// 20.1).
func transportReason(c quic.TransportErrorCode, err error) protocol.Reason {
	_, making := errors.AsType[*dial.Error](err)
	switch {
	case c.IsCryptoError():
		return protocol.ReasonTLS
	case c == quic.ConnectionRefused && making:
		return protocol.ReasonRefused
	case c == quic.NoError, c == quic.InternalError, c == quic.ConnectionRefused, c == quic.NoViablePathError, c == quic.ApplicationErrorErrorCode:
		return protocol.ReasonReset
	}
	return protocol.ReasonProtocol
}
