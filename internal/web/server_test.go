package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// stubs are what a test server shows; the zero value is a healthy, ready process.
type stubs struct {
	notReady  error
	badReload error
	reloads   int
	// alone has neither fleet nor gossip, control allows changes of the rate.
	alone   bool
	control bool
	// refusal is the error of every change, if not nil.
	refusal error
	// asked are the changes that got through, as "scenario: request".
	asked []string
	// gossip are the queries that got through to the page of memberlist.
	gossip []string
	// webConfig is the web configuration file, logs where logs go.
	webConfig string
	logs      io.Writer
	// maxConns bounds the connections, hosts and externalURL allow names of hosts.
	maxConns    int
	hosts       []string
	externalURL string
	prefix      string
	// ready, if not nil, is asked in place of notReady.
	ready func() error
	// series are how many bytes of metrics there are, at least.
	series int
}

// syncBuffer is a buffer for writers and readers at a time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// fill registers metrics of so many bytes.
func fill(reg *prometheus.Registry, bytes int) {
	const each = 64 << 10
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "filler", Help: "Fills."}, []string{"number", "text"})
	_ = reg.Register(v)
	for i := range bytes / each {
		v.WithLabelValues(strconv.Itoa(i), strings.Repeat("x", each)).Set(1)
	}
}

// sampleScenario has an override in effect.
func sampleScenario() ScenarioStatus {
	from := time.Unix(1e9, 0).UTC()
	rate := 600.0
	return ScenarioStatus{
		Name: "storefront", FileRate: 200, TargetRate: 500, ShareRate: 250, BackOffRatio: 0.1, MaxRate: 500,
		Override: &OverrideStatus{
			Rate: &rate, From: from, Until: from.Add(time.Hour), Active: true, Capped: true,
			Reason: "spike", By: "ada", Written: from.Add(-2 * time.Second), Replica: "a-1",
		},
	}
}

func (st *stubs) set(_ context.Context, scenario string, o OverrideRequest) (ScenarioStatus, error) {
	if st.refusal != nil {
		return ScenarioStatus{}, st.refusal
	}
	b, err := json.Marshal(o)
	st.asked = append(st.asked, "set "+scenario+": "+string(b))
	return sampleScenario(), err
}

func (st *stubs) clear(_ context.Context, scenario string, o ClearRequest) (ScenarioStatus, error) {
	if st.refusal != nil {
		return ScenarioStatus{}, st.refusal
	}
	b, err := json.Marshal(o)
	st.asked = append(st.asked, "clear "+scenario+": "+string(b))
	return ScenarioStatus{Name: scenario, FileRate: 200, TargetRate: 200, ShareRate: 100}, err
}

func options(addr string, st *stubs) Options {
	logs := st.logs
	if logs == nil {
		logs = io.Discard
	}
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "answer_total", Help: "An answer."})
	c.Add(42)
	_ = reg.Register(c)
	o := Options{
		Flags:    &toolkit.FlagConfig{WebListenAddresses: &[]string{addr}, WebConfigFile: &st.webConfig},
		Registry: reg,
		Ready:    func() error { return st.notReady },
		Reload: func() error {
			st.reloads++
			return st.badReload
		},
		Config:        func() ([]byte, error) { return []byte("scenarios: []\n"), nil },
		Control:       st.control,
		Scenarios:     func() []ScenarioStatus { return []ScenarioStatus{sampleScenario()} },
		SetOverride:   st.set,
		ClearOverride: st.clear,
		Logger:        slog.New(slog.NewTextHandler(logs, nil)),

		AllowedHosts: st.hosts, ExternalURL: st.externalURL, RoutePrefix: st.prefix, MaxConnections: st.maxConns,
	}
	if st.ready != nil {
		o.Ready = st.ready
	}
	fill(reg, st.series)
	if !st.alone {
		o.Fleet = func() FleetStatus { return sampleFleet(time.Now()) }
		o.Memberlist = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st.gossip = append(st.gossip, r.URL.RawQuery)
			fmt.Fprintln(w, "Memberlist Status")
		})
	}
	return o
}

