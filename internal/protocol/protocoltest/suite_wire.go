package protocoltest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// counted is a listener that counts what its server reads and writes.
type counted struct {
	net.Listener
	read, written, conns *atomic.Int64
}

// Accept implements net.Listener.
func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.conns.Add(1)
	return countedConn{c, l}, nil
}

type countedConn struct {
	net.Conn
	l counted
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.read.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.l.written.Add(int64(n))
	return n, err
}

func (s Suite) countsWhatTheServerCounts(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			l := counted{read: new(atomic.Int64), written: new(atomic.Int64), conns: new(atomic.Int64)}
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			},
				func(server *httptest.Server) { l.Listener = server.Listener; server.Listener = l })
			w := new(ConnRecorder)
			o.Observer = w
			o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 10_000)
			c := s.client(t, o)
			for range 5 {
				mustSucceed(t, c)
			}
			checkClosed(t, c, w)
			Eventually(t, "both sides have counted the same", func() bool {
				sent, received := w.Bytes()
				// A client that has closed need not read the server's last words.
				unread := l.written.Load() - int64(received)
				return int64(sent) == l.read.Load() && 0 <= unread && unread <= 100
			})
			if sent, received := w.Bytes(); sent < 50_000 || received < 50_000 {
				t.Errorf("sent %d, received %d bytes", sent, received)
			}
			if opened, _ := w.Counts(); int64(opened) != l.conns.Load() {
				t.Errorf("%d opened, the server saw %d", opened, l.conns.Load())
			}
		})
	}
}

func (s Suite) reportsThePhases(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			w := new(ConnRecorder)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {})
			o.Observer = w
			c := s.client(t, o)
			mustSucceed(t, c)
			p := w.Phases()[0]
			if want := map[int]string{1: protocol.HTTP1, 2: protocol.HTTP2, 3: protocol.HTTP3}[f.Major]; p.Protocol != want {
				t.Errorf("protocol %q, want %q", p.Protocol, want)
			}
			if p.DNS != 0 || p.Connect <= 0 || (p.TLS > 0) != (f.TLS && !f.packets()) {
				t.Errorf("got %+v", p)
			}
		})
	}
	t.Run("with a name to resolve", func(t *testing.T) {
		w := new(ConnRecorder)
		o := s.plain().Serve(t, func(http.ResponseWriter, *http.Request) {})
		o.Entries[0].URL = s.plain().options(t, "localhost:"+o.Entries[0].URL.Port).Entries[0].URL
		o.TLS.ServerName = "target.test"
		o.Observer = w
		c := s.client(t, o)
		mustSucceed(t, c)
		if p := w.Phases()[0]; p.DNS <= 0 || p.Connect <= 0 {
			t.Errorf("got %+v", p)
		}
	})
}

func (s Suite) reportsConnectionsThatTheServerDrops(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var server *httptest.Server
			w := new(ConnRecorder)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {}, func(started *httptest.Server) { server = started })
			o.Observer = w
			c := s.client(t, o)
			mustSucceed(t, c)
			server.CloseClientConnections()
			Eventually(t, "the connection is closed", func() bool { _, closed := w.Counts(); return closed == 1 })
			mustSucceed(t, c)
			checkClosed(t, c, w)
		})
	}
}
