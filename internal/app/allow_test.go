package app

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// counting returns the port of a server on loopback, and how many requests it has had. It responds with where to go next.
func counting(t *testing.T, next string) (port string, n *atomic.Int64) {
	t.Helper()
	n = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, next, http.StatusFound)
			return
		}
		fmt.Fprintf(w, `{"next": %q}`, next)
	}))
	t.Cleanup(s.Close)
	_, port, _ = strings.Cut(s.Listener.Addr().String(), ":")
	return port, n
}

func TestNothingIsSentToWhatTheFileDoesNotAllow(t *testing.T) {
	live, reached := counting(t, "")
	staging, _ := counting(t, "http://localhost:"+live+"/")
	file := filepath.Join(t.TempDir(), "config.yaml")
	const text = `  - name: s
    rate: 100/s
    http_config: {follow_redirects: true}
    allow: ["http://localhost:%[2]s"]
    requests:
      - {name: redirected, url: "http://127.0.0.1:%[1]s/away"}
      - {name: typo, url: "http://localhost:%[2]s/"}
      - name: captured
        steps:
          - {name: list, url: "http://127.0.0.1:%[1]s/", capture: {next: {json: next}}}
          - {name: follow, url: "{{ next }}"}
`
	writeConfig(t, file, fmt.Sprintf(text, staging, live), fmt.Sprintf("allow: [\"127.0.0.1:%s\", 10.0.0.0/8]\n", staging))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	for _, request := range []string{"redirected", "typo", "captured/follow"} {
		eventually(t, func() bool { return denials(t, r, request) > 0 }, request+" is denied")
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests reached what is not allowed", n)
	}

	// A reload opens and closes the way.
	writeConfig(t, file, fmt.Sprintf(text, staging, live))
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return reached.Load() > 10 }, "it is reached without allow")
	writeConfig(t, file, fmt.Sprintf(text, staging, live), fmt.Sprintf("allow: [\"127.0.0.1:%s\", 10.0.0.0/8]\n", staging))
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	before := reached.Load()
	first := denials(t, r, "typo")
	eventually(t, func() bool { return denials(t, r, "typo") >= first+10 }, "it is denied again")
	if n := reached.Load() - before; n > 1 { // One may be on its way into the handler.
		t.Errorf("%d requests reached it after the reload", n)
	}
}

// denials returns how many times a request of scenario s was denied.
func denials(t *testing.T, r running, request string) float64 {
	t.Helper()
	series := fmt.Sprintf(`traffic_request_failures_total{reason="denied",request=%q,scenario="s"} `, request)
	_, body := r.get(t, "/metrics")
	_, rest, _ := strings.Cut(body, series)
	text, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("no %q: %v", series, err)
	}
	return n
}

func TestSendKeepsToTheAllowList(t *testing.T) {
	live, reached := counting(t, "")
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "1/s", "http://localhost:"+live+"/", ""), "allow: [10.0.0.0/8]\n")
	var out bytes.Buffer
	err := Send(t.Context(), &out, SendOptions{File: file})
	if err == nil || !strings.Contains(err.Error(), "denied") || reached.Load() > 0 {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// pairText are scenarios whose slots also go to a candidate; the last one logs in there, too.
const pairText = `  - name: pair
    rate: 50/s
    base_url: http://127.0.0.1:%[1]s
    compare: {with: {base_url: "http://localhost:%[2]s"}, sample: 100%%}
    requests: [{name: r, url: /}]
  - name: members
    rate: 50/s
    base_url: http://127.0.0.1:%[1]s
    session: {steps: [{name: login, url: /login, capture: {next: {json: next}}}]}
    headers: {X-Next: "{{ next }}"}
    compare: {with: {base_url: "http://localhost:%[2]s"}, sample: 100%%}
    requests: [{name: r, url: /}]
`

func TestACandidateIsKeptToTheAllowList(t *testing.T) {
	own, sent := counting(t, "/")
	candidate, paired := counting(t, "/")
	file := filepath.Join(t.TempDir(), "config.yaml")
	allow := func(other string) {
		writeConfig(t, file, fmt.Sprintf(pairText, own, candidate), fmt.Sprintf("allow: [\"127.0.0.1:%s\", %q]\n", own, other))
	}
	allow("10.0.0.0/8")
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	eventually(t, func() bool {
		return pairs(t, r, `traffic_compare_candidate_failures_total{reason="denied",request="r",scenario="pair"} `) > 10
	}, "the candidate is denied")
	eventually(t, func() bool {
		return pairs(t, r, `traffic_compare_skipped_total{reason="not_ready",scenario="members"} `) > 10
	}, "the login at the candidate fails")
	if sent.Load() == 0 || paired.Load() != 0 {
		t.Errorf("%d requests to the own target, %d to the candidate", sent.Load(), paired.Load())
	}
	allow("localhost")
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, scenario := range []string{"pair", "members"} {
		eventually(t, func() bool { return same(t, r, scenario) > 5 }, scenario+" is compared once the candidate is allowed")
	}
}

// same returns how many requests of a scenario had the same response from both targets.
func same(t *testing.T, r running, scenario string) float64 {
	t.Helper()
	return pairs(t, r, fmt.Sprintf(`traffic_compare_requests_total{request="r",result="same",scenario=%q} `, scenario))
}

// pairs returns the value of a series of pairs; 0 if there is none.
func pairs(t *testing.T, r running, series string) float64 {
	t.Helper()
	_, body := r.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, series); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

func TestADryRunSendsNothingToACandidate(t *testing.T) {
	own, sent := counting(t, "")
	candidate, paired := counting(t, "")
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(pairText, own, candidate))
	var logs syncBuffer
	o := options(file, &logs)
	o.DryRun = true
	r := startApp(t, o)
	for _, scenario := range []string{"pair", "members"} {
		eventually(t, func() bool { return same(t, r, scenario) > 5 }, scenario+" is compared")
	}
	if n := sent.Load() + paired.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
}
