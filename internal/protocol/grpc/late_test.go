package grpc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// sendLate makes a call that has a late tap. asked are the reasons with which the client asked for that tap.
func sendLate(c protocol.Client, tap, late protocol.Tap) (r protocol.Result, asked []protocol.Reason) {
	done := make(chan struct{})
	call := &protocol.Call{Request: protocol.Request{Scenario: "s", Segment: "g", Seq: 7, Trace: [16]byte{1}, Span: [8]byte{2}, Sampled: true}, Tap: tap, Done: func() { close(done) }}
	call.Late = func(r protocol.Reason, _ time.Time) protocol.Tap {
		asked = append(asked, r)
		return late
	}
	c.Start(call)
	c.Flush()
	<-done
	return call.Result, asked
}

func TestACallIsShownWhenItHasEnded(t *testing.T) {
	const typ, isGRPC = "Content-Type", "application/grpc"
	for _, test := range []struct {
		name   string
		serve  http.HandlerFunc
		method string
		reason protocol.Reason
		line   string
		body   string
		fields string
	}{
		{name: "one that succeeds", serve: respond(0, "", message(0, hello)), line: "gRPC OK", body: `{"text":"hi","number":"0",`, fields: "grpc-status: 0"},
		{name: "only trailers", serve: head(200, "", typ, isGRPC, "grpc-status", "5", "grpc-message", "no%20such", "X-More", "a"), reason: protocol.ReasonStatus, line: "gRPC NOT_FOUND: no such", fields: "x-more: a"},
		{name: "a status after messages", method: "Stream", serve: respond(14, "gone", message(0, hello)), reason: protocol.ReasonStatus, line: "gRPC UNAVAILABLE: gone", body: `[{"text":"hi"`, fields: "grpc-message: gone"},
		{name: "a deadline of the server's", serve: respond(4, ""), reason: protocol.ReasonTimeout, line: "gRPC DEADLINE_EXCEEDED"},
		{name: "a page", serve: head(502, "<html>", typ, "text/html"), reason: protocol.ReasonStatus, line: "HTTP/2.0 502", body: "<html>", fields: "content-type: text/html"},
		{name: "more than is kept", method: "Stream", serve: respond(14, "", message(0, hello), strings.Repeat(message(0, "\x0a\x64"+strings.Repeat("x", 100)), 100)), reason: protocol.ReasonStatus, line: "gRPC UNAVAILABLE", body: `[{"text":"hi"`},
		{
			name: "after early hints", reason: protocol.ReasonStatus, line: "gRPC NOT_FOUND", fields: "grpc-status: 5",
			serve: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Early", "hint")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("X-Early")
				respond(5, "")(w, r)
			},
		},
		{
			name: "a stream that the server aborts", method: "Stream", reason: protocol.ReasonReset, line: "HTTP/2.0 200", fields: "content-type: application/grpc",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(typ, isGRPC)
				_, _ = io.WriteString(w, message(0, hello))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = "Unary"
			}
			o := serve(t, test.serve)
			o.SlotHeader = true
			c := open(t, optionsOf(o, test.method, `{"text": "ask"}`))
			for what, tap := range map[string]*seen{"nobody looks before": nil, "somebody looks before": {}} {
				late := &seen{}
				var before protocol.Tap
				if tap != nil {
					before = tap
				}
				r, asked := sendLate(c, before, late)
				if r.Reason != test.reason || len(asked) != 1 || asked[0] != test.reason {
					t.Fatalf("%s: %s (%v), asked for %v", what, r.Reason, r.Err, asked)
				}
				if late.request != `{"text":"ask"}` || !strings.Contains(late.asked, "POST /test.Echo/"+test.method+" HTTP/2.0") || !strings.Contains(late.asked, "traffic-slot: s/g/7") {
					t.Errorf("%s: the request is shown as %s\n%s", what, late.asked, late.request)
				}
				if late.line != test.line || !strings.HasPrefix(late.body, test.body) {
					t.Errorf("%s: shows %q with %q, want %q with %q", what, late.line, late.body, test.line, test.body)
				}
				if name, value, ok := strings.Cut(test.fields, ": "); ok && late.field(name) != value || late.field("x-early") != "" {
					t.Errorf("%s: shows the fields %v, want %s", what, late.fields, test.fields)
				}
				if tap != nil && (tap.line != test.line || tap.body != late.body) {
					t.Errorf("%s: shows that one %q with %q", what, tap.line, tap.body)
				}
			}
		})
	}
}

func TestACallThatIsNotSentIsNotShown(t *testing.T) {
	c := open(t, optionsOf(protocoltest.Options(t, "http://127.0.0.1:1"), "Unary", ""))
	late := &seen{}
	if r, asked := sendLate(c, nil, late); r.Reason != protocol.ReasonRefused || len(asked) != 0 || late.request != "" {
		t.Errorf("%s (%v), asked for %v", r.Reason, r.Err, asked)
	}
}
