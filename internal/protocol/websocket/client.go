package websocket

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Options is what a client is made from.
type Options struct {
	// HTTP says how connections are made and what the handshake's request is. Its entries have a URL
	// of http or https. MaxResponseBytes bounds the messages received in all of an exchange.
	HTTP httpreq.Options
	// Expect are the codes that are no failure, by the entries' index.
	Expect []Codes
	// Subprotocols are those that servers are offered, best first.
	Subprotocols []string
	// MaxMessage is the longest message that is taken, in bytes.
	MaxMessage int64
}

// New returns a client. A Message of a call is an *httpreq.Prepared, whose Talk has the messages to send
// and to receive; without one a connection is opened and closed. The code of a result is that with which the
// connection was closed, or the status of the response where it was not opened. It fails on options that
// cannot work and on files that cannot be read.
func New(o Options) (protocol.Client, error) {
	if len(o.Expect) != len(o.HTTP.Entries) {
		return nil, errors.New("an entry expects nothing")
	}
	m, err := o.HTTP.Prepare(protocol.HTTP1)
	if err != nil {
		return nil, err
	}
	return protocol.NewBlocking(&client{
		Options: o, prepared: m.Prepared, varying: m.Varying, dialer: m.Dialer, codes: httpreq.NewCodes(),
	}), nil
}

// client makes exchanges. It is safe for concurrent use.
type client struct {
	Options

	prepared []httpreq.Prepared
	varying  httpreq.Varying
	dialer   *dial.Dialer
	codes    httpreq.Codes
	origins  httpreq.Origins[*origin]
}

var _ protocol.Doer = (*client)(nil)

// origin makes the connections to an origin.
type origin struct {
	*dial.Origin

	conns atomic.Int64
}

// InUse reports whether there are connections, or soon will be.
func (o *origin) InUse() bool { return o.conns.Load() > 0 }

// originOf returns the origin of a URL. A proxy is asked for a tunnel also in the clear (RFC 6455,
// section 4.1).
func (c *client) originOf(u uri.URI) *origin {
	return c.origins.Get(u, func() *origin {
		return &origin{Origin: c.dialer.Origin(dial.Target{Addr: u.Addr(), Secure: u.Secure()})}
	})
}

// Do implements protocol.Doer.
func (c *client) Do(ctx context.Context, call *protocol.Call) protocol.Result {
	x := &exchange{client: c, call: call, sent: time.Now()}
	var err error
	if x.prepared, err = httpreq.MessageOf(call, len(c.prepared)); err != nil {
		return protocol.Result{Sent: x.sent, Done: time.Now(), Reason: protocol.ReasonProtocol, Err: err}
	}
	if x.prepared == nil {
		x.prepared = &c.prepared[call.Request.Entry]
	}
	ctx, cancel := context.WithDeadline(ctx, call.EndsBy(x.sent, c.HTTP.Timeout))
	defer cancel()
	return x.run(ctx)
}

// Close implements protocol.Doer.
func (c *client) Close() { c.dialer.Close() }
