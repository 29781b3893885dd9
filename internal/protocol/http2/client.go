package http2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// Client sends the requests of one mix. Safe for concurrent use.
type Client struct {
	entries []entry
	fields  []field
	tables  *tables
	codes   httpmix.Codes
	origins []*origin

	varying httpmix.Varying
	maxBody int64

	dialer         *dial.Dialer
	wire           protocol.Wire
	connectTimeout time.Duration
	timeout        time.Duration
	health         health
	maxConns       int
	maxAge         time.Duration
	// perConn is how many requests a connection is used for.
	perConn int
	// resolveEvery is how long the addresses of a name are used.
	resolveEvery time.Duration
	// foreign, if not nil, takes connections that agreed to another protocol.
	foreign func(*protocol.Call, dial.Ready)

	dirt dirt
	// buffers are what connections read into.
	buffers sync.Pool

	ctx    context.Context //nolint:containedctx // It ends the making of connections, which outlives the calls that begin it.
	cancel context.CancelFunc
	work   sync.WaitGroup
}

var _ protocol.Client = (*Client)(nil)

// New returns a client for the options, whose protocol has to have HTTP/2 in it. It fails
// on options that cannot work and on files that cannot be read; it does not connect.
func New(o httpmix.Options) (*Client, error) {
	if err := validate(o); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	varying, err := httpmix.NewVarying(o, o.Logger)
	if err != nil {
		return nil, err
	}
	dialer, err := dial.New(dial.Options{TLS: o.TLS, NextProtos: []string{protocol.HTTP2}, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	c := &Client{
		tables:         newTables(),
		codes:          httpmix.NewCodes(),
		varying:        varying,
		maxBody:        o.MaxResponseBytes,
		dialer:         dialer,
		wire:           o.Wire,
		connectTimeout: o.ConnectTimeout,
		timeout:        o.Timeout,
		health:         defaultHealth(),
		maxConns:       o.MaxConns,
		maxAge:         o.MaxConnAge,
		perConn:        perConn(o),
		resolveEvery:   o.ResolveEvery,
	}
	c.buffers.New = func() any { return new([readBuffer]byte) }
	if err := c.prepare(o); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// validate reports what is wrong with the options.
func validate(o httpmix.Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if o.FollowRedirects {
		return errors.New("this client follows no redirects")
	}
	for i, e := range o.Entries {
		// With Auto those in the clear are another client's, which has to keep them.
		if o.Protocol == httpmix.HTTP1 {
			return fmt.Errorf("entry %d: URL %q: is not for HTTP/2", i, e.URL.Redacted())
		}
	}
	return nil
}

// perConn returns for how many requests a connection is used.
func perConn(o httpmix.Options) int {
	switch {
	case !o.KeepAlive:
		return 1
	case o.MaxConnRequests > 0:
		return min(o.MaxConnRequests, maxStreams)
	}
	return maxStreams
}

// prepare prepares entries and origins.
func (c *Client) prepare(o httpmix.Options) error {
	set := fieldSet{tables: c.tables, ids: make(map[[2]string]uint32)}
	var err error
	if c.entries, err = set.prepare(o); err != nil {
		return err
	}
	c.fields = set.fields
	known := make(map[string]*origin)
	for i, e := range o.Entries {
		addr, err := addressOf(e)
		if err != nil {
			return fmt.Errorf("entry %d: URL %q: %w", i, e.URL.Redacted(), err)
		}
		_, secure := e.Origin()
		key := e.URL.Scheme + " " + addr
		if known[key] == nil {
			known[key] = newOrigin(c, addr, secure)
			c.origins = append(c.origins, known[key])
		}
		c.entries[i].origin = known[key]
	}
	return nil
}

// Start implements protocol.Client. An entry that the mix does not have fails as
// ReasonProtocol. Where the head of an answer came, the result has its status as code,
// even if the body failed.
func (c *Client) Start(call *protocol.Call) {
	j := job{call: call, start: time.Now()}
	c.launch(&j)
}

// launch sends the job on its way.
func (c *Client) launch(j *job) {
	i := j.call.Request.Entry
	if i < 0 || i >= len(c.entries) {
		j.fail(fmt.Errorf("entry %d: %w", i, errNoEntry))
		return
	}
	j.entry = &c.entries[i]
	j.entry.origin.start(j)
}

// Flush implements protocol.Client.
func (c *Client) Flush() {
	for conn := c.dirt.next(); conn != nil; conn = c.dirt.next() {
		conn.flush()
	}
}

// Close implements protocol.Client.
func (c *Client) Close() {
	c.cancel()
	for _, o := range c.origins {
		o.close()
	}
	c.work.Wait()
}

// retireAt returns when a connection that is made now is to be used no more: an age,
// give or take a tenth, so that those made together do not end together. It is zero if
// connections do not age.
func (c *Client) retireAt(now time.Time) time.Time {
	if c.maxAge <= 0 {
		return time.Time{}
	}
	return now.Add(c.maxAge + time.Duration((rand.Float64()-0.5)/5*float64(c.maxAge)))
}

// fail ends the job without an answer.
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
