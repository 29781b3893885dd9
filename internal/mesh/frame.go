package mesh

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// A connection carries one endless message of protocol buffers, whose fields are the frames.
// Those of unknown numbers are passed over.
const (
	frameHello int = 1
	frameAsk   int = 2
	// frameValue is the number of values of kind 0. Those of the other kinds follow.
	frameValue int = 3
)

// The numbers of the fields of a hello.
const (
	helloCluster int = 1
	helloID      int = 2
	helloAddress int = 3
)

// The numbers of the fields of a value, and of those that are asked for, which have no
// content. askValue is that of one of the latter in its frame.
const (
	valueID      int = 1
	valueStamp   int = 2
	valueContent int = 3
	askValue     int = 1
)

// maxFrame bounds a frame, in bytes.
const maxFrame = 4 << 20

// errFrame is returned for bytes that are no frame.
var errFrame = errors.New("not a frame of the fleet")

// hello is how both sides of a connection begin.
type hello struct {
	cluster, id string
	// address is where the others reach the sender.
	address string
}

func (h hello) append(b []byte) []byte {
	content := appendString(nil, helloCluster, h.cluster)
	content = appendString(content, helloID, h.id)
	content = appendString(content, helloAddress, h.address)
	return appendFrame(b, frameHello, content)
}

func readHello(content []byte) (h hello, err error) {
	ok := EachField(content, func(number int, _ uint64, field []byte) bool {
		switch number {
		case helloCluster:
			h.cluster = string(field)
		case helloID:
			h.id = string(field)
		case helloAddress:
			h.address = string(field)
		}
		return true
	})
	return h, check(ok)
}

// check returns an error unless all fields could be read.
func check(ok bool) error {
	if !ok {
		return errFrame
	}
	return nil
}

func appendString(b []byte, number int, s string) []byte {
	b = protowire.AppendTag(b, protowire.Number(number), protowire.BytesType)
	return protowire.AppendString(b, s)
}

// appendFrame adds a frame, or a field of bytes of one.
func appendFrame(b []byte, number int, content []byte) []byte {
	b = protowire.AppendTag(b, protowire.Number(number), protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

func (v Value) fields() []byte {
	b := appendString(nil, valueID, v.ID)
	b = protowire.AppendTag(b, protowire.Number(valueStamp), protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(v.Stamp))
	if v.Content == nil {
		return b
	}
	return appendFrame(b, valueContent, v.Content)
}

func (v Value) append(b []byte) []byte {
	return appendFrame(b, frameValue+int(v.Kind), v.fields())
}

func readValue(kind Kind, content []byte) (Value, error) {
	v := Value{Kind: kind}
	ok := EachField(content, func(number int, n uint64, field []byte) bool {
		switch number {
		case valueID:
			v.ID = string(field)
		case valueStamp:
			v.Stamp = int64(n)
		case valueContent:
			v.Content = field
		}
		return true
	})
	return v, check(ok)
}

// appendAsk adds a frame that asks for values that are newer than those.
func appendAsk(b []byte, missing []Value) []byte {
	var content []byte
	for _, v := range missing {
		v.Content = nil
		content = appendFrame(content, askValue, v.fields())
	}
	return appendFrame(b, frameAsk, content)
}

func readAsk(content []byte) (missing []Value, err error) {
	ok := EachField(content, func(number int, _ uint64, field []byte) bool {
		if number != askValue {
			return true
		}
		var v Value
		v, err = readValue(0, field)
		missing = append(missing, v)
		return err == nil
	})
	return missing, check(ok)
}

// EachField calls a function with the number of each field of an encoded message of protocol
// buffers, and its value, which is a number or bytes, until it returns false. It reports
// whether it got to the end.
func EachField(b []byte, do func(number int, n uint64, field []byte) bool) bool {
	for len(b) > 0 {
		number, kind, used := protowire.ConsumeTag(b)
		if used < 0 {
			return false
		}
		b = b[used:]
		var n uint64
		var field []byte
		switch kind {
		case protowire.VarintType:
			n, used = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			field, used = protowire.ConsumeBytes(b)
		default:
			used = protowire.ConsumeFieldValue(number, kind, b)
		}
		if used < 0 || !do(int(number), n, field) {
			return false
		}
		b = b[used:]
	}
	return true
}

// readFrame reads the next frame. Its content is the caller's.
func readFrame(r *bufio.Reader) (int, []byte, error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	number, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType || number < 0 {
		return 0, nil, errFrame
	}
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, unexpected(err)
	}
	if length > maxFrame {
		return 0, nil, fmt.Errorf("%w: %d bytes, more than %d", errFrame, length, maxFrame)
	}
	if length <= uint64(r.Size()) {
		content := make([]byte, length)
		_, err = io.ReadFull(r, content)
		return int(number), content, unexpected(err)
	}
	// A length takes no memory: the bytes do, as they come.
	var content bytes.Buffer
	_, err = io.CopyN(&content, r, int64(length))
	return int(number), content.Bytes(), unexpected(err)
}

// unexpected returns an error, as that of an end within a frame where it is one.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
