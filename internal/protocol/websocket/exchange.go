package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// CodeError is a connection that was closed with a code that is not expected, or too early.
type CodeError struct {
	Code int
	// Says is what the server gives as its reason; it may be empty.
	Says string
}

// Error implements error.
func (e *CodeError) Error() string {
	if e.Says == "" {
		return fmt.Sprintf("the server closed with %d", e.Code)
	}
	return fmt.Sprintf("the server closed with %d: %s", e.Code, e.Says)
}

// failure is how an exchange failed, and when.
type failure struct {
	reason protocol.Reason
	err    error
	at     time.Time
}

// exchange is a call on its way.
type exchange struct {
	client   *client
	call     *protocol.Call
	prepared *httpreq.Prepared
	sent     time.Time
	// ctx ends when the exchange has to.
	ctx context.Context //nolint:containedctx // It is that of one call of Do.

	origin *origin
	ready  dial.Ready
	// over is the connection, and conn the WebSocket on it once there is one.
	over io.ReadWriter
	conn *websocket.Conn
	// asked says that the request was written, response is the head of the final response, and
	// refusal the beginning of its body where that is no upgrade.
	asked             bool
	request, response protocol.Head
	refusal           []byte

	inbox inbox
	log   messageLog
}

// run makes the exchange.
func (x *exchange) run(ctx context.Context) protocol.Result {
	x.ctx = ctx
	f := x.exchange() //nolint:contextcheck // Looking up a name outlives the exchange.
	res := protocol.Result{Sent: x.sent, Done: f.at, Code: x.code(), Reason: f.reason, Err: f.err}
	x.showLate(res)
	return res
}

// exchange connects, opens the WebSocket, talks over it and closes it.
func (x *exchange) exchange() failure {
	if err := x.connect(); err != nil {
		return x.fail(x.reasonOfDial(err), err)
	}
	defer x.hangUp()
	stop := context.AfterFunc(x.ctx, func() { _ = x.ready.Conn.Close() })
	defer stop()
	if err := x.handshake(); err != nil {
		return x.refused(err)
	}
	x.log.keeps = x.call.Late != nil
	x.inbox.open(x)
	defer x.inbox.close()
	f := x.talk()
	if f.reason == protocol.ReasonNone || f.reason == protocol.ReasonCheck {
		x.shut()
	}
	_ = x.conn.CloseNow()
	x.inbox.wait()
	if f.reason == protocol.ReasonNone {
		f = x.judge()
	}
	return f
}

// connect makes a connection.
func (x *exchange) connect() error {
	o := x.client.originOf(x.prepared.URL)
	o.conns.Add(1)
	o.Refresh(x.sent)
	r, err := o.Connect(x.ctx, "")
	if err == nil {
		if err = r.Conn.Open(r.Phases); err != nil {
			_ = r.Conn.Close() // There is another error to report.
		}
	}
	if err != nil {
		o.conns.Add(-1)
		return err
	}
	x.origin, x.ready, x.over = o, r, r.Conn
	if r.TLS != nil {
		x.over = r.TLS
	}
	return nil
}

// shut closes the WebSocket and waits for the server to do so, for up to five seconds, which is what the
// library waits.
func (x *exchange) shut() {
	x.inbox.leave()
	err := x.conn.Close(websocket.StatusNormalClosure, "")
	x.inbox.wait()
	if !x.inbox.ours() || x.ctx.Err() != nil {
		return
	}
	// The library has read what the server responded, and not the inbox.
	switch {
	case err == nil:
		err = websocket.CloseError{Code: websocket.StatusNormalClosure}
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: %w", errNotClosed, err)
	}
	x.inbox.err = err
}

// Close closes the connection, with a goodbye where TLS has one. It does not wait.
func (x *exchange) Close() error {
	if x.ready.TLS != nil {
		return x.ready.TLS.Close()
	}
	return x.ready.Conn.Close()
}

