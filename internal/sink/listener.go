package sink

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"time"
)

// recordHandshake is the first byte of a connection on which TLS is spoken (RFC 8446, section 5.1).
const recordHandshake = 0x16

// listener accepts connections with TLS and without.
type listener struct {
	net.Listener

	config *tls.Config
	ready  chan net.Conn
	// closed is closed when no more are accepted.
	closed chan struct{}
	// mu guards the connections that have sent nothing yet.
	mu      sync.Mutex
	silent  map[net.Conn]bool
	ended   bool
	looking sync.WaitGroup
}

func newListener(plain net.Listener, config *tls.Config) *listener {
	l := &listener{Listener: plain, config: config, ready: make(chan net.Conn), closed: make(chan struct{}), silent: map[net.Conn]bool{}}
	l.looking.Go(l.accept)
	return l
}

// accept accepts connections until the listener is closed.
func (l *listener) accept() {
	defer close(l.closed)
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return
		}
		if l.keep(c) {
			l.looking.Go(func() { l.look(c) })
		}
	}
}

// keep keeps a connection that has sent nothing yet; false if none is wanted.
func (l *listener) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		_ = c.Close() // Nobody waits for it.
		return false
	}
	l.silent[c] = true
	return true
}

// look waits for the first byte of a connection, which says whether TLS is spoken.
func (l *listener) look(c net.Conn) {
	p := &peeked{Conn: c, r: bufio.NewReader(c)}
	first, err := p.r.Peek(1)
	l.mu.Lock()
	delete(l.silent, c)
	l.mu.Unlock()
	if err != nil {
		_ = c.Close() // It has gone already.
		return
	}
	var ready net.Conn = p
	if first[0] == recordHandshake {
		ready = tls.Server(p, l.config)
	}
	select {
	case l.ready <- ready:
	case <-l.closed:
		_ = c.Close() // Nobody waits for it.
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// wait waits for those that look at connections, once the listener is closed.
func (l *listener) wait() {
	l.mu.Lock()
	l.ended = true
	for c := range l.silent {
		_ = c.Close() // look ends.
	}
	l.mu.Unlock()
	l.looking.Wait()
}

// peeked is a connection whose first byte has been looked at.
type peeked struct {
	net.Conn

	r *bufio.Reader
}

// Read implements net.Conn.
func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// selfSigned returns a certificate that nobody vouches for.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
