package http3

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// session is a connection of QUIC with the streams that steer it (RFC 9114, section 6.2).
type session struct {
	*quic.Conn

	transport *quic.Transport
	packets   *dial.Packets
	// maxFields is the longest head that the server takes; 0 for no bound, or none yet.
	maxFields atomic.Uint64
	// goAway is the id of the first stream that the server is not going to look at (RFC 9114, section
	// 5.2), and goingAway is closed when there is one.
	goAway    atomic.Int64
	goingAway chan struct{}
	once      sync.Once
	// fault is what the connection ended for, if the server broke a rule.
	fault atomic.Pointer[violation]
	// critical are the streams that the server has opened which there may be only one of.
	critical [lastStream + 1]atomic.Bool
	// work waits for those that read streams.
	work *sync.WaitGroup
}

var _ io.Closer = (*session)(nil)

// handshake is a dial.Handshake. TLS is at version 1.3 (RFC 9001, section 4.2), and its failures are
// those of its step.
func (o *origin) handshake(ctx context.Context, p *dial.Packets, config *tls.Config) (io.Closer, error) {
	config.MinVersion = max(config.MinVersion, tls.VersionTLS13)
	t := &quic.Transport{Conn: p}
	connect := t.Dial
	if o.client.early && !o.late.Swap(false) {
		connect = t.DialEarly
	}
	c, err := connect(ctx, p.RemoteAddr(), config, o.client.quic)
	if err != nil {
		_ = t.Close() // There is another error to report.
		if transport, ok := errors.AsType[*quic.TransportError](err); ok && transport.ErrorCode.IsCryptoError() {
			err = &dial.Error{Step: dial.StepTLS, Addr: p.RemoteAddr().String(), Err: err}
		}
		return nil, err
	}
	s := &session{Conn: c, transport: t, packets: p, goingAway: make(chan struct{}), work: &o.client.work}
	s.goAway.Store(math.MaxInt64)
	return s, nil
}

// Close implements io.Closer. It says goodbye, unless the connection has ended.
func (s *session) Close() error {
	_ = s.end(codeNone)
	return s.transport.Close()
}

// end ends the connection.
func (s *session) end(c code) error {
	return s.CloseWithError(quic.ApplicationErrorCode(c), "")
}

// fail ends the connection for what the server did.
func (s *session) fail(v *violation) {
	s.fault.CompareAndSwap(nil, v)
	_ = s.end(v.code) // It has ended otherwise.
}

// explain returns what a request on the connection failed for: what the server did wrong, or that there
// never was a connection, if the request was sent before the handshake was complete.
func (s *session) explain(err error) error {
	if !isGone(err) {
		return err
	}
	if v := s.fault.Load(); v != nil {
		return v
	}
	if failure := s.packets.Failure(); failure != nil {
		return failure
	}
	select {
	case <-s.HandshakeComplete():
		return err
	default:
		return &dial.Error{Step: dial.StepConnect, Addr: s.RemoteAddr().String(), Err: err}
	}
}

// greet opens the control stream (RFC 9114, section 6.2.1), and reads those of the server. Somebody
// else has to wait for work.
func (s *session) greet() {
	control, err := s.OpenUniStream()
	if err == nil {
		settings := quicvarint.Append(quicvarint.Append(nil, settingMaxFields), maxHead)
		b := appendFrame(quicvarint.Append(nil, streamControl), frameSettings, len(settings))
		_, err = control.Write(append(b, settings...))
	}
	if err != nil {
		s.fail(breach(codeStreamCreation, "there can be no control stream"))
	}
	s.work.Go(s.accept)
}

// accept reads the streams that the server opens, until the connection ends.
func (s *session) accept() {
	for {
		stream, err := s.AcceptUniStream(s.Context())
		if err != nil {
			return
		}
		s.work.Go(func() {
			if v := s.read(stream); v != nil {
				s.fail(v)
			}
		})
	}
}

// read reads a stream of the server's. It returns what the connection ends for; nil if it goes on.
func (s *session) read(stream *quic.ReceiveStream) *violation {
	r := bufio.NewReader(stream)
	kind, err := quicvarint.Read(r)
	switch {
	case err != nil:
		return nil //nolint:nilerr // Streams may end before they say what they are.
	case kind == streamPush:
		return breach(codeID, "a push that nobody asked for")
	case kind > lastStream:
		stream.CancelRead(quic.StreamErrorCode(codeStreamCreation)) // RFC 9114, section 6.2.3.
		return nil
	case s.critical[kind].Swap(true):
		return breach(codeStreamCreation, "a stream there may be only one of is opened twice")
	case kind == streamControl:
		err = s.control(r)
	default:
		// Nothing is said of a dynamic table that is empty, but for its capacity.
		_, err = io.Copy(io.Discard, r)
	}
	if v, ok := errors.AsType[*violation](err); ok {
		return v
	}
	if err != nil && !endsStream(err) {
		return nil // The connection has ended. Its context may be done only a moment later.
	}
	return breach(codeClosedCritical, "a stream that the connection needs is closed")
}

// endsStream reports whether an error of a read is the end of the stream alone: its sender has
// finished or reset it.
func endsStream(err error) bool {
	_, reset := errors.AsType[*quic.StreamError](err)
	return reset || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// control reads the server's control stream, until it ends.
func (s *session) control(r *bufio.Reader) error {
	first := true
	for range maxSmall {
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		if first != (f.kind == frameSettings) {
			if first {
				return breach(codeNoSettings, "the control stream does not begin with SETTINGS")
			}
			return breach(codeUnexpected, "SETTINGS come twice")
		}
		first = false
		if err = s.controlFrame(r, f); err != nil {
			return err
		}
	}
	return breach(codeExcessiveLoad, "too many frames on the control stream")
}

// controlFrame reads a frame of the control stream (RFC 9114, section 7.2).
func (s *session) controlFrame(r *bufio.Reader, f frame) error {
	switch f.kind {
	case frameSettings, frameGoAway:
		b, err := readBlock(r, f, maxControl)
		if err != nil {
			return err
		}
		if f.kind == frameGoAway {
			return s.receiveGoAway(b)
		}
		theirs, err := parseSettings(b)
		s.maxFields.Store(theirs.maxFields)
		return err
	case frameData, frameHeaders, framePushPromise, frameMaxPushID, framePriority, framePing, frameWindow, frameContinue:
		return breach(codeUnexpected, "a frame that does not belong on the control stream")
	}
	return skip(r, f)
}

// receiveGoAway takes the content of a GOAWAY (RFC 9114, section 7.2.6): no more streams may be
// opened, and those from its id on are not looked at.
func (s *session) receiveGoAway(b []byte) error {
	id, n, err := quicvarint.Parse(b)
	switch {
	case err != nil || n != len(b):
		return breach(codeFrameError, "GOAWAY is no id")
	case id%4 != 0 || int64(id) > s.goAway.Load():
		return breach(codeID, "GOAWAY has an id that it must not have")
	}
	s.goAway.Store(int64(id))
	s.once.Do(func() { close(s.goingAway) })
	return nil
}
