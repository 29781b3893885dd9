// Package httpstd sends HTTP/1.1 and HTTP/2, over TLS and in the clear, with
// net/http. It prepares each entry of a mix, measures the exchange, tells the Wire of
// connections, and sorts every failure into the closed set of protocol.Reason by the
// types of errors, never by their texts.
//
// One thing it leaves to net/http: a request that may be repeated (its method is
// idempotent, or nothing of it was written) and whose kept connection turns out to
// be dead before the first byte of an answer is sent again on another connection,
// and an HTTP/2 request that the server says it has not looked at likewise. So a
// target may see a slot twice, which its Traffic-Slot header tells.
//
// It does not use proxies, cookies, caches or the environment, does not decode
// bodies, and does not look into them. It knows nothing of scenarios, rates or the
// configuration file.
package httpstd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// errNoEntry is a request for an entry that the mix does not have.
var errNoEntry = errors.New("no such entry in the mix")

// Client sends the requests of one mix. Safe for concurrent use.
type Client struct {
	entries   []entry
	varying   httpmix.Varying
	codes     httpmix.Codes
	timeout   time.Duration
	maxBody   int64
	follow    bool
	transport *http.Transport
	conns     *connSet
	buffers   sync.Pool

	// tooQuiet is a silence after which net/http gives an HTTP/2 connection up.
	tooQuiet time.Duration
	inFlight atomic.Int64
	closed   atomic.Bool
}

var _ protocol.Doer = (*Client)(nil)

// entry is a request of the mix with all done that can be done ahead.
type entry struct {
	// request is copied for each exchange, never sent itself.
	request *http.Request
	expect  httpmix.Statuses
}

// New returns a client for the options. It fails on options that cannot work and on
// files that cannot be read; it does not connect.
func New(o httpmix.Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	varying, err := httpmix.NewVarying(o, o.Logger)
	if err != nil {
		return nil, err
	}
	making, err := dial.New(dial.Options{TLS: o.TLS, NextProtos: nextProtos(o.Protocol), Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	entries, err := prepare(o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		entries: entries,
		varying: varying,
		codes:   httpmix.NewCodes(),
		timeout: o.Timeout,
		maxBody: o.MaxResponseBytes,
		follow:  o.FollowRedirects,
		conns:   newConnSet(connLimit(o.MaxConns)),

		tooQuiet: pingTimeout,
	}
	c.buffers.New = func() any { return new([16 << 10]byte) }
	d := &dialer{Dialer: making, timeout: o.ConnectTimeout, wire: o.Wire, set: c.conns, h2c: o.Protocol == httpmix.H2C}
	c.transport = newTransport(o, d)
	return c, nil
}

// connLimit is the bound of a client's connections: as many busy as idle ones, and
// some that are being closed. In order it is never reached.
func connLimit(maxConns int) int { return 2*maxConns + 16 }

// prepare returns the entries with all done that can be done ahead.
func prepare(o httpmix.Options) ([]entry, error) {
	entries := make([]entry, 0, len(o.Entries))
	for i, e := range o.Entries {
		// The context is replaced with each exchange's own.
		req, err := http.NewRequestWithContext(context.Background(), e.Method, e.URL.String(), bytes.NewReader(e.Body))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		req.Host = e.Authority()
		req.Header = e.BaseHeader(o.UserAgent)
		entries = append(entries, entry{request: req, expect: e.Expect})
	}
	return entries, nil
}

// Do implements protocol.Doer. An entry that the mix does not have fails as
// ReasonProtocol. Where the head of an answer came, the result has its status as
// code, even if the body failed.
func (c *Client) Do(ctx context.Context, r protocol.Request) protocol.Result {
	return c.run(ctx, r, nil)
}

// Close implements protocol.Doer. Requests that come later fail as canceled; the
// last of those in flight takes what is left with it.
func (c *Client) Close() {
	c.closed.Store(true)
	if c.inFlight.Load() == 0 {
		c.release()
		return
	}
	c.transport.CloseIdleConnections()
}

// release closes all connections: first in order, then the rest, which are those
// still being made.
func (c *Client) release() {
	c.transport.CloseIdleConnections()
	c.conns.close()
}

// leave ends what began with the adding to inFlight.
func (c *Client) leave() {
	if c.inFlight.Add(-1) == 0 && c.closed.Load() {
		c.release()
	}
}

// run makes one exchange, and writes it to the transcript if there is one.
func (c *Client) run(ctx context.Context, r protocol.Request, t *transcript.Transcript) protocol.Result {
	x := &exchange{start: time.Now()}
	x.sent = x.start
	c.inFlight.Add(1)
	defer c.leave()
	if c.closed.Load() {
		return x.result("", protocol.ReasonCanceled, dial.ErrClosed)
	}
	if r.Entry < 0 || r.Entry >= len(c.entries) {
		return x.result("", protocol.ReasonProtocol, fmt.Errorf("entry %d: %w", r.Entry, errNoEntry))
	}
	x.trace.GotConn = x.gotConn
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &x.trace), c.timeout)
	defer cancel()

	e := &c.entries[r.Entry]
	status, err := c.exchange(c.request(ctx, e, r, x.start), over(c.transport, x, t), t)
	if err == nil {
		// Hanging up makes some servers answer in a hurry; it is too late for that.
		err = ctx.Err()
	}
	code := c.codes.Text(status)
	switch {
	case err != nil:
		return x.result(code, c.reason(ctx, x, err), err)
	case !e.expect.Contains(status):
		return x.result(code, protocol.ReasonStatus, httpmix.StatusError(status))
	}
	return x.result(code, protocol.ReasonNone, nil)
}

