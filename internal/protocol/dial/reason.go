package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// ErrClosed is a connection or request that came after the client was closed.
var ErrClosed = errors.New("client is closed")

// ErrTooManyConns is a connection that would exceed the client's bound.
var ErrTooManyConns = errors.New("too many open connections")

// Reason returns the reason of an error of a connection, or of making one, by its types;
// ReasonNone if they do not show it. It never looks at error strings.
func Reason(err error) protocol.Reason {
	if dial, ok := errors.AsType[*Error](err); ok {
		return dial.reason()
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return protocol.ReasonCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.ReasonTimeout
	case isTLS(err):
		return protocol.ReasonTLS
	case isBroken(err):
		return protocol.ReasonReset
	}
	return protocol.ReasonNone
}

// reason sorts a connection that could not be made. Running out of time while
// resolving is a matter of the name; in the TLS handshake it is a matter of the connect
// timeout, which covers it.
func (e *Error) reason() protocol.Reason {
	if _, ok := errors.AsType[*net.DNSError](e.Err); ok {
		return protocol.ReasonDNS
	}
	if refusal, ok := errors.AsType[*ProxyError](e.Err); ok {
		return refusal.reason
	}
	if _, ok := errors.AsType[*DeniedError](e.Err); ok {
		return protocol.ReasonDenied
	}
	switch {
	case isLocal(e.Err):
		return protocol.ReasonLocal
	case errors.Is(e.Err, syscall.EACCES), errors.Is(e.Err, syscall.EPERM):
		return protocol.ReasonDenied
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, ErrClosed):
		return protocol.ReasonCanceled
	case isTimeout(e.Err):
		return protocol.ReasonConnectTimeout
	case e.Step == StepTLS:
		return protocol.ReasonTLS
	case errors.Is(e.Err, syscall.ECONNRESET), errors.Is(e.Err, io.EOF), errors.Is(e.Err, io.ErrUnexpectedEOF):
		return protocol.ReasonReset
	}
	return protocol.ReasonRefused
}

// isLocal reports whether this machine, or a bound of ours, is in the way: descriptors,
// memory, no port left to connect from.
func isLocal(err error) bool {
	if errors.Is(err, ErrTooManyConns) || errors.Is(err, ErrNoDescriptor) || errors.Is(err, errTooManyLookups) {
		return true
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EADDRINUSE:
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
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}
