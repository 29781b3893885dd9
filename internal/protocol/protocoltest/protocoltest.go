// Package protocoltest has what tests of clients need: servers that speak HTTP in all ways,
// servers that misbehave, certificates, and a ConnObserver that keeps all it receives.
package protocoltest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Long is a timeout that no test waits for.
const Long = 30 * time.Second

// OK is the set of statuses that most tests expect.
func OK(tb testing.TB) httpreq.Statuses {
	tb.Helper()
	s, err := httpreq.NewStatuses(httpreq.StatusRange{First: 200, Last: 299})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Options returns options for one GET of the URL, that expect success.
func Options(tb testing.TB, target string) httpreq.Options {
	tb.Helper()
	u, err := uri.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	return httpreq.Options{
		Entries:          []httpreq.Entry{{URL: u, Expect: OK(tb)}},
		ConnectTimeout:   Long,
		Timeout:          Long,
		KeepAlive:        true,
		MaxResponseBytes: 1 << 20,
		MaxConns:         64,
		UserAgent:        "traffic_exporter/test",
	}
}

// At returns the URL with another path, and query, if one is in it.
func At(tb testing.TB, u uri.URI, target string) uri.URI {
	tb.Helper()
	at, err := uri.Parse(u.Scheme + "://" + u.Authority() + target)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

// CheckReason checks that the result failed for the reason, and has sane times.
func CheckReason(tb testing.TB, r protocol.Result, want protocol.Reason) protocol.Result {
	tb.Helper()
	if r.Reason != want {
		tb.Errorf("reason %q, want %q (err: %v)", r.Reason, want, r.Err)
	}
	if r.Err == nil {
		tb.Error("a failure without an error")
	}
	if r.Sent.IsZero() || r.Done.Before(r.Sent) {
		tb.Errorf("sent %s, done %s", r.Sent, r.Done)
	}
	return r
}

// Eventually waits for the condition.
func Eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	deadline := time.Now().Add(Long)
	for !cond() {
		if time.Now().After(deadline) {
			tb.Fatalf("gave up waiting: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// ConnRecorder is a protocol.ConnObserver that keeps everything.
type ConnRecorder struct {
	mu             sync.Mutex
	opened, closed int
	sent, received int
	phases         []protocol.Phases
	resolutions    []Resolution
	outdated       int
	files          int
	negative       bool
}

var _ protocol.ConnObserver = (*ConnRecorder)(nil)

// Resolved implements protocol.ConnObserver.
func (w *ConnRecorder) Resolved(took time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resolutions = append(w.resolutions, Resolution{took, err})
}

// Outdated implements protocol.ConnObserver.
func (w *ConnRecorder) Outdated() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outdated++
}

// FileFailed implements protocol.ConnObserver.
func (w *ConnRecorder) FileFailed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files++
}

// FileFailures returns how many looks at files have failed.
func (w *ConnRecorder) FileFailures() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files
}

// Resolutions returns the attempts to resolve names, and how many connections were made to
// addresses that were too old.
func (w *ConnRecorder) Resolutions() (all []Resolution, outdated int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.resolutions), w.outdated
}

// Resolution is an attempt to resolve a name.
type Resolution struct {
	Took time.Duration
	Err  error
}

// Opened implements protocol.ConnObserver.
func (w *ConnRecorder) Opened(p protocol.Phases) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	w.phases = append(w.phases, p)
}

// Closed implements protocol.ConnObserver.
func (w *ConnRecorder) Closed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
	w.negative = w.negative || w.closed > w.opened
}

// Transferred implements protocol.ConnObserver.
func (w *ConnRecorder) Transferred(sent, received int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += sent
	w.received += received
}

// Counts returns how many connections were opened and closed.
func (w *ConnRecorder) Counts() (opened, closed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened, w.closed
}

// Bytes returns the numbers of bytes transferred.
func (w *ConnRecorder) Bytes() (sent, received int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.received
}

// Phases returns how each connection was made.
func (w *ConnRecorder) Phases() []protocol.Phases {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.phases)
}

