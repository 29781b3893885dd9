package grpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
)

// prefixLen is the length of what stands before a message: whether it is compressed, and how long
// it is.
const prefixLen = 5

// The ways in which messages are not what they have to be.
var (
	errFlag       = errors.New("a message has an invalid compressed flag")
	errNoEncoding = errors.New("a message is compressed, but the response does not say how")
	errCut        = errors.New("the response ends within a message")
)

// tooLongError is a message that is longer than the client takes.
type tooLongError struct{ size, most uint64 }

// Error implements error.
func (e tooLongError) Error() string {
	return fmt.Sprintf("a message of %d bytes is longer than max_message_bytes, which is %d", e.size, e.most)
}

// appendMessage appends a message with its prefix, compressed or as it is.
func appendMessage(b, message []byte, compress bool) ([]byte, error) {
	at := len(b)
	b = append(b, make([]byte, prefixLen)...)
	if compress {
		out := bytes.NewBuffer(b)
		w := gzip.NewWriter(out)
		if _, err := w.Write(message); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		b = out.Bytes()
		b[at] = 1
	} else {
		b = append(b, message...)
	}
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-prefixLen))
	return b, nil
}

// frames checks messages as they are read, and keeps nothing of them but an unfinished prefix.
// The zero frames is at the begin of a response.
type frames struct {
	prefix [prefixLen]byte
	have   int
	// left is the number of bytes to come of the present message, and messages how many
	// have begun.
	left     uint64
	messages int
	// err is the first thing that was wrong; what follows it means nothing.
	err error
}

// read reads a piece of a body. encoded says that the response may have compressed messages.
func (f *frames) read(p []byte, most uint64, encoded bool) {
	for len(p) > 0 && f.err == nil {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		n := copy(f.prefix[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < prefixLen {
			return
		}
		f.have = 0
		f.messages++
		f.left = uint64(binary.BigEndian.Uint32(f.prefix[1:]))
		switch {
		case f.prefix[0] > 1:
			f.err = errFlag
		case f.prefix[0] == 1 && !encoded:
			f.err = errNoEncoding
		case f.left > most:
			f.err = tooLongError{f.left, most}
		}
	}
}

// end returns the first error in all that was read; nil if it is whole.
func (f *frames) end() error {
	if f.err == nil && (f.left > 0 || f.have > 0) {
		return errCut
	}
	return f.err
}

// split returns the messages of a body, decompressed by the encoding of that name: each is at most so
// long, and all of them together are within the budget. It returns those before the first that is wrong.
func split(body []byte, encoding string, most uint64, budget inflate.Budget) (messages [][]byte, err error) {
	for len(body) >= prefixLen {
		n := uint64(binary.BigEndian.Uint32(body[1:]))
		if uint64(len(body)-prefixLen) < n {
			return messages, errCut
		}
		m := body[prefixLen : prefixLen+n]
		if body[0] == 1 {
			if m, err = decompress(m, encoding, most, &budget); err != nil {
				return messages, err
			}
		}
		messages = append(messages, m)
		body = body[prefixLen+n:]
	}
	if len(body) > 0 {
		return messages, errCut
	}
	return messages, nil
}

// decompress returns a message as it was, which is at most so long.
func decompress(m []byte, encoding string, most uint64, budget *inflate.Budget) ([]byte, error) {
	if encoding != gzipName {
		return nil, fmt.Errorf("a message is compressed by %q, which is not known", encoding)
	}
	r, err := inflate.Gzip(m)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, min(int64(most), budget.Left())+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("gzip: %w", err)
	case uint64(len(out)) > most:
		return nil, tooLongError{uint64(len(out)), most}
	}
	if err := budget.Spend(len(out)); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return out, nil
}
