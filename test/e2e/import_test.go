//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// shopper is somebody who uses the shop of the demo's target.
type shopper struct {
	t    *testing.T
	base string
	http http.Client
}

// ask sends a form, or nothing, and returns what comes back in the end.
func (s *shopper) ask(method, path string, form url.Values) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (a browser)")
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: status %s, %v", method, path, resp.Status, err)
	}
	return string(body)
}

// order logs in, looks around, fills a cart and orders.
func (s *shopper) order() {
	s.t.Helper()
	s.ask("GET", "/shop/login", nil)
	s.ask("POST", "/shop/login", url.Values{"user": {"ada.lovelace@example.com"}, "password": {"secret"}})
	s.ask("GET", "/shop/catalogue", nil)
	for _, item := range []string{"mug", "boots", "tent"} {
		s.ask("GET", "/shop/items/"+item, nil)
	}
	s.ask("POST", "/shop/cart", url.Values{"item": {"mug"}, "quantity": {"2"}})
	s.ask("POST", "/shop/cart", url.Values{"item": {"hat"}, "quantity": {"1"}})
	s.ask("DELETE", "/shop/cart/hat", nil)
	s.ask("GET", "/shop/cart", nil)
	page := s.ask("GET", "/shop/checkout", nil)
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	if token == nil {
		s.t.Fatalf("the checkout page is %q", page)
	}
	s.ask("POST", "/shop/orders?page=checkout&step=1", url.Values{"token": {token[1]}})
	s.ask("GET", "/shop/cart", nil)
}

// startTarget runs the demo's target, without errors, at an address.
func startTarget(t *testing.T, addr string) *process {
	t.Helper()
	p := start(t, env().exporter, "target", "--listen-address="+addr, "--error-ratio=0", "--latency-p50=1ms", "--latency-p99=2ms")
	eventually(t, func() error {
		_, err := get("http://" + addr + "/shop/catalogue")
		return err
	})
	return p
}

// What somebody did in the shop is recorded, and goes on by itself against a shop that knows nothing of
// it. The same holds for the archive of the recording.
func TestARecordedVisitRunsWithoutAnEdit(t *testing.T) {
	t.Parallel()
	dir, target, proxy := t.TempDir(), freeport.Address(t), freeport.Address(t)
	config, vars, archive := filepath.Join(dir, "shop.yaml"), filepath.Join(dir, "shop.env"), filepath.Join(dir, "shop.har")
	first := startTarget(t, target)
	recorder := start(t, env().exporter, "record", "--target=http://"+target, "--listen="+proxy, "--output="+config, "--env-file="+vars, "--har="+archive, "--name=shop", "--rate=20/s", "--max-pause=0s")
	eventually(t, func() error {
		if !strings.Contains(recorder.out.String(), "recording") {
			return fmt.Errorf("the recorder says %q", recorder.out)
		}
		return nil
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &shopper{t: t, base: "http://" + proxy, http: http.Client{Jar: jar}}
	s.order()
	recorder.stop(t)
	first.stop(t)

	imported := filepath.Join(dir, "imported.yaml")
	if out, err := exec.Command(env().exporter, "import", "har", archive, "--output="+imported, "--name=shop", "--rate=20/s", "--max-pause=0s").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	assignments := readVariables(t, vars)
	for _, file := range []string{config, imported} {
		runImported(t, file, target, assignments)
	}
}

// readVariables returns the assignments in a file for a shell.
func readVariables(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+)='(.*)'$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1]+"="+m[2])
	}
	return all
}

// runImported runs a configuration against a new target until many have ordered.
func runImported(t *testing.T, file, target string, variables []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ada.lovelace", "Mozilla", "password: secret"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
	check := exec.Command(env().exporter, "check", file)
	check.Env = append(os.Environ(), variables...)
	if out, failed := check.CombinedOutput(); failed != nil {
		t.Fatalf("%v: %s\n%s", failed, out, text)
	}
	fresh := startTarget(t, target)
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		// t.Setenv is not for parallel tests. Nobody else has these names, and both files have the same values.
		_ = os.Setenv(name, value) //nolint:usetesting // See above.
	}
	e := startExporter(t, string(text))
	const orders = 20
	eventually(t, func() error {
		if n := total(e.metrics(t), "traffic_journey_duration_seconds_count", `outcome="success"`); n < orders {
			return fmt.Errorf("%v visits succeeded, want %d", n, orders)
		}
		return nil
	})
	for _, name := range []string{"traffic_request_failures_total", "traffic_check_failures_total", "traffic_steps_skipped_total"} {
		if n := total(e.metrics(t), name); n != 0 {
			t.Errorf("%s is %v with\n%s", name, n, text)
		}
	}
	e.stop(t)
	// The shop numbers its orders.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	last := &shopper{t: t, base: "http://" + target, http: http.Client{Jar: jar}}
	last.ask("POST", "/shop/login", url.Values{"user": {"eve"}, "password": {"secret"}})
	last.ask("POST", "/shop/cart", url.Values{"item": {"mug"}, "quantity": {"1"}})
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(last.ask("GET", "/shop/checkout", nil))
	var n int
	if _, err := fmt.Sscanf(last.ask("POST", "/shop/orders", url.Values{"token": {token[1]}}), `{"order":%d`, &n); err != nil || n <= orders {
		t.Errorf("the shop has %d orders, want more than %d: %v", n, orders, err)
	}
	fresh.stop(t)
}
