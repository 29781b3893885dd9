package protocoltest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// NetHTTP returns net/http's client for the options, as a yardstick: for requests on the
// wire, for the results of responses, and for the cost of an exchange. It knows failures
// only coarsely: any but a broken connection, a timeout and a status is ReasonProtocol.
// With FollowRedirects it follows them itself. It is closed with the test.
func NetHTTP(tb testing.TB, o httpreq.Options) protocol.Client {
	tb.Helper()
	varying, err := httpreq.NewVarying(o, o.WithDefaults().Logger)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := dial.New(dial.Options{TLS: o.TLS, NextProtos: nextProtos(o.Protocol), Timeout: o.ConnectTimeout, Observer: o.Observer})
	if err != nil {
		tb.Fatal(err)
	}
	n := &netHTTP{options: o.WithDefaults(), varying: varying, dialer: d, codes: httpreq.NewCodes()}
	n.transport = &http.Transport{
		DialContext:         func(ctx context.Context, _, addr string) (net.Conn, error) { return n.dial(ctx, addr, false) },
		DialTLSContext:      func(ctx context.Context, _, addr string) (net.Conn, error) { return n.dial(ctx, addr, true) },
		DisableKeepAlives:   !o.KeepAlive,
		DisableCompression:  true,
		MaxIdleConnsPerHost: o.MaxConns,
		MaxConnsPerHost:     o.MaxConns,

		MaxResponseHeaderBytes: 1 << 20,
		Protocols:              versions(o.Protocol),
	}
	n.client = http.Client{Transport: n.transport}
	if !o.FollowRedirects {
		n.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	c := protocol.NewBlocking(n)
	tb.Cleanup(c.Close)
	return c
}

// nextProtos returns what TLS offers the server, and versions what net/http may speak.
func nextProtos(p httpreq.Protocol) []string {
	if p == httpreq.HTTP2 || p == httpreq.H2C {
		return []string{protocol.HTTP2}
	}
	return []string{protocol.HTTP1}
}

func versions(p httpreq.Protocol) *http.Protocols {
	var v http.Protocols
	v.SetHTTP1(p == httpreq.Auto || p == httpreq.HTTP1)
	v.SetHTTP2(p == httpreq.HTTP2)
	v.SetUnencryptedHTTP2(p == httpreq.H2C)
	return &v
}

// netHTTP is net/http's client for a mix.
type netHTTP struct {
	options   httpreq.Options
	varying   httpreq.Varying
	dialer    *dial.Dialer
	transport *http.Transport
	client    http.Client
	codes     httpreq.Codes
}

var _ protocol.Doer = (*netHTTP)(nil)

// dial makes a connection that reports to the observer.
func (n *netHTTP) dial(ctx context.Context, addr string, secure bool) (net.Conn, error) {
	r, err := n.dialer.Origin(dial.Target{Addr: addr, Secure: secure}).Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	if err := r.Conn.Open(r.Phases); err != nil {
		return nil, err
	}
	if secure {
		return r.TLS, nil
	}
	return r.Conn, nil
}

// Do implements protocol.Doer.
func (n *netHTTP) Do(ctx context.Context, call *protocol.Call) protocol.Result {
	r, res := call.Request, protocol.Result{Sent: time.Now()}
	if r.Entry < 0 || r.Entry >= len(n.options.Entries) {
		return n.end(res, fmt.Errorf("entry %d: %w", r.Entry, httpreq.ErrNoEntry))
	}
	ctx, cancel := context.WithTimeout(ctx, n.options.Timeout)
	defer cancel()
	reused := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if reused = i.Reused; reused {
			res.Sent = time.Now()
		}
	}})
	e := n.options.Entries[r.Entry]
	req, err := n.request(ctx, e, r)
	if err != nil {
		return n.end(res, err)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return n.end(res, err)
	}
	res.Code = n.codes.Text(resp.StatusCode)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		var size int64
		size, err = io.Copy(io.Discard, io.LimitReader(resp.Body, n.options.MaxResponseBytes+1))
		if size > n.options.MaxResponseBytes {
			err = httpreq.ErrBodyTooLong
		}
	}
	_ = resp.Body.Close() // What could fail has been read.
	if err == nil && !e.Expect.Contains(resp.StatusCode) {
		res.Done, res.Reason, res.Err = time.Now(), protocol.ReasonStatus, httpreq.StatusError(resp.StatusCode)
		return res
	}
	return n.end(res, err)
}

// request returns an entry's request.
func (n *netHTTP) request(ctx context.Context, e httpreq.Entry, r protocol.Request) (*http.Request, error) {
	p, err := e.Prepare(n.options.UserAgent)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, "http://unused/", bytes.NewReader(p.Body))
	if err != nil {
		return nil, err
	}
	if p.Source != nil {
		req.Body, req.ContentLength = io.NopCloser(&reader{rest: p.Upload()}), p.Generated()
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&reader{rest: p.Upload()}), nil }
	}
	if req.URL, err = req.URL.Parse(p.URL.Origin() + p.Target()); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "")
	for _, f := range p.OnWire(n.varying, r, time.Now()) {
		switch f.Name {
		case "Host":
			req.Host = f.Value
		case "User-Agent":
			req.Header.Set(f.Name, f.Value)
		default:
			req.Header[f.Name] = append(req.Header[f.Name], f.Value)
		}
	}
	return req, nil
}

// reader reads a body.
type reader struct{ rest httpreq.Upload }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), r.rest.Len()))
	if n == 0 {
		return 0, io.EOF
	}
	r.rest.Append(p[:0], n)
	return n, nil
}

// end ends an exchange with an error; nil for none.
func (n *netHTTP) end(res protocol.Result, err error) protocol.Result {
	res.Done, res.Err = time.Now(), err
	if err != nil {
		if res.Reason = dial.Reason(err); res.Reason == protocol.ReasonNone {
			res.Reason = protocol.ReasonProtocol
		}
	}
	return res
}

// Close implements protocol.Doer.
func (n *netHTTP) Close() {
	n.transport.CloseIdleConnections()
	n.dialer.Close()
}
