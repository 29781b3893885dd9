package http3_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// Kinds of frames and codes of errors (RFC 9114, sections 7.2 and 8.1).
const (
	data, headers, settings, goAway = 0x0, 0x1, 0x4, 0x7

	noError, rejected, messageError = 0x100, 0x10b, 0x10e
)

// byHand serves each connection of QUIC with a function, and returns options for it.
func byHand(tb testing.TB, config *quic.Config, serve func(c *served)) httpreq.Options {
	tb.Helper()
	ca := protocoltest.NewAuthority(tb)
	tls := ca.ServerConfig(tb, nil)
	tls.NextProtos = []string{"h3"}
	t := &quic.Transport{Conn: listen(tb)}
	l, err := t.ListenEarly(tls, config)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept(ctx)
			if err != nil {
				return
			}
			go serve(&served{Conn: c, ctx: ctx})
		}
	}()
	tb.Cleanup(func() {
		cancel()
		<-done
		_ = t.Close()
	})
	o := protocoltest.Options(tb, "https://"+l.Addr().String())
	o.Protocol, o.TLS.CA = httpreq.HTTP3, ca.PEM
	return o
}

// served is a connection that is served by hand.
type served struct {
	*quic.Conn

	ctx context.Context //nolint:containedctx // It ends with the test.
}

// next returns the stream of the next request, whose head has been read; nil at the end.
func (c *served) next() *quic.Stream {
	s, err := c.AcceptStream(c.ctx)
	if err != nil {
		return nil
	}
	r := bufio.NewReader(s)
	if _, err = quicvarint.Read(r); err != nil {
		return nil
	}
	n, err := quicvarint.Read(r)
	if err != nil {
		return nil
	}
	_, _ = io.CopyN(io.Discard, r, int64(n))
	return s
}

// control opens a stream of a kind, and writes to it.
func (c *served) control(kind uint64, text []byte) *quic.SendStream {
	s, err := c.OpenUniStream()
	if err != nil {
		return nil
	}
	_, _ = s.Write(append(quicvarint.Append(nil, kind), text...))
	return s
}

// ends closes the connection with a code.
func (c *served) ends(code quic.ApplicationErrorCode) { _ = c.CloseWithError(code, "") }

// frame returns a frame.
func frame(kind uint64, content []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(content))), content...)
}

// section returns the HEADERS frame of fields, a name and a value each.
func section(fields ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return frame(headers, b.Bytes())
}

// respond sends frames and ends the stream. The rest of the request is read: until then QUIC takes the
// stream for one that is open.
func respond(s *quic.Stream, frames ...[]byte) {
	_, _ = s.Write(bytes.Join(frames, nil))
	_ = s.Close()
	go func() { _, _ = io.Copy(io.Discard, s) }()
}

// oneShot is a server of protocoltest.Flavour.
func oneShot(tb testing.TB, seen func()) httpreq.Options {
	tb.Helper()
	return byHand(tb, nil, func(c *served) {
		if s := c.next(); s != nil {
			seen()
			respond(s, section(":status", "200"))
		}
		if c.next() != nil {
			seen()
			c.ends(noError)
		}
	})
}
