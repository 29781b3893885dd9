package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

const (
	// bufferSize is what a connection reads at once, in bytes, and bodyBuffer what it reads
	// of a long body.
	bufferSize = 4 << 10
	bodyBuffer = 64 << 10
	// longestLook is the longest time between two looks at whether a connection is too old.
	longestLook = 10 * time.Second
)

// The causes for which we close connections ourselves.
var (
	errCanceled = dial.ErrClosed
	errTimeout  = os.ErrDeadlineExceeded
	errRetired  = errors.New("connection was retired")
	errEnded    = errors.New("connection has ended")
	errUnasked  = errors.New("server sent something unasked")
)

// conn is a connection with the goroutine that reads from it. At any time it belongs to
// one of three: the pool of its place while it is idle, whoever takes it out of there
// until the request is written, and the reading goroutine.
type conn struct {
	client *Client
	host   *host
	place  *place
	under  *dial.Conn
	secure *tls.Conn // nil in the clear
	phases protocol.Phases

	born     time.Time
	lifetime time.Duration
	served   int

	// writing is held while a request is written: the answer may come, and the connection
	// be taken for the next one, before the write has returned.
	writing sync.Mutex
	// x is the exchange on its way; busy publishes it to the reading goroutine. unsent says
	// that certainly nothing of it was written.
	x      exchange
	reused bool
	busy   atomic.Bool
	unsent atomic.Bool
	out    []byte

	// What follows is the reading goroutine's own. begun says that some of the answer has
	// come, and over that the answer is complete and the connection is not yet idle: result
	// is what is to be told then.
	response response
	begun    bool
	over     bool
	result   protocol.Result
	in       []byte
	have     int
	resting  func()

	// deadline is when the exchange has to have ended, as a time since the client was made;
	// 0 if there is none. idleSince is when it became idle, likewise.
	deadline, idleSince atomic.Int64
	timer               *time.Timer
	// cause is why we closed it.
	cause atomic.Pointer[error]
}

// serve makes a new connection a part of the client, sends an exchange on it, and reads
// from it until it is closed.
func (c *Client) serve(x exchange, p *place, r dial.Ready) {
	k := &conn{
		client: c, host: x.entry.host, place: p, under: r.Conn, secure: r.TLS, phases: r.Phases,
		born: time.Now(), lifetime: c.lifetime(), in: make([]byte, bufferSize),
	}
	k.resting = k.rest
	r.Phases.Protocol = protocol.HTTP1 // Whoever made it may have hoped for another one.
	if !c.register(k) || r.Conn.Open(r.Phases) != nil {
		k.giveUp(errCanceled)
		k.host.drop(p, nil)
		c.forget(k)
		c.fail(x.call, x.sent, protocol.ReasonCanceled, dial.ErrClosed)
		return
	}
	k.timer = time.AfterFunc(time.Hour, k.check)
	k.begin(x, false)
	k.timer.Reset(max(0, min(c.look, time.Until(x.deadline))))
	k.run()
	k.cause.CompareAndSwap(nil, &errEnded)
	k.timer.Stop()
	k.close()
	k.host.drop(k.place, k)
	c.forget(k)
}

// close closes the connection, with a goodbye where TLS has one.
func (k *conn) close() {
	if k.secure != nil && errors.Is(*k.cause.Load(), errEnded) {
		_ = k.secure.Close() // It does not wait: see dial.Conn.
	}
	_ = k.under.Close()
}

// giveUp closes the connection for a cause. The reading goroutine sees to what was on it.
func (k *conn) giveUp(cause error) {
	k.cause.CompareAndSwap(nil, &cause)
	_ = k.under.Close()
}

// retire closes an idle connection that is not in the pool. It does not wait for that,
// since it may be called by the reading goroutine, or with the pool locked.
func (k *conn) retire() {
	k.cause.CompareAndSwap(nil, &errRetired)
	go func() { _ = k.under.Close() }()
}

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
	now := time.Now()
	left := k.client.timeout
	if deadline := k.deadline.Load(); deadline != 0 {
		left = time.Duration(deadline - k.client.since(now))
		if left <= 0 {
			k.giveUp(errTimeout)
			return
		}
	} else if k.isOld(now) && k.host.remove(k.place, k) {
		k.retire()
		return
	}
	k.timer.Reset(min(k.client.look, left))
}

// begin writes a request.
func (k *conn) begin(x exchange, reused bool) {
	c := k.client
	k.writing.Lock()
	defer k.writing.Unlock()
	k.x, k.reused = x, reused
	k.unsent.Store(false)
	k.served++
	k.out = c.writer.append(k.out[:0], x.entry, x.call.Request, x.sent)
	k.deadline.Store(c.since(x.deadline))
	if reused && !x.again {
		k.x.sent = time.Now()
	}
	if x.notes != nil {
		x.notes.t.Connection(reused, k.under, k.phases, k.secure)
	}
	k.busy.Store(true)
	out := k.out
	if cap(out) > 2*bufferSize {
		k.out = nil
	}
	k.write(out)
}

