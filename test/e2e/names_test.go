//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// inNamespace is set where a test runs in a namespace of its own.
const inNamespace = "TRAFFIC_E2E_NAMESPACE"

// isolate runs the test again, by itself, in namespaces of the network and of mounts that are its
// own, in which the only name server is at 127.0.0.1:53. There it returns true; here the test is
// over then.
func isolate(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("a name server of its own needs root")
	}
	if out, err := exec.Command("unshare", "-m", "-n", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("there are no namespaces here: %v\n%s", err, out)
	}
	dir := t.TempDir()
	resolv, hosts := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	write(t, resolv, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	write(t, hosts, "127.0.0.1 localhost\n")
	const script = `ip link set lo up && mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"`
	cmd := exec.Command("unshare", "-m", "-n", "sh", "-c", script, "sh", resolv, hosts, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=4m")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in a namespace: %v\n%s", err, out)
	}
	return false
}

// TestAnOutageOfDNSShows has the names of targets become slow, and then not resolve any more in
// all ways, while each request makes a connection.
func TestAnOutageOfDNSShows(t *testing.T) {
	t.Parallel()
	if !isolate(t) {
		return
	}
	names := protocoltest.NewNameServerAt(t, "127.0.0.1:53", "127.0.0.1")
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	target.Config.Protocols = new(http.Protocols)
	target.Config.Protocols.SetHTTP1(true)
	target.Config.Protocols.SetUnencryptedHTTP2(true)
	target.Start()
	t.Cleanup(target.Close)
	_, port, _ := strings.Cut(target.Listener.Addr().String(), ":")
	config := "scenarios:\n"
	protocols := []string{"http1", "h2c"}
	for _, p := range protocols {
		config += fmt.Sprintf(`  - name: %[1]s
    rate: 10/s
    timeout: 3s
    http_config: {protocol: %[1]s, keep_alive: false, dns_ttl: 1s}
    requests: [{name: r, url: "http://%[1]s.example:%[2]s/"}]
`, p, port)
	}
	e := startExporter(t, config)
	x := outage{e, names}
	for _, p := range protocols {
		x.grows(t, 10, "traffic_requests_total", p, `code="200"`)
	}
	if failed := failures(e.metrics(t)); failed != "" {
		t.Fatalf("some failed:\n%s", failed)
	}

	t.Run("slow", func(t *testing.T) {
		names.Delay(500 * time.Millisecond)
		for _, p := range protocols {
			x.grows(t, 1.5, "traffic_connect_phase_seconds_sum", p, `phase="dns"`)
		}
		names.Set("127.0.0.1")
	})
	for name, fail := range map[string]func(){
		"NXDOMAIN": func() { names.Fail(protocoltest.NXDomain) },
		"SERVFAIL": func() { names.Fail(protocoltest.ServFail) },
		"silence":  names.Silence,
	} {
		t.Run(name, func(t *testing.T) { x.happens(t, fail, protocols) })
	}
	e.stop(t)
}

// outage is an exporter whose names are those of a server.
type outage struct {
	e     *exporter
	names *protocoltest.NameServer
}

// happens has names not resolve for a while.
func (x outage) happens(t *testing.T, fail func(), scenarios []string) {
	t.Helper()
	before := x.e.metrics(t)
	fail()
	for _, s := range scenarios {
		// First the old addresses are used, as long as that is allowed; then requests fail.
		x.grows(t, 20, "traffic_request_failures_total", s, `reason="dns"`)
		for _, metric := range []string{"traffic_dns_failures_total", "traffic_dns_outdated_connections_total"} {
			label := fmt.Sprintf("scenario=%q", s)
			if n := total(x.e.metrics(t), metric, label) - total(before, metric, label); n < 1 {
				t.Errorf("%s: %s has grown by %v", s, metric, n)
			}
		}
		x.grows(t, 1, "traffic_connect_phase_seconds_count", s, `phase="dns"`)
		if !strings.Contains(x.e.out.String(), s+".example") {
			t.Errorf("%s: nothing is logged of the name", s)
		}
	}
	x.names.Set("127.0.0.1")
	for _, s := range scenarios {
		x.grows(t, 20, "traffic_requests_total", s, `code="200"`)
		for line := range strings.Lines(failures(x.e.metrics(t), fmt.Sprintf("scenario=%q", s))) {
			if !strings.Contains(line, `reason="dns"`) {
				t.Errorf("more than names failed: %s", line)
			}
		}
	}
}

// grows waits until a metric of a scenario has grown by so much.
func (x outage) grows(t *testing.T, by float64, metric, scenario, label string) {
	t.Helper()
	value := func() float64 {
		return total(x.e.metrics(t), metric, fmt.Sprintf("scenario=%q", scenario), label)
	}
	from := value()
	eventually(t, func() error {
		if now := value(); now < from+by {
			return fmt.Errorf("%s of %s with %s has grown from %v to %v, want by %v", metric, scenario, label, from, now, by)
		}
		return nil
	})
}
