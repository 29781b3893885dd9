package grpc

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
)

// StatusError is a response with a code that is not an expected one.
type StatusError struct {
	Code spec.Code
	// Message is what the server says about it; it may be empty.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string {
	if e.Message == "" {
		return "unexpected status " + e.Code.String()
	}
	return fmt.Sprintf("unexpected status %s: %s", e.Code, e.Message)
}

// The ways in which a response is none of gRPC.
var (
	errNoStatus  = errors.New("the response ends without grpc-status")
	errBadStatus = errors.New("grpc-status is no number")
	errNotGRPC   = errors.New("the content type is none of gRPC")
)

// response holds the kept parts of a response.
type response struct {
	// http is the status of HTTP; 0 until a head has come.
	http int
	// code and message are those of gRPC, if hasStatus says so; badStatus says that they are
	// malformed. message is as it came.
	code                 spec.Code
	hasStatus, badStatus bool
	message              []byte
	// isGRPC says that the content type is one of gRPC's, and encoded that messages may be
	// compressed.
	isGRPC, encoded bool
	frames          frames
}

// field takes a field of a head or of trailers.
func (r *response) field(name, value []byte) {
	switch string(name) {
	case statusName:
		var ok bool
		r.code, ok = spec.ParseStatus(value)
		r.hasStatus, r.badStatus = true, !ok
	case messageName:
		r.message = append(r.message[:0], value...)
	case encodingName:
		r.encoded = !bytes.Equal(value, []byte("identity"))
	case "content-type":
		r.isGRPC = bytes.HasPrefix(value, []byte(contentType))
	}
}

// body takes a piece of a body.
func (r *response) body(p []byte, most uint64) {
	if r.isGRPC {
		r.frames.read(p, most, r.encoded)
	}
}

// reset forgets all.
func (r *response) reset() { *r = response{message: r.message[:0]} }

// exchange is a call on its way. It is a tap of the call that it makes over HTTP.
type exchange struct {
	client *Client
	outer  *protocol.Call
	to     *Call
	method *resolved
	call   protocol.Call
	// most is how long a message may be.
	most  uint64
	lean  *leanTap
	whole *wholeTap
	got   response
	// sent says that the request was put on the wire.
	sent bool
	// kept is of a response at which nobody looks, while somebody may.
	kept kept
	// fields, encoding and body are kept where somebody looks at the call.
	fields   []protocol.Field
	encoding string
	body     []byte
}

func newExchange(c *Client) *exchange {
	x := &exchange{client: c, most: c.most}
	x.lean, x.whole = (*leanTap)(x), (*wholeTap)(x)
	x.call.Done = x.done
	return x
}

// begin makes the exchange one of a call.
func (x *exchange) begin(outer *protocol.Call, to *Call, method *resolved) {
	x.outer, x.to, x.method = outer, to, method
	x.call.Request, x.call.Deadline, x.call.Admit = outer.Request, outer.Deadline, outer.Admit
	x.call.Message = outer.Message
	if outer.Message == nil {
		x.call.Message = &method.payload
	}
	if outer.Tap == nil {
		x.call.Tap = x.lean
	} else {
		x.call.Tap = x.whole
	}
	x.sent, x.kept.on = false, outer.Tap == nil && outer.Late != nil
	x.got.reset()
	x.kept.reset()
}

// done ends the call.
func (x *exchange) done() {
	outer, r := x.outer, x.result()
	if outer.Tap != nil {
		if err := x.show(outer.Tap); err != nil && !r.Failed() {
			r.Reason, r.Err = protocol.ReasonProtocol, err
		}
	}
	x.showLate(r)
	if x.got.hasStatus && x.got.code == spec.Unimplemented && !x.to.Expect.Contains(spec.Unimplemented) {
		x.client.descriptors.Stale()
	}
	x.outer, x.to, x.method, x.call.Message, x.call.Tap, x.call.Admit = nil, nil, nil, nil, nil, nil
	x.call.Result = protocol.Result{}
	x.fields, x.encoding, x.body = nil, "", nil
	x.client.exchanges.Put(x)
	outer.Finish(r)
}

// result returns what became of the call.
func (x *exchange) result() protocol.Result {
	r, got := x.call.Result, &x.got
	r.Code = ""
	if r.Failed() && got.frames.err == nil {
		return x.broken(r)
	}
	code, err := x.verdict()
	r.Code, r.Err, r.Reason = code.String(), err, protocol.ReasonNone
	switch {
	case err != nil:
		r.Reason = protocol.ReasonProtocol
	case x.to.Expect.Contains(code):
	case code == spec.DeadlineExceeded:
		r.Reason, r.Err = protocol.ReasonTimeout, x.unexpected(code)
	default:
		r.Reason, r.Err = protocol.ReasonStatus, x.unexpected(code)
	}
	return r
}

// verdict returns the code of a response that has come, and an error if it is not a valid one of
// gRPC.
func (x *exchange) verdict() (spec.Code, error) {
	got := &x.got
	err := got.frames.end()
	_, long := errors.AsType[tooLongError](err)
	switch {
	case err != nil && got.hasStatus:
		return got.code, err
	case long:
		return spec.ResourceExhausted, err
	case err != nil:
		return spec.Internal, err
	case got.badStatus:
		return spec.Unknown, errBadStatus
	case got.hasStatus && got.code == spec.OK && got.frames.messages != 1 && !x.streams():
		return spec.OK, fmt.Errorf("the response has %d messages, expected one", got.frames.messages)
	case got.hasStatus:
		return got.code, nil
	case got.http != http.StatusOK:
		return spec.FromHTTP(got.http), nil
	case got.isGRPC:
		return spec.Internal, errNoStatus
	default:
		return spec.Unknown, errNotGRPC
	}
}

// streams reports whether a response may have any number of messages.
func (x *exchange) streams() bool { return x.method == nil || x.method.method.IsStreamingServer() }

// unexpected is the error of a code that is not expected.
func (x *exchange) unexpected(code spec.Code) error {
	if !x.got.hasStatus {
		return &StatusError{Code: code, Message: "HTTP status " + strconv.Itoa(x.got.http)}
	}
	return &StatusError{Code: code, Message: decodeMessage(x.got.message)}
}

// broken takes an exchange that failed before its end. A server that gives up says so by the code
// of a reset; one that does it for the deadline may be first.
func (x *exchange) broken(r protocol.Result) protocol.Result {
	code, ok := http2.ResetCode(r.Err)
	if !ok {
		return r
	}
	if code == spec.ResetCancel && !r.Done.Before(r.Sent.Add(x.timeout(r))) {
		r.Reason = protocol.ReasonTimeout
		return r
	}
	r.Code = spec.FromReset(code).String()
	return r
}

// timeout returns how long the call might take from when it was sent.
func (x *exchange) timeout(r protocol.Result) time.Duration {
	if x.call.Deadline.IsZero() {
		return x.client.timeout
	}
	return x.call.Deadline.Sub(r.Sent)
}