// request returns the entry's request for one exchange.
func (c *Client) request(ctx context.Context, e *entry, r protocol.Request, now time.Time) *http.Request {
	req := e.request.WithContext(ctx)
	req.Header = c.varying.Header(req.Header, r, now)
	if body, err := req.GetBody(); err == nil { // It is a reader over memory: it cannot fail.
		req.Body = body
	}
	return req
}

// exchange sends the request and reads the whole answer. The status is 0 where no
// answer came.
func (c *Client) exchange(req *http.Request, over http.RoundTripper, t *transcript.Transcript) (status int, err error) {
	resp, err := c.send(req, over)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // What could fail has been read.
	status = resp.StatusCode
	if !httpmix.ValidStatus(status) {
		return 0, fmt.Errorf("status %d: %w", status, errBadStatus)
	}
	if status == http.StatusSwitchingProtocols {
		return status, nil // What follows is no body, and need not end.
	}
	return status, c.drain(resp.Body, t)
}

// send sends the request, and follows redirects if so told.
func (c *Client) send(req *http.Request, over http.RoundTripper) (*http.Response, error) {
	if !c.follow {
		return over.RoundTrip(req)
	}
	client := http.Client{Transport: over, CheckRedirect: limitRedirects}
	return client.Do(req)
}

// drain reads the body to its end, or to the bound.
func (c *Client) drain(body io.Reader, t *transcript.Transcript) error {
	if body == http.NoBody {
		return nil
	}
	buffer, _ := c.buffers.Get().(*[16 << 10]byte)
	defer c.buffers.Put(buffer)
	for total := int64(0); ; {
		n, err := body.Read(buffer[:])
		t.Body(buffer[:n])
		total += int64(n)
		switch {
		case total > c.maxBody:
			return fmt.Errorf("over %d bytes: %w", c.maxBody, errBodyTooLong)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read body: %w", err)
		}
	}
}

// reason sorts a failure. What the error's types do not tell, the context and the
// connection do; an error that none of them knows can only come from an answer that
// net/http could not make sense of.
func (c *Client) reason(ctx context.Context, x *exchange, err error) protocol.Reason {
	if r := classify(err); r != protocol.ReasonNone {
		return r
	}
	if ctx.Err() != nil {
		return classify(ctx.Err())
	}
	if r := classify(x.conn.failure()); r != protocol.ReasonNone {
		return r
	}
	if x.conn.silence() >= c.tooQuiet || isGivenUp(err) {
		return protocol.ReasonReset
	}
	return protocol.ReasonProtocol
}

// exchange is what is known of one exchange while it goes on. All of it is used by
// the goroutine that called Do alone.
type exchange struct {
	trace  httptrace.ClientTrace
	start  time.Time
	sent   time.Time
	conn   *conn
	secure *tls.Conn
	reused bool
	// got counts the connections that the exchange was given.
	got int
}

// gotConn notes when the exchange began: now, on a connection that was there before
// it; at its start, where it waited for the connection to be made, be it by itself
// or by another. A repetition does not change when it began.
func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	x.got++
	x.conn, x.secure = underlying(info.Conn)
	x.reused = info.Reused
	if x.got == 1 && x.conn != nil && x.conn.ready.Before(x.start) {
		x.sent = time.Now()
	}
}

// result returns the outcome of the exchange, ending now.
func (x *exchange) result(code string, r protocol.Reason, err error) protocol.Result {
	return protocol.Result{Sent: x.sent, Done: time.Now(), Code: code, Reason: r, Err: err}
}
