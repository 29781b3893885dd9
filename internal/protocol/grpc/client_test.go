package grpc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// hello is the message Text with text "hi", encoded.
const hello = "\x0a\x02hi"

func TestFailuresOfTargetsAreReported(t *testing.T) {
	protocoltest.Suite{
		New: func(o httpreq.Options) (protocol.Client, error) { return grpc.New(optionsOf(o, "Unary", "")) },
		Flavours: []protocoltest.Flavour{
			{Name: "over TLS", Protocol: httpreq.HTTP2, Major: 2, TLS: true, H2: true},
			{Name: "in the clear", Protocol: httpreq.H2C, Major: 2, H2: true},
		},
		Succeed: respond(0, "", message(0, hello)),
	}.RunFailures(t)
}

// head responds with these fields, name and value in turn, and a body.
func head(code int, body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func TestResponsesAreJudged(t *testing.T) {
	const typ, isGRPC = "Content-Type", "application/grpc+proto"
	for _, test := range []struct {
		name   string
		serve  http.HandlerFunc
		method string
		code   string
		reason protocol.Reason
		err    string
		body   string
	}{
		{name: "one message", serve: respond(0, "", message(0, hello)), code: "OK", body: `{"text":"hi","number":"0","kind":"KIND_UNSPECIFIED","words":[]}`},
		{name: "no message", serve: respond(0, ""), code: "OK", reason: protocol.ReasonProtocol, err: "the response has 0 messages, expected one"},
		{name: "two messages", serve: respond(0, "", message(0, hello), message(0, "")), code: "OK", reason: protocol.ReasonProtocol, err: "the response has 2 messages, expected one"},
		{name: "a stream of two", method: "Stream", serve: respond(0, "", message(0, "\x10\x05"), message(0, "")), code: "OK", body: `[{"text":"","number":"5",`},
		{name: "a stream of none", method: "Both", serve: respond(0, ""), code: "OK", body: `[]`},
		{name: "an error after a message", method: "Stream", serve: respond(14, "gone", message(0, hello)), code: "UNAVAILABLE", reason: protocol.ReasonStatus, err: "unexpected status UNAVAILABLE: gone", body: `[{"text":"hi"`},
		{name: "only trailers", serve: head(200, "", typ, isGRPC, "grpc-status", "5", "grpc-message", "no%20such%20%E2%98%BA%2"), code: "NOT_FOUND", reason: protocol.ReasonStatus, err: "unexpected status NOT_FOUND: no such ☺%2"},
		{name: "only trailers with OK", serve: head(200, "", typ, isGRPC, "grpc-status", "0"), code: "OK", reason: protocol.ReasonProtocol, err: "0 messages"},
		{name: "a deadline of the server's", serve: respond(4, ""), code: "DEADLINE_EXCEEDED", reason: protocol.ReasonTimeout, err: "unexpected status DEADLINE_EXCEEDED"},
		{name: "a status that there is not", serve: respond(99, ""), code: "UNKNOWN", reason: protocol.ReasonStatus},
		{name: "a status that is no number", serve: head(200, "", typ, isGRPC, "grpc-status", "OK"), code: "UNKNOWN", reason: protocol.ReasonProtocol, err: "grpc-status is no number"},
		{name: "no status", serve: head(200, message(0, hello), typ, isGRPC), code: "INTERNAL", reason: protocol.ReasonProtocol, err: "without grpc-status"},
		{name: "a cut message", serve: respond(0, "", message(0, hello)[:7]), code: "OK", reason: protocol.ReasonProtocol, err: "ends within a message"},
		{name: "a cut prefix", serve: respond(0, "", message(0, hello)+"\x00\x00"), code: "OK", reason: protocol.ReasonProtocol, err: "ends within a message"},
		{name: "an unknown flag", serve: respond(0, "", message(2, hello)), code: "OK", reason: protocol.ReasonProtocol, err: "invalid compressed flag"},
		{name: "a compressed message without an encoding", serve: respond(0, "", message(1, hello)), code: "OK", reason: protocol.ReasonProtocol, err: "does not say how"},
		{name: "a long message", serve: respond(0, "", message(0, strings.Repeat("x", 1025))), code: "OK", reason: protocol.ReasonProtocol, err: "a message of 1025 bytes is longer than max_message_bytes, which is 1024"},
		{name: "a prefix of 4 GiB", serve: respond(0, "", "\x00\xff\xff\xff\xff"), code: "OK", reason: protocol.ReasonProtocol, err: "a message of 4294967295 bytes"},
		{name: "a page that is not there", serve: head(404, "<html>", typ, "text/html"), code: "UNIMPLEMENTED", reason: protocol.ReasonStatus, err: "unexpected status UNIMPLEMENTED: HTTP status 404", body: "<html>"},
		{name: "a gateway without a target", serve: head(502, "", typ, "text/html"), code: "UNAVAILABLE", reason: protocol.ReasonStatus, err: "HTTP status 502"},
		{name: "a page", serve: head(200, "\x05<html>", typ, "text/html"), code: "UNKNOWN", reason: protocol.ReasonProtocol, err: "content type is none of gRPC"},
		{name: "a redirect", serve: head(302, "", "Location", "/"), code: "UNKNOWN", reason: protocol.ReasonStatus, err: "HTTP status 302"},
		{
			name: "a stream that the server aborts", code: "INTERNAL", reason: protocol.ReasonReset, err: "server reset the stream",
			serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		},
		{
			name: "a stream that the server aborts within", method: "Stream", code: "INTERNAL", reason: protocol.ReasonReset, err: "server reset the stream",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(typ, isGRPC)
				_, _ = io.WriteString(w, message(0, hello))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			},
		},
		{
			name: "a message after early hints", code: "OK",
			serve: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("grpc-status", "13")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("grpc-status")
				respond(0, "", message(0, hello))(w, r)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = "Unary"
			}
			c := open(t, optionsOf(serve(t, test.serve), test.method, ""))
			tap := new(seen)
			for what, r := range map[string]protocol.Result{"nobody looks": send(c, nil), "somebody looks": send(c, tap)} {
				if r.Code != test.code || r.Reason != test.reason {
					t.Errorf("%s: %s %s (%v), want %s %s", what, r.Code, r.Reason, r.Err, test.code, test.reason)
				}
				if r.Failed() && !strings.Contains(r.Err.Error(), test.err) {
					t.Errorf("%s: %q does not have %q", what, r.Err, test.err)
				}
			}
			if !strings.HasPrefix(tap.body, test.body) {
				t.Errorf("shows %q, want %q", tap.body, test.body)
			}
		})
	}
}

