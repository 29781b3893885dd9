// Package inflate bounds the cost of compressed responses: a few kilobytes can stand for gigabytes.
package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

const (
	// Floor is how much may come of any response, in bytes, however small that is: repetitive JSON
	// compresses well, and the interoperability tests of gRPC have 300 KiB of zeros.
	Floor = 1 << 20
	// MaxRatio is how many times the bytes on the wire may come of a response beyond the Floor, as in
	// Envoy (max_inflate_ratio).
	MaxRatio = 100
	// maxMembers bounds the members of a body in gzip. One costs some microseconds even if it is
	// empty, and takes 20 bytes. Files in blocks, such as bgzip's, have one for each 64 KiB.
	maxMembers = 256
)

// ErrBound is a response beyond a bound of this package.
var ErrBound = errors.New("it costs too much to decompress")

// The bounds that a response may be beyond. Each is an ErrBound.
var (
	errRatio   = fmt.Errorf("%w: more than %d KiB and %d times its size comes of it", ErrBound, Floor>>10, MaxRatio)
	errLong    = fmt.Errorf("%w: it is longer than max_response_bytes then", ErrBound)
	errMembers = fmt.Errorf("%w: it has more than %d members of gzip", ErrBound, maxMembers)
)

// Budget is how much may still come of a response.
type Budget struct {
	left int64
	// over is the error where more comes of it.
	over error
}

// NewBudget returns that of a response of so many bytes on the wire, which must not be longer than
// most once it is decompressed.
func NewBudget(wire int, most int64) Budget {
	if ratio := max(Floor, MaxRatio*int64(wire)); ratio < most {
		return Budget{ratio, errRatio}
	}
	return Budget{most, errLong}
}

// Left returns how many bytes may still come.
func (b *Budget) Left() int64 { return b.left }

// Spend takes bytes that have come. It fails if they are too many.
func (b *Budget) Spend(n int) error {
	if b.left -= int64(n); b.left < 0 {
		return b.over
	}
	return nil
}

// Read reads all that comes of a decoder, and no more than the budget. It spends nothing.
func (b *Budget) Read(r io.Reader) ([]byte, error) {
	all, err := io.ReadAll(io.LimitReader(r, b.left+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(all)) > b.left:
		return nil, b.over
	}
	return all, nil
}

// Gzip returns a decoder of gzip.
func Gzip(body []byte) (io.Reader, error) {
	m := &members{from: bytes.NewReader(body), had: 1}
	var err error
	if m.Reader, err = gzip.NewReader(m.from); err != nil {
		return nil, err
	}
	m.Multistream(false)
	return m, nil
}

// members are the members of a body, one after the other.
type members struct {
	*gzip.Reader
	from *bytes.Reader
	had  int
}

// Read implements io.Reader.
func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.Reader.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // Of this member; it comes again.
			}
			return n, err
		}
		if m.from.Len() == 0 {
			return 0, io.EOF
		}
		if m.had++; m.had > maxMembers {
			return 0, errMembers
		}
		if err := m.Reset(m.from); err != nil {
			return 0, err
		}
		m.Multistream(false)
	}
}