// write writes a request. Where that fails the reading goroutine sees to it, which may
// have noticed already. From then on the connection may be somebody else's.
func (k *conn) write(out []byte) {
	if k.secure != nil {
		if _, err := k.secure.Write(out); err != nil {
			k.giveUp(err)
		}
		return
	}
	n, err := k.under.Write(out)
	if err != nil {
		k.unsent.Store(n == 0)
		k.giveUp(err)
	}
}

// read reads what comes next.
func (k *conn) read(p []byte) (int, error) {
	if k.secure != nil {
		return k.secure.Read(p)
	}
	return k.under.Read(p)
}

// run reads answers until the connection is not to be used any more.
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
		if err != nil {
			k.broken(err)
			return
		}
		if !k.take(n) {
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
	if err != nil {
		k.broken(err)
		return false
	}
	if _, err = k.response.feed(buffer[:n]); err != nil {
		k.finish(k.x, protocol.ReasonProtocol, err)
		return false
	}
	return !k.response.done() || k.complete()
}

// take takes what was read. It returns false when the connection is not to be used any
// more.
func (k *conn) take(n int) bool {
	if !k.begun {
		if k.over || !k.busy.Load() {
			k.broken(errUnasked)
			return false
		}
		k.begun = true
		k.response.reset(k.x.entry.isHead, k.client.maxBody)
		if k.x.notes != nil {
			k.response.see = k.x.notes.see
		}
	}
	k.have += n
	used, err := k.response.feed(k.in[:k.have])
	if err != nil {
		k.finish(k.x, protocol.ReasonProtocol, err)
		return false
	}
	k.have = copy(k.in, k.in[used:k.have])
	return !k.response.done() || k.complete()
}

// complete ends the exchange whose answer is complete. It returns false when the
// connection is not to be used any more.
func (k *conn) complete() bool {
	k.result = k.outcome(k.x, protocol.ReasonNone, nil)
	if !k.isUsable() {
		k.x.call.Finish(k.result)
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

// isUsable reports whether the connection, whose answer is complete, can have another
// request.
func (k *conn) isUsable() bool {
	c := k.client
	return k.response.keepAlive && c.keepAlive && k.have == 0 &&
		(c.maxRequests == 0 || k.served < c.maxRequests) &&
		(k.lifetime == 0 || time.Since(k.born) < k.lifetime) &&
		!k.under.Unwritten()
}

// rest makes the connection idle and then ends the exchange, so that whoever waits for
// the one finds the other.
func (k *conn) rest() {
	call, result := k.x.call, k.result
	k.over = false
	k.deadline.Store(0)
	k.idleSince.Store(k.client.since(time.Now()))
	k.x = exchange{}
	k.busy.Store(false)
	if !k.host.put(k.place, k) {
		k.retire()
	}
	call.Finish(result)
}

// isIdle reports, when the connection is broken, whether no exchange is lost with it. One
// that was about to be written will be soon.
func (k *conn) isIdle() bool {
	for !k.busy.Load() {
		if k.host.remove(k.place, k) || k.cause.Load() != nil {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// broken sees to the exchange on a connection that has ended.
func (k *conn) broken(err error) {
	if cause := k.cause.Load(); cause != nil {
		err = *cause
	}
	if k.over {
		k.x.call.Finish(k.result)
		return
	}
	if !k.busy.Load() && k.isIdle() {
		return
	}
	x := k.x
	switch {
	case errors.Is(err, io.EOF) && k.begun && k.response.end():
		k.finish(x, protocol.ReasonNone, nil)
	case errors.Is(err, errTimeout):
		k.finish(x, protocol.ReasonTimeout, context.DeadlineExceeded)
	case errors.Is(err, errCanceled):
		k.finish(x, protocol.ReasonCanceled, err)
	case k.reused && !k.begun && !x.again && (x.entry.idempotent || k.unsent.Load()):
		x.again = true
		k.client.connect(x, k.host.another())
	default:
		reason := dial.Reason(err)
		if reason == protocol.ReasonNone {
			reason = protocol.ReasonReset
		}
		k.finish(x, reason, err)
	}
}

// finish ends an exchange.
func (k *conn) finish(x exchange, reason protocol.Reason, err error) {
	x.call.Finish(k.outcome(x, reason, err))
}

// outcome returns how an exchange ends, now.
func (k *conn) outcome(x exchange, reason protocol.Reason, err error) protocol.Result {
	res := protocol.Result{Sent: x.sent, Done: time.Now(), Reason: reason, Err: err}
	if k.begun && k.response.headed() {
		res.Code = k.client.codes.Text(k.response.status)
		if reason == protocol.ReasonNone && !x.entry.expect.Contains(k.response.status) {
			res.Reason, res.Err = protocol.ReasonStatus, httpmix.StatusError(k.response.status)
		}
	}
	return res
}
