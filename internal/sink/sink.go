// Package sink is the target of a dry run: a server on loopback that takes every request and every message, of all
// protocols, and responds at once with an empty success. It stands for every host, whatever its name and port.
package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// Sink serves HTTP/1.1, HTTP/2 and HTTP/3, gRPC and WebSockets, with TLS and without. Close it. Safe for concurrent
// use.
type Sink struct {
	over    *listener
	packets net.PacketConn
	http    *http.Server
	http3   *quichttp.Server
	serving sync.WaitGroup
}

// New starts a Sink.
func New() (*Sink, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("certificate of the dry run: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	s := &Sink{}
	loopback := "127.0.0.1:0"
	plain, err := new(net.ListenConfig).Listen(context.Background(), "tcp", loopback)
	if err != nil {
		return nil, fmt.Errorf("target of the dry run: %w", err)
	}
	if s.packets, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", loopback); err != nil {
		_ = plain.Close() // There is another error to report.
		return nil, fmt.Errorf("target of the dry run: %w", err)
	}
	s.over = newListener(plain, config)
	versions := new(http.Protocols)
	versions.SetHTTP1(true)
	versions.SetHTTP2(true)
	versions.SetUnencryptedHTTP2(true)
	s.http = &http.Server{Handler: http.HandlerFunc(serve), Protocols: versions, TLSConfig: config, ReadHeaderTimeout: time.Minute}
	s.http3 = &quichttp.Server{Handler: http.HandlerFunc(serve), TLSConfig: quichttp.ConfigureTLSConfig(config)}
	s.serving.Go(func() { _ = s.http.Serve(s.over) })     // It ends with Close.
	s.serving.Go(func() { _ = s.http3.Serve(s.packets) }) // It ends with Close, too.
	return s, nil
}

// Close ends all connections.
func (s *Sink) Close() error {
	err := errors.Join(s.http.Close(), s.http3.Close(), s.packets.Close())
	s.over.wait()
	s.serving.Wait()
	return err
}

// Net returns a network on which every name resolves, and every address is the Sink's.
func (s *Sink) Net() dial.Net { return dial.Net{Resolver: everywhere{}, DialContext: s.dial} }

// dial connects to the Sink, wherever it should have connected to.
func (s *Sink) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr := s.over.Addr().String()
	if strings.HasPrefix(network, "udp") {
		addr = s.packets.LocalAddr().String()
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// everywhere is a resolver that knows every name.
type everywhere struct{}

// LookupNetIP implements dial.Resolver. The address is one for documentation (RFC 5737).
func (everywhere) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}, nil
}

// serve takes a request.
func serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		converse(w, r)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		call(w, r)
	default:
		_, _ = io.Copy(io.Discard, r.Body) // It may be given up.
	}
}

// call responds to a call of gRPC with an empty message, which is valid for each type. Descriptors are the target's to
// know.
func call(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // It may be given up.
	w.Header().Set("Content-Type", "application/grpc")
	const status = "Grpc-Status"
	w.Header().Set("Trailer", status)
	if strings.HasPrefix(r.URL.Path, "/grpc.reflection.") {
		w.Header().Set(status, "12") // UNIMPLEMENTED.
		return
	}
	_, _ = w.Write(make([]byte, 5)) // The prefix of a message of no bytes.
	w.Header().Set(status, "0")
}

// ahead is how many messages a WebSocket has to wait for from the beginning.
const ahead = 200

// converse takes the messages of a WebSocket until it is closed, and says something to each.
func converse(w http.ResponseWriter, r *http.Request) {
	var offered []string
	for name := range strings.SplitSeq(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		offered = append(offered, strings.TrimSpace(name))
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: offered})
	if err != nil {
		return // It has responded.
	}
	defer func() { _ = c.CloseNow() }()
	for range ahead {
		if err = c.Write(r.Context(), websocket.MessageText, nil); err != nil {
			return
		}
	}
	c.SetReadLimit(-1)
	for {
		_, message, err := c.Reader(r.Context())
		if err != nil {
			return
		}
		if _, err = io.Copy(io.Discard, message); err != nil {
			return
		}
		if err = c.Write(r.Context(), websocket.MessageText, nil); err != nil {
			return
		}
	}
}
