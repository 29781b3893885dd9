//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

//go:embed nginx.conf.tmpl
var nginxTemplate string

// nginx is the target for measurements of load: a local nginx with one worker.
type nginx struct {
	*process
	urls   map[protocol]string
	status string
	// asked is how many of the requests that nginx has counted were the suite's own.
	asked  int
	client *http.Client
}

// nginxConfig is what the template of the configuration needs.
type nginxConfig struct {
	Dir    string
	Body   string
	Ports  map[string]int
	Status int
	// Directive is that nginx switches HTTP/2 on by a directive and no longer by a
	// parameter of listen.
	Directive bool
}

// startNginx starts nginx on a processor with its files in a folder.
func startNginx(ctx context.Context, path, version, cpu, dir string) (*nginx, error) {
	status, err := freeport.Next()
	if err != nil {
		return nil, err
	}
	c := nginxConfig{
		Dir: dir, Body: strings.Repeat("x", bodySize), Ports: map[string]int{}, Status: status,
		Directive: hasHTTP2Directive(version),
	}
	n := &nginx{
		urls:   map[protocol]string{},
		status: fmt.Sprintf("http://127.0.0.1:%d/", c.Status),
		client: &http.Client{Timeout: 5 * time.Second},
	}
	for _, p := range protocols() {
		var port int
		if port, err = freeport.Next(); err != nil {
			return nil, err
		}
		c.Ports[string(p)] = port
		n.urls[p] = p.url(fmt.Sprintf("127.0.0.1:%d", port))
	}
	if err = c.write(); err != nil {
		return nil, fmt.Errorf("configure nginx: %w", err)
	}
	if n.process, err = start(ctx, cpu, dir, path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "nginx.log")); err != nil {
		return nil, err
	}
	return n, n.wait(ctx)
}

// wait waits until nginx responds.
func (n *nginx) wait(ctx context.Context) error {
	for try := 0; ; try++ {
		if _, err := n.requests(ctx); err == nil || try > 200 {
			return err
		}
		if err := n.sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// requests returns how many requests nginx has responded to so far, without the suite's own
// for that number.
func (n *nginx) requests(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.status, http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := n.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("status of nginx: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, fmt.Errorf("status of nginx: %w", err)
	}
	n.asked++
	all, err := parseStatus(page)
	return all - n.asked, err
}

// parseStatus returns the number of requests on the page of stub_status.
func parseStatus(page []byte) (int, error) {
	_, rest, _ := bytes.Cut(page, []byte("requests\n"))
	fields := strings.Fields(string(rest))
	if len(fields) < 3 {
		return 0, fmt.Errorf("status of nginx: found %q", page)
	}
	return strconv.Atoi(fields[2])
}

// write writes the configuration and the certificate.
func (c nginxConfig) write() error {
	t, err := template.New("nginx.conf").Parse(nginxTemplate)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err = t.Execute(&text, c); err != nil {
		return err
	}
	cert, key, err := selfSigned()
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(c.Dir, "nginx.conf"), text.Bytes(), 0o600),
		os.WriteFile(filepath.Join(c.Dir, "message"), callMessage(c.Body), 0o644),
		os.WriteFile(filepath.Join(c.Dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(c.Dir, "key.pem"), key, 0o600),
	)
}

// selfSigned returns a certificate for loopback and its key, as PEM.
func selfSigned() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// hasHTTP2Directive reports whether this nginx is 1.25.1 or later.
func hasHTTP2Directive(version string) bool {
	m := regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(version)
	if m == nil {
		return false
	}
	n := collect(m[1:], func(s string) int { i, _ := strconv.Atoi(s); return i })
	return n[0] > 1 || n[1] > 25 || n[1] == 25 && n[2] >= 1
}
