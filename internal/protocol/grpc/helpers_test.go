package grpc_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// echo reads the schema of the tests.
func echo() (*grpc.Schema, error) {
	return grpc.ReadFiles([]string{"testdata/echo.proto"}, nil, reloading.ReadFile)
}

// optionsOf makes options of HTTP those of calls of a method with a message.
func optionsOf(o httpreq.Options, method, message string, expect ...spec.Code) grpc.Options {
	o.Protocol = httpreq.AnyHTTP2
	if len(expect) == 0 {
		expect = []spec.Code{spec.OK}
	}
	path := "/test.Echo/" + method
	var calls []grpc.Call
	for i := range o.Entries {
		e := &o.Entries[i]
		e.URL, e.Fields = e.URL.WithTarget(path), grpc.Fields(nil, o.Timeout, false)
		calls = append(calls, grpc.Call{Method: grpc.NewMethod(path, false, &message), Expect: spec.NewCodes(expect...)})
	}
	return grpc.Options{HTTP: o, Calls: calls, MaxMessage: 1 << 10, Files: echo}
}

// open returns a client for options.
func open(tb testing.TB, o grpc.Options) *grpc.Client {
	tb.Helper()
	c, err := grpc.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// serve starts a server of HTTP/2 in the clear and returns options for it.
func serve(tb testing.TB, h http.HandlerFunc) httpreq.Options {
	tb.Helper()
	for _, f := range protocoltest.Flavours() {
		if f.Major == 2 && !f.TLS {
			return f.Serve(tb, h)
		}
	}
	panic("no flavour in the clear")
}

// send makes a call.
func send(c protocol.Client, tap protocol.Tap) protocol.Result {
	done := make(chan struct{})
	call := &protocol.Call{Tap: tap, Done: func() { close(done) }}
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// seen is what a tap was shown.
type seen struct {
	asked, request, line, body string
	fields                     []protocol.Field
}

func (s *seen) Connection(protocol.Connection) {}

func (s *seen) Request(h protocol.Head, body []byte) {
	s.asked, s.request = fmt.Sprint(h.Line, " ", h.Fields), string(body)
	for _, f := range h.Fields {
		s.asked += "\n" + f.Name + ": " + f.Value
	}
}

func (s *seen) Response(h protocol.Head) { s.line, s.fields = h.Line, h.Fields }

func (s *seen) Body(p []byte) { s.body += string(p) }

// field returns a field of the response.
func (s *seen) field(name string) string {
	for _, f := range s.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// message returns a message with its prefix.
func message(flag byte, wire string) string {
	n := len(wire)
	return string([]byte{flag, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + wire
}

// respond returns a handler that responds with messages and a status.
func respond(status int, text string, messages ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "grpc-status, grpc-message")
		_, _ = w.Write([]byte(strings.Join(messages, "")))
		w.Header().Set("grpc-status", strconv.Itoa(status))
		if text != "" {
			w.Header().Set("grpc-message", text)
		}
	}
}
