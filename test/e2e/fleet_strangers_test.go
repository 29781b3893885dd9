//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

// newAuthority writes the certificate of a new authority into a folder.
func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t), file: filepath.Join(dir, name+".pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.sign(t, a.cert, &a.key.PublicKey, a.file)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes a certificate that the authority vouches for.
func (a *authority) sign(t *testing.T, cert *x509.Certificate, key *ecdsa.PublicKey, file string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// identity writes a certificate of a replica on loopback and its key, and returns the
// part of the fleet section that uses them and trusts an authority.
func (a *authority) identity(t *testing.T, dir, name string, trusted *authority) string {
	t.Helper()
	key := newKey(t)
	certFile, keyFile := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey, certFile)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return fmt.Sprintf("  tls_config: {ca_file: %q, cert_file: %q, key_file: %q}\n", trusted.file, certFile, keyFile)
}

// refused returns how many packets and connections of strangers the replicas refused.
func refused(t *testing.T, replicas ...*replica) float64 {
	t.Helper()
	total := 0.0
	for _, r := range replicas {
		n, err := sample(r.metrics(t), "traffic_fleet_refused_total")
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "ours"), newAuthority(t, dir, "theirs")
	member := ours.identity(t, dir, "member", ours)
	const label, other = "  cluster: e2e\n", "  cluster: other\n"
	for name, tc := range map[string]struct {
		fleet string
		// strangers are the sections of replicas that try to join.
		strangers map[string]string
	}{
		"by mutual TLS": {
			fleet: label + member,
			strangers: map[string]string{
				// They need not trust us; but a stranger that does is recognised only by its certificate.
				"a certificate of another authority": label + theirs.identity(t, dir, "stranger", ours),
				"no TLS at all":                      label,
			},
		},
		"by the label of the cluster": {
			fleet:     label,
			strangers: map[string]string{"another label": other},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			takeTurn(t)
			target, places := startLedger(t, "127.0.0.1"), loopback(t, 3)
			f := newFleet(t, target.addr, places, tc.fleet+gossip(places))
			f.target = target
			all := f.start(t, 3)
			begin := f.target.first(t)
			if n := refused(t, all...); n != 0 {
				t.Errorf("%v strangers were refused before there were any", n)
			}
			for what, section := range tc.strangers {
				before := refused(t, all...)
				s := stranger(t, places, section)
				eventually(t, func() error {
					if refused(t, all...) <= before {
						return fmt.Errorf("with %s: nobody was refused", what)
					}
					return nil
				})
				agree(t, 1, s)
			}
			f.target.waitUntil(t, time.Now())
			agree(t, 3, all...)
			f.target.exact(t, always(), begin, time.Now())
		})
	}
}

// stranger starts a replica on its own that tries to join the replicas at the places.
// What it sends nobody counts.
func stranger(t *testing.T, join []place, section string) *replica {
	t.Helper()
	own := loopback(t, 1)
	s := newFleet(t, startLedger(t, "127.0.0.1").addr, own, section+"  start_alone_after: 0s\n"+gossip(append(own, join...)))
	return s.start(t, 1)[0]
}

func TestCertificatesThatHangHoldUpNobody(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	dir := t.TempDir()
	ours := newAuthority(t, dir, "ours")
	target, places := startLedger(t, "127.0.0.1"), loopback(t, 2)
	f := newFleet(t, target.addr, places, "  cluster: e2e\n"+gossip(places)+ours.identity(t, dir, "replica", ours))
	f.target = target
	all := f.start(t, 2)
	begin := target.first(t)
	for _, file := range []string{"ours.pem", "replica.crt", "replica.key"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(dir, file), 0o600); err != nil {
			t.Skip(err)
		}
	}
	hanging := time.Now()
	target.exact(t, always(), begin, hanging.Add(8*time.Second))
	agree(t, 2, all...)
	for _, r := range all {
		r.leave(t)
	}
}
