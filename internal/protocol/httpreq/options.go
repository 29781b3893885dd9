package httpreq

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// ErrNoEntry is a request for an entry that the mix does not have.
var ErrNoEntry = errors.New("no such entry in the mix")

// ErrNoMessage is a message of a call that is no request of HTTP.
var ErrNoMessage = errors.New("no request of HTTP")

// ErrBodyTooLong is a response whose body is longer than the client reads.
var ErrBodyTooLong = errors.New("response body is too long")

// Protocol says which version of HTTP to speak.
type Protocol uint8

// The versions of HTTP.
const (
	// Auto speaks HTTP/1.1 to http URLs and lets TLS negotiate HTTP/2 or HTTP/1.1
	// for https URLs.
	Auto Protocol = iota
	// HTTP1 speaks HTTP/1.1 only.
	HTTP1
	// HTTP2 speaks HTTP/2 over TLS only: a server that does not agree to it is a TLS
	// failure. It needs https URLs.
	HTTP2
	// H2C speaks HTTP/2 in the clear without asking first (prior knowledge). It
	// needs http URLs.
	H2C
	// AnyHTTP2 speaks HTTP/2 only: as HTTP2 to https URLs, and as H2C to http URLs.
	AnyHTTP2
	// HTTP3 speaks HTTP/3, over QUIC. It needs https URLs, and goes through no proxy.
	HTTP3
)

// Options is what a Client is made from. New takes what it needs out of it; it may
// be changed afterwards, except for the URLs, headers and bodies of its entries.
type Options struct {
	// Entries are the requests of the mix: protocol.Request.Entry is an index here.
	Entries []Entry
	// Protocol is the version of HTTP to speak.
	Protocol Protocol
	// ConnectTimeout bounds the making of a connection as a whole: resolving the
	// name, connecting and the TLS handshake.
	ConnectTimeout time.Duration
	// Timeout bounds one exchange, from the call of Do to the last byte. Where it is
	// shorter than ConnectTimeout it ends an exchange that waits for a connection.
	Timeout time.Duration
	// KeepAlive keeps connections for the next request; without it each request
	// makes and closes its own.
	KeepAlive bool
	// FollowRedirects says that a Follower is put over the client, so that it is asked for
	// requests to other origins than those of the entries. Clients themselves take a redirect
	// for a response like any other.
	FollowRedirects bool
	// MaxResponseBytes is the longest body that is read; a longer one fails the
	// request as ReasonProtocol and closes its connection, or in HTTP/2 its stream.
	MaxResponseBytes int64
	// MaxConns is the number of requests that may be in flight at once: the bound of
	// connections to one host, and of idle ones to all of them.
	MaxConns int
	// MaxConnAge and MaxConnRequests are how long a connection is used and for how many
	// requests, so that a target's new instances get their part; 0 is no bound.
	MaxConnAge      time.Duration
	MaxConnRequests int
	// ResolveEvery is how long the addresses of a name are used before it is resolved
	// again; 0 resolves it for each connection.
	ResolveEvery time.Duration
	// ResolveGrace is for how long beyond that connections go to the old addresses while the
	// name cannot be resolved again; 0 is as long as ResolveEvery, and less is not at all.
	ResolveGrace time.Duration
	// UserAgent is sent with entries that set no User-Agent of their own; empty
	// sends none.
	UserAgent string
	// SlotHeader sends the slot's identity: Traffic-Slot: <scenario>/<segment>/<seq>.
	SlotHeader bool
	// Traceparent sends requests' places in traces as W3C Trace Context has them.
	Traceparent bool
	// TLS is for https URLs.
	TLS dial.TLS
	// FullHandshakes makes each TLS connection begin with a full handshake; otherwise sessions
	// are resumed where the server offers it.
	FullHandshakes bool
	// EarlyData sends requests of safe methods (RFC 9110, section 9.2.1) that have no body with the
	// handshake of a connection that resumes a session (0-RTT), where the server allows that: they
	// can be replayed (RFC 8470). It needs HTTP/3.
	EarlyData bool
	// Descriptors are what the client's connections share with those of other clients; nil is
	// no end of them.
	Descriptors *dial.Descriptors
	// Proxy is what connections are made through.
	Proxy dial.ProxyOptions
	// Fence says where connections may go; nil allows all.
	Fence *dial.Fence
	// Net is how the network is reached.
	Net dial.Net
	// BasicAuth, if not nil, authenticates with a user name and a password.
	BasicAuth *BasicAuth
	// Authorization, if not nil, sends an Authorization header. Not with BasicAuth.
	Authorization *Authorization
	// Token, if not nil, returns the values of the Authorization header: one, or none. Not with
	// the others. It is called concurrently, for each request, and must not block. What it
	// returns is not modified.
	Token func() []string
	// Observer receives connections and bytes; nil is protocol.Discard.
	Observer protocol.ConnObserver
	// Logger receives a line when a file cannot be re-read; nil discards it. Nothing is
	// logged per request.
	Logger *slog.Logger
}

// Entry is one request of the mix.
type Entry struct {
	// Method is the request method; empty is GET.
	Method string
	// URL is where it goes.
	URL uri.URI
	// Fields are its header, sent in this order and with this spelling. A Host is sent
	// instead of the URL's; an Authorization or a User-Agent wins over that of Options.
	Fields []protocol.Field
	// Body is sent with every request; empty sends none.
	Body []byte
	// Source, if not nil, generates the body, in place of Body.
	Source Source
	// Expect are the statuses that are no failure.
	Expect Statuses
	// KeepsRedirects says that a redirect is the response, whatever the options say.
	KeepsRedirects bool
	// Streams says that the body ends where its stream does: its length is not sent, and trailers
	// of the response are asked for (RFC 9110, section 10.1.4). It needs HTTP/2.
	Streams bool
}

