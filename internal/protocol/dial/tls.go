package dial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// TLS is how to speak TLS to https URLs. The names and meanings are those of
// Prometheus' tls_config. Each text may be in a file instead, which is re-read when
// it changes and then holds for new connections. The zero TLS verifies the server's
// certificate against the system's roots.
type TLS struct {
	// CA, in PEM, replaces the system's roots.
	CA, CAFile string
	// Cert and Key, in PEM, are the client's own certificate.
	Cert, CertFile string
	Key, KeyFile   string
	// ServerName is asked for and verified instead of the URL's host.
	ServerName string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
	// MinVersion and MaxVersion are versions of crypto/tls; 0 leaves its default.
	MinVersion, MaxVersion uint16
}

// mostSessions is how many TLS sessions a client keeps to resume, one for each host and port.
const mostSessions = 128

// tlsSource is a configuration of TLS that is as current as its files.
type tlsSource struct {
	value *reloading.Value[*tls.Config]
}

// newTLSSource returns the configuration of TLS. Unless all handshakes must be full ones it
// has a place for sessions to be resumed, which is a new one when a file changes: sessions
// agreed on with other certificates hold no longer.
func newTLSSource(o Options) (tlsSource, error) {
	build := func(files reloading.Files) (*tls.Config, error) {
		config, err := o.TLS.Config(files)
		if err == nil && !o.FullHandshakes {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(mostSessions)
		}
		return config, err
	}
	value, err := reloading.New(reloading.Options{
		Paths: o.TLS.Files(), Failed: o.Observer.FileFailed, Logger: o.Logger,
	}, build)
	return tlsSource{value}, err
}

// Files returns the paths of the files; those that are not in use are empty.
func (t TLS) Files() []string { return []string{t.CAFile, t.CertFile, t.KeyFile} }

// Config returns the configuration that the texts and files make now.
func (t TLS) Config(files reloading.Files) (*tls.Config, error) {
	if t.MaxVersion != 0 && t.MaxVersion < t.MinVersion {
		return nil, errors.New("tls: highest version is below the lowest")
	}
	roots, err := t.roots(files)
	if err != nil {
		return nil, fmt.Errorf("tls: CA: %w", err)
	}
	own, err := t.certificates(files)
	if err != nil {
		return nil, fmt.Errorf("tls: client certificate: %w", err)
	}
	return &tls.Config{
		RootCAs:            roots,
		Certificates:       own,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // The operator asks for it by name.
		MinVersion:         t.MinVersion,
		MaxVersion:         t.MaxVersion,
	}, nil
}

// roots returns the certificates to trust; nil for the system's.
func (t TLS) roots(files reloading.Files) (*x509.CertPool, error) {
	pem, err := files.TextOr(t.CA, t.CAFile)
	if err != nil || (pem == "" && t.CAFile == "") {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("no certificate in %q", orText(t.CAFile))
	}
	return pool, nil
}

// certificates returns the client's own certificate, if there is one.
func (t TLS) certificates(files reloading.Files) ([]tls.Certificate, error) {
	cert, err := files.TextOr(t.Cert, t.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := files.TextOr(t.Key, t.KeyFile)
	if err != nil {
		return nil, err
	}
	if cert == "" && key == "" && t.CertFile == "" && t.KeyFile == "" {
		return nil, nil
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("%q and %q: %w", orText(t.CertFile), orText(t.KeyFile), err)
	}
	return []tls.Certificate{pair}, nil
}

// orText names where a string came from.
func orText(path string) string {
	if path == "" {
		return "the given text"
	}
	return path
}

// configFor returns the configuration for a connection to the host at addr.
func (s tlsSource) configFor(host, addr string) *tls.Config {
	config := s.value.Get(time.Now()).Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	if config.ClientSessionCache != nil {
		config.ClientSessionCache = sessions{config.ClientSessionCache, addr}
	}
	return config
}

// sessions are those with the server at an address: another one of the same name may know
// nothing of them.
type sessions struct {
	all  tls.ClientSessionCache
	addr string
}

// Get implements tls.ClientSessionCache.
func (s sessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.all.Get(s.addr + " " + key)
}

// Put implements tls.ClientSessionCache.
func (s sessions) Put(key string, state *tls.ClientSessionState) { s.all.Put(s.addr+" "+key, state) }
