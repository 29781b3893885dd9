package http2

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// fewRequests is the configuration of an nginx that ends each connection with its tenth
// request, and refuses what comes after that. It notes the slot of each request that it takes.
const fewRequests = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr crit;
events {}
http {
	log_format slots '$http_traffic_slot';
	access_log %[1]s/slots.log slots;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 10;
	ssl_protocols %[3]s;
	server {
		listen 127.0.0.1:%[2]d ssl http2;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		location / { return 204; }
	}
}
`

// keepInFlight makes so many POSTs of which so many are always in flight, and returns how many
// failed.
func keepInFlight(t *testing.T, c *Client, inFlight, requests int) (failed int64) {
	t.Helper()
	var next, lost atomic.Int64
	var running sync.WaitGroup
	for range inFlight {
		running.Go(func() {
			for seq := next.Add(1); seq <= int64(requests); seq = next.Add(1) {
				if r := exchange(c, protocol.Request{Scenario: "s", Seq: uint64(seq)}); r.Failed() {
					if lost.Add(1) == 1 {
						t.Errorf("request %d failed as %q: %v", seq, r.Reason, r.Err)
					}
				}
			}
		})
	}
	running.Wait()
	return lost.Load()
}

// TestAServerThatTakesFewRequestsOnAConnectionGetsNoMore has an nginx refuse what comes after
// the tenth request of a connection, while many are in flight.
func TestAServerThatTakesFewRequestsOnAConnectionGetsNoMore(t *testing.T) {
	const requests = 3000
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		for _, inFlight := range []int{16, 50, 100} {
			t.Run(fmt.Sprintf("%s, %d in flight", version, inFlight), func(t *testing.T) {
				ca := protocoltest.NewAuthority(t)
				dir, port := site(t, ca), freeport.Get(t)
				config := filepath.Join(dir, "nginx.conf")
				if err := os.WriteFile(config, fmt.Appendf(nil, fewRequests, dir, port, version), 0o600); err != nil {
					t.Fatal(err)
				}
				runServer(t, port, "nginx", "-p", dir, "-c", config)
				o := protocoltest.Options(t, fmt.Sprintf("https://127.0.0.1:%d/", port))
				o.Protocol, o.TLS.CA, o.SlotHeader, o.MaxConns = httpreq.HTTP2, ca.PEM, true, inFlight
				o.Entries[0].Method, o.Timeout, o.ConnectTimeout = "POST", time.Minute, time.Minute
				w := new(protocoltest.Wire)
				o.Wire = w
				begin := time.Now()
				if failed := keepInFlight(t, client(t, o), inFlight, requests); failed > 0 {
					t.Errorf("%d of %d requests failed", failed, requests)
				}
				took := time.Since(begin)
				seen := map[string]int{}
				protocoltest.Eventually(t, "nginx has noted all requests", func() bool {
					clear(seen)
					text, _ := os.ReadFile(filepath.Join(dir, "slots.log"))
					for line := range strings.Lines(string(text)) {
						seen[line]++
					}
					return len(seen) == requests
				})
				for slot, n := range seen {
					if n != 1 {
						t.Errorf("slot %q was taken %d times", slot, n)
					}
				}
				opened, _ := w.Counts()
				t.Logf("%d connections, %s", opened, took)
				if least := requests / 10; opened > least+least/5+inFlight {
					t.Errorf("%d requests took %d connections", requests, opened)
				}
			})
		}
	}
}
