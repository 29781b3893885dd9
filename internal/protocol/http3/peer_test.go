package http3_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/quic"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// echo serves HTTP/3 over the QUIC of golang.org/x/net: it sends the bodies of requests back. It counts
// them.
func echo(t *testing.T, seen *atomic.Int64) httpreq.Options {
	t.Helper()
	ca := protocoltest.NewAuthority(t)
	config := ca.ServerConfig(t, nil)
	config.NextProtos, config.MinVersion = []string{"h3"}, tls.VersionTLS13
	e, err := quic.Listen("udp", "127.0.0.1:0", &quic.Config{TLSConfig: config, MaxBidiRemoteStreams: 4})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := e.Accept(ctx)
			if err != nil {
				return
			}
			running.Go(func() { serveEcho(ctx, c, &running, seen) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = e.Close(ctx)
		running.Wait()
	})
	o := protocoltest.Options(t, "https://"+e.LocalAddr().String())
	o.Protocol, o.TLS.CA = httpreq.HTTP3, ca.PEM
	return o
}

// serveEcho serves a connection.
func serveEcho(ctx context.Context, c *quic.Conn, running *sync.WaitGroup, seen *atomic.Int64) {
	if control, err := c.NewSendOnlyStream(ctx); err == nil {
		_, _ = control.Write(append([]byte{0}, frame(settings, nil)...))
		_ = control.Flush()
	}
	for {
		s, err := c.AcceptStream(ctx)
		if err != nil {
			return
		}
		running.Go(func() {
			s.SetReadContext(ctx)
			s.SetWriteContext(ctx)
			if s.IsReadOnly() {
				_, _ = io.Copy(io.Discard, s)
				return
			}
			seen.Add(1)
			_, _ = s.Write(section(":status", "200"))
			copyData(s)
			_ = s.Close()
		})
	}
}

// copyData sends what comes in DATA back, and drops the rest.
func copyData(s *quic.Stream) {
	r := bufio.NewReader(s)
	for {
		kind, err := quicvarint.Read(r)
		if err != nil {
			return
		}
		n, err := quicvarint.Read(r)
		if err != nil {
			return
		}
		content := make([]byte, n)
		if _, err = io.ReadFull(r, content); err != nil {
			return
		}
		if kind == data {
			_, _ = s.Write(frame(data, content))
		}
	}
}

func TestAnotherImplementationOfQUICIsUnderstood(t *testing.T) {
	var seen atomic.Int64
	o := echo(t, &seen)
	w := new(protocoltest.ConnRecorder)
	o.Observer, o.MaxConns = w, 8
	for _, size := range []int64{0, 1, 1000, 200_000} {
		o.Entries = append(o.Entries, httpreq.Entry{Method: "POST", URL: o.Entries[0].URL, Source: protocoltest.Generated(size), Expect: protocoltest.OK(t)})
	}
	c := newClient(t, o)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 10 {
				e := i % len(o.Entries)
				want := []byte{}
				if body := o.Entries[e].Source; body != nil {
					want = body.AppendAt(nil, 0, int(body.Size()))
				}
				var tap recorder
				r := run(c, &protocol.Call{Request: protocol.Request{Entry: e}, Tap: &tap})
				if got := tap.b.String(); r.Failed() || got != "[HTTP/3.0 200 OK]"+string(want) {
					t.Errorf("entry %d: %d bytes, failed as %q: %v", e, len(got), r.Reason, r.Err)
				}
			}
		})
	}
	all.Wait()
	if n := seen.Load(); n != 80 {
		t.Errorf("the server saw %d requests", n)
	}
	// A connection is full until the server's credit for more streams is back, so that how many there
	// are depends on time. What bounds them is MaxConns.
	if n, _ := w.Counts(); n > o.MaxConns {
		t.Errorf("%d connections", n)
	}
	c.Close()
	w.CheckClosed(t)
}
