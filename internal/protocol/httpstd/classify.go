package httpstd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// errBodyTooLong is an answer whose body is longer than the client reads.
var errBodyTooLong = errors.New("response body is too long")

// errTooManyRedirects is an answer that leads to yet another place.
var errTooManyRedirects = errors.New("too many redirects")

// errBadStatus is an answer with a status that HTTP does not know.
var errBadStatus = errors.New("status is not one of HTTP")

// classify returns the reason of an error as far as its types tell; ReasonNone if
// they do not. It never looks at texts.
func classify(err error) protocol.Reason {
	if dial, ok := errors.AsType[*dialError](err); ok {
		return classifyDial(dial)
	}
	if stream, ok := errors.AsType[streamError](err); ok {
		return stream.reason()
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errClosed):
		return protocol.ReasonCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.ReasonTimeout
	case isTLS(err):
		return protocol.ReasonTLS
	case isBroken(err):
		return protocol.ReasonReset
	case isOutOfBounds(err):
		return protocol.ReasonProtocol
	}
	return protocol.ReasonNone
}

// classifyDial returns the reason of a connection that could not be made. Running
// out of time while resolving is a matter of the name; in the TLS handshake it is a
// matter of the connect timeout, which covers it.
func classifyDial(d *dialError) protocol.Reason {
	if _, ok := errors.AsType[*net.DNSError](d.err); ok {
		return protocol.ReasonDNS
	}
	switch {
	case isDenied(d.err):
		return protocol.ReasonDenied
	case errors.Is(d.err, context.Canceled), errors.Is(d.err, errClosed):
		return protocol.ReasonCanceled
	case isTimeout(d.err):
		return protocol.ReasonConnectTimeout
	case d.step == stepTLS:
		return protocol.ReasonTLS
	case errors.Is(d.err, syscall.ECONNRESET):
		return protocol.ReasonReset
	}
	return protocol.ReasonRefused
}

// isDenied reports whether the local machine, or a bound of ours, is in the way:
// descriptors, memory, permissions, or no port left to connect from.
func isDenied(err error) bool {
	if errors.Is(err, errTooManyConns) {
		return true
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EACCES, syscall.EPERM, syscall.EADDRNOTAVAIL, syscall.EADDRINUSE:
		return true
	default:
		return false
	}
}

// isTimeout reports whether time ran out: ours, or the kernel's.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || (ok && timeout.Timeout())
}

// isTLS reports whether TLS itself failed. Alerts have no type of their own in
// crypto/tls, but come in a net.OpError of one of two operations.
func isTLS(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok
}

// isBroken reports whether a connection broke that once stood.
func isBroken(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errGoAway) {
		return true
	}
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// isGivenUp reports whether the connection was closed under the request, or took no
// bytes for too long. It says little on its own: ask for a better cause first.
func isGivenUp(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}

// isOutOfBounds reports whether the answer breaks a bound of ours. That it breaks
// HTTP itself cannot be told from types: it is what is left when nothing else is.
func isOutOfBounds(err error) bool {
	return errors.Is(err, errBodyTooLong) || errors.Is(err, errTooManyRedirects) || errors.Is(err, errBadStatus)
}

// streamError is the end of an HTTP/2 stream by RST_STREAM, sent by either side.
// net/http keeps its own type to itself, but fills in any struct with these fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error implements error.
func (e streamError) Error() string {
	return fmt.Sprintf("stream %d ended with code %d: %v", e.StreamID, e.Code, e.Cause)
}

// reason tells the codes that say that somebody broke HTTP/2 (RFC 9113, section 7)
// from those that say that a stream is over.
func (e streamError) reason() protocol.Reason {
	const protocolError, flowControl, streamClosed, frameSize, compression = 1, 3, 5, 6, 9
	switch e.Code {
	case protocolError, flowControl, streamClosed, frameSize, compression:
		return protocol.ReasonProtocol
	}
	return protocol.ReasonReset
}
