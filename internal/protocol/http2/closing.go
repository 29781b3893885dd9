package http2

import (
	"errors"
	"io"
	"time"
)

// closing is how a connection comes to its end. The zero closing is of one that goes on.
type closing struct {
	// retired says that no more streams may be opened, and retireAt when that will be so,
	// if not zero. The connection then ends with its last stream.
	retired  bool
	retireAt time.Time
	// goAway is what the server's GOAWAY said, if not nil; cause is why we end the
	// connection, and writeErr why it cannot be written any more.
	goAway          *peerError
	cause, writeErr error
	// ended says that it is at its end.
	ended bool
}

// over reports whether the connection is at its end, or about to be.
func (e *closing) over() bool { return e.ended || e.cause != nil || e.writeErr != nil }

// due reports whether it is time to retire.
func (e *closing) due(now time.Time) bool { return !e.retireAt.IsZero() && !now.Before(e.retireAt) }

// next returns when it will be time to retire; zero if that is over, or never.
func (e *closing) next() time.Time {
	if e.retired {
		return time.Time{}
	}
	return e.retireAt
}

// reason returns what the streams of a connection fail for that ends with the error, and
// whether to say goodbye to the server, with which code (RFC 9113, section 6.8).
func (e *closing) reason(err error) (goodbye bool, c code, why error) {
	fault, _ := errors.AsType[*violation](err)
	switch {
	case e.cause != nil:
		return false, codeNone, e.cause
	case fault != nil:
		return true, fault.code, err
	case errors.Is(err, errDone):
		return true, codeNone, err
	case e.goAway != nil && (e.goAway.code != codeNone || errors.Is(err, io.EOF)):
		return false, codeNone, e.goAway
	}
	return false, codeNone, err
}
