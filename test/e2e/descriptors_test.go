//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// silent accepts connections and says nothing, until the end of the test.
func silent(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	var conns []net.Conn
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

// TestScrapesAreServedWithoutDescriptors has 100 of them, a target that takes one for each
// request, and many more requests.
func TestScrapesAreServedWithoutDescriptors(t *testing.T) {
	t.Parallel()
	addr, file := freeport.Address(t), filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, fmt.Sprintf(`scenarios:
  - name: s
    rate: 100/s
    timeout: 5s
    limits: {max_in_flight: 500}
    requests: [{name: get, url: "http://%s/"}]
`, silent(t)))
	p := start(t, "/bin/sh", "-c", `ulimit -n 100 && exec "$0" "$@"`, env().exporter, "--config.file="+file, "--web.listen-address="+addr)
	e := &exporter{process: p, addr: addr}
	e.reaches(t, `traffic_request_failures_total{reason="local",request="get",scenario="s"}`, 100)
	for range 20 {
		for _, path := range []string{"/metrics", "/-/healthy"} {
			http.DefaultClient.CloseIdleConnections() // It has to be accepted.
			if _, err := get("http://" + addr + path); err != nil {
				t.Error(err)
			}
		}
	}
	if !strings.Contains(p.out.String(), "max_in_flight=500 connections=50") {
		t.Error("nothing is said of too few file descriptors")
	}
	p.stop(t)
}
