//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// redirecting starts a target that redirects so often from each path before it responds, and
// notes what it is asked.
func redirecting(t *testing.T, hops int, seen *arrivals) (addr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.observe(r)
		if at, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); at < hops {
			http.Redirect(w, r, fmt.Sprintf("/%d", at+1), http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// everySecond starts a target that closes each connection at its second request, and notes
// what it is asked.
func everySecond(t *testing.T, seen *arrivals) (addr string) {
	t.Helper()
	return protocoltest.Raw(t, func(c net.Conn) {
		protocoltest.ReadHead(c)
		seen.observe(nil)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if n, _ := c.Read(make([]byte, 4096)); n > 0 {
			seen.observe(nil)
		}
		_ = c.Close()
	})
}

// TestNoTargetSeesMoreThanMaxRate counts requests on the wire where slots become several of
// them: no target sees more than max_rate, and what it sees is what the metrics have.
func TestNoTargetSeesMoreThanMaxRate(t *testing.T) {
	t.Parallel()
	const limit = 5
	cases := []struct {
		name, rate, serve string
		hops              int
		// extra is the counter of requests sent beyond slots. burst is how many of those there may
		// be at once: the slots' remainder of a second's worth.
		extra string
		burst int
	}{
		{"loop", "5/s", "redirects", 1000, "traffic_request_redirects_total", 0},
		{"hops", "2/s", "redirects", 3, "traffic_request_redirects_total", limit},
		{"closes", "5/s", "closes", 0, "traffic_request_retries_total", 0},
		{"closes-some", "3/s", "closes", 0, "traffic_request_retries_total", limit},
	}
	seen := make([]arrivals, len(cases))
	config := "scenarios:\n"
	for i, c := range cases {
		var addr string
		if c.serve == "redirects" {
			addr = redirecting(t, c.hops, &seen[i])
		} else {
			addr = everySecond(t, &seen[i])
		}
		config += fmt.Sprintf(`  - name: %s
    rate: %s
    limits: {max_rate: %d/s, late_after: 200ms}
    http_config: {follow_redirects: true}
    requests: [{name: r, url: "http://%s/0"}]
`, c.name, c.rate, limit, addr)
	}
	begin := time.Now()
	e := startExporter(t, config)
	e.finishes(t, "hops", 20)
	metrics := e.pause(t)
	for i, c := range cases {
		scenario := fmt.Sprintf("scenario=%q", c.name)
		checkCeiling(t, c.name, &seen[i], begin, limit, c.burst)
		first := total(metrics, "traffic_slots_finished_total", scenario)
		retries := total(metrics, "traffic_request_retries_total", scenario)
		redirects := total(metrics, "traffic_request_redirects_total", scenario)
		if n := seen[i].count(); float64(n) != first+retries+redirects {
			t.Errorf("%s: the target saw %d requests; counted are %v first ones, %v retries, %v redirects", c.name, n, first, retries, redirects)
		}
		if n := total(metrics, c.extra, scenario); c.burst > 0 && n == 0 {
			t.Errorf("%s: %s is %v", c.name, c.extra, n)
		}
		if total(metrics, "traffic_requests_withheld_total", scenario) == 0 {
			t.Errorf("%s: nothing was withheld", c.name)
		}
	}
	e.stop(t)
}

// checkCeiling checks that from the beginning on there were never more requests than the limit
// allows until then, and that no five seconds had more than it allows with its burst: give or take
// a second's worth, since a machine that stands still sees what comes meanwhile all at once.
func checkCeiling(t *testing.T, name string, seen *arrivals, begin time.Time, limit, burst int) {
	t.Helper()
	const window = 5 * time.Second
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for i, from := range seen.at {
		if most := from.Sub(begin).Seconds()*float64(limit) + 1; float64(i+1) > most {
			t.Fatalf("%s: the target saw %d requests within %s, want at most %.1f", name, i+1, from.Sub(begin), most)
		}
		n := 0
		for _, at := range seen.at[i:] {
			if at.Sub(from) < window {
				n++
			}
		}
		if most := (int(window/time.Second)+1)*limit + burst; n > most {
			t.Fatalf("%s: the target saw %d requests within %s, want at most %d", name, n, window, most)
		}
	}
}
