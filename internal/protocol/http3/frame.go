package http3

import (
	"bufio"
	"errors"
	"io"

	"github.com/quic-go/quic-go/quicvarint"
)

// The kinds of frames (RFC 9114, section 7.2), and those of HTTP/2 that must not be sent (section
// 11.2.1).
const (
	frameData        = 0x0
	frameHeaders     = 0x1
	framePriority    = 0x2
	frameCancelPush  = 0x3
	frameSettings    = 0x4
	framePushPromise = 0x5
	framePing        = 0x6
	frameGoAway      = 0x7
	frameWindow      = 0x8
	frameContinue    = 0x9
	frameMaxPushID   = 0xd
)

// The kinds of unidirectional streams (RFC 9114, section 6.2; RFC 9204, section 4.2): the last are 0x2,
// of QPACK's encoder, and 0x3, of its decoder.
const (
	streamControl = 0x0
	streamPush    = 0x1
	lastStream    = 0x3
)

// settingMaxFields is SETTINGS_MAX_FIELD_SECTION_SIZE (RFC 9114, section 7.2.4.1), and the others those
// of HTTP/2 that must not be sent.
const (
	settingMaxFields = 0x6
	settingHTTP2Low  = 0x2
	settingHTTP2High = 0x5
)

const (
	// maxVarint is the longest integer of QUIC, in bytes.
	maxVarint = 8
	// maxHead is the longest head that is read, in bytes, as it comes and as RFC 9114, section
	// 4.2.2, counts it, and maxFields how many fields it may have.
	maxHead   = 1 << 20
	maxFields = 10_000
	// maxControl is the longest frame of a control stream that is looked into, in bytes.
	maxControl = 4 << 10
	// maxSmall is how many frames of less than smallFrame bytes a response may have beside its heads,
	// and how many frames a control stream.
	maxSmall   = 10_000
	smallFrame = 256
)

// appendFrame appends the header of a frame with so many bytes.
func appendFrame(b []byte, kind uint64, n int) []byte {
	return quicvarint.Append(quicvarint.Append(b, kind), uint64(n))
}

// frame is the header of a frame: its kind and how many bytes follow.
type frame struct{ kind, length uint64 }

// readFrame reads the header of the next frame. Its error is io.EOF only where the stream ends between
// two frames.
func readFrame(r *bufio.Reader) (f frame, err error) {
	if f.kind, err = quicvarint.Read(r); err != nil {
		return f, err
	}
	if f.length, err = quicvarint.Read(r); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

// readBlock reads the content of a frame that may have so many bytes. It takes the memory as they come.
func readBlock(r *bufio.Reader, f frame, most uint64) ([]byte, error) {
	if f.length > most {
		return nil, breach(codeExcessiveLoad, "a frame is too long")
	}
	b := make([]byte, 0, min(f.length, readBuffer))
	for uint64(len(b)) < f.length {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := io.ReadFull(r, b[len(b):min(uint64(cap(b)), f.length)])
		b = b[:len(b)+n]
		if err != nil {
			return nil, cutOff(err)
		}
	}
	return b, nil
}

// skip reads the content of a frame and drops it.
func skip(r *bufio.Reader, f frame) error {
	_, err := io.CopyN(io.Discard, r, int64(min(f.length, 1<<62)))
	return cutOff(err)
}

// cutOff returns the error of a stream that ends within a frame.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// settings are what a server says of itself.
type settings struct {
	// maxFields is the longest head that it takes; 0 for no bound.
	maxFields uint64
}

// parseSettings parses the content of a SETTINGS frame (RFC 9114, section 7.2.4).
func parseSettings(b []byte) (s settings, err error) {
	for seen := map[uint64]bool{}; len(b) > 0; {
		id, n, bad := quicvarint.Parse(b)
		if bad != nil {
			return s, breach(codeFrameError, "SETTINGS are cut off")
		}
		value, m, bad := quicvarint.Parse(b[n:])
		if bad != nil {
			return s, breach(codeFrameError, "SETTINGS are cut off")
		}
		b = b[n+m:]
		if seen[id] || settingHTTP2Low <= id && id <= settingHTTP2High {
			return s, breach(codeSettings, "a setting comes twice, or is one of HTTP/2")
		}
		seen[id] = true
		if id == settingMaxFields {
			s.maxFields = max(1, value)
		}
	}
	return s, nil
}
