package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

const (
	// bufferSize is what a connection reads at once, in bytes, and bodyBuffer what it reads
	// of a long body.
	bufferSize = 4 << 10
	bodyBuffer = 64 << 10
	// longestLook is the longest time between two looks at whether a connection is too old.
	longestLook = 10 * time.Second
	// shortestLook is the shortest one, however short they live.
	shortestLook = 10 * time.Millisecond
)

// The causes for which we close connections ourselves.
var (
	errCanceled = dial.ErrClosed
	errTimeout  = os.ErrDeadlineExceeded
	errRetired  = errors.New("connection was retired")
	errEnded    = errors.New("connection has ended")
	errUnasked  = errors.New("server sent something unasked")
)

// The states of a conn.
const (
	// connFree: there is no exchange on it. It is idle, or somebody has just taken it.
	connFree int32 = iota
	// connBusy: there is an exchange on it, which the reading goroutine will end.
	connBusy
	// connEnded: there will be no exchange on it any more.
	connEnded
)

// expired is in place of the deadline of an exchange that has run out of time.
const expired = -1

// conn is a connection with the goroutine that reads from it. A free conn is on its address's
// idle list, or held by the caller that took it from there to begin an exchange or to
// retire it. A busy conn belongs to the reading goroutine, which alone makes it free again
// and closes it. So a caller that gives the connection an exchange can be sure that the
// exchange will end, and a caller that cannot has the connection ended before.
type conn struct {
	client  *Client
	host    *host
	address *address
	under   *dial.Conn
	secure  *tls.Conn // nil in the clear
	phases  protocol.Phases

	// older and newer are its neighbours in the list of its address, and idle says that it is
	// there; the host's mu guards them.
	older, newer *conn
	idle         bool

	born     time.Time
	lifetime time.Duration
	served   int

	state atomic.Int32
	// writing is held while a request is written: the response may come, and the connection
	// be taken for the next one, before the write has returned.
	writing sync.Mutex
	// x is the exchange on its way. unsent says that certainly nothing of it was written;
	// writing guards that.
	x      exchange
	reused bool
	unsent bool
	out    []byte
	upload uploader

	// The following fields are the reading goroutine's own. begun says that some of the
	// response has come. over says that the response is complete and the connection is not
	// yet free: result is reported then.
	response response
	recent   recentHead
	begun    bool
	over     bool
	result   protocol.Result
	in       []byte
	have     int
	// looked is the time of the present read, if somebody has looked; zero between reads.
	looked  time.Time
	resting func()
	// ended is the call that ends with the connection, as result says; nil if none does.
	// again says that x will be sent once more instead.
	ended *protocol.Call
	again bool

	// deadline is when the exchange must have ended, as a time since the client was made; 0
	// if there is none. idleSince is when the connection became idle, on the same clock.
	deadline, idleSince atomic.Int64
	timer               *time.Timer
	// cause is why we gave it up.
	cause atomic.Pointer[error]
}

// serve makes a new connection a part of the client, sends an exchange on it, and reads
// from it until it is closed. It returns an exchange that must be sent again; its place in
// the host's count is that of the connection.
func (c *Client) serve(x exchange, p *address, r dial.Ready) (repeat exchange, again bool) {
	k := &conn{
		client: c, host: x.entry.host, address: p, under: r.Conn, secure: r.TLS, phases: r.Phases,
		born: time.Now(), lifetime: c.lifetime(), in: make([]byte, bufferSize),
	}
	k.resting = k.rest
	r.Phases.Protocol = protocol.HTTP1 // The dialer may have offered another one.
	if !c.register(k) || r.Conn.Open(r.Phases) != nil {
		_ = r.Conn.Close() // There is another error to report.
		c.forget(k)
		k.host.release()
		c.fail(x.call, x.sent, protocol.ReasonCanceled, dial.ErrClosed)
		return exchange{}, false
	}
	k.timer = time.AfterFunc(time.Hour, k.check)
	k.begin(x, false)
	k.timer.Reset(max(0, min(c.look, time.Until(x.deadline))))
	k.run()
	k.close()
	if k.again {
		return k.x, true
	}
	if k.ended != nil {
		k.host.release() // Before Done, which may begin the next exchange.
		k.ended.Finish(k.result)
	}
	return exchange{}, false
}

// close closes the connection, with a goodbye where TLS has one and we were not in a
// hurry.
func (k *conn) close() {
	k.cause.CompareAndSwap(nil, &errEnded)
	k.timer.Stop()
	k.awaitWrite()
	k.upload.stop()
	cause := *k.cause.Load()
	if k.secure != nil && (errors.Is(cause, errEnded) || errors.Is(cause, errRetired)) {
		_ = k.secure.Close() // It does not wait: see dial.Conn.
	}
	_ = k.under.Close()
	k.under.Wait()
	k.client.forget(k)
}

// awaitWrite waits until a request that is being written has been, which takes no time to
// speak of, since that does not wait for the peer.
func (k *conn) awaitWrite() {
	k.writing.Lock()
	defer k.writing.Unlock()
}

