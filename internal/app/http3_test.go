package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// newHTTP3 starts a server of HTTP/3 which knows who logged in, and returns its URL and the file with
// the certificate of its authority.
func newHTTP3(t *testing.T) (url, ca string) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	authority := protocoltest.NewAuthority(t)
	server := &quichttp.Server{
		TLSConfig: quichttp.ConfigureTLSConfig(authority.ServerConfig(t, nil)),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/login":
				http.SetCookie(w, &http.Cookie{Name: "sid", Value: "s3cret"})
				http.Redirect(w, r, "/home", http.StatusSeeOther)
			case r.URL.Path == "/home" && !strings.Contains(r.Header.Get("Cookie"), "sid=s3cret"):
				w.WriteHeader(http.StatusUnauthorized)
			default:
				fmt.Fprintf(w, `{"protocol": %q, "path": %q}`, r.Proto, r.URL.Path)
			}
		}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(conn)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
		_ = conn.Close()
	})
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err = os.WriteFile(ca, []byte(authority.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	return "https://" + conn.LocalAddr().String(), ca
}

// http3Text returns a scenario over HTTP/3: a fixed request, and a journey with a login.
func http3Text(url, ca string) string {
	return fmt.Sprintf(`  - name: s
    rate: 100/s
    limits: {max_in_flight: 4}
    base_url: %s
    http_config: {protocol: http3, tls_config: {ca_file: %s}}
    requests:
      - {name: fixed, url: /fixed}
      - name: visit
        cookies: true
        steps:
          - {name: log-in, method: POST, url: /login, body: {form: {user: ann}}, follow_redirects: true, expect: {json: {path: /home}}, capture: {spoken: {json: protocol}}}
          - {name: look, url: "/look/{{ spoken }}", expect: {json: {path: /look/HTTP/3.0}}}
`, url, ca)
}

func TestScenariosSpeakHTTP3(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	url, ca := newHTTP3(t)
	writeConfig(t, file, http3Text(url, ca))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	for _, want := range []string{
		`traffic_requests_total{code="200",request="fixed",scenario="s"}`, `traffic_requests_total{code="200",request="visit/log-in",scenario="s"}`,
		`traffic_requests_total{code="200",request="visit/look",scenario="s"}`,
	} {
		until(t, want, func() bool {
			_, body := r.get(t, "/metrics")
			return sumOf(body, want) > 5
		})
	}
	_, body := r.get(t, "/metrics")
	// How many requests wait for a connection, and so how many there are, depends on time: of at least
	// 18 requests no more than four do.
	if n := sumOf(body, `traffic_connections_opened_total{protocol="h3",scenario="s"}`); n < 1 || n > 4 {
		t.Errorf("%v connections were opened", n)
	}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "traffic_request_failures_total") && !strings.HasSuffix(line, " 0\n") {
			t.Error(line)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestSendShowsHTTP3(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	url, ca := newHTTP3(t)
	writeConfig(t, file, http3Text(url, ca))
	var out bytes.Buffer
	if err := Send(context.Background(), &out, SendOptions{File: file, Scenario: "s", Request: "visit"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"* TLS 1.3, ", `protocol "h3"`, "> POST /login HTTP/3.0", "> :authority: 127.0.0.1:", "< HTTP/3.0 303 See Other", "> GET /home HTTP/3.0", "> cookie: <hidden>", "connected in ", ", TLS included", `* spoken = "HTTP/3.0"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not show %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "s3cret") {
		t.Errorf("it shows a secret:\n%s", out.String())
	}
}