// hangUp closes the connection, if that is still open.
func (x *exchange) hangUp() {
	_ = x.ready.Conn.Close()
	x.ready.Conn.Wait()
	x.origin.conns.Add(-1)
}

// reasonOfDial sorts a failure to make a connection: where the call's own time ran out first it is
// that.
func (x *exchange) reasonOfDial(err error) protocol.Reason {
	r := dial.Reason(err)
	if r == protocol.ReasonConnectTimeout && errors.Is(x.ctx.Err(), context.DeadlineExceeded) {
		return protocol.ReasonTimeout
	}
	return r
}

// fail is a failure that happens now.
func (x *exchange) fail(r protocol.Reason, err error) failure { return failure{r, err, time.Now()} }

// refused sorts a handshake that did not succeed.
func (x *exchange) refused(err error) failure {
	switch status := x.response.Status; {
	case status == 0:
		return x.broken(err)
	case status == http.StatusSwitchingProtocols:
		return x.fail(protocol.ReasonProtocol, err)
	case x.expects().Contains(status):
		return x.fail(protocol.ReasonNone, nil)
	default:
		return x.fail(protocol.ReasonStatus, httpreq.StatusError(status))
	}
}

// broken sorts a connection that did not end as it should.
func (x *exchange) broken(err error) failure {
	if ended := x.ctx.Err(); ended != nil {
		err = ended
	}
	r := dial.Reason(err)
	if r == protocol.ReasonNone {
		r = protocol.ReasonProtocol
	}
	return x.fail(r, err)
}

// expects returns the codes that are no failure.
func (x *exchange) expects() Codes { return x.client.Expect[x.call.Request.Entry] }

// talk sends and receives as the script of the exchange says.
func (x *exchange) talk() failure {
	t := x.prepared.Talk
	if t == nil {
		return failure{}
	}
	for {
		say, err := t.Next()
		if err != nil {
			return x.fail(protocol.ReasonCheck, err)
		}
		var f failure
		switch say.Kind {
		case script.SayEnd:
			return failure{}
		case script.SayMessage:
			f = x.send(say)
		case script.SayWait:
			f = x.receive(t, say.For)
		case script.SayPing:
			f = x.ping(t, say.For)
		case script.SayClosing:
			f = x.awaitClosing(t, say.For)
		case script.SayPause:
			f = x.pause(say.For)
		}
		if f.reason != protocol.ReasonNone {
			return f
		}
	}
}

// send sends a message.
func (x *exchange) send(s script.Say) failure {
	m, kind := protocol.Message{Binary: s.Binary, Data: s.Data}, websocket.MessageText
	if s.Binary {
		kind = websocket.MessageBinary
	}
	x.saw(m, true)
	// It does not wait for the server: see dial.Conn.
	if err := x.conn.Write(context.Background(), kind, s.Data); err != nil {
		return x.cut(err)
	}
	return failure{}
}

// receive waits for the message that the script waits for.
func (x *exchange) receive(t httpreq.Talk, within time.Duration) failure {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case <-x.ctx.Done():
			return x.broken(x.ctx.Err())
		case m, ok := <-x.inbox.messages:
			if f, ended := x.hear(t, m, ok); ended {
				return f
			}
		case <-timer.C:
			// What came in time counts, however late it is looked at.
			for range len(x.inbox.messages) {
				m, ok := <-x.inbox.messages
				if f, ended := x.hear(t, m, ok); ended {
					return f
				}
			}
			return x.fail(protocol.ReasonCheck, t.Missed())
		}
	}
}

// hear shows the script a message, which there is not if the connection has ended. It reports whether
// that ends the turn, and how.
func (x *exchange) hear(t httpreq.Talk, m protocol.Message, ok bool) (f failure, ended bool) {
	if !ok {
		return x.missed(t), true
	}
	x.saw(m, false)
	found, err := t.Hear(m.Data)
	if err != nil {
		f = x.fail(protocol.ReasonCheck, err)
	}
	return f, found || err != nil
}

