package http2

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// site is a folder for a server: with a certificate, and pages of several lengths.
func site(t *testing.T, ca *protocoltest.Authority) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := ca.Issue(t, nil)
	for name, text := range map[string]string{
		"cert.pem": cert, "key.pem": key, "empty": "", "small": strings.Repeat("x", 200), "large": strings.Repeat("y", 900_000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runServer runs a server's program until the test ends, once it listens on the port.
func runServer(t *testing.T, port int, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	var said bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		late.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, said.String())
		}
	})
	protocoltest.Eventually(t, program+" listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// nginxConfig is the configuration of an nginx: for a folder, a port, what it listens with, and
// lines of its own for all of HTTP and for the server.
const nginxConfig = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr crit;
events {}
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	%[4]s
	server {
		listen 127.0.0.1:%[2]d %[3]s http2;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		root %[1]s;
		%[5]s
	}
}
`

// runNginx runs an nginx on a port, with a folder that is a site.
func runNginx(t *testing.T, dir string, port int, listen, http, server string) {
	t.Helper()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, port, listen, http, server), 0o600); err != nil {
		t.Fatal(err)
	}
	runServer(t, port, "nginx", "-p", dir, "-c", config)
}

func TestRealServers(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("nginx, TLS %t", secure), func(t *testing.T) {
			ca := protocoltest.NewAuthority(t)
			dir, port, ssl := site(t, ca), freeport.Get(t), ""
			if secure {
				ssl = "ssl"
			}
			// Few streams and few requests on a connection, and a place that is always refused.
			runNginx(t, dir, port, ssl, "access_log off; http2_max_concurrent_streams 20; keepalive_requests 150;",
				"location /post { client_max_body_size 1k; return 204; } location /moved { return 302 /small; }")
			compare(t, realOptions(t, ca, secure, port, "/empty", "/small", "/large", "/nothing", "/moved", "/post"))
		})
		t.Run(fmt.Sprintf("nghttpd, TLS %t", secure), func(t *testing.T) {
			ca := protocoltest.NewAuthority(t)
			dir, port := site(t, ca), freeport.Get(t)
			args := []string{"-a", "127.0.0.1", "-d", dir, "-m", "30", "--trailer", "x-trailer: yes"}
			if secure {
				args = append(args, strconv.Itoa(port), filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem"))
			} else {
				args = append(args, "--no-tls", strconv.Itoa(port))
			}
			runServer(t, port, "nghttpd", args...)
			// It sends a body with its 404 even to HEAD, which net/http does not mind.
			compare(t, realOptions(t, ca, secure, port, "/empty", "/small", "/large"))
		})
	}
}

// realOptions returns options for pages of a server, each with GET, with HEAD and with a
// POST of a body.
func realOptions(t *testing.T, ca *protocoltest.Authority, secure bool, port int, paths ...string) httpreq.Options {
	t.Helper()
	o := h2cOptions(t, fmt.Sprintf("http://127.0.0.1:%d", port))
	if secure {
		o = protocoltest.Options(t, fmt.Sprintf("https://127.0.0.1:%d", port))
		o.Protocol, o.TLS.CA = httpreq.HTTP2, ca.PEM
	}
	o.SlotHeader, o.Traceparent, o.MaxConns = true, true, 50
	root := o.Entries[0]
	o.Entries = nil
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			e := root
			e.URL, e.Method = protocoltest.At(t, root.URL, path), method
			if method == "POST" {
				e.Body = bytes.Repeat([]byte("b"), 3000)
			}
			o.Entries = append(o.Entries, e)
		}
	}
	return o
}

// compare makes every exchange with both clients, whose results have to agree, and then
// many at once.
func compare(t *testing.T, o httpreq.Options) {
	t.Helper()
	std := protocoltest.NetHTTP(t, o)
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := client(t, o)
	reasons := make([]protocol.Reason, len(o.Entries))
	for i, e := range o.Entries {
		got, want := exchange(c, protocol.Request{Entry: i}), exchange(std, protocol.Request{Entry: i})
		if got.Code != want.Code || got.Reason != want.Reason {
			t.Errorf("%s %s: got %q, %q (%v), want %q, %q (%v)", e.Method, e.URL.Target, got.Code, got.Reason, got.Err, want.Code, want.Reason, want.Err)
		}
		reasons[i] = got.Reason
	}
	for range 20 {
		var all []<-chan protocol.Result
		for i := range 40 {
			all = append(all, begin(c, protocol.Request{Entry: i % len(o.Entries), Scenario: "s", Seq: uint64(i), Trace: [16]byte{1}}))
		}
		c.Flush()
		for i, results := range all {
			if r := <-results; r.Reason != reasons[i%len(reasons)] {
				e := o.Entries[i%len(o.Entries)]
				t.Errorf("%s %s: reason %q, not %q: %v", e.Method, e.URL.Target, r.Reason, reasons[i%len(reasons)], r.Err)
			}
		}
	}
	checkClosed(t, c, w)
}
