package http3

import (
	"bufio"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

const (
	// silence is how long a server may be silent, although it is asked for a sign of life after
	// half of that.
	silence = 20 * time.Second
	// idle closes connections that nobody used for so long.
	idle = 90 * time.Second
	// maxUniStreams is how many streams the server may open: one for control, two for QPACK, and
	// those of kinds that are reserved so that peers learn to ignore them.
	maxUniStreams = 16
	// readBuffer is how much of a stream is read at once.
	readBuffer = 4 << 10
)

// client sends the requests of one mix.
type client struct {
	entries []entry
	varying httpreq.Varying
	codes   httpreq.Codes
	origins httpreq.Origins[*origin]
	dialer  *dial.Dialer
	quic    *quic.Config

	timeout  time.Duration
	maxAge   time.Duration
	maxBody  int64
	maxConns int
	// perConn is how many requests a connection is used for; 0 is no bound.
	perConn int
	// early says that safe requests may go with the handshake.
	early bool

	// readers are what streams are read through.
	readers sync.Pool

	ctx    context.Context //nolint:containedctx // It ends the making of connections, which outlives the calls that begin it.
	cancel context.CancelFunc
	work   sync.WaitGroup
}

var _ protocol.Doer = (*client)(nil)

// New returns a client for the options, whose protocol has to be HTTP/3. It fails on options that
// cannot work and on files that cannot be read; it does not connect. An entry that the mix does not
// have fails as ReasonProtocol, and so does a Message that is no *httpreq.Prepared. Where the head of a
// response came, the result has its status as code, even if the body failed. The client is safe for
// concurrent use.
func New(o httpreq.Options) (protocol.Client, error) {
	if o.Protocol != httpreq.HTTP3 {
		return nil, errors.New("this client speaks HTTP/3 only")
	}
	m, err := o.Prepare(protocol.HTTP3)
	if err != nil {
		return nil, err
	}
	c := &client{
		varying:  m.Varying,
		codes:    httpreq.NewCodes(),
		dialer:   m.Dialer,
		quic:     config(o),
		timeout:  o.Timeout,
		maxAge:   o.MaxConnAge,
		maxBody:  o.MaxResponseBytes,
		maxConns: o.MaxConns,
		perConn:  o.MaxConnRequests,
		early:    o.EarlyData,
	}
	if !o.KeepAlive {
		c.perConn = 1
	}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, readBuffer) }
	for i := range m.Prepared {
		p := &m.Prepared[i]
		c.entries = append(c.entries, newEntry(p, c.originOf(p.URL)))
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return protocol.NewBlocking(c), nil
}

// config returns how QUIC is spoken.
func config(o httpreq.Options) *quic.Config {
	return &quic.Config{
		// The Dialer's timeout ends a handshake that does not come to an end.
		HandshakeIdleTimeout:  o.ConnectTimeout,
		MaxIdleTimeout:        silence,
		KeepAlivePeriod:       silence / 2,
		MaxIncomingStreams:    -1, // RFC 9114, section 6.1.
		MaxIncomingUniStreams: maxUniStreams,
	}
}

// originOf returns the origin that a URL is of.
func (c *client) originOf(u uri.URI) *origin {
	return c.origins.Get(u, func() *origin { return newOrigin(c, u.Addr()) })
}

// Do implements protocol.Doer.
func (c *client) Do(ctx context.Context, call *protocol.Call) protocol.Result {
	x := exchange{client: c, call: call, start: time.Now()}
	var err error
	if x.entry, err = c.entryOf(call); err != nil {
		return x.failed(err)
	}
	ctx, cancel := context.WithDeadline(ctx, call.EndsBy(x.start, c.timeout))
	defer cancel()
	return x.run(ctx)
}

// entryOf returns what a call sends.
func (c *client) entryOf(call *protocol.Call) (*entry, error) {
	p, err := httpreq.MessageOf(call, len(c.entries))
	if err != nil {
		return nil, err
	}
	e := &c.entries[call.Request.Entry]
	if p == nil {
		return e, nil
	}
	o := e.origin
	if !p.URL.SameOrigin(e.URL) {
		o = c.originOf(p.URL)
	}
	message := newEntry(p, o)
	return &message, nil
}

// Close implements protocol.Doer.
func (c *client) Close() {
	c.cancel()
	for _, o := range c.origins.All() {
		o.close()
	}
	c.work.Wait()
	c.dialer.Close()
}
