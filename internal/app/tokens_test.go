package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// bank is a target that takes tokens of its own authorization server only.
type bank struct {
	mu sync.Mutex
	// away says that no tokens are granted, and lifetime how long they are valid, in seconds.
	away     bool
	lifetime int
	granted  int
	// valid is the token that is taken.
	valid     string
	good, bad int
}

func newBank(t *testing.T) (*bank, string) {
	t.Helper()
	b := &bank{lifetime: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		id, secret, _ := r.BasicAuth()
		if b.away || id != "traffic" || secret != "hunter2" || r.FormValue("scope") != "read" || r.FormValue("audience") != "bank" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b.granted++
		b.valid = fmt.Sprintf("token-%d", b.granted)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, b.valid, b.lifetime)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.valid == "" || r.Header.Get("Authorization") != "Bearer "+b.valid {
			b.bad++
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b.good++
		_, _ = io.WriteString(w, "1")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return b, server.URL
}

func (b *bank) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// state returns how many tokens were granted, and how many requests were good and bad.
func (b *bank) state() (granted, good, bad int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.granted, b.good, b.bad
}

// until polls until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

const withOAuth2 = `    http_config:
      protocol: http1
      oauth2: {client_id: traffic, client_secret: hunter2, token_url: "%s/token", scopes: [read], endpoint_params: {audience: bank}}
`

func TestRequestsCarryATokenThatIsRenewed(t *testing.T) {
	b, url := newBank(t)
	b.set(func() { b.away = true })
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "100/s", url+"/", fmt.Sprintf(withOAuth2, url)))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	dropped := func() float64 {
		_, body := r.get(t, "/metrics")
		return sumOf(body, `traffic_slots_dropped_total{reason="no_token",scenario="s"}`)
	}
	until(t, "slots are dropped while there is no token", func() bool { return dropped() > 0 })
	r.eventually(t, `traffic_sessions{scenario="s"} 0`)
	r.eventually(t, `traffic_token_expiry_timestamp_seconds{scenario="s"} 0`)
	if _, good, bad := b.state(); good+bad > 0 {
		t.Errorf("%d requests were sent without a token", good+bad)
	}
	b.set(func() { b.away = false })
	until(t, "requests carry a token", func() bool { _, good, _ := b.state(); return good > 20 })
	r.eventually(t, `traffic_sessions{scenario="s"} 1`)
	r.eventually(t, `traffic_session_renewals_total{scenario="s"} 1`)

	before := dropped()
	b.set(func() { b.valid = "revoked" })
	until(t, "a refused token is replaced", func() bool { granted, _, _ := b.state(); return granted == 2 })
	_, after, _ := b.state()
	until(t, "requests are good again", func() bool { _, good, _ := b.state(); return good > after+20 })
	if granted, _, bad := b.state(); granted != 2 || bad == 0 {
		t.Errorf("%d tokens were granted, %d requests refused", granted, bad)
	}
	if n := dropped(); n != before {
		t.Errorf("%v slots were dropped though there was a token", n-before)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(logs.String(), "hunter2") || strings.Contains(logs.String(), "token-") {
		t.Errorf("the log shows a secret:\n%s", logs.String())
	}
	if !strings.Contains(logs.String(), "status 503") {
		t.Errorf("the log does not say why there was no token:\n%s", logs.String())
	}
}

// sumOf returns the value of a series in an exposition.
func sumOf(body, series string) float64 {
	var value float64
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			_, _ = fmt.Sscan(rest, &value)
		}
	}
	return value
}

func TestAReloadKeepsTheToken(t *testing.T) {
	b, url := newBank(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	write := func(rate, more, account string) {
		writeConfig(t, file, scenarioText("s", rate, url+"/"+more, strings.Replace(fmt.Sprintf(withOAuth2, url), "id: traffic,", "id: "+account+",", 1)))
	}
	write("100/s", "", "traffic")
	r := startApp(t, options(file, io.Discard))
	until(t, "requests carry a token", func() bool { _, good, _ := b.state(); return good > 10 })
	b.set(func() { b.away = true }) // Nothing can be had any more.
	for _, change := range []struct{ rate, more string }{{"101/s", ""}, {"101/s", "more"}, {"102/s", "even-more"}} {
		write(change.rate, change.more, "traffic")
		if err := r.app.reloader.Reload(); err != nil {
			t.Fatal(err)
		}
		_, before, _ := b.state()
		until(t, "requests go on", func() bool { _, good, _ := b.state(); return good > before+20 })
	}
	if granted, _, bad := b.state(); granted != 1 || bad > 0 {
		t.Errorf("%d tokens were granted, %d requests were refused", granted, bad)
	}
	write("102/s", "even-more", "another")
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, `traffic_sessions{scenario="s"} 0`)
	// Without an account there are no series of it.
	writeConfig(t, file, scenarioText("s", "102/s", url+"/", ""))
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, body := r.get(t, "/metrics"); strings.Contains(body, "traffic_session") || strings.Contains(body, "traffic_token") {
		t.Error("series of sessions are left")
	}
}

func TestAPausedScenarioAsksForNoToken(t *testing.T) {
	b, url := newBank(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file,
		scenarioText("paused", "0/s", url+"/", fmt.Sprintf(withOAuth2, url)),
		scenarioText("other", "100/s", url+"/", fmt.Sprintf(withOAuth2, url)))
	r := startApp(t, options(file, io.Discard))
	until(t, "requests carry a token", func() bool { _, good, _ := b.state(); return good > 20 })
	r.eventually(t, `traffic_sessions{scenario="paused"} 0`)
	if granted, _, _ := b.state(); granted != 1 {
		t.Errorf("%d tokens were granted, want 1", granted)
	}
}

func TestSendObtainsAToken(t *testing.T) {
	b, url := newBank(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "1/s", url+"/", fmt.Sprintf(withOAuth2, url)))
	var out bytes.Buffer
	if err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "s"}); err != nil {
		t.Fatal(err)
	}
	if _, good, bad := b.state(); good != 1 || bad != 0 || strings.Contains(out.String(), "token-1") {
		t.Errorf("%d good requests, %d bad ones:\n%s", good, bad, out.String())
	}
	b.set(func() { b.away = true })
	err := Send(context.Background(), &out, SendOptions{File: file, Scenario: "s"})
	if want := "token: the authorization server responds with status 503"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCheckReadsTheSecretAndAsksForNothing(t *testing.T) {
	b, url := newBank(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	text := strings.Replace(fmt.Sprintf(withOAuth2, url), "client_secret: hunter2", "client_secret_file: secret", 1)
	writeConfig(t, file, scenarioText("s", "1/s", url+"/", text))
	if err := Check(io.Discard, []string{file}); err == nil || !strings.Contains(err.Error(), "client_secret_file") {
		t.Errorf("error %v, want one of the file", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(io.Discard, []string{file}); err != nil {
		t.Error(err)
	}
	if granted, _, _ := b.state(); granted != 0 {
		t.Error("check asked for a token")
	}
}
