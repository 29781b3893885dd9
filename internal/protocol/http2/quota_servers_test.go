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

// keepInFlight makes so many POSTs, with so many always in flight, and returns how many
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
				// It notes the slot of each request that it takes.
				http := fmt.Sprintf("log_format slots '$http_traffic_slot'; access_log %s/slots.log slots; keepalive_requests 10;", dir)
				runNginx(t, dir, port, "ssl", http, "ssl_protocols "+version+"; location / { return 204; }")
				o := protocoltest.Options(t, fmt.Sprintf("https://127.0.0.1:%d/", port))
				o.Protocol, o.TLS.CA, o.SlotHeader, o.MaxConns = httpreq.HTTP2, ca.PEM, true, inFlight
				o.Entries[0].Method, o.Timeout, o.ConnectTimeout = "POST", time.Minute, time.Minute
				w := new(protocoltest.ConnRecorder)
				o.Observer = w
				if failed := keepInFlight(t, client(t, o), inFlight, requests); failed > 0 {
					t.Errorf("%d of %d requests failed", failed, requests)
				}
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
				if least := requests / 10; opened > least+least/5+inFlight {
					t.Errorf("%d requests took %d connections", requests, opened)
				}
			})
		}
	}
}