// ping sends a ping and waits for its pong.
func (x *exchange) ping(t httpreq.Talk, within time.Duration) failure {
	ctx, cancel := context.WithTimeout(x.ctx, within)
	defer cancel()
	err := x.conn.Ping(ctx)
	switch {
	case err == nil:
		return failure{}
	case x.ctx.Err() != nil:
		return x.broken(x.ctx.Err())
	case ctx.Err() != nil:
		return x.fail(protocol.ReasonCheck, t.Missed())
	default:
		return x.missed(t)
	}
}

// awaitClosing waits for the server to close the connection.
func (x *exchange) awaitClosing(t httpreq.Talk, within time.Duration) failure {
	x.inbox.leave()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-x.inbox.ended:
		return failure{}
	case <-x.ctx.Done():
		return x.broken(x.ctx.Err())
	case <-timer.C:
		return x.fail(protocol.ReasonCheck, t.Missed())
	}
}

// pause waits.
func (x *exchange) pause(d time.Duration) failure {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-x.ctx.Done():
		return x.broken(x.ctx.Err())
	case <-timer.C:
		return failure{}
	}
}

// missed sorts the end of a connection on which something was to come.
func (x *exchange) missed(t httpreq.Talk) failure {
	f := x.cut(io.ErrUnexpectedEOF)
	if f.reason == protocol.ReasonCheck {
		f.err = fmt.Errorf("%w, as %w", t.Missed(), f.err)
	}
	return f
}

// cut sorts the end of a connection before that of the exchange. The received bytes say more than the
// error of a write: a connection that cannot be written is read to its end.
func (x *exchange) cut(err error) failure {
	x.inbox.leave()
	x.inbox.wait()
	closed, ok := x.closed()
	switch {
	case !ok && x.inbox.err != nil && !x.inbox.ours():
		return x.broken(x.inbox.err)
	case !ok:
		return x.broken(err)
	case x.expects().Contains(closed.Code):
		return x.fail(protocol.ReasonCheck, closed)
	default:
		return x.fail(protocol.ReasonStatus, closed)
	}
}

// closed returns how the server closed the connection, if it did so as it should.
func (x *exchange) closed() (*CodeError, bool) {
	ce, ok := errors.AsType[websocket.CloseError](x.inbox.err)
	return &CodeError{Code: int(ce.Code), Says: ce.Reason}, ok
}

// judge sorts the end of a connection after that of the exchange.
func (x *exchange) judge() failure {
	closed, ok := x.closed()
	switch {
	case (ok || x.ctx.Err() == nil) && x.expects().Contains(x.closeCode()):
		return x.fail(protocol.ReasonNone, nil)
	case ok:
		return x.fail(protocol.ReasonStatus, closed)
	default:
		return x.broken(x.inbox.err)
	}
}

// errNotClosed is a server that does not respond to our closing.
var errNotClosed = errors.New("the server does not close the connection")

// closeCode returns the code with which the connection was closed: by the server, or by us where what
// came breaks the protocol or a limit.
func (x *exchange) closeCode() int {
	closed, ok := x.closed()
	switch err := x.inbox.err; {
	case ok:
		return closed.Code
	case errors.Is(err, errNotUTF8):
		return codeNotUTF8
	case errors.Is(err, websocket.ErrMessageTooBig), errors.Is(err, httpreq.ErrBodyTooLong):
		return codeTooBig
	case x.ctx.Err() != nil || x.inbox.ours() || dial.Reason(err) != protocol.ReasonNone:
		return codeAbnormal
	default:
		return codeBroken
	}
}

// code returns the code of the result.
func (x *exchange) code() string {
	switch {
	case x.conn != nil:
		return codeText(x.closeCode())
	case x.response.Status != 0:
		return x.client.codes.Text(x.response.Status)
	default:
		return ""
	}
}
