package accesslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxLine bounds lines, in bytes; longer ones are skipped.
	maxLine = 1 << 20
	// maxWindow bounds the window of a file that is compressed with zstd.
	maxWindow = 128 << 20
)

// ErrLong says that a line is too long to be read.
const ErrLong = flaw("it is longer than 1 MiB")

// Lines reads a file line by line, and decompresses it if it is compressed with gzip or zstd. It is
// not safe for concurrent use.
type Lines struct {
	r     *bufio.Reader
	close func()
	n     int
	// early are lines that were read to find the format, and are read again.
	early []early
}

// early is what reading a line came to.
type early struct {
	line []byte
	err  error
}

// NewLines returns the lines of a file, which the caller closes after Close.
func NewLines(r io.Reader) (*Lines, error) {
	b := bufio.NewReaderSize(r, maxLine)
	// Fewer bytes are a file that is shorter.
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return &Lines{r: bufio.NewReaderSize(z, maxLine), close: func() {}}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return &Lines{r: bufio.NewReaderSize(z, maxLine), close: z.Close}, nil
	default:
		return &Lines{r: b, close: func() {}}, nil
	}
}

// Close gives back what decompressing takes.
func (l *Lines) Close() { l.close() }

// Next returns the next line without its line break, and its number. It is good until the next call. The
// error is io.EOF after the last one, and ErrLong for one that is skipped.
func (l *Lines) Next() (line []byte, number int, err error) {
	l.n++
	if len(l.early) > 0 {
		first := l.early[0]
		l.early = l.early[1:]
		return first.line, l.n, first.err
	}
	line, err = l.read()
	return line, l.n, err
}

func (l *Lines) read() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, ErrLong
	case errors.Is(err, io.EOF) && len(line) > 0:
	case err != nil:
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

const (
	// detectLines and detectBytes bound what the format of a file is found out from.
	detectLines, detectBytes = 100, 1 << 20
)

// Detect returns a parser of the format that most of the next lines have. They are read again by Next.
func (l *Lines) Detect() (Parser, error) {
	var lines [][]byte
	for size := 0; len(l.early) < detectLines && size < detectBytes; {
		line, err := l.read()
		if err != nil && !errors.Is(err, ErrLong) {
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
		line = bytes.Clone(line)
		l.early = append(l.early, early{line, err})
		lines = append(lines, line)
		size += len(line)
	}
	return Detect(lines)
}