func TestWhatSomebodyLooksAtIsRead(t *testing.T) {
	for _, test := range []struct {
		name, encoding, message string
		want                    string
	}{
		{"gzip", "gzip", message(1, zipped(hello)), ""},
		{"a message as it is in a response that may be compressed", "gzip", message(0, hello), ""},
		{"no gzip", "gzip", message(1, hello), "gzip: "},
		{"an encoding that is not known", "snappy", message(1, hello), `compressed by "snappy", which is not known`},
		{"a message that is long when it is decompressed", "gzip", message(1, zipped(strings.Repeat("x", 1<<20))), "longer than max_message_bytes"},
		{"what is no message", "identity", message(0, "\xff\xff"), "a message is no test.Text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, optionsOf(serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("grpc-encoding", test.encoding)
				respond(0, "", test.message)(w, r)
			}), "Unary", ""))
			tap := new(seen)
			r := send(c, tap)
			switch {
			case test.want == "" && (r.Failed() || !strings.Contains(tap.body, `"text":"hi"`)):
				t.Errorf("%s (%v), shows %q", r.Reason, r.Err, tap.body)
			case test.want != "" && (r.Reason != protocol.ReasonProtocol || !strings.Contains(r.Err.Error(), test.want)):
				t.Errorf("%s (%v), want %q", r.Reason, r.Err, test.want)
			}
		})
	}
}

func TestACallIsSentAsTheProtocolHasIt(t *testing.T) {
	got := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- string(b)
		respond(0, "", message(0, hello))(w, r)
	}
	o := serve(t, handler)
	o.Timeout = 1500 * time.Millisecond
	o.SlotHeader = true
	options := optionsOf(o, "Unary", `{"text": "hi"}`)
	options.HTTP.Entries[0].Fields = append(options.HTTP.Entries[0].Fields, protocol.Field{Name: "X-Id-Bin", Value: "AAEC"})
	tap := new(seen)
	if r := send(open(t, options), tap); r.Failed() {
		t.Fatal(r.Err)
	}
	r, body := <-got, <-bodies
	if r.Method != http.MethodPost || r.URL.Path != "/test.Echo/Unary" || r.ContentLength != -1 {
		t.Errorf("%s %s of %d bytes", r.Method, r.URL, r.ContentLength)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/grpc", "Te": "trailers", "Grpc-Timeout": "1500000u", "Grpc-Accept-Encoding": "identity,gzip", "X-Id-Bin": "AAEC",
		"Content-Length": "",
	} {
		if value := r.Header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if body != message(0, hello) {
		t.Errorf("body %q", body)
	}
	if tap.request != `{"text":"hi"}` {
		t.Errorf("the request is shown as %q", tap.request)
	}
}

func TestDetailsAreShown(t *testing.T) {
	detail, err := anypb.New(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "text", Description: "is empty"}}})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(&status.Status{Code: 3, Message: "bad", Details: []*anypb.Any{detail}})
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, optionsOf(serve(t, head(200, "", "Content-Type", "application/grpc", "grpc-status", "3", "grpc-message", "bad",
		"grpc-status-details-bin", base64.RawStdEncoding.EncodeToString(wire))), "Unary", "", spec.OK, 3))
	tap := new(seen)
	if r := send(c, tap); r.Code != "INVALID_ARGUMENT" || r.Failed() {
		t.Errorf("%s %s (%v)", r.Code, r.Reason, r.Err)
	}
	const want = `{"code":3,"message":"bad","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"text","description":"is empty"}]}]}`
	if got := tap.field("grpc-status-details-bin"); got != want {
		t.Errorf("details %s", got)
	}
	if tap.line != "gRPC INVALID_ARGUMENT: bad" {
		t.Errorf("begins with %q", tap.line)
	}
}

func TestAClosedClientCancelsItsCalls(t *testing.T) {
	begun := make(chan struct{})
	o := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	c := open(t, optionsOf(o, "Unary", ""))
	done := make(chan struct{})
	call := &protocol.Call{Done: func() { close(done) }}
	c.Start(call)
	c.Flush()
	<-begun
	c.Close()
	<-done
	if call.Result.Reason != protocol.ReasonCanceled || call.Result.Code != "" {
		t.Errorf("%s %s", call.Result.Code, call.Result.Reason)
	}
}

func TestAnEntryThatThereIsNotIsRefused(t *testing.T) {
	c := open(t, optionsOf(protocoltest.Options(t, "http://127.0.0.1:1"), "Unary", ""))
	done := make(chan struct{})
	call := &protocol.Call{Request: protocol.Request{Entry: 7}, Done: func() { close(done) }}
	c.Start(call)
	<-done
	protocoltest.CheckReason(t, call.Result, protocol.ReasonProtocol)
}
