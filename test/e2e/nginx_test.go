//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// site is a server of an nginx, with a port and an access log of its own.
type site struct {
	name string
	port string
	// log is where it notes a line for each request: the slot, the method and the status.
	log string
}

// startNginx runs the nginx of this machine with a server for each of the strings, which are
// the content of its block: behind "clear;" one without TLS, behind "http2;" one with HTTP/2. TLS is at most 1.2, with which
// the last of a response and the end of the connection come in one read. It returns the file
// of the CA as well. Without an nginx the test is skipped.
func startNginx(t *testing.T, servers map[string]string) (ca string, sites map[string]*site) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx") // Not in everybody's PATH.
	}
	if err != nil {
		t.Skipf("there is no nginx: `make system-tools` installs it as root where there is apt-get: %v", err)
	}
	dir := t.TempDir()
	authority := protocoltest.NewAuthority(t)
	cert, key := authority.Issue(t, nil)
	ca = filepath.Join(dir, "ca.pem")
	write(t, ca, authority.PEM)
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	var blocks strings.Builder
	sites = map[string]*site{}
	for name, text := range servers {
		addr := freeport.Address(t)
		_, port, _ := net.SplitHostPort(addr)
		s := &site{name: name, port: port, log: filepath.Join(dir, name+".log")}
		sites[name] = s
		secure := " ssl"
		for prefix, listen := range map[string]string{"clear;": "", "http2;": " ssl http2"} {
			if rest, ok := strings.CutPrefix(text, prefix); ok {
				secure, text = listen, rest
			}
		}
		fmt.Fprintf(&blocks, "server { listen %s%s; access_log %s slots; %s }\n", addr, secure, s.log, text)
	}
	config := filepath.Join(dir, "nginx.conf")
	// One process, so that none is left behind when it is killed.
	write(t, config, userOf()+`
daemon off;
master_process off;
worker_rlimit_nofile 8192;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
	log_format slots '$http_traffic_slot $request_method $status';
	ssl_certificate cert.pem;
	ssl_certificate_key key.pem;
	ssl_protocols TLSv1.2;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
`+blocks.String()+"}\n")
	p := start(t, path, "-p", dir, "-e", "stderr", "-c", config)
	for _, s := range sites {
		eventually(t, func() error {
			select {
			case <-p.done:
				return errors.New("nginx has ended")
			default:
			}
			c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
			if err == nil {
				_ = c.Close()
			}
			return err
		})
	}
	return ca, sites
}

// userOf says who nginx is to work as, where it could be somebody else than it starts as.
func userOf() string {
	if os.Getuid() == 0 {
		return "user root;"
	}
	return ""
}

// lines returns how many requests the server has noted, and those slots that it has seen
// more than once.
func (s *site) lines(t *testing.T) (n int, status map[string]int, twice []string) {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	status = map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			t.Fatalf("%s: %q", s.name, line)
		}
		if seen[fields[0]] {
			twice = append(twice, fields[0])
		}
		seen[fields[0]] = true
		status[fields[2]]++
		n++
	}
	return n, status, twice
}

// finishes waits until so many slots have finished, as long as some do.
func (e *exporter) finishes(t *testing.T, scenario string, n int) {
	t.Helper()
	const steps = 20
	for i := range steps {
		e.reaches(t, fmt.Sprintf("traffic_slots_finished_total{scenario=%q}", scenario), float64(n*(i+1)/steps))
	}
}

// pause sets all rates to nothing, waits for the end of the requests in flight, and returns the
// metrics of all requests until then.
func (e *exporter) pause(t *testing.T) string {
	t.Helper()
	config, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.file, regexp.MustCompile(`\brate: [0-9]+/s`).ReplaceAllString(string(config), "rate: 0/s"))
	var metrics string
	eventually(t, func() error {
		metrics = e.metrics(t)
		if left := total(metrics, "traffic_slots_in_flight") + total(metrics, "traffic_target_rate"); left > 0 {
			return fmt.Errorf("%v are in flight or to come", left)
		}
		return nil
	})
	return metrics
}

// total returns the sum of the series of a metric that have all of these labels, each
// written as name="value"; 0 if there are none.
func total(metrics, name string, labels ...string) (sum float64) {
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		has := true
		for _, l := range labels {
			has = has && (strings.Contains(rest, "{"+l) || strings.Contains(rest, ","+l))
		}
		value := rest[strings.LastIndexByte(rest, ' ')+1:]
		if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); has && err == nil {
			sum += n
		}
	}
	return sum
}

