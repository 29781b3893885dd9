package httpstd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
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
		basic *BasicAuth
		auth  *Authorization
		own   string
		want  string
	}{
		{"nothing", nil, nil, "", ""},
		{"basic", &BasicAuth{Username: "ann", Password: "p:w"}, nil, "", "Basic YW5uOnA6dw=="},
		{"basic from files", &BasicAuth{UsernameFile: file, PasswordFile: file}, nil, "", "Basic czNjcmV0OnMzY3JldA=="},
		{"bearer", nil, &Authorization{Credentials: "abc"}, "", "Bearer abc"},
		{"another type from a file", nil, &Authorization{Type: "Token", CredentialsFile: file}, "", "Token s3cret"},
		{"the entry's own before all", nil, &Authorization{Credentials: "abc"}, "Mine", "Mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			o := flavours()[0].serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") })
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
	o := flavours()[0].serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("Authorization")
	})
	file := write(t, filepath.Join(t.TempDir(), "token"), "one")
	o.Authorization = &Authorization{CredentialsFile: file}
	c := client(t, o)
	mustSucceed(t, c)
	write(t, file, "other")
	eventually(t, "the new token is sent", func() bool {
		mustSucceed(t, c)
		mu.Lock()
		defer mu.Unlock()
		return got == "Bearer other"
	})
}

func TestReloadingKeepsTheLastGoodValue(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "token"), "one")
	var log bytes.Buffer
	var reads int
	auth := Authorization{CredentialsFile: file}
	r, err := newReloading(slog.New(slog.NewTextHandler(&log, nil)), func() (string, error) {
		reads++
		return auth.header()
	}, "", file)
	if err != nil {
		t.Fatal(err)
	}
	now := r.born
	for _, step := range []struct {
		name   string
		after  time.Duration
		change func()
		want   string
		reads  int
		logged string
	}{
		{"nothing changed", 2 * time.Second, func() {}, "Bearer one", 1, ""},
		{"changed, but looked at just now", recheck - 1, func() { write(t, file, "two!") }, "Bearer one", 1, ""},
		{"changed", 1, func() {}, "Bearer two!", 2, "files read again"},
		{"away", recheck, func() { _ = os.Remove(file) }, "Bearer two!", 2, "keeping the last good value"},
		{"still away, and no news", recheck, func() {}, "Bearer two!", 2, ""},
		{"back with nonsense", recheck, func() { write(t, file, "a\nb") }, "Bearer two!", 3, ""},
		{"back with another", recheck, func() { write(t, file, "three") }, "Bearer three", 4, "files read again"},
		{"another file of the same size in its place", recheck, func() {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			next := write(t, filepath.Join(dir, "next"), "seven")
			_ = os.Chtimes(next, info.ModTime(), info.ModTime())
			_ = os.Rename(next, file)
		}, "Bearer seven", 5, "files read again"},
	} {
		step.change()
		now = now.Add(step.after)
		log.Reset()
		if got := r.get(now); got != step.want || reads != step.reads {
			t.Errorf("%s: got %q after %d reads, want %q after %d", step.name, got, reads, step.want, step.reads)
		}
		if (step.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), step.logged) {
			t.Errorf("%s: logged %q, want %q", step.name, log.String(), step.logged)
		}
		if strings.Contains(log.String(), "Bearer") {
			t.Errorf("%s: a secret in the log", step.name)
		}
	}
}

func TestNewNeedsItsFiles(t *testing.T) {
	const missing = "/nonexistent/file"
	for _, spoil := range []func(*Options){
		func(o *Options) { o.Authorization = &Authorization{CredentialsFile: missing} },
		func(o *Options) { o.BasicAuth = &BasicAuth{UsernameFile: missing} },
		func(o *Options) { o.BasicAuth = &BasicAuth{PasswordFile: missing} },
		func(o *Options) { o.TLS.CAFile = missing },
		func(o *Options) { o.TLS.CertFile, o.TLS.KeyFile = missing, missing },
	} {
		o := options(t, "http://127.0.0.1:1")
		spoil(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("got %v", err)
		}
	}
}

func TestClientCertificatesAreSentAndFollowTheirFiles(t *testing.T) {
	ca := newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	var mu sync.Mutex
	var got string
	o := flavours()[3].serve(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.TLS.PeerCertificates[0].Subject.CommonName
	}, func(s *httptest.Server) {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	})
	dir := t.TempDir()
	issue := func(name string) {
		cert, key := ca.issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
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
	eventually(t, "the new certificate is sent", func() bool {
		if r := c.Do(t.Context(), protocol.Request{}); r.Failed() {
			t.Fatal(r.Err)
		}
		mu.Lock()
		defer mu.Unlock()
		return got == "second"
	})
}

func TestTheCAFollowsItsFile(t *testing.T) {
	o := flavours()[2].serve(t, func(http.ResponseWriter, *http.Request) {})
	right := o.TLS.CA
	file := write(t, filepath.Join(t.TempDir(), "ca"), newAuthority(t).pem)
	o.TLS = TLS{CAFile: file}
	c := client(t, o)
	wantReason(t, c, protocol.ReasonTLS)
	write(t, file, right+right) // Of another size, whatever the clock says.
	eventually(t, "the server is trusted", func() bool { return !do(t, c).Failed() })
}
