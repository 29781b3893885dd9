package protocoltest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// write writes a file, and makes it look later than it was.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s Suite) sendsCredentials(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "secret"), " s3cret\n")
	for _, test := range []struct {
		name  string
		basic *httpreq.BasicAuth
		auth  *httpreq.Authorization
		own   string
		want  string
	}{
		{"nothing", nil, nil, "", ""},
		{"basic", &httpreq.BasicAuth{Username: "ann", Password: "p:w"}, nil, "", "Basic YW5uOnA6dw=="},
		{"basic from files", &httpreq.BasicAuth{UsernameFile: file, PasswordFile: file}, nil, "", "Basic czNjcmV0OnMzY3JldA=="},
		{"bearer", nil, &httpreq.Authorization{Credentials: "abc"}, "", "Bearer abc"},
		{"another type from a file", nil, &httpreq.Authorization{Type: "Token", CredentialsFile: file}, "", "Token s3cret"},
		{"the entry's own before all", nil, &httpreq.Authorization{Credentials: "abc"}, "Mine", "Mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			o := s.plain().Serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") })
			o.BasicAuth, o.Authorization = test.basic, test.auth
			if test.own != "" {
				o.Entries[0].Fields = []protocol.Field{{Name: "Authorization", Value: test.own}}
			}
			mustSucceed(t, s.client(t, o))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func (s Suite) sendsTheTokenThatThereIs(t *testing.T) {
	var got atomic.Value
	var token atomic.Pointer[[]string]
	o := s.plain().Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		got.Store(strings.Join(r.Header.Values("Authorization"), ", "))
	})
	o.Token = func() []string {
		if held := token.Load(); held != nil {
			return *held
		}
		return nil
	}
	c := s.client(t, o)
	for _, want := range []string{"", "Bearer one", "Bearer two"} {
		if want != "" {
			token.Store(&[]string{want})
		}
		mustSucceed(t, c)
		if got.Load() != want {
			t.Errorf("got %q, want %q", got.Load(), want)
		}
	}
	o.Authorization = &httpreq.Authorization{Credentials: "abc"}
	if err := o.Validate(); err == nil {
		t.Error("a token together with other credentials is accepted")
	}
}

func (s Suite) followsTheFileOfCredentials(t *testing.T) {
	var mu sync.Mutex
	var got string
	o := s.plain().Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("Authorization")
	})
	file := write(t, filepath.Join(t.TempDir(), "token"), "one")
	o.Authorization = &httpreq.Authorization{CredentialsFile: file}
	c := s.client(t, o)
	mustSucceed(t, c)
	write(t, file, "other")
	Eventually(t, "the new token is sent", func() bool {
		mustSucceed(t, c)
		mu.Lock()
		defer mu.Unlock()
		return got == "Bearer other"
	})
}

func (s Suite) needsItsFiles(t *testing.T) {
	const missing = "/nonexistent/file"
	for _, spoil := range []func(*httpreq.Options){
		func(o *httpreq.Options) { o.Authorization = &httpreq.Authorization{CredentialsFile: missing} },
		func(o *httpreq.Options) { o.BasicAuth = &httpreq.BasicAuth{UsernameFile: missing} },
		func(o *httpreq.Options) { o.BasicAuth = &httpreq.BasicAuth{PasswordFile: missing} },
		func(o *httpreq.Options) { o.TLS.CAFile = missing },
		func(o *httpreq.Options) { o.TLS.CertFile, o.TLS.KeyFile = missing, missing },
	} {
		o := s.plain().options(t, "127.0.0.1:1")
		spoil(&o)
		if _, err := s.New(o); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("got %v", err)
		}
	}
}

func (s Suite) sendsCertificatesAndFollowsTheirFiles(t *testing.T) {
	ca := NewAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.Cert)
	var mu sync.Mutex
	var got string
	o := s.secure().Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.TLS.PeerCertificates[0].Subject.CommonName
	}, func(server *httptest.Server) {
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	})
	dir := t.TempDir()
	issue := func(name string) {
		cert, key := ca.Issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
		o.TLS.CertFile = write(t, filepath.Join(dir, "cert"), cert)
		o.TLS.KeyFile = write(t, filepath.Join(dir, "key"), key)
	}
	issue("first")
	o.KeepAlive = false
	c := s.client(t, o)
	mustSucceed(t, c)
	if got != "first" {
		t.Errorf("got %q", got)
	}
	issue("second")
	Eventually(t, "the new certificate is sent", func() bool {
		if r := c.do(protocol.Request{}); r.Failed() {
			t.Fatal(r.Err)
		}
		mu.Lock()
		defer mu.Unlock()
		return got == "second"
	})
}

func (s Suite) followsTheFileOfTheCA(t *testing.T) {
	o := s.secure().Serve(t, func(http.ResponseWriter, *http.Request) {})
	right := o.TLS.CA
	file := write(t, filepath.Join(t.TempDir(), "ca"), NewAuthority(t).PEM)
	o.TLS = dial.TLS{CAFile: file}
	c := s.client(t, o)
	wantReason(t, c, protocol.ReasonTLS)
	write(t, file, right+right) // Of another size, whatever the clock says.
	Eventually(t, "the server is trusted", func() bool { return !c.do(protocol.Request{}).Failed() })
}

func (s Suite) checksCertificates(t *testing.T) {
	ca := NewAuthority(t)
	stranger := NewAuthority(t)
	none := func(*x509.Certificate) {}
	for _, test := range []struct {
		name   string
		by     *Authority
		change func(*x509.Certificate)
		client dial.TLS
		want   protocol.Reason
	}{
		{"good", ca, none, dial.TLS{CA: ca.PEM}, protocol.ReasonNone},
		{"by a stranger", stranger, none, dial.TLS{CA: ca.PEM}, protocol.ReasonTLS},
		{"by a stranger, unverified", stranger, none, dial.TLS{InsecureSkipVerify: true}, protocol.ReasonNone},
		{"not in the system's roots", ca, none, dial.TLS{}, protocol.ReasonTLS},
		{"expired", ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, dial.TLS{CA: ca.PEM}, protocol.ReasonTLS},
		{"not yet valid", ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, dial.TLS{CA: ca.PEM}, protocol.ReasonTLS},
		{"for another address", ca, func(c *x509.Certificate) { c.IPAddresses = nil }, dial.TLS{CA: ca.PEM}, protocol.ReasonTLS},
		{"for the name asked for", ca, func(c *x509.Certificate) { c.IPAddresses = nil }, dial.TLS{CA: ca.PEM, ServerName: "target.test"}, protocol.ReasonNone},
		{"not for the name asked for", ca, none, dial.TLS{CA: ca.PEM, ServerName: "other.test"}, protocol.ReasonTLS},
		{"of too old a version", ca, none, dial.TLS{CA: ca.PEM, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, protocol.ReasonTLS},
	} {
		t.Run("a certificate "+test.name, func(t *testing.T) {
			o := s.secure().Serve(t, s.succeed, func(server *httptest.Server) {
				server.TLS = test.by.ServerConfig(t, test.change)
			})
			w := new(ConnRecorder)
			o.TLS, o.Observer = test.client, w
			if r := s.client(t, o).do(protocol.Request{}); r.Reason != test.want {
				t.Errorf("reason %q, want %q: %v", r.Reason, test.want, r.Err)
			}
			if opened, _ := w.Counts(); (opened == 1) != (test.want == protocol.ReasonNone) {
				t.Errorf("%d connections were reported as open", opened)
			}
		})
	}
}
