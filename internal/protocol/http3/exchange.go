package http3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

const (
	// mostAttempts is how many connections a request is begun on that end before it is sent.
	mostAttempts = 3
	// maxShort is the longest body that is sent with the head.
	maxShort = 1 << 10
	// pieceSize is how much of a body is sent in a frame.
	pieceSize = 64 << 10
)

// exchange is a request on its way, over whichever connections it takes.
type exchange struct {
	client *client
	call   *protocol.Call
	entry  *entry
	// start is when it was started, and sent when it began to be sent; zero until then.
	start, sent time.Time
	// again says that it has been sent once without an outcome.
	again bool
	response
}

// run makes the exchange.
func (x *exchange) run(ctx context.Context) protocol.Result {
	attempts, w := 0, wish{}
	for {
		c, waited, err := x.entry.origin.acquire(ctx, w)
		if err != nil {
			return x.failed(err)
		}
		if waited && x.sent.IsZero() {
			x.sent = x.start // It began with the making of a connection.
		}
		a := attempt{exchange: x, conn: c}
		err = named(a.run(ctx))
		c.release()
		switch {
		case err == nil:
			return x.done()
		case errors.Is(err, errFull):
			continue
		case ctx.Err() != nil:
			return x.failed(ended(ctx.Err()))
		}
		if errors.Is(err, quic.Err0RTTRejected) {
			x.entry.origin.late.Store(true)
			_ = c.session.end(codeNone) // The handshake goes on, but its streams do not.
		}
		if attempts++; !a.mayRepeat(err, attempts) {
			return x.failed(c.session.explain(err))
		}
		w = elsewhere(c, err)
		x.response = response{}
	}
}

// elsewhere returns which connections a request may go to that failed on one: where that has ended, not
// to others that may be about to; where it was refused, to any other.
func elsewhere(c *conn, err error) wish {
	switch {
	case errors.Is(err, errTooEarly):
		return wish{}
	case isGone(err):
		return wish{after: c.number}
	}
	return wish{avoid: c}
}

// ended returns the error of an exchange whose context has ended.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errTimeout
	}
	return err
}

// done returns the result of an exchange whose response is complete.
func (x *exchange) done() protocol.Result {
	r := protocol.Result{Sent: x.began(), Done: time.Now(), Code: x.client.codes.Text(x.status)}
	if !x.entry.Expect.Contains(x.status) {
		r.Reason, r.Err = protocol.ReasonStatus, httpreq.StatusError(x.status)
	}
	return r
}

// failed returns the result of an exchange that failed.
func (x *exchange) failed(err error) protocol.Result {
	now := time.Now()
	r := protocol.Result{Sent: x.began(), Done: now, Code: x.client.codes.Text(x.status), Reason: reasonOf(err), Err: err}
	if x.shown != nil {
		x.shown(x.call.Join(r.Reason, now))
	}
	return r
}

// began returns when the exchange began: when it was sent, or, where it never was, when it was started.
func (x *exchange) began() time.Time {
	if x.sent.IsZero() {
		return x.start
	}
	return x.sent
}

// attempt is a request on a connection.
type attempt struct {
	*exchange

	conn   *conn
	stream stream
	// early says that it is sent before the handshake is complete, and written that it has been handed
	// to QUIC.
	early, written bool
}

// mayRepeat reports whether the request may be sent once more. Anything written is one more request on
// the wire, which must be harmless: the server has not looked at the first, or it may look at both
// (RFC 9110, section 9.2.2).
func (a *attempt) mayRepeat(err error, attempts int) bool {
	switch {
	case !a.written:
		return attempts < mostAttempts && isGone(err)
	case errors.Is(err, errTooEarly):
		return true // It has been admitted.
	case isRefusal(err):
		return a.admitted()
	}
	return a.conn.responded.Load() && !a.touched && a.entry.Idempotent && isGone(err) && a.admitted()
}

// admitted reports whether the request may be on the wire once more, which it is once at most.
func (a *attempt) admitted() bool {
	if a.again || !a.call.Admits(protocol.Retry) {
		return false
	}
	a.again = true
	return true
}

// isGone reports whether an error is the end of a whole connection.
func isGone(err error) bool {
	_, system := errors.AsType[syscall.Errno](err)
	return system || errors.Is(err, net.ErrClosed) || errors.Is(err, quic.Err0RTTRejected)
}