// failures describes the failures in metrics; it is empty if there are none.
func failures(metrics string, labels ...string) string {
	var all strings.Builder
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "traffic_request_failures_total{") && !strings.HasSuffix(line, " 0\n") && total(line, "traffic_request_failures_total", labels...) > 0 {
			all.WriteString(line)
		}
	}
	return all.String()
}

// nginxCase is a scenario for an nginx.
type nginxCase struct {
	name, server, method, protocol string
	keepAlive                      bool
	// inFlight is few, so that a machine that is too slow for the rate drops slots instead of
	// failing requests.
	inFlight int
	// extra is more of the request, in YAML's flow style.
	extra string
}

// scenario returns the case in YAML.
func (c nginxCase) scenario(ca, rate string, s *site, scheme string) string {
	trust := ""
	if scheme == "https" {
		trust = fmt.Sprintf(", tls_config: {ca_file: %q}", ca)
	}
	return fmt.Sprintf(`  - name: %s
    rate: %s
    timeout: 30s
    limits: {max_in_flight: %d}
    http_config: {protocol: %s, keep_alive: %t%s, connect_timeout: 30s}
    requests: [{name: r, method: %s, url: "%s://127.0.0.1:%s/"%s}]
`, c.name, rate, c.inFlight, c.protocol, c.keepAlive, trust, c.method, scheme, s.port, c.extra)
}

// TestConnectionsThatNginxEndsCostNoRequest has nginx and the exporter end connections in
// all ways that nginx has while thousands of requests go over them.
func TestConnectionsThatNginxEndsCostNoRequest(t *testing.T) {
	const (
		requests = 10_000
		rate     = "500/s"
		respond  = `location / { return 200 "ok"; }`
	)
	cases := []nginxCase{
		{"requests-get", "keepalive_requests 10;", "GET", "http1", true, 16, ""},
		{"requests-post", "keepalive_requests 10;", "POST", "http1", true, 16, ", body: x"},
		{"timeout-get", "keepalive_timeout 0;", "GET", "http1", true, 16, ""},
		{"timeout-post", "keepalive_timeout 0;", "POST", "http1", true, 16, ", body: x"},
		{"close-get", "", "GET", "auto", false, 16, ""},
		{"close-post", "", "POST", "auto", false, 16, ", body: x"},
		{"goaway-get", "http2;keepalive_requests 10;", "GET", "http2", true, 16, ""},
		{"goaway-post", "http2;keepalive_requests 10;", "POST", "http2", true, 16, ", body: x"},
		{"goaway-timeout", "http2;keepalive_timeout 0;", "POST", "http2", true, 8, ", body: x"},
	}
	servers := map[string]string{}
	for _, c := range cases {
		servers[c.name] = c.server + respond
	}
	ca, sites := startNginx(t, servers)
	config := "scenarios:\n"
	for _, c := range cases {
		config += c.scenario(ca, rate, sites[c.name], "https")
	}
	e := startExporter(t, config)
	for _, c := range cases {
		e.finishes(t, c.name, requests)
	}
	metrics := e.pause(t)
	for _, c := range cases {
		scenario := fmt.Sprintf("scenario=%q", c.name)
		finished := int(total(metrics, "traffic_slots_finished_total", scenario))
		eventually(t, func() error {
			if n, _, _ := sites[c.name].lines(t); n < finished {
				return fmt.Errorf("%s: nginx has noted %d requests of %d", c.name, n, finished)
			}
			return nil
		})
		n, status, twice := sites[c.name].lines(t)
		if len(twice) > 0 {
			t.Errorf("%s: %d requests were sent twice, such as %s", c.name, len(twice), twice[0])
		}
		if ok := status["200"]; ok != finished || n != finished {
			t.Errorf("%s: %d requests have finished, nginx saw %d and answered %v", c.name, finished, n, status)
		}
		if failed := failures(metrics, scenario); failed != "" {
			t.Errorf("%s: of %d requests some are reported as failed:\n%s", c.name, finished, failed)
		}
		if opened := total(metrics, "traffic_connections_opened_total", scenario); opened < float64(finished)/100 {
			t.Errorf("%s: %d requests went over %v connections: nginx did not end them", c.name, finished, opened)
		}
	}
}

// late forwards connections to a port of loopback, the first bytes of each after the delay, and
// returns the address.
func late(t *testing.T, port string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			all.Go(func() {
				time.Sleep(delay)
				forward(c, "127.0.0.1:"+port)
			})
		}
	})
	return l.Addr().String()
}