// WithDefaults returns the options with an observer and a Logger, which may be nil, that take
// everything and do nothing.
func (o Options) WithDefaults() Options {
	if o.Observer == nil {
		o.Observer = protocol.Discard{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Dialing returns the options for making connections on which these protocols are spoken, the
// best one first.
func (o Options) Dialing(protocols ...string) dial.Options {
	return dial.Options{
		TLS:            o.TLS,
		FullHandshakes: o.FullHandshakes,
		NextProtos:     protocols,
		Timeout:        o.ConnectTimeout,
		Wait:           o.Timeout,
		ResolveEvery:   o.ResolveEvery,
		ResolveGrace:   o.ResolveGrace,
		Descriptors:    o.Descriptors,
		Proxy:          o.Proxy,
		Fence:          o.Fence,
		Net:            o.Net,
		Observer:       o.Observer,
		Logger:         o.Logger,
	}
}

// Preparation is what both versions of HTTP make a client of.
type Preparation struct {
	Options

	Prepared []Prepared
	Varying  Varying
	// Dialer is the client's to close.
	Dialer *dial.Dialer
}

// Prepare prepares all that can be prepared for a client that speaks a protocol. It fails on
// options that cannot work and on files that cannot be read.
func (o Options) Prepare(speaks string) (Preparation, error) {
	if err := o.Validate(); err != nil {
		return Preparation{}, err
	}
	m := Preparation{Options: o.WithDefaults()}
	for i, e := range o.Entries {
		p, err := e.Prepare(o.UserAgent)
		if err != nil {
			return Preparation{}, fmt.Errorf("entry %d: %w", i, err)
		}
		m.Prepared = append(m.Prepared, p)
	}
	var err error
	if m.Varying, err = NewVarying(m.Options, m.Logger); err != nil {
		return Preparation{}, err
	}
	m.Dialer, err = dial.New(m.Dialing(speaks))
	return m, err
}

// RetireAt returns when a connection that is made now must be retired: after an age, give or
// take a tenth, so that those made together do not end together. It is zero if connections do
// not age.
func RetireAt(now time.Time, age time.Duration) time.Time {
	if age <= 0 {
		return time.Time{}
	}
	return now.Add(age + time.Duration((rand.Float64()-0.5)/5*float64(age)))
}

// Validate reports everything that is wrong with the options, in one error.
func (o Options) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(len(o.Entries) == 0, "no entries")
	refuse(o.Protocol > HTTP3, "unknown protocol %d", o.Protocol)
	refuse(o.Protocol == HTTP3 && (o.Proxy.URL != nil || o.Proxy.FromEnvironment), "a proxy carries no HTTP/3")
	refuse(o.EarlyData && o.Protocol != HTTP3, "early data needs HTTP/3")
	refuse(o.EarlyData && o.FullHandshakes, "early data needs sessions that are resumed")
	refuse(o.ConnectTimeout <= 0, "connect timeout %s is not positive", o.ConnectTimeout)
	refuse(o.Timeout <= 0, "timeout %s is not positive", o.Timeout)
	refuse(o.MaxResponseBytes <= 0, "longest response of %d bytes is not positive", o.MaxResponseBytes)
	refuse(o.MaxConns <= 0, "%d connections are not enough", o.MaxConns)
	refuse(o.BasicAuth != nil && o.Authorization != nil, "basic auth and authorization exclude each other")
	refuse(o.Token != nil && (o.BasicAuth != nil || o.Authorization != nil), "a token excludes basic auth and authorization")
	for i, e := range o.Entries {
		if err := e.validate(o.Protocol); err != nil {
			errs = append(errs, fmt.Errorf("entry %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// validate reports the first thing that keeps the entry from being sent.
func (e Entry) validate(p Protocol) error {
	if e.URL == (uri.URI{}) {
		return errors.New("no URL")
	}
	schemes := schemesOf(p)
	switch {
	case !slices.Contains(schemes, e.URL.Scheme):
		return fmt.Errorf("URL %q: scheme is not one of %q", e.URL, schemes)
	case !token(e.MethodOrGet()) || e.Method == http.MethodConnect:
		return fmt.Errorf("invalid method %q", e.Method)
	case e.Streams && p != HTTP2 && p != H2C && p != AnyHTTP2:
		return errors.New("a body that ends with its stream needs HTTP/2")
	case e.Expect == Statuses{}:
		return errors.New("expects no status at all")
	}
	for _, f := range e.Fields {
		if !token(f.Name) {
			return fmt.Errorf("invalid header name %q", f.Name)
		}
		if strings.ContainsFunc(f.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("header %q: control characters in its value", f.Name)
		}
	}
	_, err := e.Prepare("")
	return err
}

// MethodOrGet returns the entry's method; GET if it has none.
func (e Entry) MethodOrGet() string {
	if e.Method == "" {
		return http.MethodGet
	}
	return e.Method
}

// token reports whether a string is a token (RFC 9110, section 5.6.2).
func token(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// schemesOf returns the schemes of URLs that the protocol can be spoken to.
func schemesOf(p Protocol) []string {
	switch p {
	case HTTP2, HTTP3:
		return []string{"https"}
	case H2C:
		return []string{"http"}
	default:
		return []string{"http", "https"}
	}
}
