package http2

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Client sends the requests of one mix. Safe for concurrent use.
type Client struct {
	entries []entry
	fields  []field
	tables  *tables
	codes   httpreq.Codes
	origins httpreq.Origins[*origin]

	varying httpreq.Varying
	maxBody int64

	dialer   *dial.Dialer
	timeout  time.Duration
	health   health
	maxConns int
	maxAge   time.Duration
	// perConn is how many requests a connection is used for.
	perConn int
	// foreign, if not nil, takes connections that agreed to another protocol.
	foreign func(*protocol.Call, dial.Ready)

	unflushed flushQueue
	// buffers are what connections read into.
	buffers sync.Pool

	ctx    context.Context //nolint:containedctx // It ends the making of connections, which outlives the calls that begin it.
	cancel context.CancelFunc
	work   sync.WaitGroup
}

var _ protocol.Client = (*Client)(nil)

// New returns a client for the options, whose protocol has to have HTTP/2 in it. It fails
// on options that cannot work and on files that cannot be read; it does not connect.
func New(o httpreq.Options) (*Client, error) {
	if o.Protocol == httpreq.HTTP1 {
		return nil, errors.New("this client does not speak HTTP/1.1")
	}
	m, err := o.Prepare(protocol.HTTP2)
	if err != nil {
		return nil, err
	}
	c := &Client{
		tables:   newTables(),
		codes:    httpreq.NewCodes(),
		varying:  m.Varying,
		maxBody:  o.MaxResponseBytes,
		dialer:   m.Dialer,
		timeout:  o.Timeout,
		health:   defaultHealth(),
		maxConns: o.MaxConns,
		maxAge:   o.MaxConnAge,
		perConn:  perConn(o),
	}
	c.buffers.New = func() any { return new([readBuffer]byte) }
	set := fieldSet{tables: c.tables, ids: make(map[[2]string]uint32)}
	for i := range m.Prepared {
		p := &m.Prepared[i]
		c.entries = append(c.entries, set.entry(i, p, c.originOf(p.URL)))
	}
	c.fields = set.fields
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// perConn returns for how many requests a connection is used.
func perConn(o httpreq.Options) int {
	switch {
	case !o.KeepAlive:
		return 1
	case o.MaxConnRequests > 0:
		return min(o.MaxConnRequests, maxStreams)
	}
	return maxStreams
}

// originOf returns the origin that a URL is of.
func (c *Client) originOf(u uri.URI) *origin {
	return c.origins.Get(u, func() *origin { return newOrigin(c, u.Addr(), u.Secure()) })
}

// Start implements protocol.Client. An entry that the mix does not have fails as
// ReasonProtocol, and so does a Message that is neither an *httpreq.Prepared nor an *httpreq.Payload. Where the head of a
// response came, the result has its status as code, even if the body failed.
func (c *Client) Start(call *protocol.Call) {
	j := c.job(call, time.Now())
	if err := c.resolve(&j); err != nil {
		j.fail(err)
		return
	}
	j.entry.origin.start(&j)
}

// job returns a call that is started now.
func (c *Client) job(call *protocol.Call, now time.Time) job {
	return job{call: call, start: now, deadline: call.EndsBy(now, c.timeout)}
}

// resolve finds out what a job sends.
func (c *Client) resolve(j *job) (err error) {
	payload, given := j.call.Message.(*httpreq.Payload)
	if i := j.call.Request.Entry; given && i >= 0 && i < len(c.entries) {
		j.entry, j.upload = &c.entries[i], httpreq.NewUpload(payload.Body)
		return nil
	}
	if j.entry, err = c.entryOf(j.call); err == nil {
		j.upload = j.entry.Upload()
	}
	return err
}

// entryOf returns what a call sends that has no payload.
func (c *Client) entryOf(call *protocol.Call) (*entry, error) {
	p, err := httpreq.MessageOf(call, len(c.entries))
	if err != nil {
		return nil, err
	}
	if p == nil {
		return &c.entries[call.Request.Entry], nil
	}
	o := c.entries[call.Request.Entry].origin
	if !p.URL.SameOrigin(c.entries[call.Request.Entry].URL) {
		o = c.originOf(p.URL)
	}
	return newMessage(c.tables, p, o), nil
}

// Flush implements protocol.Client.
func (c *Client) Flush() {
	for conn := c.unflushed.next(); conn != nil; conn = c.unflushed.next() {
		conn.flush()
	}
}

// Close implements protocol.Client.
func (c *Client) Close() {
	c.cancel()
	for _, o := range c.origins.All() {
		o.close()
	}
	c.work.Wait()
	c.dialer.Close()
}

// fail ends the job without a response.
func (j *job) fail(err error) {
	now := time.Now()
	j.call.Finish(protocol.Result{Sent: j.began(), Done: now, Reason: reasonOf(err), Err: err})
}

// began returns when the exchange began: when it was sent, or, where it never was, when
// it was started.
func (j *job) began() time.Time {
	if j.sent.IsZero() {
		return j.start
	}
	return j.sent
}
