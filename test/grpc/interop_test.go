package grpc

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	grpcgo "google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"
	alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

// payload returns a payload of so many zeroes, in JSON.
func payload(size int) string {
	return `{"body": "` + base64.StdEncoding.EncodeToString(make([]byte, size)) + `"}`
}

// TestInterop are the test cases of doc/interop-test-descriptions.md in grpc/grpc that a client has
// which sends a list of messages and receives all.
func TestInterop(t *testing.T) { interopCases(t, interopServer(t)) }

func interopCases(t *testing.T, addr string) {
	t.Helper()
	for _, c := range []struct {
		name string
		call call
		// code and reason are what the call ends with, and contains what the response holds.
		code     string
		reason   protocol.Reason
		contains []string
		line     string
	}{
		{name: "empty_unary", call: call{path: "EmptyCall"}, contains: []string{"{}"}},
		{
			name:     "large_unary",
			call:     call{path: "UnaryCall", message: `{"responseSize": 314159, "payload": ` + payload(271828) + `}`},
			contains: []string{`"type":"COMPRESSABLE"`, zeroes(314159)[:418800]},
		},
		{
			name: "client_compressed_unary", call: call{path: "UnaryCall", compress: true, message: `{"responseSize": 314159, "payload": ` + payload(271828) + `}`},
			contains: []string{zeroes(314159)[:418800]},
		},
		{
			name:     "client_streaming",
			call:     call{path: "StreamingInputCall", message: `[{"payload": ` + payload(27182) + `}, {"payload": ` + payload(8) + `}, {"payload": ` + payload(1828) + `}, {"payload": ` + payload(45904) + `}]`},
			contains: []string{`{"aggregatedPayloadSize":74922}`},
		},
		{name: "client_streaming of nothing", call: call{path: "StreamingInputCall"}, contains: []string{`{"aggregatedPayloadSize":0}`}},
		{
			name:     "server_streaming",
			call:     call{path: "StreamingOutputCall", message: `{"responseParameters": [{"size": 31415}, {"size": 9}, {"size": 2653}, {"size": 58979}]}`},
			contains: []string{`[{"payload":{`, zeroes(58979)[:78636], `}}]`, `"body":"AAAAAAAAAAAA"`},
		},
		{
			name: "server_compressed_streaming", call: call{path: "StreamingOutputCall", compress: true, message: `{"responseParameters": [{"size": 31415}, {"size": 92653}]}`},
			contains: []string{zeroes(92653)[:123534]},
		},
		{
			name: "ping_pong",
			call: call{path: "FullDuplexCall", message: `[{"responseParameters": [{"size": 31415}], "payload": ` + payload(27182) + `},
				{"responseParameters": [{"size": 9}], "payload": ` + payload(8) + `}]`},
			contains: []string{`"body":"AAAAAAAAAAAA"`},
		},
		{name: "half_duplex", call: call{path: "HalfDuplexCall", message: `[{"responseParameters": [{"size": 9}]}, {"responseParameters": [{"size": 3}]}]`}, contains: []string{`"body":"AAAA"`}},
		{name: "empty_stream", call: call{path: "FullDuplexCall"}, contains: []string{"[]"}},
		{
			name: "status_code_and_message", call: call{path: "UnaryCall", message: `{"responseStatus": {"code": 2, "message": "test status message"}}`},
			code: "UNKNOWN", reason: protocol.ReasonStatus, line: "gRPC UNKNOWN: test status message",
		},
		{
			name: "status_code_and_message of a stream", call: call{path: "FullDuplexCall", message: `[{"responseStatus": {"code": 2, "message": "test status message"}}]`},
			code: "UNKNOWN", reason: protocol.ReasonStatus, line: "gRPC UNKNOWN: test status message",
		},
		{
			name: "special_status_message", call: call{path: "UnaryCall", message: `{"responseStatus": {"code": 2, "message": "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"}}`},
			code: "UNKNOWN", reason: protocol.ReasonStatus, line: "gRPC UNKNOWN: \t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
		},
		{name: "unimplemented_method", call: call{path: "UnimplementedCall"}, code: "UNIMPLEMENTED", reason: protocol.ReasonStatus},
		{
			name: "timeout_on_sleeping_server",
			call: call{path: "FullDuplexCall", timeout: 20 * time.Millisecond, message: `[{"payload": ` + payload(27182) + `, "responseParameters": [{"size": 31415, "intervalUs": 5000000}]}]`},
			code: "-", reason: protocol.ReasonTimeout,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.call.path = service + c.call.path
			made := client(t, addr, c.call)
			if c.code == "-" {
				// A server that gives up for the deadline may be first, or not.
				if r := send(t, made, nil); r.Reason != c.reason {
					t.Errorf("%s %s (%v), want reason %s", r.Code, r.Reason, r.Err, c.reason)
				}
				return
			}
			r, tap := look(t, made)
			if c.code == "" {
				c.code = "OK"
			}
			if r.Code != c.code || r.Reason != c.reason {
				t.Fatalf("%s %s (%v), want %s %s", r.Code, r.Reason, r.Err, c.code, c.reason)
			}
			for _, want := range c.contains {
				if !strings.Contains(tap.body, want) {
					t.Errorf("the response is %s, want %s", shorten(tap.body), shorten(want))
				}
			}
			if c.line != "" && tap.line != c.line {
				t.Errorf("it begins with %q, want %q", tap.line, c.line)
			}
		})
	}
}

