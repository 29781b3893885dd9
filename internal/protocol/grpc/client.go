package grpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// Options is what a Client is made from.
type Options struct {
	// HTTP says how calls are sent. Its entries have a URL of http or https, and Fields; the client
	// knows the rest.
	HTTP httpreq.Options
	// Calls are what the entries call, by their index.
	Calls []Call
	// MaxMessage is the longest message of a response that is taken, in bytes.
	MaxMessage uint64
	// Files, if not nil, reads the descriptors. Otherwise servers are asked for them.
	Files func() (*Schema, error)
	// Admit is asked before a server is asked for descriptors; nil admits that.
	Admit func() bool
}

// Call is what an entry calls.
type Call struct {
	Method *Method
	// Expect are the codes that are no failure.
	Expect spec.Codes
}

// Client makes the calls of one mix. A Message of a call is an *httpreq.Prepared whose body is what
// Method.Append makes. Its codes are the names of gRPC's. Safe for concurrent use.
type Client struct {
	http    protocol.Client
	entries []httpreq.Entry
	// prepared are the entries, and varying the differences between the heads of their calls, for taps that
	// look at them afterwards.
	prepared []httpreq.Prepared
	varying  httpreq.Varying
	calls    []Call
	// most is how long a message of a response may be, and whole all of them together.
	most        uint64
	whole       int64
	timeout     time.Duration
	descriptors *Descriptors
	exchanges   sync.Pool
}

var _ protocol.Client = (*Client)(nil)

// New returns a client. It reads descriptors that are in files, and fails if they do not hold the
// methods, or if messages that are always the same do not fit them.
func New(o Options) (*Client, error) {
	if len(o.Calls) != len(o.HTTP.Entries) {
		return nil, errors.New("an entry calls nothing")
	}
	c := &Client{calls: o.Calls, most: o.MaxMessage, whole: o.HTTP.MaxResponseBytes, timeout: o.HTTP.Timeout}
	c.varying = httpreq.Varying{Slot: o.HTTP.SlotHeader, Trace: o.HTTP.Traceparent}
	for i, e := range o.HTTP.Entries {
		e = Entry(e)
		p, err := e.Prepare(o.HTTP.UserAgent)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		c.entries, c.prepared = append(c.entries, e), append(c.prepared, p)
	}
	o.HTTP.Entries = c.entries
	var err error
	if c.http, err = http2.New(o.HTTP); err != nil {
		return nil, err
	}
	c.exchanges.New = func() any { return newExchange(c) }
	c.descriptors = newDescriptors(c, o)
	if o.Files != nil {
		if err = c.descriptors.load(context.Background()); err != nil {
			c.http.Close()
			return nil, err
		}
	}
	return c, nil
}

// Entry makes an entry of HTTP one of a call, whatever status of HTTP it ends with.
func Entry(e httpreq.Entry) httpreq.Entry {
	e.Method, e.Streams, e.KeepsRedirects = http.MethodPost, true, true
	e.Expect, _ = httpreq.NewStatuses(httpreq.StatusRange{First: 100, Last: 599}) // It cannot fail.
	return e
}

// Descriptors returns those of the methods.
func (c *Client) Descriptors() *Descriptors { return c.descriptors }

// Start implements protocol.Client.
func (c *Client) Start(call *protocol.Call) {
	i := call.Request.Entry
	if i < 0 || i >= len(c.calls) {
		c.http.Start(call) // It knows what to say.
		return
	}
	to := &c.calls[i]
	method := to.Method.now.Load()
	if method == nil {
		now := time.Now()
		call.Finish(protocol.Result{Sent: now, Done: now, Reason: protocol.ReasonLocal, Err: fmt.Errorf("%s: %w", to.Method.path, ErrNoDescriptors)})
		return
	}
	x, _ := c.exchanges.Get().(*exchange)
	x.begin(call, to, method)
	c.http.Start(&x.call)
}

// Flush implements protocol.Client.
func (c *Client) Flush() { c.http.Flush() }

// Close implements protocol.Client.
func (c *Client) Close() {
	c.descriptors.close()
	c.http.Close()
	c.descriptors.wait()
}
