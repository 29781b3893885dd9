package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnyStretchOfRequestsFollowsTheLaw(t *testing.T) {
	law := Law{P50: 20 * time.Millisecond, P99: 80 * time.Millisecond}
	target := newTarget(t, Options{Law: law, ErrorRatio: 0.1})
	for _, first := range []uint64{1, 777, 1 << 40} {
		const n = 1000
		latencies := make([]time.Duration, n)
		failed := 0
		for i := range latencies {
			a, err := target.response(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), first+uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			latencies[i] = a.latency
			if a.status != http.StatusOK {
				failed++
			}
		}
		slices.Sort(latencies)
		for i, d := range latencies {
			if diff := math.Abs(law.CDF(d) - (float64(i)+0.5)/n); diff > 0.01 {
				t.Errorf("from request %d: the part up to %v is off by %.3f", first, d, diff)
			}
		}
		if failed < 95 || failed > 105 {
			t.Errorf("from request %d: %d errors of %d, want 100", first, failed, n)
		}
	}
}

func TestQuantileAndCDFAreInverse(t *testing.T) {
	law := Law{P50: 20 * time.Millisecond, P99: 80 * time.Millisecond}
	for p, want := range map[float64]time.Duration{0.5: law.P50, 0.99: law.P99} {
		if got := law.Quantile(p); (got - want).Abs() > time.Microsecond {
			t.Errorf("Quantile(%v) = %v, want %v", p, got, want)
		}
	}
	for _, p := range []float64{0.001, 0.1, 0.5, 0.9, 0.999} {
		if got := law.CDF(law.Quantile(p)); math.Abs(got-p) > 1e-6 {
			t.Errorf("CDF(Quantile(%v)) = %v", p, got)
		}
	}
}

func TestNoLatencyIsLongerThanAMinute(t *testing.T) {
	law := Law{P50: time.Millisecond, P99: time.Minute}
	for p, want := range map[float64]time.Duration{1 - 1.0/(1<<52): time.Minute, 1.0 / (1 << 52): 0} {
		if got := law.Quantile(p); got < 0 || (got-want).Abs() > time.Millisecond {
			t.Errorf("Quantile(%v) = %v, want %v", p, got, want)
		}
	}
	if got := law.CDF(time.Minute); got != 1 {
		t.Errorf("CDF = %v at the longest latency, want 1", got)
	}
}

func TestAConstantLaw(t *testing.T) {
	law := Law{P50: 10 * time.Millisecond, P99: 10 * time.Millisecond}
	if got := law.Quantile(0.99); got != law.P50 {
		t.Errorf("Quantile = %v", got)
	}
	for d, want := range map[time.Duration]float64{0: 0, 9 * time.Millisecond: 0, 10 * time.Millisecond: 1} {
		if got := law.CDF(d); got != want {
			t.Errorf("CDF(%v) = %v, want %v", d, got, want)
		}
	}
}

func TestBadScriptsAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"negative latency":     {Law: Law{P50: -1}},
		"quantiles in reverse": {Law: Law{P50: 2, P99: 1}},
		"latency too long":     {Law: Law{P50: 1, P99: time.Hour}},
		"ratio above one":      {ErrorRatio: 1.1},
		"ratio not a number":   {ErrorRatio: math.NaN()},
		"stall without end":    {StallEvery: time.Second, StallFor: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}

func newTarget(t *testing.T, o Options) *Target {
	t.Helper()
	target, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestRequestsInAStallWaitForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		law := Law{P50: 10 * time.Millisecond, P99: 10 * time.Millisecond}
		target := newTarget(t, Options{Law: law, StallEvery: 10 * time.Second, StallFor: time.Second})
		for into, want := range map[time.Duration]time.Duration{
			0:                      time.Second + law.P50,
			999 * time.Millisecond: time.Millisecond + law.P50,
			time.Second:            law.P50,
			9 * time.Second:        law.P50,
		} {
			time.Sleep(time.Until(time.Now().Truncate(10 * time.Second).Add(10*time.Second + into)))
			begin := time.Now()
			target.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			if took := time.Since(begin); took != want {
				t.Errorf("%v into the period: answered after %v, want %v", into, took, want)
			}
		}
	})
}

func TestAClientThatGoesAwayEndsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := newTarget(t, Options{Law: Law{P50: time.Minute, P99: time.Minute}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		target.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
		if took := time.Since(begin); took != time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

// serve runs a target on loopback and returns its URL.
func serve(t *testing.T, o Options) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	target := newTarget(t, o)
	go func() { done <- target.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func TestResponses(t *testing.T) {
	base := serve(t, Options{})
	for query, want := range map[string]struct {
		status, size int
	}{
		"":                        {200, -1},
		"?status=404":             {404, -1},
		"?status=204":             {204, 0},
		"?size=10240":             {200, 10240},
		"?size=3KiB":              {200, 3072},
		"?size=10MiB":             {200, 10 << 20},
		"?latency=1ms&status=500": {500, -1},
		"?latency=2h":             {400, -1},
		"?latency=soon":           {400, -1},
		"?status=99":              {400, -1},
		"?status=":                {200, -1},
		"?size=-1":                {400, -1},
		"?size=10485761":          {400, -1},
		"?size=11MiB":             {400, -1},
		"?size=4294967295MiB":     {400, -1},
		"?size=10 kB":             {400, -1},
	} {
		t.Run("query "+query, func(t *testing.T) {
			resp, body := get(t, http.DefaultTransport, base+"/any/path"+strings.ReplaceAll(query, " ", "%20"))
			if resp.StatusCode != want.status || want.size >= 0 && len(body) != want.size {
				t.Errorf("status %d and %d bytes, want %d and %d", resp.StatusCode, len(body), want.status, want.size)
			}
			if query == "" {
				var doc map[string]any
				if err := json.Unmarshal([]byte(body), &doc); err != nil || doc["status"] != 200.0 {
					t.Errorf("body %q: %v", body, err)
				}
			}
		})
	}
}

func TestTheRootSaysWhatThisIs(t *testing.T) {
	resp, body := get(t, http.DefaultTransport, serve(t, Options{ErrorRatio: 1})+"/")
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d: the root does not follow the script", resp.StatusCode)
	}
	if !strings.Contains(body, "traffic_exporter") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%s: %q", resp.Header.Get("Content-Type"), body)
	}
}

func TestAGracefulStopRespondsToOpenRequests(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// The stop begins as the request arrives, before the response.
	ctx, cancel := context.WithCancel(t.Context())
	target := newTarget(t, Options{Observe: func(*http.Request) { cancel() }})
	done := make(chan error, 1)
	go func() { done <- target.Serve(ctx, l) }()
	resp, _ := get(t, http.DefaultTransport, "http://"+l.Addr().String()+"/?latency=100ms")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
}

func TestAListenerThatFailsIsAnError(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := newTarget(t, Options{}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve: %v", err)
	}
}

func TestHTTP2InTheClear(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	resp, _ := get(t, transport, serve(t, Options{}))
	if resp.ProtoMajor != 2 {
		t.Errorf("answered in %s", resp.Proto)
	}
}

func get(t *testing.T, transport http.RoundTripper, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestObserveSeesEachRequest(t *testing.T) {
	var seen []string
	target := newTarget(t, Options{Observe: func(r *http.Request) { seen = append(seen, r.URL.Path) }})
	for _, path := range []string{"/a", "/b"} {
		target.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	}
	if got := strings.Join(seen, " "); got != "/a /b" {
		t.Errorf("saw %q", got)
	}
}