// TestAResponseIsReadWhileTheRequestIsSent has a server respond to each message with one as long. Neither side's
// windows and buffers hold all of them: one that did not read while it sends would wait forever for the other, which waits for it.
func TestAResponseIsReadWhileTheRequestIsSent(t *testing.T) { readsWhileItSends(t, interopServer(t)) }

func readsWhileItSends(t *testing.T, addr string) {
	t.Helper()
	const n, size = 200, 60_000
	one := `{"responseParameters": [{"size": ` + strconv.Itoa(size) + `}], "payload": ` + payload(size) + `}`
	c := client(t, addr, call{path: service + "FullDuplexCall", message: "[" + strings.Repeat(one+",", n-1) + one + "]"})
	r, tap := look(t, c)
	if r.Failed() || r.Code != "OK" {
		t.Errorf("%s %s (%v)", r.Code, r.Reason, r.Err)
	}
	if got := strings.Count(tap.body, `"payload"`); got != n {
		t.Errorf("%d messages came, want %d", got, n)
	}
}

func TestMetadataIsEchoed(t *testing.T) { echoesMetadata(t, interopServer(t)) }

func echoesMetadata(t *testing.T, addr string) {
	t.Helper()
	for _, path := range []string{"UnaryCall", "FullDuplexCall"} {
		message := `{"responseSize": 1, "payload": ` + payload(1) + `}`
		if path == "FullDuplexCall" {
			message = `[{"responseParameters": [{"size": 1}], "payload": ` + payload(1) + `}]`
		}
		c := call{path: service + path, message: message, metadata: []protocol.Field{
			{Name: "X-Grpc-Test-Echo-Initial", Value: "test_initial_metadata_value"},
			{Name: "x-grpc-test-echo-trailing-bin", Value: "q6ur"},
		}}
		r, tap := look(t, client(t, addr, c))
		if r.Failed() {
			t.Fatal(r.Err)
		}
		if got := tap.fields["x-grpc-test-echo-initial"]; len(got) != 1 || got[0] != "test_initial_metadata_value" {
			t.Errorf("%s: initial metadata %q", path, got)
		}
		if got := tap.fields["x-grpc-test-echo-trailing-bin"]; len(got) != 1 || got[0] != "q6ur" {
			t.Errorf("%s: trailing metadata %q", path, got)
		}
	}
}

func TestEveryCodeIsCounted(t *testing.T) { countsEveryCode(t, interopServer(t)) }

func countsEveryCode(t *testing.T, addr string) {
	t.Helper()
	for code := spec.Code(1); int(code) < len(spec.Names()); code++ {
		c := call{path: service + "UnaryCall", message: `{"responseStatus": {"code": ` + string(rune('0'+code/10)) + string(rune('0'+code%10)) + `, "message": "m"}}`}
		c.message = strings.Replace(c.message, `"code": 0`, `"code": `, 1)
		want := protocol.ReasonStatus
		if code == spec.DeadlineExceeded {
			want = protocol.ReasonTimeout
		}
		if r, _ := look(t, client(t, addr, c)); r.Code != spec.Names()[code] || r.Reason != want {
			t.Errorf("%s: %s %s (%v)", code, r.Code, r.Reason, r.Err)
		}
		c.expect = []spec.Code{spec.OK, code}
		if r, _ := look(t, client(t, addr, c)); r.Code != spec.Names()[code] || r.Failed() {
			t.Errorf("%s, which is expected: %s %s (%v)", code, r.Code, r.Reason, r.Err)
		}
	}
}

func TestReflectionIsAskedInEitherVersion(t *testing.T) {
	for name, register := range map[string]func(*grpcgo.Server){
		"v1": func(s *grpcgo.Server) { reflection.RegisterV1(s) },
		"v1alpha": func(s *grpcgo.Server) {
			alpha.RegisterServerReflectionServer(s, reflection.NewServer(reflection.ServerOptions{Services: s}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(s *grpcgo.Server) {
				testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
				register(s)
			})
			if r := send(t, client(t, addr, call{path: service + "EmptyCall"}), nil); r.Failed() {
				t.Error(r.Err)
			}
		})
	}
}

func TestMessagesThatAreTooLongAreRefused(t *testing.T) { refusesLongMessages(t, interopServer(t)) }

func refusesLongMessages(t *testing.T, addr string) {
	t.Helper()
	c := call{path: service + "UnaryCall", message: `{"responseSize": 2000}`, most: 1000}
	if r, _ := look(t, client(t, addr, c)); r.Reason != protocol.ReasonProtocol || !strings.Contains(r.Err.Error(), "longer than max_message_bytes, which is 1000") {
		t.Errorf("%s %s (%v)", r.Code, r.Reason, r.Err)
	}
	c.message = `{"payload": ` + payload(5<<20) + `}`
	if r, _ := look(t, client(t, addr, c)); r.Code != "RESOURCE_EXHAUSTED" || r.Reason != protocol.ReasonStatus {
		t.Errorf("a request that is too long: %s %s (%v)", r.Code, r.Reason, r.Err)
	}
}
