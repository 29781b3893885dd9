package http2

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"

	lib "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// server is one connection of a server that follows a script. Its methods that read
// report false when the connection is gone.
type server struct {
	*lib.Framer

	// conn is the number of the connection, from 1.
	conn int64
	net  net.Conn
	head bytes.Buffer
	enc  *hpack.Encoder
	dec  *hpack.Decoder
	// body counts the bytes of bodies that came, by stream.
	body map[uint32]int
	last lib.Frame
}

// scripted returns options for a server in the clear that follows the script on each
// connection, after its greeting.
func scripted(tb testing.TB, script func(s *server), settings ...lib.Setting) httpreq.Options {
	tb.Helper()
	return h2cOptions(tb, "http://"+protocoltest.Raw(tb, follow(script, settings)))
}

// piped is scripted without a network, for the virtual time of testing/synctest.
func piped(tb testing.TB, script func(s *server), settings ...lib.Setting) httpreq.Options {
	tb.Helper()
	o := protocoltest.Pipe(tb, false, follow(script, settings))
	o.Protocol = httpreq.H2C
	return o
}

// follow returns what a server does on each connection that follows the script.
func follow(script func(s *server), settings []lib.Setting) func(net.Conn) {
	var conns atomic.Int64
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(preface))); err != nil {
			return
		}
		s := &server{Framer: lib.NewFramer(c, c), net: c, conn: conns.Add(1), body: make(map[uint32]int)}
		s.enc = hpack.NewEncoder(&s.head)
		s.dec = hpack.NewDecoder(tableSize, nil)
		_ = s.WriteSettings(settings...)
		script(s)
		s.drain()
		_ = c.Close()
	}
}

// next reads the next frame of the type. It handles the frames before it, and acknowledges
// each PING.
func (s *server) next(kind lib.FrameType) (lib.Frame, bool) {
	for {
		f, err := s.ReadFrame()
		if err != nil {
			return nil, false
		}
		switch f := f.(type) {
		case *lib.DataFrame:
			s.body[f.StreamID] += len(f.Data())
		case *lib.HeadersFrame:
			if _, err := s.dec.DecodeFull(f.HeaderBlockFragment()); err != nil && f.HeadersEnded() {
				return nil, false
			}
		}
		if ping, ok := f.(*lib.PingFrame); ok && !ping.IsAck() {
			_ = s.WritePing(true, ping.Data)
		}
		s.last = f
		if f.Header().Type == kind {
			return f, true
		}
	}
}

// request waits for a request's head and returns its stream; 0 if the client is gone.
func (s *server) request() uint32 {
	f, ok := s.next(lib.FrameHeaders)
	if !ok {
		return 0
	}
	return f.Header().StreamID
}

// respond responds to a request.
func (s *server) respond(id uint32) {
	if id == 0 {
		return
	}
	s.head.Reset()
	_ = s.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = s.WriteHeaders(lib.HeadersFrameParam{StreamID: id, BlockFragment: s.head.Bytes(), EndHeaders: true})
	_ = s.WriteData(id, true, []byte("ok"))
}

// serve responds to all requests.
func (s *server) serve() {
	for id := s.request(); id != 0; id = s.request() {
		s.respond(id)
	}
}

// hangUp closes the sending side, so that the client reads all there was.
func (s *server) hangUp() {
	if tcp, ok := s.net.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// drain reads until the client goes.
func (s *server) drain() { _, _ = io.Copy(io.Discard, s.net) }
