package http2

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// write writes a file, and makes it look later than it was.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentialsAreSent(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "secret"), " s3cret\n")
	for _, test := range []struct {
		name  string
		basic *httpmix.BasicAuth
		auth  *httpmix.Authorization
		own   string
		want  string
	}{
		{"nothing", nil, nil, "", ""},
		{"basic", &httpmix.BasicAuth{Username: "ann", Password: "p:w"}, nil, "", "Basic YW5uOnA6dw=="},
		{"basic from files", &httpmix.BasicAuth{UsernameFile: file, PasswordFile: file}, nil, "", "Basic czNjcmV0OnMzY3JldA=="},
		{"bearer", nil, &httpmix.Authorization{Credentials: "abc"}, "", "Bearer abc"},
		{"another type from a file", nil, &httpmix.Authorization{Type: "Token", CredentialsFile: file}, "", "Token s3cret"},
		{"the entry's own before all", nil, &httpmix.Authorization{Credentials: "abc"}, "Mine", "Mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			o := flavours()[2].Serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") })
			o.BasicAuth, o.Authorization = test.basic, test.auth
			if test.own != "" {
				o.Entries[0].Header = http.Header{"Authorization": {test.own}}
			}
			mustSucceed(t, client(t, o))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCredentialsFollowTheirFile(t *testing.T) {
	var mu sync.Mutex
	var got string
	o := flavours()[2].Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("Authorization")
	})
	file := write(t, filepath.Join(t.TempDir(), "token"), "one")
	o.Authorization = &httpmix.Authorization{CredentialsFile: file}
	c := client(t, o)
	mustSucceed(t, c)
	write(t, file, "other")
	protocoltest.Eventually(t, "the new token is sent", func() bool {
		mustSucceed(t, c)
		mu.Lock()
		defer mu.Unlock()
		return got == "Bearer other"
	})
}

func TestNewNeedsItsFiles(t *testing.T) {
	const missing = "/nonexistent/file"
	for _, spoil := range []func(*httpmix.Options){
		func(o *httpmix.Options) { o.Authorization = &httpmix.Authorization{CredentialsFile: missing} },
		func(o *httpmix.Options) { o.BasicAuth = &httpmix.BasicAuth{UsernameFile: missing} },
		func(o *httpmix.Options) { o.BasicAuth = &httpmix.BasicAuth{PasswordFile: missing} },
		func(o *httpmix.Options) { o.TLS.CAFile = missing },
		func(o *httpmix.Options) { o.TLS.CertFile, o.TLS.KeyFile = missing, missing },
	} {
		o := protocoltest.Options(t, "https://127.0.0.1:1")
		spoil(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("got %v", err)
		}
	}
}

func TestClientCertificatesAreSentAndFollowTheirFiles(t *testing.T) {
	ca := protocoltest.NewAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.Cert)
	var mu sync.Mutex
	var got string
	o := flavours()[0].Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.TLS.PeerCertificates[0].Subject.CommonName
	}, func(s *httptest.Server) {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	})
	dir := t.TempDir()
	issue := func(name string) {
		cert, key := ca.Issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
		o.TLS.CertFile = write(t, filepath.Join(dir, "cert"), cert)
		o.TLS.KeyFile = write(t, filepath.Join(dir, "key"), key)
	}
	issue("first")
	o.KeepAlive = false
	c := client(t, o)
	mustSucceed(t, c)
	if got != "first" {
		t.Errorf("got %q", got)
	}
	issue("second")
	protocoltest.Eventually(t, "the new certificate is sent", func() bool {
		if r := exchange(c, protocol.Request{}); r.Failed() {
			t.Fatal(r.Err)
		}
		mu.Lock()
		defer mu.Unlock()
		return got == "second"
	})
}

func TestTheCAFollowsItsFile(t *testing.T) {
	o := flavours()[1].Serve(t, func(http.ResponseWriter, *http.Request) {})
	right := o.TLS.CA
	file := write(t, filepath.Join(t.TempDir(), "ca"), protocoltest.NewAuthority(t).PEM)
	o.TLS = dial.TLS{CAFile: file}
	c := client(t, o)
	wantReason(t, c, protocol.ReasonTLS)
	write(t, file, right+right) // Of another size, whatever the clock says.
	protocoltest.Eventually(t, "the server is trusted", func() bool { return !do(t, c).Failed() })
}
