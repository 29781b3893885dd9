package grpc

import (
	"context"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
	"github.com/traffic-exporter/traffic_exporter/test/nginx"
)

// startNginx runs nginx as a proxy before a server, with a location that it does not pass on and one whose
// server is away.
func startNginx(t *testing.T, backend string) string {
	t.Helper()
	addr := freeport.Address(t)
	nginx.Start(t, addr, `
	client_max_body_size 10m;
	server {
		listen `+addr+` http2;
		location /grpc.testing.TestService/UnimplementedCall { grpc_pass grpc://`+freeport.Address(t)+`; }
		location /grpc.testing.TestService/HalfDuplexCall { return 404; }
		location / { grpc_pass grpc://`+backend+`; }
	}`)
	return addr
}

func TestNginxAsAProxy(t *testing.T) {
	direct := interopServer(t)
	addr := startNginx(t, direct)
	for _, c := range []struct {
		path, message, code string
		reason              protocol.Reason
		err                 string
	}{
		{path: "EmptyCall", code: "OK"},
		{path: "UnaryCall", message: `{"responseSize": 314159, "payload": ` + payload(271828) + `}`, code: "OK"},
		{path: "StreamingInputCall", message: `[{"payload": ` + payload(27182) + `}, {"payload": ` + payload(8) + `}]`, code: "OK"},
		{path: "StreamingOutputCall", message: `{"responseParameters": [{"size": 31415}, {"size": 9}]}`, code: "OK"},
		{path: "FullDuplexCall", code: "OK"},
		{path: "UnaryCall", message: `{"responseStatus": {"code": 9, "message": "not now"}}`, code: "FAILED_PRECONDITION", reason: protocol.ReasonStatus, err: "not now"},
		{path: "UnimplementedCall", code: "UNAVAILABLE", reason: protocol.ReasonStatus, err: "HTTP status 502"},
		{path: "HalfDuplexCall", code: "UNIMPLEMENTED", reason: protocol.ReasonStatus, err: "HTTP status 404"},
	} {
		o := optionsOf(t, addr, call{path: service + c.path, message: c.message})
		made, err := grpc.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(made.Close)
		if err := made.Descriptors().Obtain(context.Background()); err != nil {
			t.Fatalf("reflection through nginx: %v", err)
		}
		r, _ := look(t, made)
		if r.Code != c.code || r.Reason != c.reason {
			t.Errorf("%s: %s %s (%v), want %s %s", c.path, r.Code, r.Reason, r.Err, c.code, c.reason)
		}
		if c.err != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", c.path, r.Err, c.err)
		}
	}
}
