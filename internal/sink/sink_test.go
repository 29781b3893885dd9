package sink_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/sink"
)

// client returns a client that reaches the sink, whatever it asks for.
func client(t *testing.T, p *http.Protocols) *http.Client {
	t.Helper()
	s, err := sink.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return s.Net().DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		Protocols:       p,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestEveryHostResponds(t *testing.T) {
	one, two, clear := new(http.Protocols), new(http.Protocols), new(http.Protocols)
	one.SetHTTP1(true)
	two.SetHTTP2(true)
	clear.SetUnencryptedHTTP2(true)
	for name, test := range map[string]struct {
		protocols *http.Protocols
		url       string
		major     int
	}{
		"HTTP/1.1":            {one, "http://shop.invalid/a?b", 1},
		"HTTP/1.1 over TLS":   {one, "https://shop.invalid:8443/", 1},
		"HTTP/2 over TLS":     {two, "https://shop.invalid/", 2},
		"HTTP/2 in the clear": {clear, "http://shop.invalid:8080/", 2},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := client(t, test.protocols).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(got.Body)
			_ = got.Body.Close()
			if err != nil || len(body) > 0 || got.StatusCode != http.StatusOK || got.ProtoMajor != test.major {
				t.Errorf("HTTP/%d, status %d, %q, %v", got.ProtoMajor, got.StatusCode, body, err)
			}
		})
	}
}

func TestAWebSocketHasMessages(t *testing.T) {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	c, response, err := websocket.Dial(t.Context(), "wss://shop.invalid/chat", &websocket.DialOptions{HTTPClient: client(t, p), Subprotocols: []string{"chat.v2"}})
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	for range 10 {
		if _, _, err = c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err = c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if c.Subprotocol() != "chat.v2" {
		t.Errorf("it speaks %q", c.Subprotocol())
	}
	_ = c.CloseNow()
}

// TestASilentConnectionEndsWithTheSink has a connection that may speak TLS or may not.
func TestASilentConnectionEndsWithTheSink(t *testing.T) {
	s, err := sink.New()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Net().DialContext(t.Context(), "tcp", "shop.invalid:80")
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Close(); err != nil {
		t.Error(err)
	}
	if _, err = c.Read(make([]byte, 1)); err == nil {
		t.Error("it is open")
	}
	_ = c.Close()
}
