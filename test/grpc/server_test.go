// Package grpc tests calls of gRPC against servers that others have written: grpc-go's, with the
// services and test cases by which implementations of gRPC prove that they understand each other,
// and nginx as a proxy before it.
//
// It is a module of its own, so that the exporter's does not depend on that server.
package grpc

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	grpcgo "google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// service is what paths of interop's methods begin with.
const service = "/grpc.testing.TestService/"

// serve starts a server with these services and returns its address.
func serve(t *testing.T, register func(*grpcgo.Server), options ...grpcgo.ServerOption) string {
	t.Helper()
	_ = gzip.Name // Importing it registers it with the server.
	s := grpcgo.NewServer(options...)
	register(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

// interopServer starts the server of interop's tests, with reflection.
func interopServer(t *testing.T, options ...grpcgo.ServerOption) string {
	t.Helper()
	return serve(t, func(s *grpcgo.Server) {
		testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
		reflection.Register(s)
	}, options...)
}

// call is a call to make.
type call struct {
	path string
	// message is JSON; empty for an empty message.
	message  string
	metadata []protocol.Field
	expect   []spec.Code
	compress bool
	timeout  time.Duration
	// most is how long a message may be; 0 for 4 MiB.
	most uint64
}

// optionsOf returns what a client for a call is made from.
func optionsOf(t *testing.T, addr string, c call) grpc.Options {
	t.Helper()
	u, err := uri.Parse("http://" + addr + c.path)
	if err != nil {
		t.Fatal(err)
	}
	if c.timeout == 0 {
		c.timeout = 10 * time.Second
	}
	if c.most == 0 {
		c.most = 4 << 20
	}
	if c.expect == nil {
		c.expect = []spec.Code{spec.OK}
	}
	return grpc.Options{
		HTTP: httpreq.Options{
			Entries:        []httpreq.Entry{{URL: u, Fields: grpc.Fields(c.metadata, c.timeout, c.compress)}},
			Protocol:       httpreq.H2C,
			ConnectTimeout: 5 * time.Second, Timeout: c.timeout, KeepAlive: true, MaxResponseBytes: 16 << 20, MaxConns: 10,
		},
		Calls:      []grpc.Call{{Method: grpc.NewMethod(c.path, c.compress, &c.message), Expect: spec.NewCodes(c.expect...)}},
		MaxMessage: c.most,
	}
}

// client returns a client for a call, whose descriptors are there.
func client(t *testing.T, addr string, c call) *grpc.Client {
	t.Helper()
	made, err := grpc.New(optionsOf(t, addr, c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	if err := made.Descriptors().Obtain(context.Background()); err != nil {
		t.Fatal(err)
	}
	return made
}

// seen is what a tap was shown.
type seen struct {
	request, line, body string
	fields              map[string][]string
}

func (s *seen) Connection(protocol.Connection) {}

func (s *seen) Request(_ protocol.Head, body []byte) { s.request = string(body) }

func (s *seen) Response(h protocol.Head) {
	s.line, s.fields = h.Line, map[string][]string{}
	for _, f := range h.Fields {
		s.fields[f.Name] = append(s.fields[f.Name], f.Value)
	}
}

func (s *seen) Body(p []byte) { s.body += string(p) }

// send makes a call and returns how it went; tap may be nil.
func send(t *testing.T, c protocol.Client, tap protocol.Tap) protocol.Result {
	t.Helper()
	done := make(chan struct{})
	x := protocol.Call{Tap: tap, Done: func() { close(done) }}
	c.Start(&x)
	c.Flush()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the call does not end")
	}
	return x.Result
}

// look makes a call twice, with nobody looking and with a tap, which has to make no difference.
func look(t *testing.T, c protocol.Client) (protocol.Result, *seen) {
	t.Helper()
	plain := send(t, c, nil)
	tap := new(seen)
	r := send(t, c, tap)
	if plain.Code != r.Code || plain.Reason != r.Reason {
		t.Errorf("%s %s (%v) with nobody looking, %s %s (%v) with a tap", plain.Code, plain.Reason, plain.Err, r.Code, r.Reason, r.Err)
	}
	return r, tap
}

func shorten(text string) string {
	if len(text) > 300 {
		return text[:300] + "... of " + strconv.Itoa(len(text))
	}
	return text
}

func zeroes(n int) string { return strings.Repeat("A", (n+2)/3*4) }