// giveUp ends the connection for a cause, without waiting: the reading goroutine ends the
// exchange on it.
func (k *conn) giveUp(cause error) {
	k.cause.CompareAndSwap(nil, &cause)
	_ = k.under.SetReadDeadline(longAgo()) // It fails when the connection is closed already.
}

func longAgo() time.Time { return time.Unix(1, 0) }

// isOld reports whether an idle connection should not be used any more.
func (k *conn) isOld(now time.Time) bool {
	if k.lifetime > 0 && now.Sub(k.born) > k.lifetime {
		return true
	}
	since := k.idleSince.Load()
	return since > 0 && k.client.since(now)-since > int64(idleTimeout)
}

// check looks whether the exchange has run out of time, or an idle connection is too old,
// and comes again in time. So an exchange costs no timer.
func (k *conn) check() {
	if k.cause.Load() != nil {
		return
	}
	for {
		now := time.Now()
		left := k.client.timeout
		deadline := k.deadline.Load()
		switch {
		case deadline != 0:
			if left = time.Duration(deadline - k.client.since(now)); left > 0 {
				break
			}
			if k.expire(deadline) {
				return
			}
			continue // It has ended just now.
		case k.isOld(now) && k.host.retire(k):
			return
		}
		k.timer.Reset(min(k.client.look, left))
		if k.deadline.Load() == deadline {
			return
		}
		// An exchange has begun meanwhile, whose own deadline may be sooner.
	}
}

// expire ends the exchange with the deadline, unless it has ended.
func (k *conn) expire(deadline int64) bool {
	if !k.deadline.CompareAndSwap(deadline, expired) {
		return false
	}
	k.giveUp(errTimeout)
	return true
}

// begin writes a request. It returns false if the connection has ended.
func (k *conn) begin(x exchange, reused bool) bool {
	c := k.client
	k.writing.Lock()
	defer k.writing.Unlock()
	k.x, k.reused, k.unsent = x, reused, false
	k.served++
	buf := &k.out
	if len(x.entry.head)+len(x.entry.Body) > bufferSize || x.entry.Source != nil {
		buf, _ = c.requests.Get().(*[]byte)
		defer c.requests.Put(buf)
	}
	*buf = c.writer.append((*buf)[:0], &x.entry, x.call.Request, x.sent)
	if x.entry.Source != nil {
		*buf = k.appendFirst(*buf, x.entry.Prepared)
	}
	k.deadline.Store(c.since(x.deadline))
	k.tapRequest(x.call.Tap, &k.x, reused)
	if !k.state.CompareAndSwap(connFree, connBusy) {
		return false
	}
	if !x.call.Deadline.IsZero() {
		k.timer.Reset(max(0, min(c.look, time.Until(x.deadline))))
	}
	more := k.upload.unfinished.Load()
	n, err := k.write(*buf)
	k.unsent = err != nil && n == 0 // With TLS nothing that the server could decrypt.
	if more && err == nil {
		k.upload.running.Go(k.sendRest)
	}
	return true
}

// write writes a request, or a piece of it. Where that fails the reading goroutine sees to it,
// which may have noticed already. From then on the connection may be somebody else's.
func (k *conn) write(out []byte) (n int, err error) {
	if k.secure != nil {
		n, err = k.secure.Write(out)
	} else {
		n, err = k.under.Write(out)
	}
	if err != nil {
		k.under.Fail(err)
	}
	return n, err
}

// read reads what comes next.
func (k *conn) read(p []byte) (int, error) {
	if k.secure != nil {
		return k.secure.Read(p)
	}
	return k.under.Read(p)
}

// run reads responses until the connection is not to be used any more.
func (k *conn) run() {
	for {
		if k.begun && k.have == 0 && k.response.ahead() > bufferSize {
			if !k.runBody() {
				return
			}
			continue
		}
		if k.have == len(k.in) { // A long line.
			k.in = append(k.in, make([]byte, len(k.in))...)
		}
		n, err := k.read(k.in[k.have:])
		// Bytes that came count, even if the end came with them: crypto/tls returns both at
		// once.
		if n > 0 && !k.receive(n) {
			return
		}
		if err != nil {
			k.broken(err)
			return
		}
	}
}

// runBody reads a long piece of a body into a larger buffer, which is only borrowed: so
// few reads do for long bodies, and connections that are idle hold little memory.
func (k *conn) runBody() bool {
	buffer, _ := k.client.buffers.Get().(*[bodyBuffer]byte)
	defer k.client.buffers.Put(buffer)
	n, err := k.read(buffer[:min(bodyBuffer, k.response.ahead())])
	if _, wrong := k.response.feed(buffer[:n]); wrong != nil {
		k.finish(protocol.ReasonProtocol, wrong)
		return false
	}
	if k.response.done() && !k.complete() {
		return false
	}
	if err != nil {
		k.broken(err)
	}
	return err == nil
}

