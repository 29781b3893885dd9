package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	dskittls "github.com/grafana/dskit/crypto/tls"

	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// certificates are a replica's identity and whom it trusts, as current as their files.
// Getting them never waits for a file system. They are safe for concurrent use.
type certificates struct {
	value *reloading.Value[identity]
}

// identity is what the files hold.
type identity struct {
	files reloading.Files
	// cert and roots are zero if there are no files of them.
	cert  tls.Certificate
	roots *x509.CertPool
}

var _ dskittls.SecretReader = (*certificates)(nil)

// newCertificates returns the certificates in the files, or an error if they cannot be
// used.
func newCertificates(t TLS, logger *slog.Logger) (*certificates, error) {
	value, err := reloading.New(reloading.Options{Paths: []string{t.CAFile, t.CertFile, t.KeyFile}, Logger: logger},
		func(files reloading.Files) (identity, error) { return newIdentity(t, files) })
	if err != nil {
		return nil, fmt.Errorf("the fleet's certificates: %w", err)
	}
	return &certificates{value: value}, nil
}

func newIdentity(t TLS, files reloading.Files) (i identity, err error) {
	i.files = files
	if t.CertFile != "" {
		if i.cert, err = tls.X509KeyPair([]byte(files[t.CertFile]), []byte(files[t.KeyFile])); err != nil {
			return i, fmt.Errorf("certificate %q: %w", t.CertFile, err)
		}
	}
	if t.CAFile != "" {
		i.roots = x509.NewCertPool()
		if !i.roots.AppendCertsFromPEM([]byte(files[t.CAFile])) {
			return i, fmt.Errorf("no certificate in %q", t.CAFile)
		}
	}
	return i, nil
}

// now returns what the files hold.
func (c *certificates) now() identity { return c.value.Get(time.Now()) }

// ReadSecret implements dskit's reader of files.
func (c *certificates) ReadSecret(path string) ([]byte, error) {
	content, ok := c.now().files[path]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}
