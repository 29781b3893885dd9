package http3_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http3"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// serving names the flavour that a process serves for a benchmark.
const serving = "HTTP3_TEST_SERVES"

// flavours are the clients that are compared.
func flavours() []protocoltest.Flavour {
	return []protocoltest.Flavour{flavour(), {Name: "HTTP/2 over TLS", Protocol: httpreq.HTTP2, Major: 2, TLS: true, H2: true}}
}

// TestServe is no test, but the server of a benchmark: it prints its address, and ends with its input.
func TestServe(t *testing.T) {
	name := os.Getenv(serving)
	if name == "" {
		t.Skip("it serves benchmarks")
	}
	for _, f := range flavours() {
		if f.Name == name {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) }, func(s *httptest.Server) {
				s.Config.ErrorLog = protocoltest.Quiet()
			})
			_, _ = os.Stdout.WriteString(o.Entries[0].URL.String() + "\n")
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serve starts a process that serves a flavour, and returns its URL.
func serve(b *testing.B, f protocoltest.Flavour) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServe$")
	cmd.Env = append(os.Environ(), serving+"="+f.Name)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return strings.TrimSpace(url)
}

// BenchmarkExchange measures what a request costs, 32 at a time on one connection, beside HTTP/2.
func BenchmarkExchange(b *testing.B) {
	for _, f := range flavours() {
		b.Run(f.Name, func(b *testing.B) {
			o := protocoltest.Options(b, serve(b, f))
			o.Protocol, o.TLS.InsecureSkipVerify = f.Protocol, true
			var c protocol.Client
			var err error
			if f.Major == 3 {
				c, err = http3.New(o)
			} else {
				c, err = http2.New(o)
			}
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			protocoltest.BenchmarkClient(b, c, make([]protocol.Call, 32))
		})
	}
}