// run sends the request and reads the response.
func (a *attempt) run(ctx context.Context) error {
	if err := a.mayBegin(ctx); err != nil {
		return err
	}
	upload := a.entry.Upload()
	short := upload.Held()
	if len(short) > maxShort {
		short = nil
	}
	head, size := a.head(len(short) + 2*maxVarint)
	if most := a.conn.session.maxFields.Load(); most > 0 && size > most {
		return errHeaderTooLong
	}
	s, err := a.conn.open() //nolint:contextcheck // Who waits for a stream does so for all.
	if err != nil {
		return err
	}
	defer a.conn.close(s)
	a.stream = s
	stop := context.AfterFunc(ctx, func() { a.abandon(codeCanceled) })
	defer stop()
	if len(short) > 0 {
		head = append(appendFrame(head, frameData, len(short)), upload.Append(nil, len(short))...)
	}
	a.show()
	if a.sent.IsZero() {
		a.sent = time.Now()
	}
	uploaded, err := a.send(head, upload)
	if err == nil {
		err = a.receive()
	}
	a.finish(uploaded, err)
	return err
}

// finish ends the stream, and with it any upload of the body still under way.
func (a *attempt) finish(uploaded <-chan struct{}, err error) {
	select {
	case <-uploaded:
		if err == nil {
			return
		}
	default:
	}
	c := codeCanceled
	if v, ok := errors.AsType[*violation](err); ok {
		c = v.code
	}
	a.abandon(c)
	<-uploaded
}

// abandon ends the directions of the stream that are not over.
func (a *attempt) abandon(c code) {
	a.stream.CancelRead(quic.StreamErrorCode(c))
	a.stream.CancelWrite(quic.StreamErrorCode(c))
}

// mayBegin waits until the handshake is complete, unless the request may be sent before.
func (a *attempt) mayBegin(ctx context.Context) error {
	s := a.conn.session
	select {
	case <-s.HandshakeComplete():
		return nil
	default:
	}
	if a.early = !a.again && a.entry.early(); a.early {
		return nil
	}
	select {
	case <-s.HandshakeComplete():
		return nil
	case <-s.Context().Done():
		return context.Cause(s.Context()) //nolint:contextcheck // It is the end of the connection.
	case <-ctx.Done():
		return ctx.Err()
	}
}

// show shows the request to the call's tap, and later ones.
func (a *attempt) show() {
	reused := a.conn.reused()
	a.shown = func(t protocol.Tap) {
		if t == nil {
			return
		}
		t.Connection(a.conn.facts(reused))
		upload := a.entry.Upload()
		t.Request(a.entry.PseudoHead("HTTP/3.0", a.client.varying, a.call.Request, a.start), upload.Held())
	}
	a.shown(a.call.Tap)
}

// send sends the head and the rest of the body, in the background if that may have to wait. The
// channel is closed when it has ended. Once something is sent, what becomes of the rest is for the
// response to say: a server that does not want it responds, or resets the stream.
func (a *attempt) send(head []byte, rest httpreq.Upload) (<-chan struct{}, error) {
	uploaded := make(chan struct{})
	n, err := a.stream.Write(head)
	a.written = n > 0
	if err == nil && rest.Len() > 0 {
		go func() {
			defer close(uploaded)
			a.upload(rest)
		}()
		return uploaded, nil
	}
	close(uploaded)
	if err == nil {
		_ = a.stream.Close() // It has been reset otherwise.
	}
	if a.written {
		err = nil
	}
	return uploaded, err
}

// upload sends a body.
func (a *attempt) upload(rest httpreq.Upload) {
	buf := make([]byte, 0, pieceSize+2*maxVarint)
	for rest.Len() > 0 {
		n := int(min(pieceSize, rest.Len()))
		buf = rest.Append(appendFrame(buf[:0], frameData, n), n)
		if _, err := a.stream.Write(buf); err != nil {
			return
		}
	}
	_ = a.stream.Close() // It has been reset otherwise.
}

// refusesEarly reports whether a response says that the request came too early (RFC 8470, section 5.2),
// and it is sent once more.
func (a *attempt) refusesEarly(status int) bool {
	return status == http.StatusTooEarly && a.early && a.admitted()
}