// forward copies between a connection and a new one to the address until both sides have closed
// theirs. It reads what nobody takes any more, or a reset would throw away earlier bytes.
func forward(c net.Conn, addr string) {
	defer func() { _ = c.Close() }()
	other, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = other.Close() }()
	var back sync.WaitGroup
	back.Go(func() { pipe(c, other) })
	pipe(other, c)
	back.Wait()
}

// pipe copies from one connection to another until the end of the first, and passes that on.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, from)
}

// TestAColdStartMeetsAnNginxThatTakesFewRequestsOnAConnection has many requests wait for the
// first connection, which takes ten of them: the others are refused, and none of them is lost.
func TestAColdStartMeetsAnNginxThatTakesFewRequestsOnAConnection(t *testing.T) {
	const requests = 1000
	for _, inFlight := range []int{50, 100} {
		t.Run(fmt.Sprintf("%d in flight", inFlight), func(t *testing.T) {
			c := nginxCase{"cold", "http2;keepalive_requests 10;", "POST", "http2", true, inFlight, ", body: x"}
			ca, sites := startNginx(t, map[string]string{c.name: c.server + `location / { return 200 "ok"; }`})
			_, port, _ := net.SplitHostPort(late(t, sites[c.name].port, 200*time.Millisecond))
			e := startExporter(t, "scenarios:\n"+c.scenario(ca, "500/s", &site{port: port}, "https"))
			e.finishes(t, c.name, requests)
			metrics := e.pause(t)
			if failed := failures(metrics); failed != "" {
				t.Errorf("some requests are reported as failed:\n%s", failed)
			}
			if n := total(metrics, "traffic_request_retries_total"); n > float64(inFlight) {
				t.Errorf("%v requests were sent again, more than were in flight at the start", n)
			}
			if _, _, twice := sites[c.name].lines(t); len(twice) > 0 {
				t.Errorf("nginx processed %d requests twice", len(twice))
			}
		})
	}
}

// TestAnUploadThatNginxRefusesIsReportedWithItsCode sends bodies that nginx refuses when it has
// seen their length.
func TestAnUploadThatNginxRefusesIsReportedWithItsCode(t *testing.T) {
	const (
		uploads = 200
		rate    = "10/s"
		refuse  = `client_max_body_size 1m; location / { return 200 "ok"; }`
	)
	var cases []nginxCase
	servers := map[string]string{}
	// A configuration has at most 1 MiB; what variables add to it may be more.
	t.Setenv("PIECE", strings.Repeat("0123456789abcdef", 4<<10))
	body := ", body: \"" + strings.Repeat("${PIECE}", 48) + "\""
	for _, scheme := range []string{"http", "https"} {
		for _, keep := range []bool{true, false} {
			for _, linger := range []string{"on", "off"} {
				c := nginxCase{fmt.Sprintf("%s-%t-%s", scheme, keep, linger), scheme, "POST", "http1", keep, 16, body}
				cases = append(cases, c)
				servers[c.name] = "lingering_close " + linger + "; " + refuse
				if scheme == "http" {
					servers[c.name] = "clear;" + servers[c.name]
				}
			}
		}
	}
	ca, sites := startNginx(t, servers)
	// One for each, since such a body is most of what variables may add.
	exporters := map[string]*exporter{}
	for _, c := range cases {
		exporters[c.name] = startExporter(t, "scenarios:\n"+c.scenario(ca, rate, sites[c.name], c.server))
	}
	for _, c := range cases {
		exporters[c.name].finishes(t, c.name, uploads)
		metrics := exporters[c.name].pause(t)
		scenario := fmt.Sprintf("scenario=%q", c.name)
		finished := total(metrics, "traffic_slots_finished_total", scenario)
		if n := total(metrics, "traffic_requests_total", scenario, `code="413"`); n != finished {
			t.Errorf("%s: %v of %v uploads are reported with code 413\n%s", c.name, n, finished, failures(metrics, scenario))
		}
		if n := total(metrics, "traffic_request_failures_total", scenario, `reason="status"`); n != finished {
			t.Errorf("%s: %v of %v uploads are reported as failed for their status\n%s", c.name, n, finished, failures(metrics, scenario))
		}
		if _, _, twice := sites[c.name].lines(t); len(twice) > 0 {
			t.Errorf("%s: %d uploads were sent twice", c.name, len(twice))
		}
	}
}
