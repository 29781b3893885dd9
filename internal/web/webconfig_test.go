package web

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// secure writes a web configuration with TLS, and returns the folder with its files, the
// configuration and a client that trusts the server.
func secure(t *testing.T) (dir, file string, client *http.Client) {
	t.Helper()
	dir = t.TempDir()
	authority := protocoltest.NewAuthority(t)
	renew(t, dir, authority)
	file = write(t, dir, "web.yaml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
	roots := x509.NewCertPool()
	roots.AddCert(authority.Cert)
	client = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	return dir, file, client
}

// renew gives the server another certificate.
func renew(t *testing.T, dir string, a *protocoltest.Authority) {
	t.Helper()
	cert, key := a.Issue(t, nil)
	write(t, dir, "cert.pem", cert)
	write(t, dir, "key.pem", key)
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startAt starts a server and returns its address.
func startAt(t *testing.T, st *stubs) string {
	t.Helper()
	return strings.TrimPrefix(start(t, st), "http://")
}

// get returns the status and the body of a response over TLS.
func get(t *testing.T, client *http.Client, addr, path string) (int, string) {
	t.Helper()
	resp, err := client.Get("https://" + addr + path)
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

// eventually waits for a condition.
func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come true: %s", what)
		}
	}
}

// certificate returns a server's certificate.
func certificate(t *testing.T, addr string) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].Raw
}

func TestCertificatesAndUsersAreReadAgain(t *testing.T) {
	dir, file, client := secure(t)
	var logs syncBuffer
	addr := startAt(t, &stubs{webConfig: file, logs: &logs})
	if code, _ := get(t, client, addr, "/-/healthy"); code != http.StatusOK {
		t.Fatalf("got %d", code)
	}
	first := string(certificate(t, addr))
	renew(t, dir, protocoltest.NewAuthority(t))
	eventually(t, func() bool { return string(certificate(t, addr)) != first }, "another certificate")

	second := string(certificate(t, addr))
	write(t, dir, "key.pem", "no key")
	eventually(t, func() bool { return strings.Contains(logs.String(), "keeping the last good web configuration") }, "the mistake is logged")
	if string(certificate(t, addr)) != second {
		t.Error("a mistake has changed the certificate")
	}
	write(t, dir, "web.yaml", "basic_auth_users: {grace: $2a$04$1818VB/ElkEehO1GGOJ4VeZoQraQB0nFT5MHVwe0VCG7J2sDJIKu.}\ntls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
	renew(t, dir, protocoltest.NewAuthority(t))
	client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	eventually(t, func() bool {
		code, _ := get(t, client, addr, "/-/healthy")
		return code == http.StatusUnauthorized
	}, "users are asked for a password")
}

func TestFilesOfTheWebConfigurationAreInlined(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cert", "a\nb: \"c\"\n")
	absolute := write(t, dir, "key", "k")
	for name, tc := range map[string]struct{ content, want string }{
		"an empty file":             {"", ""},
		"paths":                     {"tls_server_config: {cert_file: cert, key_file: " + absolute + "}", "tls_server_config: {cert: \"a\\nb: \\\"c\\\"\\n\", key: \"k\"}\n"},
		"a path that is empty":      {"tls_server_config:\n    client_ca_file: \"\"", "tls_server_config:\n    client_ca_file: \"\"\n"},
		"a user of that name":       {"basic_auth_users: {cert_file: cert}", "basic_auth_users: {cert_file: cert}\n"},
		"what YAML 1.1 has as bool": {"http_server_config: {http2: off}", "http_server_config: {http2: off}\n"},
		"an alias":                  {"x: &x {key_file: key}\ntls_server_config: *x", "x: &x {key: \"k\"}\ntls_server_config: *x\n"},
		"an alias to itself":        {"x: &x [*x]", "x: &x [*x]\n"},
	} {
		got, err := flatten(write(t, dir, "web.yaml", tc.content))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tc.want)
		}
	}
	for content, want := range map[string]string{
		"tls_server_config: {cert_file: none}": "cert_file: open " + filepath.Join(dir, "none") + ": no such file or directory",
		"tls_server_config: {cert_file: .}":    "cert_file: read " + dir + ": found a folder, expected a regular file",
		"a: [":                                 "web.yaml\": yaml: ",
	} {
		if got, err := flatten(write(t, dir, "web.yaml", content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v, want an error with %s", content, got, err, want)
		}
	}
}

func TestHandshakesThatNeverEndKeepNobodyOut(t *testing.T) {
	_, file, client := secure(t)
	addr := startAt(t, &stubs{webConfig: file, maxConns: 8})
	for _, text := range []string{"", "\x16\x03\x01\x02\x00"} {
		for range 20 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"/metrics", "/-/healthy"} {
			if code, _ := get(t, client, addr, path); code != http.StatusOK {
				t.Errorf("%s: got %d", path, code)
			}
		}
	}
}