// CheckClosed waits for each connection that was opened to be closed, once and after
// that.
func (w *ConnRecorder) CheckClosed(tb testing.TB) {
	tb.Helper()
	Eventually(tb, "all connections are closed", func() bool {
		opened, closed := w.Counts()
		return opened == closed
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.negative {
		tb.Errorf("of %d connections one was closed before it was opened", w.opened)
	}
}

// Listen returns a listener on loopback that is closed with the test.
func Listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// Raw serves each connection with the function, which owns the connection, and returns the
// address. Connections still open are closed with the test.
func Raw(tb testing.TB, serve func(c net.Conn)) string {
	tb.Helper()
	l := Listen(tb)
	var running sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			running.Go(func() { serve(c) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// ReadHead reads a request's head, byte by byte so as to leave the rest alone.
func ReadHead(c net.Conn) {
	var head []byte
	one := make([]byte, 1)
	for len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n" {
		if _, err := c.Read(one); err != nil {
			return
		}
		head = append(head, one[0])
	}
}

// Respond reads a request's head, writes the text and waits for the client to go.
func Respond(text string) func(net.Conn) {
	return func(c net.Conn) {
		ReadHead(c)
		if text != "" { // A pipe takes a write of nothing for something.
			_, _ = io.WriteString(c, text)
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

// RespondAndClose reads a request's head, writes the text and closes gracefully.
func RespondAndClose(text string) func(net.Conn) {
	return func(c net.Conn) {
		ReadHead(c)
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

// RespondAndReset reads a request's head, writes the text and resets the connection
// once the client has had a chance to read it.
func RespondAndReset(text string, ready <-chan struct{}) func(net.Conn) {
	return func(c net.Conn) {
		ReadHead(c)
		_, _ = io.WriteString(c, text)
		<-ready
		if tcp, isTCP := c.(*net.TCPConn); isTCP {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// Now is a channel that nobody needs to wait for.
func Now() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

// Authority makes certificates.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// PEM is the authority's certificate.
	PEM string
}

// NewAuthority returns an authority that nobody trusts yet.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return &Authority{Cert: cert, key: key, PEM: toPEM("CERTIFICATE", der)}
}

// Issue returns a certificate and its key in PEM, after change had its way with it.
func (a *Authority) Issue(tb testing.TB, change func(*x509.Certificate)) (certPEM, keyPEM string) {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"target.test"},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, key.Public(), a.key)
	if err != nil {
		tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return toPEM("CERTIFICATE", der), toPEM("PRIVATE KEY", keyDER)
}

// ServerConfig returns a server's TLS with a certificate by the authority.
func (a *Authority) ServerConfig(tb testing.TB, change func(*x509.Certificate)) *tls.Config {
	tb.Helper()
	cert, key := a.Issue(tb, change)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// Flavour is a way to speak HTTP, with a server that speaks it.
type Flavour struct {
	Name     string
	Protocol httpreq.Protocol
	// Major is the version of HTTP that comes of it.
	Major int
	TLS   bool
	H2    bool
	// Start, if not nil, starts a server in place of httptest's own and returns its address. It is
	// closed with the test.
	Start func(tb testing.TB, server *httptest.Server) (addr string)
	// OneShot, if not nil, starts a server that responds to the first request of each connection and
	// closes it when the second one comes. It calls seen for each.
	OneShot func(tb testing.TB, seen func()) httpreq.Options
}

// packets reports whether it goes over UDP.
func (f Flavour) packets() bool { return f.Major == 3 }

// Flavours are all ways to speak HTTP.
func Flavours() []Flavour {
	return []Flavour{
		{Name: "HTTP/1.1 in the clear", Protocol: httpreq.Auto, Major: 1},
		{Name: "HTTP/1.1 over TLS", Protocol: httpreq.HTTP1, Major: 1, TLS: true, H2: true},
		{Name: "HTTP/1.1 over TLS by negotiation", Protocol: httpreq.Auto, Major: 1, TLS: true},
		{Name: "HTTP/2 over TLS by negotiation", Protocol: httpreq.Auto, Major: 2, TLS: true, H2: true},
		{Name: "HTTP/2 over TLS", Protocol: httpreq.HTTP2, Major: 2, TLS: true, H2: true},
		{Name: "HTTP/2 in the clear", Protocol: httpreq.H2C, Major: 2, H2: true},
	}
}

// Serve starts a server for the flavour and returns options for its root. It is
// closed with the test, after the clients that are made later.
func (f Flavour) Serve(tb testing.TB, h http.HandlerFunc, change ...func(*httptest.Server)) httpreq.Options {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = Quiet()
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.EnableHTTP2 = f.TLS && f.H2
	server.Config.Protocols.SetHTTP2(f.TLS && f.H2)
	server.Config.Protocols.SetUnencryptedHTTP2(!f.TLS && f.H2)
	ca := NewAuthority(tb)
	if f.TLS {
		server.TLS = ca.ServerConfig(tb, nil)
	}
	for _, c := range change {
		c(server)
	}
	switch {
	case f.Start != nil:
		server.URL = "https://" + f.Start(tb, server)
	case f.TLS:
		server.StartTLS()
	default:
		server.Start()
	}
	tb.Cleanup(server.Close)
	o := Options(tb, server.URL)
	o.Protocol = f.Protocol
	o.TLS.CA = ca.PEM
	return o
}

// Quiet is a logger for servers that are going to be annoyed.
func Quiet() *log.Logger { return log.New(io.Discard, "", 0) }
