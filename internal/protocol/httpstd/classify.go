package httpstd

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
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
	if stream, ok := errors.AsType[streamError](err); ok {
		return stream.reason()
	}
	switch {
	case errors.Is(err, errGoAway):
		return protocol.ReasonReset
	case isOutOfBounds(err):
		return protocol.ReasonProtocol
	}
	return dial.Reason(err)
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
