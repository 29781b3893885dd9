package httpstd

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
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is a timeout that no test waits for.
const long = 30 * time.Second

// ok is the set of statuses that most tests expect.
func ok(tb testing.TB) Statuses {
	tb.Helper()
	s, err := NewStatuses(StatusRange{200, 299})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// options returns options for one GET of the URL, that expect success.
func options(tb testing.TB, target string) Options {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	return Options{
		Entries:          []Entry{{URL: u, Expect: ok(tb)}},
		ConnectTimeout:   long,
		Timeout:          long,
		KeepAlive:        true,
		MaxResponseBytes: 1 << 20,
		MaxConns:         64,
		UserAgent:        "traffic_exporter/test",
		Traceparent:      TraceNone,
	}
}

// client returns a client that is closed with the test.
func client(tb testing.TB, o Options) *Client {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// do makes one exchange of entry 0.
func do(tb testing.TB, c *Client) protocol.Result {
	tb.Helper()
	return c.Do(tb.Context(), protocol.Request{})
}

// mustSucceed makes one exchange that has to go well.
func mustSucceed(tb testing.TB, c *Client) protocol.Result {
	tb.Helper()
	r := do(tb, c)
	if r.Failed() {
		tb.Fatalf("failed as %q: %v", r.Reason, r.Err)
	}
	return r
}

// wantReason makes one exchange that has to fail for the reason, and have sane times.
func wantReason(tb testing.TB, c *Client, want protocol.Reason) protocol.Result {
	tb.Helper()
	return checkReason(tb, do(tb, c), want)
}

// checkReason checks that the result failed for the reason, and has sane times.
func checkReason(tb testing.TB, r protocol.Result, want protocol.Reason) protocol.Result {
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

// eventually waits for the condition.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	deadline := time.Now().Add(long)
	for !cond() {
		if time.Now().After(deadline) {
			tb.Fatalf("gave up waiting: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// wire is a protocol.Wire that keeps everything.
type wire struct {
	mu             sync.Mutex
	opened, closed int
	sent, received int
	phases         []protocol.Phases
	negative       bool
}

var _ protocol.Wire = (*wire)(nil)

func (w *wire) Opened(p protocol.Phases) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	w.phases = append(w.phases, p)
}

func (w *wire) Closed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
	w.negative = w.negative || w.closed > w.opened
}

func (w *wire) Transferred(sent, received int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += sent
	w.received += received
}

func (w *wire) counts() (opened, closed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened, w.closed
}

func (w *wire) bytes() (sent, received int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.received
}

// listen returns a listener on loopback that is closed with the test.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// raw serves each connection with the function, which owns the connection, and
// returns the address. What is left of connections is closed with the test.
func raw(tb testing.TB, serve func(c net.Conn)) string {
	tb.Helper()
	l := listen(tb)
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

// readHead reads a request's head, byte by byte so as to leave the rest alone.
func readHead(c net.Conn) {
	var head []byte
	one := make([]byte, 1)
	for len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n" {
		if _, err := c.Read(one); err != nil {
			return
		}
		head = append(head, one[0])
	}
}

// answer reads a request's head, writes the text and waits for the client to go.
func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
}

// answerAndClose reads a request's head, writes the text and closes in order.
func answerAndClose(text string) func(net.Conn) {
	return func(c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

// answerAndReset reads a request's head, writes the text and resets the connection
// once the client has had a chance to read it.
func answerAndReset(text string, ready <-chan struct{}) func(net.Conn) {
	return func(c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, text)
		<-ready
		if tcp, isTCP := c.(*net.TCPConn); isTCP {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// done is a channel that nobody needs to wait for.
func done() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(tb testing.TB) *authority {
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
	return &authority{cert: cert, key: key, pem: toPEM("CERTIFICATE", der)}
}

// issue returns a certificate and its key in PEM, after change had its way with it.
func (a *authority) issue(tb testing.TB, change func(*x509.Certificate)) (certPEM, keyPEM string) {
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
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return toPEM("CERTIFICATE", der), toPEM("PRIVATE KEY", keyDER)
}

// serverConfig returns a server's TLS with a certificate by the authority.
func (a *authority) serverConfig(tb testing.TB, change func(*x509.Certificate)) *tls.Config {
	tb.Helper()
	cert, key := a.issue(tb, change)
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

// flavour is a way to speak HTTP, with a server that speaks it.
type flavour struct {
	name     string
	protocol Protocol
	major    int
	tls      bool
	h2       bool
}

// flavours are all ways to speak HTTP.
func flavours() []flavour {
	return []flavour{
		{name: "HTTP/1.1 in the clear", protocol: Auto, major: 1},
		{name: "HTTP/1.1 over TLS", protocol: HTTP1, major: 1, tls: true, h2: true},
		{name: "HTTP/1.1 over TLS by negotiation", protocol: Auto, major: 1, tls: true},
		{name: "HTTP/2 over TLS by negotiation", protocol: Auto, major: 2, tls: true, h2: true},
		{name: "HTTP/2 over TLS", protocol: HTTP2, major: 2, tls: true, h2: true},
		{name: "HTTP/2 in the clear", protocol: H2C, major: 2, h2: true},
	}
}

// serve starts a server for the flavour and returns options for its root. It is
// closed with the test, after the clients that are made later.
func (f flavour) serve(tb testing.TB, h http.HandlerFunc, change ...func(*httptest.Server)) Options {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quiet()
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.EnableHTTP2 = f.tls && f.h2
	server.Config.Protocols.SetHTTP2(f.tls && f.h2)
	server.Config.Protocols.SetUnencryptedHTTP2(!f.tls && f.h2)
	ca := newAuthority(tb)
	if f.tls {
		server.TLS = ca.serverConfig(tb, nil)
	}
	for _, c := range change {
		c(server)
	}
	if f.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	tb.Cleanup(server.Close)
	o := options(tb, server.URL)
	o.Protocol = f.protocol
	o.TLS.CA = ca.pem
	return o
}

// quiet is a logger for servers that are going to be annoyed.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