func start(t *testing.T, st *stubs) string {
	t.Helper()
	s, err := New(options("127.0.0.1:0", st))
	if err != nil {
		t.Fatal(err)
	}
	if err := services.StartAndAwaitRunning(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.StopAndAwaitTerminated(context.Background(), s); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return "http://" + s.Addrs()[0].String()
}

func ask(t *testing.T, method, url string, header http.Header) (int, string) {
	t.Helper()
	return askWith(t, method, url, header, "")
}

func askWith(t *testing.T, method, url string, header http.Header, content string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	return respond(t, req)
}

// respond sends a request, and returns the status and the body of its response.
func respond(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestEndpoints(t *testing.T) {
	crossOrigin := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	for name, tc := range map[string]struct {
		method, path string
		header       http.Header
		stubs        stubs
		code         int
		body         string
	}{
		"live page":                   {method: "GET", path: "/", code: 200, body: "page/page.js"},
		"asset":                       {method: "GET", path: "/page/page.js", code: 200, body: "poll"},
		"no such asset":               {method: "GET", path: "/page/uplot.sha256", code: 404},
		"unknown page":                {method: "GET", path: "/nothing", code: 404, body: "not found"},
		"metrics":                     {method: "GET", path: "/metrics", code: 200, body: "answer_total 42"},
		"metrics in OpenMetrics":      {method: "GET", path: "/metrics", header: http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}}, code: 200, body: "# EOF"},
		"healthy":                     {method: "GET", path: "/-/healthy", code: 200, body: "healthy"},
		"healthy by HEAD":             {method: "HEAD", path: "/-/healthy", code: 200},
		"healthy when not ready":      {method: "GET", path: "/-/healthy", stubs: stubs{notReady: errors.New("stopping")}, code: 200, body: "healthy"},
		"ready":                       {method: "GET", path: "/-/ready", code: 200, body: "is ready"},
		"not ready tells why":         {method: "GET", path: "/-/ready", stubs: stubs{notReady: errors.New("stopping")}, code: 503, body: "stopping"},
		"reload by POST":              {method: "POST", path: "/-/reload", code: 200, body: "reloaded"},
		"reload by PUT":               {method: "PUT", path: "/-/reload", code: 200, body: "reloaded"},
		"reload by GET is refused":    {method: "GET", path: "/-/reload", code: 405, body: "Not Allowed"},
		"reload tells what is wrong":  {method: "POST", path: "/-/reload", stubs: stubs{badReload: errors.New("x.yaml:3:1: bad")}, code: 500, body: "x.yaml:3:1: bad"},
		"reload from another origin":  {method: "POST", path: "/-/reload", header: crossOrigin, code: 403, body: "cross-origin"},
		"configuration":               {method: "GET", path: "/config", code: 200, body: "scenarios: []"},
		"profiles":                    {method: "GET", path: "/debug/pprof/", code: 200, body: "goroutine"},
		"fleet":                       {method: "GET", path: "/fleet", code: 200, body: "traffic-exporter-3"},
		"fleet of one":                {method: "GET", path: "/fleet", stubs: stubs{alone: true}, code: 200, body: "on its own"},
		"gossip":                      {method: "GET", path: "/memberlist", code: 200, body: "Memberlist Status"},
		"gossip of one":               {method: "GET", path: "/memberlist", stubs: stubs{alone: true}, code: 404, body: "no gossip"},
		"gossip is not for writing":   {method: "POST", path: "/memberlist", code: 405, body: "Not Allowed"},
		"metrics are not for writing": {method: "POST", path: "/metrics", code: 405, body: "Not Allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			st := tc.stubs
			code, body := ask(t, tc.method, start(t, &st)+tc.path, tc.header)
			if code != tc.code || !strings.Contains(body, tc.body) {
				t.Errorf("got %d %q, want %d and %q", code, body, tc.code, tc.body)
			}
			if reloads := map[bool]int{true: 1}[strings.HasPrefix(name, "reload by P") || strings.HasPrefix(name, "reload tells")]; st.reloads != reloads {
				t.Errorf("%d reloads, want %d", st.reloads, reloads)
			}
		})
	}
}

func TestAPortInUseFailsTheStart(t *testing.T) {
	addr := strings.TrimPrefix(start(t, &stubs{}), "http://")
	s, err := New(options(addr, &stubs{}))
	if err != nil {
		t.Fatal(err)
	}
	err = services.StartAndAwaitRunning(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("start = %v, want an error that names %s", err, addr)
	}
}

func TestABadWebConfigurationFailsTheStart(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := filepath.Join(dir, "web.yaml")
	if err := os.WriteFile(certificate, []byte("tls_server_config: {cert_file: pipe, key_file: pipe}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ file, want string }{
		"a file that is not there":     {"testdata/missing.yaml", "testdata/missing.yaml"},
		"a pipe":                       {pipe, "found a pipe, expected a regular file"},
		"a certificate that is a pipe": {certificate, "cert_file: read " + pipe + ": found a pipe, expected a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options("127.0.0.1:0", &stubs{})
			o.Flags.WebConfigFile = &tc.file
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			err = services.StartAndAwaitRunning(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("start = %v, want an error with %s", err, tc.want)
			}
		})
	}
}