// receive takes the bytes just read. It returns false when the connection must not be used any
// more.
func (k *conn) receive(n int) bool {
	if !k.begun {
		if k.over || k.state.Load() != connBusy {
			k.broken(errUnasked)
			return false
		}
		k.begun = true
		k.response.reset(k.x.entry.method, k.client.maxBody)
		k.tapResponse()
	}
	k.have += n
	k.looked = time.Time{}
	used, err := k.recent.feed(&k.response, k.in[:k.have])
	if err != nil {
		k.finish(protocol.ReasonProtocol, err)
		return false
	}
	k.have = copy(k.in, k.in[used:k.have])
	if k.response.done() {
		return k.complete()
	}
	k.looked = time.Time{}
	return true
}

// complete ends the exchange whose response is complete. It returns false when the
// connection is not to be used any more.
func (k *conn) complete() bool {
	k.result = k.outcome(protocol.ReasonNone, nil)
	k.looked = time.Time{} // What comes next may end without a read.
	if !k.isUsable() {
		k.ended = k.x.call
		return false
	}
	if len(k.in) > bufferSize {
		k.in = make([]byte, bufferSize)
	}
	k.begun, k.over = false, true
	// From the moment that it rests another request may be on its way.
	k.under.BeforeWait(k.resting)
	return true
}

// isUsable reports whether the connection, whose response is complete, can have another
// request.
func (k *conn) isUsable() bool {
	c := k.client
	return k.response.keepAlive && c.keepAlive && k.have == 0 &&
		(c.maxRequests == 0 || k.served < c.maxRequests) &&
		(k.lifetime == 0 || time.Since(k.born) < k.lifetime) &&
		!k.upload.unfinished.Load() && !k.under.Unwritten()
}

// rest makes the connection idle and then ends the exchange, so that a caller that waits
// for the end finds the idle connection. If the exchange has just run out of time, its
// connection is about to end, and then the exchange does.
func (k *conn) rest() {
	call, result := k.x.call, k.result
	if !k.deadline.CompareAndSwap(k.client.since(k.x.deadline), 0) {
		return
	}
	k.over = false
	k.idleSince.Store(k.client.since(result.Done))
	k.x = exchange{}
	k.state.Store(connFree)
	k.host.put(k)
	call.Finish(result)
}

// broken sees to the exchange on a connection that has ended, if there is one.
func (k *conn) broken(err error) {
	if k.over {
		k.ended = k.x.call
		return
	}
	if k.host.end(k) || k.state.Load() == connEnded {
		return
	}
	k.awaitWrite() // Now it is known how much was written.
	if cause := k.cause.Load(); cause != nil {
		err = *cause
	}
	switch {
	case errors.Is(err, io.EOF) && k.begun && k.response.end():
		k.finish(protocol.ReasonNone, nil)
	case errors.Is(err, errTimeout):
		k.finish(protocol.ReasonTimeout, k.inHead(context.DeadlineExceeded))
	case errors.Is(err, errCanceled):
		k.finish(protocol.ReasonCanceled, err)
	case k.mayRepeat():
		k.x.again, k.again = true, true
	default:
		reason := dial.Reason(err)
		if reason == protocol.ReasonNone {
			reason = protocol.ReasonReset
		}
		k.finish(reason, k.inHead(err))
	}
}

// inHead adds to an error how much had come of the head, if that is where it broke off.
func (k *conn) inHead(err error) error {
	if !k.begun || k.response.headed() {
		return err
	}
	return fmt.Errorf("%w after %d bytes of the response's head", err, k.response.heads+k.have)
}

// mayRepeat reports whether the exchange may be sent again on another connection: this one
// may have ended for a reason that has nothing to do with the request (RFC 9112, section
// 9.3.1), and the request does no harm twice. If none of a request was written, the next
// attempt is its first.
func (k *conn) mayRepeat() bool {
	if !k.reused || k.begun || k.x.again {
		return false
	}
	return k.unsent || k.x.entry.Idempotent && k.x.call.Admits(protocol.Retry)
}

// finish ends the exchange together with the connection.
func (k *conn) finish(reason protocol.Reason, err error) {
	if reason != protocol.ReasonNone {
		k.join(reason, time.Now())
	}
	k.ended, k.result = k.x.call, k.outcome(reason, err)
}

// outcome returns how the exchange ends, now.
func (k *conn) outcome(reason protocol.Reason, err error) protocol.Result {
	res := protocol.Result{Sent: k.x.sent, Done: k.looked, Reason: reason, Err: err}
	if k.looked.IsZero() {
		res.Done = time.Now()
	}
	if k.begun && k.response.headed() {
		res.Code = k.client.codes.Text(k.response.status)
		if reason == protocol.ReasonNone && !k.x.entry.Expect.Contains(k.response.status) {
			res.Reason, res.Err = protocol.ReasonStatus, httpreq.StatusError(k.response.status)
		}
	}
	return res
}
