package dial_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// secureServer serves TLS, says "hello" and waits for the client to go. It returns its
// address and its authority.
func secureServer(t *testing.T, version uint16) (addr string, ca *protocoltest.Authority) {
	t.Helper()
	ca = protocoltest.NewAuthority(t)
	config := ca.ServerConfig(t, nil)
	config.MaxVersion = version
	return protocoltest.Raw(t, func(c net.Conn) {
		over := tls.Server(c, config)
		_, _ = io.WriteString(over, "hello")
		_, _ = io.Copy(io.Discard, over)
	}), ca
}

// resumes makes a connection and reports whether it resumed a session.
func resumes(t *testing.T, o *dial.Origin) bool {
	t.Helper()
	r, err := o.Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Conn.Close() }()
	// With TLS 1.3 the session comes behind the handshake.
	if _, err = io.ReadFull(r.TLS, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	return r.TLS.ConnectionState().DidResume
}

func TestSessionsAreResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, full := range []bool{false, true} {
			addr, ca := secureServer(t, version)
			d, err := dial.New(dial.Options{
				TLS: dial.TLS{CA: ca.PEM}, FullHandshakes: full, NextProtos: []string{protocol.HTTP1}, Timeout: protocoltest.Long,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			o := d.Origin(dial.Target{Addr: addr, Secure: true})
			if resumes(t, o) {
				t.Error("the first connection resumed a session")
			}
			if resumes(t, o) == full {
				t.Errorf("%s: resumed: %t", tls.VersionName(version), !full)
			}
		}
	}
}

func TestNewCertificatesNeedNewSessions(t *testing.T) {
	addr, ca := secureServer(t, tls.VersionTLS13)
	cert, key := ca.Issue(t, func(c *x509.Certificate) { c.SerialNumber.SetInt64(77) })
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := write("cert", cert), write("key", key)
	d, err := dial.New(dial.Options{
		TLS:        dial.TLS{CA: ca.PEM, CertFile: certFile, KeyFile: keyFile},
		NextProtos: []string{protocol.HTTP1}, Timeout: protocoltest.Long,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	o := d.Origin(dial.Target{Addr: addr, Secure: true})
	resumes(t, o)
	if !resumes(t, o) {
		t.Error("the same certificates, and no session was resumed")
	}
	if err = os.Chtimes(certFile, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	protocoltest.Eventually(t, "a session is not resumed", func() bool { return !resumes(t, o) })
}
